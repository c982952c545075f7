"""Generated files of the reservoir part: the page of hashing chips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

from hwmodel.reservoir.chip import (
    AlphaPowerDelay,
    Crystal,
    EkvDelay,
    ErrorModel,
    FosterLadder,
    PathHistogram,
    Physics,
    SupplyNetwork,
    Throttle,
)
from hwmodel.reservoir.chips import PRESETS, ChipSpec

PAGE = """\
# Hashing chips

<!-- Made by tools/reservoir_files.py from hwmodel.reservoir; edit the tables there, not here. -->

`hwmodel.reservoir.chips` holds what is known of mining chips, each figure with its source. A source that begins with
`estimate` was not read in a primary document. `ChipSpec.check_setting` refuses what lies outside of the allowed range;
a driver of a real board calls it before every setting.

```python
>>> from hwmodel.reservoir.chips import PRESETS
>>> chip = PRESETS["BM1366"]
>>> chip.cores, chip.small_cores, round(chip.hash_rate(485e6) / 1e9, 1)  # GH/s
(112, 894, 433.6)
>>> from hwmodel.errors import SpecError
>>> try:
...     chip.check_setting("voltage", 1.35)
... except SpecError as error:
...     print(error)
BM1366: voltage 1350 mV is outside of its safe range 1100 to 1300 mV (ESP-Miner 0831a13,
main/device_config.h, last option); choose one within

```

## Geometry

{geometry}

Core c and small core k sweep a counter of so many bits; a sweep takes as many versions as a core has small cores. The
word `core << counter_bits | counter`, most significant byte first, is the nonce of the header. In a chain of n chips chip
k has address k (256 // n), which is the top 8 bits of the counter at which it begins.

## Figures

{figures}

## Physics

All of it is optional. The defaults are estimates, chosen so that a chip at its default setting makes no errors and that
errors begin near 1.05 V; they stand for a class of chips, not for a measured one.

{physics}
"""

GEOMETRY = (
    "chip_id",
    "cores",
    "small_cores",
    "slots",
    "domains",
    "counter_bits",
    "version_bits",
    "response_bytes",
)
NOTES = {
    EkvDelay: "Enz, Krummenacher, Vittoz, Analog Integr. Circuits Signal Process. 8, 1995; parameters: estimate",
    AlphaPowerDelay: "Sakurai, Newton, IEEE JSSC 25, 1990; parameters: estimate",
    PathHistogram: "estimate; that of a netlist is given as a table",
    ErrorModel: "Gaussian slack, 1 - product of (1 - p); parameters: estimate",
    SupplyNetwork: "series R-L, C at the chip; parameters: estimate",
    FosterLadder: "sum of exponentials; parameters: estimate",
    Crystal: "estimate",
    Throttle: "ESP-Miner 5c27713 for limit and step, of the order; interval: estimate",
    Physics: "jitter, job_pause, idle_share: estimate",
}


def geometry() -> str:
    """One row a chip."""
    lines = ["| chip | " + " | ".join(name.replace("_", " ") for name in GEOMETRY) + " | source |"]
    lines.append("|---" * (len(GEOMETRY) + 2) + "|")
    for spec in specs():
        cells = [f"{spec.chip_id:#06x}", *(str(getattr(spec, name)) for name in GEOMETRY[1:])]
        lines.append(f"| {spec.name} | " + " | ".join(cells) + f" | {spec.geometry_source} |")
    return "\n".join(lines)


def figures() -> str:
    """One section a chip, one row a figure."""
    parts = []
    for spec in specs():
        lines = [f"### {spec.name}\n", "| figure | value | unit | source |", "|---|---|---|---|"]
        lines += [
            f"| {name.replace('_', ' ')} | {figure.value:g} | {figure.unit} | {figure.source} |"
            for name, figure in spec.figures().items()
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def physics() -> str:
    """Every parameter with a default."""
    lines = ["| part | parameter | default | source |", "|---|---|---|---|"]
    for part, source in NOTES.items():
        for item in fields(part):
            value = getattr(part(), item.name)
            if isinstance(value, float | int | tuple):
                shown = ", ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else f"{value:g}"
                lines.append(f"| `{part.__name__}` | {item.name.replace('_', ' ')} | {shown} | {source} |")
    return "\n".join(lines)


def specs() -> list[ChipSpec]:
    """Presets without their other names."""
    return list({spec.name: spec for spec in PRESETS.values()}.values())


def page() -> str:
    """The page of docs/reference."""
    text = PAGE
    for name, table in (("geometry", geometry), ("figures", figures), ("physics", physics)):
        text = text.replace("{" + name + "}", table())
    return text


FILES: dict[str, Callable[[], str]] = {"docs/reference/hashing-chips.md": page}
