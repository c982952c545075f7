"""Generated files of the fixed-point part: the conformance suite, and the page of modes with its pictures.

All of them come from the plain-Python reference in hwmodel.fixedpoint, one value at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial

from hwmodel.fixedpoint import (
    OVERFLOW_ALIASES,
    OVERFLOWS,
    ROUNDING_ALIASES,
    ROUNDINGS,
    Fixed,
    reference_arithmetic,
    reference_cast,
    result_format,
)

Format = tuple[int, int, bool]  # width, integer bits, signed

# Source and destination of the casts: rounding alone, overflow alone, both, neither, words of one bit, more bits
# dropped or added than the source has, a binary point outside the word, and every pair of signs.
PAIRS: tuple[tuple[Format, Format], ...] = (
    ((6, 3, True), (4, 2, True)),
    ((6, 3, True), (4, 2, False)),
    ((6, 3, False), (4, 2, True)),
    ((6, 3, False), (4, 2, False)),
    ((6, 3, True), (3, 3, True)),
    ((6, 4, True), (5, 2, True)),
    ((6, 2, False), (2, 1, True)),
    ((6, 4, True), (8, 5, True)),
    ((6, 4, True), (8, 3, False)),
    ((5, 3, True), (1, 1, True)),
    ((5, 2, True), (1, 0, False)),
    ((5, 3, False), (1, 2, True)),
    ((4, -1, True), (3, -2, True)),
    ((4, 7, True), (6, 6, True)),
    ((4, 2, True), (8, -2, True)),
    ((4, 2, True), (4, 8, True)),
    ((4, 2, False), (3, 9, False)),
)
OPERANDS: tuple[tuple[Format, Format], ...] = (
    ((4, 2, True), (3, 1, True)),
    ((4, 2, False), (3, 2, True)),
    ((3, 1, True), (4, 3, False)),
    ((3, 2, False), (3, 0, False)),
    ((3, 5, True), (3, -1, True)),
    ((2, 1, True), (4, 6, True)),
)
BINARY = ("+", "-", "*", "/", "&", "|", "^", "==", "!=", "<", "<=", ">", ">=")


def word(raw: int, width: int) -> str:
    """The bits of a raw as hexadecimal digits."""
    return f"{raw & ((1 << width) - 1):0{(width + 3) // 4}x}"


def patterns(fmt: Fixed) -> list[int]:
    """The raw of every bit pattern, from pattern 0 on."""
    half = 1 << (fmt.width - 1)
    return [p - 2 * half if fmt.signed and p >= half else p for p in range(2 * half)]


def variants(dst: Format) -> Iterator[Fixed]:
    """The destination in all modes; the wraps with up to two saturation bits."""
    width, int_bits, signed = dst
    for rounding in ROUNDINGS:
        for overflow in OVERFLOWS:
            if overflow == "WRAP_SM" and not signed:
                continue
            last = min(2, width) if overflow.startswith("WRAP") else 0
            for n in range(last + 1):
                yield Fixed(width, int_bits, signed, rounding, overflow, n)


def casts() -> str:
    """A row a cast: the words that all patterns of the source give."""
    lines = [
        "src_width,src_int_bits,src_signed,width,int_bits,signed,rounding,overflow,saturation_bits,words"
    ]
    for source, destination in PAIRS:
        src = Fixed(*source)
        values = [raw * src.lsb for raw in patterns(src)]
        for dst in variants(destination):
            words = "".join(word(reference_cast(value, dst), dst.width) for value in values)
            head = [*source[:2], int(source[2]), dst.width, dst.int_bits, int(dst.signed)]
            modes = [dst.rounding, dst.overflow, dst.saturation_bits]
            lines.append(",".join(str(item) for item in [*head, *modes, words]))
    return "\n".join(lines) + "\n"


def operations() -> str:
    """A row an operator and two formats: the words of all pairs of operands, the first changing slowest."""
    lines = ["operator,a_width,a_int_bits,a_signed,b_width,b_int_bits,b_signed,width,int_bits,signed,words"]
    for first, second in OPERANDS:
        a_fmt, b_fmt = Fixed(*first), Fixed(*second)
        for op in BINARY:
            fmt = result_format(op, a_fmt, b_fmt)
            words = [
                word(reference_arithmetic(op, a, a_fmt, b, b_fmt, fmt), fmt.width)
                if op != "/" or b
                else "-" * ((fmt.width + 3) // 4)
                for a in patterns(a_fmt)
                for b in patterns(b_fmt)
            ]
            types = [first[0], first[1], int(first[2]), second[0], second[1], int(second[2])]
            row = [op, *types, fmt.width, fmt.int_bits, int(fmt.signed), "".join(words)]
            lines.append(",".join(str(item) for item in row))
    return "\n".join(lines) + "\n"


# ------------------------------------------------------------------------------------------------- pictures

UNIT = 18  # pixels a unit
INK, GRID, AXIS = "#1f5fa8", "#e4e4e4", "#808080"


def _frame(half_width: int, half_height: int, body: list[str], title: str) -> str:
    """A picture with its grid, centred on the origin."""
    w, h = half_width * UNIT, half_height * UNIT
    box = f'viewBox="{-w - 6} {-h - 6} {2 * w + 12} {2 * h + 12}" width="{2 * w + 12}" height="{2 * h + 12}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img">',
        f"<title>{title}</title>",
        f'<rect x="{-w - 6}" y="{-h - 6}" width="{2 * w + 12}" height="{2 * h + 12}" fill="#ffffff"/>',
    ]
    for x in range(-half_width, half_width + 1):
        lines.append(f'<path d="M{x * UNIT} {-h}V{h}" stroke="{AXIS if x == 0 else GRID}"/>')
    for y in range(-half_height, half_height + 1):
        lines.append(f'<path d="M{-w} {y * UNIT}H{w}" stroke="{AXIS if y == 0 else GRID}"/>')
    return "\n".join([*lines, *body, "</svg>"]) + "\n"


def _place(x: Fraction, y: int) -> tuple[str, str]:
    return f"{float(x * UNIT):g}", f"{-y * UNIT:g}"


def rounding_picture(rounding: str) -> str:
    """Output over input, both in last bits; a dot shows the output where the step lies."""
    fmt, half, reach = Fixed(8, 8, rounding=rounding), Fraction(1, 2), 3
    body = [f'<path d="M{-reach * UNIT} {reach * UNIT}L{reach * UNIT} {-reach * UNIT}" stroke="{GRID}"/>']
    for k in range(-2 * reach, 2 * reach):
        left, y = k * half, reference_cast(k * half + half / 2, fmt)
        if abs(y) <= reach:
            (x0, y0), (x1, _) = _place(left, y), _place(left + half, y)
            body.append(f'<path d="M{x0} {y0}H{x1}" stroke="{INK}" stroke-width="2.5"/>')
    for k in range(-2 * reach + 1, 2 * reach):
        before, after = (reference_cast(k * half + step, fmt) for step in (-half / 2, half / 2))
        if before != after:
            cx, cy = _place(k * half, reference_cast(k * half, fmt))
            body.append(f'<circle cx="{cx}" cy="{cy}" r="4" fill="{INK}"/>')
    return _frame(reach, reach, body, f"{rounding}: output over input, in units of the last bit")


def overflow_picture(overflow: str, saturation_bits: int = 0) -> str:
    """Output over input of a signed word of three bits, for whole numbers."""
    fmt, reach = Fixed(3, 3, overflow=overflow, saturation_bits=saturation_bits), 10
    outputs = {x: reference_cast(x, fmt) for x in range(-reach, reach + 1)}
    body = []
    for x, y in outputs.items():
        cx, cy = _place(Fraction(x), y)
        if x < reach and abs(outputs[x + 1] - y) <= 1:
            x1, y1 = _place(Fraction(x + 1), outputs[x + 1])
            body.append(f'<path d="M{cx} {cy}L{x1} {y1}" stroke="{INK}" stroke-width="2"/>')
        body.append(f'<circle cx="{cx}" cy="{cy}" r="3.5" fill="{INK}"/>')
    name = f"{overflow}, {saturation_bits} saturation bits" if saturation_bits else overflow
    return _frame(reach, 5, body, f"{name}: output over input of a signed word of three bits")


# ------------------------------------------------------------------------------------------------- the page

ROUNDING_RULES = {
    "RND": "to the nearest; a tie up, to plus infinity",
    "RND_ZERO": "to the nearest; a tie to zero",
    "RND_MIN_INF": "to the nearest; a tie down, to minus infinity",
    "RND_INF": "to the nearest; a tie away from zero",
    "RND_CONV": "to the nearest; a tie to the even last bit",
    "TRN": "down, to minus infinity: the bits are cut off (default)",
    "TRN_ZERO": "to zero",
}
OVERFLOW_RULES = {
    "SAT": "the nearest end of the range",
    "SAT_ZERO": "0",
    "SAT_SYM": "the nearest end, with the least number one above the word's; a signed word of one bit keeps -1",
    "WRAP": "the low bits of the number (default)",
    "WRAP_SM": "sign-magnitude wrapping, of signed words only: the number turns round at each end",
}
WRAPS = (
    ("WRAP", 1, "signed words keep the sign; the top bit of unsigned words becomes 1"),
    ("WRAP", 2, "signed words keep the sign, and the bit after it becomes its opposite"),
    ("WRAP_SM", 1, "the word takes the sign of the number, and is inverted where its own sign differs"),
    ("WRAP_SM", 2, "likewise, and the bit after the sign becomes its opposite"),
)


def _names(aliases: dict[str, str], mode: str) -> str:
    return ", ".join(name.lower() for name, target in aliases.items() if target == mode)


def modes_page() -> str:
    """The page of all modes."""
    lines = [
        "# Rounding and overflow modes of fixed point",
        "",
        "<!-- Made by tools/regenerate.py from tools/fixedpoint_files.py; edit the text there, not here. -->",
        "",
        "A cast first rounds to the last bit of the destination, then brings the number into its range. The modes and",
        "their names are those of `ap_fixed`; names are taken with or without `AP_`, in any case, and by the aliases",
        "given. [What a cast does](../explanation/fixed-point.md) has the exact rules.",
        "",
        "## Rounding",
        "",
        "The pictures show output over input, both in units of the last bit; a dot is the output at the step itself.",
        "",
        "| mode | rule | aliases | picture |",
        "|---|---|---|---|",
    ]
    for mode in ROUNDINGS:
        picture = f"![{mode}](../images/rounding_{mode.lower()}.svg)"
        lines.append(f"| `{mode}` | {ROUNDING_RULES[mode]} | {_names(ROUNDING_ALIASES, mode)} | {picture} |")
    lines += [
        "",
        "`floor`, `trunc` and `truncate` all cut bits off, as hardware does; the `trunc` of NumPy and C is `to_zero`.",
        "",
        "## Overflow",
        "",
        "What a number outside the range becomes. The pictures show a signed word of three bits, range -4 to 3.",
        "",
        "| mode | result | aliases | picture |",
        "|---|---|---|---|",
    ]
    for mode in OVERFLOWS:
        picture = f"![{mode}](../images/overflow_{mode.lower()}.svg)"
        lines.append(f"| `{mode}` | {OVERFLOW_RULES[mode]} | {_names(OVERFLOW_ALIASES, mode)} | {picture} |")
    lines += [
        "",
        "## Saturation bits",
        "",
        "`WRAP` and `WRAP_SM` with N saturation bits; the others ignore N.",
        "",
    ]
    lines += ["| mode | N | result | picture |", "|---|---|---|---|"]
    for mode, n, rule in WRAPS:
        picture = f"![{mode}, N = {n}](../images/overflow_{mode.lower()}_{n}.svg)"
        lines.append(f"| `{mode}` | {n} | {rule} | {picture} |")
    return "\n".join([*lines, ""])


def _pictures() -> Iterator[tuple[str, Callable[[], str]]]:
    for mode in ROUNDINGS:
        yield f"docs/images/rounding_{mode.lower()}.svg", partial(rounding_picture, mode)
    for mode in OVERFLOWS:
        yield f"docs/images/overflow_{mode.lower()}.svg", partial(overflow_picture, mode)
    for mode, n, _ in WRAPS:
        yield f"docs/images/overflow_{mode.lower()}_{n}.svg", partial(overflow_picture, mode, n)


FILES: dict[str, Callable[[], str]] = {
    "tests/golden/fixedpoint/casts.csv": casts,
    "tests/golden/fixedpoint/operations.csv": operations,
    "docs/reference/fixedpoint-modes.md": modes_page,
    **dict(_pictures()),
}
