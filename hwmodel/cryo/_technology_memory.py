"""Memories: what an access takes in time, interval, energy and leakage."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from hwmodel.cryo import _technology_tables as tables
from hwmodel.cryo._technology_catalogue import Technology
from hwmodel.cryo._technology_catalogue import technology as _technology
from hwmodel.cryo._technology_models import (
    AMBIENT,
    TechnologyWarning,
    cooling_overhead,
    copper_resistivity,
    drive_current,
    gate_leakage,
    interpolate,
    subthreshold_leakage,
    to_bytes,
    to_kelvin,
)
from hwmodel.cryo._technology_tables import Value
from hwmodel.errors import SpecError
from hwmodel.units import Frequency, Time, format_time, to_frequency

__all__ = [
    "Array",
    "Power",
    "access_energy",
    "access_interval",
    "access_time",
    "area",
    "junctions",
    "leakage_power",
    "position_time",
    "power",
]

NEAR = 16
"""How far beyond the fitted sizes, as a factor, the fits are used with a warning."""

FLUX_QUANTUM = 2.067833848e-15
PTL_VELOCITY = Value(1 / 3, "c", "estimate: superconducting passive transmission line")


@dataclass(frozen=True)
class Array:
    """A memory array of one technology.

    Parameters:
        size: bytes, or text such as "32 kB".
        technology: a `Technology` or its name.
        ports: accesses that may begin at once; 1 or 2. The SRAM data are of two ports.
        word: bytes of a word of a josephson or shift memory.
        rows: rows of a bank of a josephson memory; the banks are as wide as a word.
        length: words that circulate in one ring of a shift memory.

    Raises:
        SpecError: a size, or another number, that no array has.
        UnknownNameError: no such technology.

    Example:
        >>> print(Array("32 kB", "cmos-22nm"))
        32 kB of cmos-22nm
    """

    size: int
    technology: Technology
    ports: int
    word: int
    rows: int
    length: int

    def __init__(
        self,
        size: int | str,
        technology: str | Technology = "cmos-22nm",
        ports: int = 1,
        *,
        word: int = 8,
        rows: int = 512,
        length: int = 64,
    ) -> None:
        found: dict[str, object] = {"size": to_bytes(size), "technology": _technology(technology)}
        for name, value, most in (
            ("ports", ports, 2),
            ("word", word, 4096),
            ("rows", rows, 65536),
            ("length", length, 1 << 20),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                hint = "; split the array into banks for more" if name == "ports" else ""
                raise SpecError(f"Array({name}={value!r}): a whole number from 1 to {most} is wanted{hint}")
            found[name] = value
        for name, setting in found.items():
            object.__setattr__(self, name, setting)

    def __str__(self) -> str:
        return f"{format_size(self.size)} of {self.technology.name}"


def format_size(size: int) -> str:
    """Write bytes as B, kB, MB or GB of 1,024."""
    for unit, scale in (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)):
        if size >= scale:
            return f"{size / scale:.4g} {unit}"
    return f"{size} B"


def _at(array: Array, temperature: float | str) -> float:
    """The temperature, at which the technology of the array must work."""
    kelvin = to_kelvin(temperature)
    low, high = array.technology.temperatures
    if not low <= kelvin <= high:
        raise SpecError(
            f"{array}: temperature={kelvin:g} K, but there are data for {low:g} K to {high:g} K only; "
            "take another technology or temperature"
        )
    return kelvin


def _number(array: Array, name: str) -> float:
    return array.technology.numbers[name].value


def _scaled_size(array: Array) -> float:
    """The size over 32 KiB; a warning, then a refusal, outside the sizes of the data."""
    low, high = tables.SIZES[0], tables.SIZES[-1]
    if not low <= array.size <= high:
        text = f"{array}: the fits are of {format_size(low)} to {format_size(high)}"
        if not low / NEAR <= array.size <= high * NEAR:
            raise SpecError(f"{text}, and used {NEAR} times beyond at most; split the array into banks")
        warnings.warn(f"{text}; this size is an extrapolation", TechnologyWarning, stacklevel=5)
    return array.size / low


_POWERS = {"1": 0.0, "n": 1.0, "n^0.5": 0.5, "n^0.55": 0.55}


def evaluate(quantity: str, constants: tuple[float, ...], n: float) -> float:
    """The sum of the terms of a size fit; n is the size over 32 KiB."""
    # Below 32 KiB the logarithm stands still: it would take more than the rest holds.
    logarithm = math.log2(max(n, 1.0))
    terms = (logarithm if term == "log2(n)" else n ** _POWERS[term] for term in tables.TERMS[quantity])
    return sum(c * term for c, term in zip(constants, terms, strict=True))


@cache
def _resistance(kelvin: float, low_voltage: bool) -> float:
    """Resistance of a transistor over that at 300 K and 0.8 V."""
    volts = 0.44 if low_voltage else 0.8
    return volts / drive_current(kelvin, low_voltage) * drive_current(300.0) / 0.8


def _shape(quantity: str, kelvin: float, n: float, low_voltage: bool) -> float:
    """How a quantity runs between the fitted temperatures, but for a factor."""
    if quantity == "energy":  # that of charged capacitors
        return 1.0
    if quantity == "leakage":
        return subthreshold_leakage(kelvin, low_voltage) * interpolate(
            tables.LEAKAGE_FACTOR, kelvin, log=True
        )
    g0, g1, w0, w1 = tables.SHAPE
    gate = _resistance(kelvin, low_voltage)
    copper = copper_resistivity(kelvin) / copper_resistivity(300.0)
    size = max(n, 1.0)
    wire = w0 * math.log2(size) + w1 * math.sqrt(size)
    return (g0 + g1 * math.sqrt(size)) * gate + wire * math.sqrt(gate * copper)


def _fitted(array: Array, quantity: str, kelvin: float) -> float:
    """A quantity of an SRAM: the shape, made to meet the fits at the fitted temperatures."""
    n, low_voltage = _scaled_size(array), array.technology.low_voltage
    fit = array.technology.fits[quantity]
    factors = [
        (float(t), evaluate(quantity, point.constants, n) / _shape(quantity, float(t), n, low_voltage))
        for t, point in sorted(fit.points.items())
    ]
    if len(factors) == 1:
        # A bath of nitrogen is 0.4 K warmer than the data; that is no other temperature.
        return factors[0][1] * _shape(quantity, factors[0][0], n, low_voltage)
    return interpolate(factors, kelvin, log=True) * _shape(quantity, kelvin, n, low_voltage)


def _femtoseconds(value: float, per_unit: float) -> Time:
    return Time(max(1, math.ceil(round(value * per_unit, 6))))


def access_time(array: Array, temperature: float | str) -> Time:
    """Time from the request to the data, for a shift memory the mean over its positions.

    Parameters:
        array: the memory.
        temperature: in K, or text such as "77 K".

    Raises:
        SpecError: the technology does not work at this temperature, or the size is far outside the data.

    Example:
        >>> cell = Array("32 kB", "cmos-22nm")
        >>> [round(access_time(cell, t) / 1e6, 3) for t in (300, 77, 4)]
        [0.351, 0.246, 0.327]
        >>> print(access_time(Array("32 kB", "jsram"), 4.2))
        584.845 ps
    """
    kelvin = _at(array, temperature)
    kind = array.technology.kind
    if kind == "sram":
        return _femtoseconds(_fitted(array, "access", kelvin), 1e6)
    if kind == "dram":
        return _femtoseconds(_number(array, "access"), 1e6)
    if kind == "josephson":
        cells = (array.rows + 8 * array.word) * _number(array, "delay per cell")
        # From the edge to a bank and back, half a side each on average.
        side = math.sqrt(area(array)) * 1e-3
        flight = side / (PTL_VELOCITY.value * tables.SPEED_OF_LIGHT) * 1e12
        return _femtoseconds(cells + flight, 1e3)
    return position_time(
        array, math.ceil(array.length / 2), _femtoseconds(_number(array, "shortest period"), 1e3)
    )


def position_time(array: Array, position: int, period: Time) -> Time:
    """Time until the word at `position` of a shift memory has come round: `position` periods.

    Positions go from 1, at the read-out, to the length of the ring; the mean is half the length.

    Raises:
        SpecError: the array is no shift memory, or the position lies outside the ring.

    Example:
        >>> print(position_time(Array("1 kB", "sfq", length=128), 128, Time(20_000)))
        2.56 ns
    """
    if array.technology.kind != "shift":
        raise SpecError(f"{array}: every position takes the same time; ask access_time()")
    if isinstance(position, bool) or not isinstance(position, int) or not 1 <= position <= array.length:
        raise SpecError(f"{array}: position={position!r} is not one of 1 to {array.length}")
    shortest = _femtoseconds(_number(array, "shortest period"), 1e3)
    return Time(position * max(int(period), int(shortest)))


def access_interval(array: Array, temperature: float | str) -> Time:
    """Shortest time between the beginnings of two accesses at one port.

    For SRAM the cycle time of the fit, at most the access time; its residuals reach 41 %, because the
    program chooses another organisation for each size. For a shift memory one word a period leaves the
    ring; an access to any one word waits for it as well.

    Example:
        >>> print(access_interval(Array("32 kB", "jsram"), 4))
        33.3 ps
    """
    kelvin = _at(array, temperature)
    if array.technology.kind == "sram":
        cycle = _femtoseconds(_fitted(array, "interval", kelvin), 1e6)
        return min(cycle, access_time(array, kelvin))
    if array.technology.kind == "dram":
        return _femtoseconds(_number(array, "interval"), 1e6)
    return _femtoseconds(_number(array, "shortest period"), 1e3)


def junctions(array: Array) -> int:
    """Josephson junctions of the cells of an array; 0 for CMOS.

    Example:
        >>> junctions(Array("32 kB", "jsram"))
        2097152
    """
    found = array.technology.numbers.get("junctions per cell")
    return round(array.size * 8 * found.value) if found else 0


def area(array: Array) -> float:
    """Area in mm2 of a superconducting array, by the density that was published for it.

    Raises:
        SpecError: no density is known.

    Example:
        >>> round(area(Array("32 kB", "jsram")), 2), round(area(Array("16 MB", "jsram")))
        (0.78, 400)
    """
    found = array.technology.numbers.get("density")
    if found is None:
        raise SpecError(f"{array}: no density is known; areas exist for jsram, sfq and delay-line")
    return array.size / (1 << 20) / found.value * 100


def access_energy(array: Array, temperature: float | str) -> float:
    """Energy of one read in J at the array, without cooling.

    Example:
        >>> f"{access_energy(Array('32 kB', 'cmos-22nm'), 300) * 1e12:.1f} pJ"
        '6.6 pJ'
    """
    kelvin = _at(array, temperature)
    kind = array.technology.kind
    if kind == "sram":
        return _fitted(array, "energy", kelvin) * 1e-12
    if kind == "dram":
        return _number(array, "energy") * 1e-9
    bits = 8 * array.word
    if kind == "josephson":  # half the bits are ones, and each pulse switches two junctions of a cell
        return 0.5 * array.rows * bits * 2 * _number(array, "critical current") * 1e-6 * FLUX_QUANTUM
    pulse = _number(array, "bias current") * 1e-6 * FLUX_QUANTUM
    moves = 1 if array.technology.name == "delay-line" else array.length
    # In a register half the bits are ones and all move at every step; a line regenerates them once a turn.
    return 0.5 * bits * moves * (array.length / 2) * pulse


def leakage_power(array: Array, temperature: float | str, gate: bool = False) -> float:
    """Static power in W of an array, without cooling.

    SRAM: sub-threshold leakage, by the fits. `gate=True` adds gate tunnelling, which is all that stays in
    the cold; it scales as the current of the transistor. Superconducting: bias. DRAM: background.

    Example:
        >>> cell = Array("32 kB", "cmos-22nm")
        >>> f"{leakage_power(cell, 300) * 1e3:.1f} mW, {leakage_power(cell, 77, gate=True) * 1e3:.2f} mW"
        '2.3 mW, 0.04 mW'
    """
    kelvin = _at(array, temperature)
    kind, low_voltage = array.technology.kind, array.technology.low_voltage
    if kind == "sram":
        found = _fitted(array, "leakage", kelvin) * 1e-3
        if gate:
            c0, c1 = tables.GATE
            at_300 = (c0 + c1 * array.size / tables.SIZES[0]) * 1e-3
            volts = 0.44 / 0.8 if low_voltage else 1.0
            found += at_300 * volts * gate_leakage(kelvin, low_voltage) / gate_leakage(AMBIENT)
        return found
    if kind == "dram":
        return _number(array, "background") * array.size / (1 << 30)
    return array.size * 8 * _number(array, "static power per bit") * 1e-6


@dataclass(frozen=True)
class Power:
    """Power in W: of accesses, of doing nothing, of the refrigerator, and all together."""

    dynamic: float
    static: float
    cooling: float

    @property
    def total(self) -> float:
        """Watts from the wall."""
        return self.dynamic + self.static + self.cooling


def power(
    array: Array,
    temperature: float | str,
    rate: Frequency | str,
    carnot_fraction: float | str = "large-plant",
) -> Power:
    """Power of an array that is read `rate` times a second, with its cooling and with gate leakage.

    Raises:
        SpecError: more accesses than its ports can begin.

    Example:
        >>> found = power(Array("32 kB", "cmos-22nm"), 77, "1 GHz", carnot_fraction=0.25)
        >>> f"{found.dynamic * 1e3:.2f} mW, {found.total * 1e3:.0f} mW from the wall"
        '6.45 mW, 82 mW from the wall'
    """
    reads = to_frequency(rate, "rate").hz
    most = Fraction(array.ports * 10**15, int(access_interval(array, temperature)))
    if reads > most:
        raise SpecError(
            f"{array}: {float(reads):.4g} reads a second, but {array.ports} port(s) begin {float(most):.4g} at most; "
            "lower the rate or give ports=2"
        )
    dynamic = float(reads) * access_energy(array, temperature)
    static = leakage_power(array, temperature, gate=True)
    overhead = cooling_overhead(temperature, carnot_fraction)
    return Power(dynamic, static, (dynamic + static) * overhead)


def energy_with_cooling(
    array: Array, temperature: float | str, carnot_fraction: float | str = "large-plant"
) -> float:
    """Energy in J from the wall for one read: at the array and in the refrigerator."""
    return access_energy(array, temperature) * (1 + cooling_overhead(temperature, carnot_fraction))


def shown_time(value: int) -> str:
    """A time with four digits, for messages: femtoseconds say more than the models know."""
    digits = max(0, len(str(int(value))) - 4)
    return format_time(round(int(value), -digits))
