"""Numbers and names of a report in words a reader understands: metrics, statistics, specs."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwmodel.units import format_time

# Unit tokens of snake_case names and how they are written. The naming rule puts the unit last,
# or before `per`: `delay_ps`, `energy_aj_per_inference`.
UNITS = {
    "fs": "fs", "ps": "ps", "ns": "ns", "us": "µs", "ms": "ms", "s": "s",
    "hz": "Hz", "khz": "kHz", "mhz": "MHz", "ghz": "GHz", "thz": "THz",
    "aj": "aJ", "fj": "fJ", "pj": "pJ", "nj": "nJ", "j": "J",
    "nw": "nW", "uw": "µW", "mw": "mW", "w": "W",
    "na": "nA", "ua": "µA", "ma": "mA", "a": "A", "uv": "µV", "mv": "mV", "v": "V",
    "k": "K", "mk": "mK", "percent": "%", "sigma": "σ", "db": "dB", "bits": "bits",
    "nm": "nm", "um": "µm", "mm": "mm", "mm2": "mm²", "ph": "pH", "ff": "fF", "ohm": "Ω",
}  # fmt: skip
PLAIN_UNITS = {"s", "Hz", "J", "W", "A", "V"}
PREFIXES = {12: "T", 9: "G", 6: "M", 3: "k", -3: "m", -6: "µ", -9: "n", -12: "p", -15: "f", -18: "a"}
ACRONYMS = {
    "jj": "JJ",
    "jtl": "JTL",
    "sfq": "SFQ",
    "rtl": "RTL",
    "ic": "Ic",
    "cpu": "CPU",
    "l1": "L1",
    "l2": "L2",
}
MOST_LISTED = 8
_LITERAL = re.compile(r"(?:Clock\()?([fpnum]?s|[kMGT]?Hz)\((-?[\d.]+(?:e-?\d+)?)\)\)?")


@dataclass(frozen=True)
class Fact:
    """One line of a table."""

    name: str
    value: str
    unit: str = ""
    source: str = ""
    numeric: bool = False


def flatten(values: Mapping[str, Any], most: int = 400) -> list[Fact]:
    """Turn nested values into lines with readable names; beyond `most` lines only the count is kept."""
    facts: list[Fact] = []
    left_out = 0
    for path, value, source in _leaves(values, ()) if values else ():
        if len(facts) < most:
            name, unit = readable(path)
            given = value.get("unit", "") if isinstance(value, Mapping) else ""
            shown = value["value"] if isinstance(value, Mapping) else value
            numeric = isinstance(shown, numbers.Number) and not isinstance(shown, bool)
            literal = _LITERAL.fullmatch(shown) if isinstance(shown, str) else None
            if literal:  # a time, a frequency or a clock as a spec's text
                facts.append(Fact(name, literal[2], literal[1].replace("us", "µs"), source, True))
                continue
            shown, unit = _scaled(shown, str(given) or unit) if numeric else (shown, str(given) or unit)
            facts.append(Fact(name, show(shown), "" if unit == "1" else unit, source, numeric))
        else:
            left_out += 1
    if left_out:
        facts.append(Fact(f"and {left_out} more", "", "", "see the manifest or the files of the run"))
    return facts


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, str]]:
    if isinstance(value, Mapping) and "value" in value and set(value) <= {"value", "unit", "source"}:
        yield path, value, str(value.get("source", ""))  # a quantity with its source
    elif isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    else:
        yield path, value if not isinstance(value, Mapping) else "none", ""


def readable(path: Sequence[str]) -> tuple[str, str]:
    """Give the name and unit of a nested key; a dotted key is a component's path and a name.

    Example:
        >>> readable(("levels", "pulse", "energy_aj_per_inference"))
        ('Levels › pulse › energy per inference', 'aJ')
        >>> readable(("core.l1.miss_rate",))
        ('core.l1 › miss rate', '')
    """
    unit = ""
    parts = []
    for part in path:
        place, dot, name = part.rpartition(".")
        words = name.split("_")
        for i in range(1, len(words)):
            if words[i].lower() in UNITS and (i == len(words) - 1 or words[i + 1] == "per"):
                unit = UNITS[words[i].lower()]
                del words[i]
                break
        if dot:
            parts.append(place)  # the path of a component stays as it is written
        parts.append(" ".join(ACRONYMS.get(word, word) for word in words if word))
    text = " › ".join(parts)
    return (text if "." in path[0] else text[:1].upper() + text[1:], unit)


def _scaled(value: Any, unit: str) -> tuple[Any, str]:
    """Give very small and very large values a prefix: 6.2e-06 W reads as 6.2 µW, 19,200,000 Hz as 19.2 MHz."""
    if unit == "fs" and isinstance(value, int) and abs(value) >= 10_000:
        number, unit = format_time(value).split()
        return float(number), unit.replace("us", "µs")
    if unit == "Hz" and abs(value) >= 10_000:
        power = min(12, 3 * math.floor(math.log10(abs(value)) / 3))
        return float(value) / 10.0**power, PREFIXES[power] + unit
    if unit not in PLAIN_UNITS or not 0 < abs(value) < 0.01:
        return value, unit
    power = max(-18, 3 * math.floor(math.log10(abs(value)) / 3))
    return float(value) / 10.0**power, PREFIXES.get(power, "") + unit


def show(value: Any) -> str:
    """Write one value: six significant digits, grouped integers, short lists in full."""
    if hasattr(value, "tolist"):
        value = value.tolist()  # numpy scalars and arrays
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}") if abs(value) >= 10_000 else str(value)
    if isinstance(value, float):
        return _show_float(value)
    if isinstance(value, (list, tuple)):
        if len(value) <= MOST_LISTED:
            return ", ".join(show(v) for v in value) or "none"
        return f"{', '.join(show(v) for v in value[:3])}, … ({len(value)} values)"
    return str(value)


def _show_float(value: float) -> str:
    if math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.6g}".replace("-", "−") if value else "0"
