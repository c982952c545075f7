"""The memory technologies: where each works, and the numbers that its formulas use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from hwmodel.cryo import _technology_tables as tables
from hwmodel.cryo._technology_tables import Fit, Value
from hwmodel.errors import unknown

__all__ = ["TECHNOLOGIES", "Technology", "technology"]


@dataclass(frozen=True)
class Technology:
    """A memory technology: where it works, its numbers with their sources, and its fits.

    Attributes:
        name: as in `technology(name)`.
        kind: "sram" (fits), "josephson" (cell by cell), "shift" (circulating words) or "dram".
        temperatures: lowest and highest temperature in K at which it works, or has data.
        numbers: what the formulas use, each with unit and source.
        fits: for "sram": access, interval, energy and leakage as functions of size.
        low_voltage: whether its transistors run at 0.44 V (0.24 V threshold) instead of 0.8 V (0.5 V).
        source: of the technology as a whole.

    Example:
        >>> technology("jsram").numbers["junctions per cell"].value
        8.0
    """

    name: str
    kind: str
    temperatures: tuple[float, float]
    source: str
    numbers: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    fits: Mapping[str, Fit] = field(default_factory=lambda: MappingProxyType({}))
    low_voltage: bool = False


RSFQ = tables.RSFQLIB
_BIAS = Value(747.0, "uA", RSFQ)
_SUPERCONDUCTING = (2.0, 6.0)  # estimate: niobium far enough below its 9.2 K
_DRAM = {
    "access": Value(32.5, "ns", tables.HIERARCHY + ": tRCD + tCL + burst of 64 B"),
    "interval": Value(5.0, "ns", tables.HIERARCHY + ": burst of 64 B on the channel"),
    "energy": Value(10.24, "nJ", "estimate: 20 pJ/bit, 64 B, device and interface"),
    "background": Value(0.1, "W/GB", "estimate: refresh and standby"),
}
_FASTER = Value(3.8, "times", tables.CRYORAM)
_LESS = Value(0.092, "times", tables.CRYORAM + ", power; an alternative to the speed, not with it")
_NO_REFRESH = Value(0.0, "W/GB", "estimate: the cells hardly leak at 77 K")


def _divided(value: Value, by: float, source: str) -> Value:
    return Value(value.value / by, value.unit, source)


TECHNOLOGIES: Mapping[str, Technology] = MappingProxyType(
    {
        found.name: found
        for found in (
            Technology("cmos-22nm", "sram", (4.0, 300.0), tables.MEMORY, fits=tables.SRAM_08),
            Technology(
                "cmos-22nm-low-voltage",
                "sram",
                (76.0, 78.0),
                tables.MEMORY,
                fits=tables.SRAM_044,
                low_voltage=True,
            ),
            Technology(
                "jsram",
                "josephson",
                _SUPERCONDUCTING,
                tables.HERR,
                {
                    "junctions per cell": Value(8.0, "JJ", tables.HERR),
                    "delay per cell": Value(1.0, "ps", tables.HERR),
                    "cell area": Value(2.0, "um2", tables.HERR),
                    "density": Value(4.0, "MB/cm2", tables.HERR),
                    "shortest period": Value(33.3, "ps", tables.HERR + ": one access a clock at 30 GHz"),
                    "critical current": Value(
                        100.0, "uA", "estimate: two junctions switch in a cell that is passed"
                    ),
                    "static power per bit": Value(0.0, "uW", "estimate: biased by the clock, no resistors"),
                },
            ),
            Technology(
                "sfq",
                "shift",
                _SUPERCONDUCTING,
                "shift registers of RSFQ flip-flops, one a bit",
                {
                    "junctions per cell": Value(7.0, "JJ", RSFQ),
                    "shortest period": Value(
                        20.0, "ps", "estimate: 50 GHz, the bit clock of CORE e2h (APL 122, 192601)"
                    ),
                    "density": Value(0.0125, "MB/cm2", "estimate: 30 um x 30 um a flip-flop"),
                    "bias current": _BIAS,
                    "static power per bit": Value(1.942, "uW", RSFQ + ", 2.6 mV; ERSFQ has none"),
                },
            ),
            Technology(
                "delay-line",
                "shift",
                _SUPERCONDUCTING,
                tables.VOLK,
                {
                    "junctions per cell": Value(
                        0.0, "JJ", "estimate: junctions only where a line is read and closed"
                    ),
                    "shortest period": Value(10.0, "ps", tables.VOLK + ": 20 to 100 GHz"),
                    "density": Value(1.25, "MB/cm2", tables.VOLK + ": tens of Mbit/cm2; the lowest, 10"),
                    "bias current": _BIAS,
                    "static power per bit": Value(0.0, "uW", "estimate: no bias along the line"),
                },
            ),
            Technology("dram", "dram", (273.0, 300.0), tables.HIERARCHY, _DRAM),
            Technology(
                "dram-77k",
                "dram",
                (76.0, 78.0),
                tables.CRYORAM,
                {
                    **_DRAM,
                    "access": _divided(_DRAM["access"], _FASTER.value, tables.CRYORAM + ": 3.8 times faster"),
                    "background": _NO_REFRESH,
                },
            ),
            Technology(
                "dram-77k-low-power",
                "dram",
                (76.0, 78.0),
                tables.CRYORAM,
                {
                    **_DRAM,
                    "energy": _divided(
                        _DRAM["energy"], 1 / _LESS.value, tables.CRYORAM + ": 9.2 % of the power"
                    ),
                    "background": _NO_REFRESH,
                },
            ),
        )
    }
)


def technology(name: str | Technology) -> Technology:
    """The technology of this name.

    Raises:
        UnknownNameError: there is none; the message offers the nearest.

    Example:
        >>> technology("cmos-22nm").temperatures
        (4.0, 300.0)
    """
    if isinstance(name, Technology):
        return name
    if name not in TECHNOLOGIES:
        raise unknown("technology", str(name), TECHNOLOGIES)
    return TECHNOLOGIES[name]
