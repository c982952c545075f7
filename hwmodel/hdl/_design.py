"""A design under simulation: sources, top module, parameters, pins, and the words that become ports."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hwmodel.errors import SpecError, ToolError, unknown
from hwmodel.hdl._parse import Interface, read_verilator_tree, read_yosys_json
from hwmodel.hdl._tools import Tool, build_once, find_verilator, find_yosys, first_error, missing

WORD = 64
"""Bits of one message of the kernel; a wider pin becomes several ports."""

WIDEST = 1 << 16
"""Bits of the widest pin that is taken."""

CLOCK_NAMES = ("clk", "clock", "clk_i", "i_clk", "clock_i", "i_clock", "aclk", "ck", "CLK", "clk_in")
RESET_NAMES = (
    "rst", "reset", "rst_n", "resetn", "reset_n", "rstn", "rst_i", "i_rst", "rst_ni", "i_rst_n", "areset", "arst",
    "arst_n", "aresetn", "srst", "nrst", "nreset", "RST", "RESET", "RST_N",
)  # fmt: skip
_ACTIVE_LOW = re.compile(r"(n|_ni|_n_i)$|^n(rst|reset)|_b$", re.IGNORECASE)

Parameter = int | float | str


@dataclass(frozen=True)
class Reset:
    """How a design is reset before time 0.

    Parameters:
        pin: name of the reset pin; it becomes no port.
        active: "high", "low", or "auto": low where the name ends in n, as in `rst_n`.
        cycles: clock edges under reset, with all inputs 0.

    Raises:
        SpecError: an unknown level, or fewer than one cycle.

    Example:
        >>> Reset("rst_n").active_low, Reset("rst", cycles=4).active_low
        (True, False)
    """

    pin: str
    active: Literal["auto", "high", "low"] = "auto"
    cycles: int = 2

    def __post_init__(self) -> None:
        if self.active not in ("auto", "high", "low"):
            raise SpecError(f"Reset('{self.pin}', active={self.active!r}): use 'auto', 'high' or 'low'")
        if not 1 <= self.cycles <= 1 << 20:
            raise SpecError(f"Reset('{self.pin}', cycles={self.cycles}): use 1 to {1 << 20} cycles")

    @property
    def active_low(self) -> bool:
        """Whether 0 is the level that resets."""
        if self.active == "auto":
            return _ACTIVE_LOW.search(self.pin) is not None
        return self.active == "low"


@dataclass(frozen=True)
class Word:
    """Up to 64 bits of a pin, as one port: `x`, or `x[1]` for bits 64 to 127 of a wide `x`."""

    name: str
    pin: int  # number of the pin among those of its direction
    low: int  # first bit
    width: int


def words_of(pins: Iterable[tuple[str, int]]) -> tuple[Word, ...]:
    """Cut pins (name, width) into words of 64 bits.

    Example:
        >>> [(w.name, w.low, w.width) for w in words_of([("a", 8), ("b", 100)])]
        [('a', 0, 8), ('b[0]', 0, 64), ('b[1]', 64, 36)]
    """
    words = []
    for number, (name, width) in enumerate(pins):
        if width <= WORD:
            words.append(Word(name, number, 0, width))
            continue
        for low in range(0, width, WORD):
            words.append(Word(f"{name}[{low // WORD}]", number, low, min(WORD, width - low)))
    return tuple(words)


@dataclass(frozen=True)
class Sources:
    """Verilog files as they were when they were read."""

    files: tuple[Path, ...]
    include: tuple[Path, ...]
    defines: tuple[tuple[str, str], ...]
    digest: str
    text: str

    @classmethod
    def read(
        cls,
        source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        include: Sequence[str | os.PathLike[str]] = (),
        defines: Mapping[str, Parameter] | None = None,
        where: str = "Rtl",
    ) -> Sources:
        """Read the files.

        Raises:
            SpecError: no file, or one that cannot be read.
        """
        given = [source] if isinstance(source, str | os.PathLike) else list(source)
        if not given:
            raise SpecError(f"{where}: no source; give a Verilog file, a list of them, or a PyRTL block")
        files, parts = [], []
        for item in given:
            file = Path(item).resolve()
            try:
                parts.append(file.read_text(encoding="utf-8", errors="replace"))
            except OSError as error:
                raise SpecError(
                    f"{where}: Verilog source '{item}' cannot be read ({error.strerror})"
                ) from None
            files.append(file)
        folders = tuple(dict.fromkeys([*(Path(f).resolve() for f in include), *(f.parent for f in files)]))
        named = tuple(sorted((name, str(value)) for name, value in (defines or {}).items()))
        digest = hashlib.sha256(repr((named, parts)).encode())
        headers = _headers("\n".join(parts), folders)
        texts = [*parts, *(h.read_text(encoding="utf-8", errors="replace") for h in headers)]
        for file in [*headers, *_memory_files("\n".join(texts), folders)]:
            digest.update(file.read_bytes())
        return cls(tuple(files), folders, named, digest.hexdigest(), "\n".join(parts))

    @property
    def modules(self) -> list[str]:
        """Names of the modules that the files define."""
        return re.findall(
            r"(?<![\w$`\\])(?:macro)?module\s+(?:automatic\s+)?([A-Za-z_]\w*)", _bare(self.text)
        )

    def find_top(self, top: str | None, where: str) -> str:
        """The top module: the one named, or the only one that no other holds.

        Raises:
            UnknownNameError: no such module.
            SpecError: several could be meant.
        """
        modules = list(dict.fromkeys(self.modules))
        if top is not None:
            if top not in modules:
                raise unknown(f"top module of {where}", top, modules)
            return top
        text = _bare(self.text)
        loose = [m for m in modules if len(re.findall(rf"\b{m}\b", text)) == 1] or modules
        stems = [m for m in loose if m in {f.stem for f in self.files}]
        for found in (loose, stems):
            if len(found) == 1:
                return found[0]
        if not modules:
            raise SpecError(f"{where}: the source defines no module")
        raise SpecError(f"{where}: several modules could be the top: {', '.join(loose)}; name one with top=")


def _bare(text: str) -> str:
    """Verilog without comments, strings, attributes and end labels."""
    text = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', " ", text, flags=re.DOTALL)
    text = re.sub(r"\(\*(?!\s*\)).*?\*\)", " ", text, flags=re.DOTALL)
    return re.sub(r"\bendmodule\s*:\s*\w+", "endmodule", text)


def _headers(text: str, folders: Sequence[Path]) -> list[Path]:
    """Files that the text includes, and those that they include, as far as the folders hold them."""
    found: dict[Path, None] = {}
    waiting = re.findall(r'`include\s+"([^"]+)"', text)
    while waiting:
        name = waiting.pop()
        file = next((f / name for f in folders if (f / name).is_file()), None)
        if file is not None and file not in found:
            found[file] = None
            waiting += re.findall(r'`include\s+"([^"]+)"', file.read_text(encoding="utf-8", errors="replace"))
    return sorted(found)


def _memory_files(text: str, folders: Sequence[Path]) -> list[Path]:
    """Files that the text names in strings, such as the contents of a memory, as far as they are there."""
    found = set()
    for name in set(re.findall(r'"([^"\\\n\0]{1,255})"', text)):
        try:
            found |= {f / name for f in folders if (f / name).is_file()}
        except OSError:  # too long to name a file
            continue
    return sorted(found)


# ---------------------------------------------------------------------------------------------- reading pins


def parameter_text(name: str, value: Parameter, where: str) -> str:
    """A parameter as a Verilog literal: numbers as they are, text as it stands, such as "8'hff"."""
    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise SpecError(f"{where}: parameter name {name!r} is not a Verilog name")
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str) and re.fullmatch(r"[-\w'.]+|\"[^\"\\\n]*\"", value):
        return value
    raise SpecError(
        f'{where}: parameter {name}={value!r}: use a number, a literal such as "8\'hff", or text in double quotes'
    )


def verilator_flags(sources: Sources) -> list[str]:
    """Options that every call of Verilator has: no warning stops it."""
    flags = ["--no-timing", "-Wno-fatal", "-Wno-lint", "-Wno-style", "-Wno-TIMESCALEMOD", "--quiet"]
    flags += ["-Werror-MODDUP"]  # of two modules of one name, it would take the first and say nothing
    flags += [f"-I{folder}" for folder in sources.include]
    return flags + [f"-D{name}={value}" for name, value in sources.defines]


def read_interface(sources: Sources, top: str, parameters: Mapping[str, str], where: str) -> Interface:
    """The pins of a module, by Verilator or else by yosys.

    Raises:
        ToolError: neither is there, or the source does not compile; the message has file and line.
    """
    verilator, yosys = find_verilator(), find_yosys()
    tool = verilator or yosys
    if tool is None:
        raise missing("verilator", f"{where}: reading Verilog takes Verilator or yosys")
    key = [sources.digest, top, repr(sorted(parameters.items())), tool.name, tool.version]
    if tool is verilator:
        folder = build_once(
            "pins", key, lambda out: _verilator_tree(tool, sources, top, parameters, where, out)
        )
        return read_verilator_tree((folder / "design.json").read_text(encoding="utf-8"), top)
    folder = build_once("pins", key, lambda out: _yosys_tree(tool, sources, top, parameters, where, out))
    return read_yosys_json((folder / "design.json").read_text(encoding="utf-8"), top)


def _verilator_tree(
    tool: Tool, sources: Sources, top: str, parameters: Mapping[str, str], where: str, out: Path
) -> None:
    args = ["--json-only", *verilator_flags(sources), "--top-module", top]
    args += [f"-G{name}={value}" for name, value in parameters.items()]
    args += ["--Mdir", str(out), "--prefix", "design", *map(str, sources.files)]
    done = tool.run(args)
    if done.returncode:
        raise ToolError(f"{where}: Verilator refuses the source: {first_error(done.stderr + done.stdout)}")
    (out / "design.tree.json").rename(out / "design.json")
    (out / "design.tree.meta.json").unlink(missing_ok=True)


def yosys_read(sources: Sources) -> str:
    """The commands with which yosys reads the sources.

    Raises:
        ToolError: a macro or a folder that its command line cannot hold.
    """
    beside = {file.parent for file in sources.files}  # where it looks without being told
    flags = [f"-I{folder}" for folder in sources.include if folder not in beside or " " not in str(folder)]
    flags += [f"-D{name}={value}" for name, value in sources.defines]
    for flag in flags:
        if re.search(r"[\s;\"]", flag):
            raise ToolError(
                f"yosys takes no space, semicolon or quote in {flag[2:]!r}; use simulator='verilator'"
            )
    return f"read_verilog -sv {' '.join(flags)} " + " ".join(f'"{file}"' for file in sources.files)


def yosys_top(top: str, parameters: Mapping[str, str]) -> str:
    """The commands that make `top` with its parameters the top module."""
    settings = " ".join(f"-set {name} {value}" for name, value in parameters.items())
    return (f"chparam {settings} {top}; " if settings else "") + f"hierarchy -check -top {top}"


def run_yosys(tool: Tool, script: str, where: str, cwd: Path) -> str:
    """Run yosys and return what it printed.

    Raises:
        ToolError: with the first complaint.
    """
    done = tool.run(["-Q", "-T", "-p", script], cwd=cwd)
    if done.returncode:
        raise ToolError(f"{where}: yosys refuses the source: {first_error(done.stderr + done.stdout)}")
    return done.stdout


def _yosys_tree(
    tool: Tool, sources: Sources, top: str, parameters: Mapping[str, str], where: str, out: Path
) -> None:
    script = f"{yosys_read(sources)}; {yosys_top(top, parameters)}; proc; flatten; write_json design.json"
    run_yosys(tool, script, where, out)


# ---------------------------------------------------------------------------------------------- the shell


def shell_text(
    top: str,
    parameters: Mapping[str, str],
    pins: Sequence[tuple[str, str, int]],
    clock: str | None,
    reset: str | None,
) -> str:
    """A module around `top` whose pins have plain names: c, r, i0 ..., o0 ... .

    Names that are legal in Verilog but not in C++ or BLIF are thus no concern of the simulators, and
    both get the parameters in the same way.
    """
    ports, joins, numbers = [], [], {"in": 0, "out": 0}
    for name, direction, width in pins:
        if name in (clock, reset):
            plain = "c" if name == clock else "r"
            ports.append(f"  input {plain}")
        else:
            plain = f"{'i' if direction == 'in' else 'o'}{numbers[direction]}"
            numbers[direction] += 1
            ports.append(
                f"  {direction}put [{width - 1}:0] {plain}" if width > 1 else f"  {direction}put {plain}"
            )
        joins.append(f"    .\\{name} ({plain})")  # escaped, because it may be a keyword
    settings = ",\n".join(f"    .{name}({value})" for name, value in parameters.items())
    head = f"  {top} #(\n{settings}\n  ) u (" if settings else f"  {top} u ("
    return "module hwmodel_shell (\n{}\n);\n{}\n{}\n  );\nendmodule\n".format(
        ",\n".join(ports), head, ",\n".join(joins)
    )
