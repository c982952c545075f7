"""Wires, transistors, cooling and links as functions of temperature."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from hwmodel.cryo import _technology_tables as tables
from hwmodel.cryo._sizes import read_size
from hwmodel.errors import BareNumberError, SpecError, unknown
from hwmodel.units import Time

__all__ = [
    "AMBIENT",
    "TechnologyWarning",
    "conducted_heat",
    "cooling_overhead",
    "copper_resistivity",
    "crossing_time",
    "drive_current",
    "flight_time",
    "gate_leakage",
    "mobility",
    "performance_per_watt",
    "subthreshold_leakage",
    "threshold_voltage",
]

AMBIENT = 300.0
"""Temperature of the room into which the heat goes, in K."""

COLDEST = 4.0
"""Lowest temperature of the CMOS data, in K."""

_QUANTITY = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*([A-Za-z]+)\s*")
_METRES = {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "um": 1e-6}


class TechnologyWarning(UserWarning):
    """A configuration is faster than its technology, or a model is used outside the data behind it."""


def _quantity(value: str, what: str, units: Mapping[str, float], example: str) -> Fraction:
    match = _QUANTITY.fullmatch(value)
    if match is None or match[2] not in units:
        raise BareNumberError(
            f'{what}="{value}": a number and one of {", ".join(units)} are wanted, as in "{example}"'
        )
    return Fraction(match[1]) * Fraction(units[match[2]])


def to_number(value: object, what: str, low: float = 0.0, strict: bool = True) -> float:
    """A finite number above `low` (or equal to it, if not strict)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SpecError(f"{what}={value!r}: a finite number is wanted")
    if value < low or (strict and value == low):
        raise SpecError(f"{what}={value!r}: it must be {'above' if strict else 'at least'} {low:g}")
    return float(value)


def to_kelvin(value: object, what: str = "temperature") -> float:
    """Read a temperature, a number of kelvin or text such as "77 K"; above 0 and up to 300 K."""
    if isinstance(value, str):
        value = float(_quantity(value, what, {"K": 1.0}, "77 K"))
    kelvin = to_number(value, what)
    if kelvin > AMBIENT:
        raise SpecError(f"{what}={kelvin:g} K: above {AMBIENT:g} K there are no data; use 4 K to 300 K")
    return kelvin


def to_bytes(value: object, what: str = "size") -> int:
    """Read a size, a number of bytes or text such as "32 kB" (1,024 bytes to the kB)."""
    return read_size(value, what, bare=False)


def interpolate(points: Sequence[tuple[float, ...]], x: float, column: int = 1, log: bool = False) -> float:
    """The column of a table at x, linear between its rows, or linear in its logarithm."""
    upper = next((i for i in range(1, len(points)) if x <= points[i][0]), len(points) - 1)
    left, right = points[upper - 1], points[upper]
    share = (x - left[0]) / (right[0] - left[0])
    a, b = left[column], right[column]
    return float(math.exp(math.log(a) + share * math.log(b / a)) if log else a + share * (b - a))


def _cmos(temperature: object) -> float:
    kelvin = to_kelvin(temperature)
    if kelvin < COLDEST:
        raise SpecError(f"temperature={kelvin:g} K: the CMOS data reach from 4 K to 300 K")
    return kelvin


def copper_resistivity(
    temperature: float | str, width: float | None = None, height: float | None = None
) -> float:
    """Resistivity of copper in uOhm cm: bulk, or of a narrow wire of `width` x `height` nanometres.

    Linear from 77 K to 300 K, then to the measured value at 4 K. Surface and grain boundaries add a part
    that does not depend on temperature, so that thin wires gain far less by cooling.

    Raises:
        SpecError: outside 4 to 300 K, or only one of width and height is given.

    Source: CryoModel's wire.py. Its narrow wire becomes negative for wide wires at 4 K; here the
        bulk part saturates as its bulk wire does.

    Example:
        >>> round(copper_resistivity(300), 3), round(copper_resistivity("77 K"), 3)
        (1.773, 0.219)
        >>> round(copper_resistivity(77, width=40, height=80) / copper_resistivity(300, 40, 80), 2)
        0.55
    """
    kelvin = _cmos(temperature)
    start, slope = tables.COPPER_293K.value, tables.COPPER_SLOPE.value
    at_77 = start * (1 + slope * (77 - 293))
    if kelvin >= 77:
        bulk = start * (1 + slope * (kelvin - 293))
    else:
        bulk = interpolate(((4.0, tables.COPPER_4K.value), (77.0, at_77)), kelvin)
    if width is None and height is None:
        return bulk
    if width is None or height is None:
        raise SpecError("copper_resistivity: a narrow wire needs both width and height, in nm")
    area = to_number(width, "width") * to_number(height, "height")
    return bulk + tables.COPPER_GRAINS.value + tables.COPPER_SURFACE.value / math.sqrt(area)


def threshold_voltage(temperature: float | str, at_300k: float = 0.5) -> float:
    """Threshold voltage in V of a transistor that has `at_300k` volts at 300 K.

    Source: CryoModel's temperature_dependency.py, points at 4, 77 and 300 K, linear between them.

    Example:
        >>> round(threshold_voltage(77), 3), round(threshold_voltage(4), 3)
        (0.6, 0.648)
    """
    return to_number(at_300k, "at_300k") * interpolate(tables.THRESHOLD, _cmos(temperature))


def mobility(temperature: float | str, length: float = 20.0, channel: str = "n") -> float:
    """Low-field mobility over that at 300 K, for an effective channel `length` of 14 to 10,000 nm.

    Linear in temperature from 77 K to 300 K. Below 77 K it goes to the points at 4 K, which exist for 300
    and 3,000 nm; the ratio 4 K to 77 K of the nearer one holds outside them, which is an estimate.

    Raises:
        SpecError: outside 4 to 300 K or 14 to 10,000 nm.
        UnknownNameError: the channel is neither "n" nor "p".

    Source: CryoModel's temperature_dependency.py.

    Example:
        >>> round(mobility(77, 14), 2), round(mobility(77, 100), 2), round(mobility(4, 300), 2)
        (1.75, 2.28, 2.56)
    """
    kelvin = _cmos(temperature)
    if channel not in ("n", "p"):
        raise unknown("channel", str(channel), ["n", "p"])
    size = to_number(length, "length")
    shortest, longest = tables.MOBILITY[0][0], tables.MOBILITY[-1][0]
    if not shortest <= size <= longest:
        raise SpecError(f"length={size:g} nm: the data reach from {shortest:g} to {longest:g} nm")
    at_77 = _mobility_77(size, channel)
    if kelvin >= 77:
        return interpolate(((77.0, at_77), (300.0, 1.0)), kelvin)
    nearest = min(max(size, tables.MOBILITY_4K[0][0]), tables.MOBILITY_4K[-1][0])
    change = interpolate(tables.MOBILITY_4K, nearest) / _mobility_77(nearest, "n")
    return at_77 * interpolate(((4.0, change), (77.0, 1.0)), kelvin)


def _mobility_77(length: float, channel: str) -> float:
    first = 1 if channel == "n" else 3
    return interpolate(tables.MOBILITY, length, first) / interpolate(tables.MOBILITY, length, first + 1)


def _transistor(low_voltage: bool) -> tuple[tuple[float, ...], ...]:
    return tables.TRANSISTOR_044 if low_voltage else tables.TRANSISTOR_08


def drive_current(temperature: float | str, low_voltage: bool = False) -> float:
    """Drive current in uA/um of a 22 nm n-channel transistor at 0.8 V, or at 0.44 V.

    The threshold at 300 K is 0.5 V, or 0.24 V. At fixed voltages cooling brings no drive: the mobility
    gained is lost to the threshold.

    Source: CryoModel, run.

    Example:
        >>> round(drive_current(300)), round(drive_current(77)), round(drive_current(4))
        (1702, 1707, 1083)
    """
    return interpolate(_transistor(low_voltage), _cmos(temperature))


def subthreshold_leakage(temperature: float | str, low_voltage: bool = False) -> float:
    """Sub-threshold leakage in uA/um of the transistor of `drive_current`; it vanishes with cooling.

    Source: CryoModel, run; interpolated in its logarithm. 1e-14 uA/um is its floor, not physics.

    Example:
        >>> f"{subthreshold_leakage(300):.2g} {subthreshold_leakage(200):.2g}"
        '0.092 0.0007'
    """
    return interpolate(_transistor(low_voltage), _cmos(temperature), 2, log=True)


def gate_leakage(temperature: float | str, low_voltage: bool = False) -> float:
    """Gate tunnelling in nA/um of the transistor of `drive_current`; it does not freeze.

    Source: CryoModel, run, down to 77 K; below it the value of 77 K holds, an estimate.

    Example:
        >>> round(gate_leakage(300), 2), round(gate_leakage(77), 2)
        (5.39, 4.55)
    """
    return interpolate(_transistor(low_voltage), _cmos(temperature), 3)


def cooling_overhead(temperature: float | str, carnot_fraction: float | str = "large-plant") -> float:
    """Watts that the refrigerator takes for each watt at `temperature`; 0 at 300 K.

    The floor of Carnot from a room at 300 K, over the fraction of it that a machine reaches.

    Parameters:
        temperature: above 0 and up to 300 K.
        carnot_fraction: above 0 and up to 1, or the name of a preset: `table("cooling")` lists them.

    Raises:
        SpecError: a temperature or a fraction out of range.
        UnknownNameError: no such preset.

    Example:
        >>> round(cooling_overhead(77, 1.0), 2), round(cooling_overhead(4.2, 1.0), 1)
        (2.9, 70.4)
        >>> round(cooling_overhead("4.2 K", "small-cryocooler"))
        1006
    """
    kelvin = to_kelvin(temperature)
    if isinstance(carnot_fraction, str):
        if carnot_fraction not in tables.COOLING:
            raise unknown("cooling preset", carnot_fraction, tables.COOLING)
        fraction = tables.COOLING[carnot_fraction].value
    else:
        fraction = to_number(carnot_fraction, "carnot_fraction")
        if fraction > 1:
            raise SpecError(f"carnot_fraction={fraction:g}: no machine beats Carnot; use at most 1")
    return (AMBIENT / kelvin - 1) / fraction


def performance_per_watt(
    performance: float, watts: Mapping[float, float], carnot_fraction: float | str = "large-plant"
) -> float:
    """Operations per joule, the cooling of every stage included.

    Parameters:
        performance: operations per second.
        watts: heat at each temperature: `{4.2: 0.002, 77: 1.5, 300: 10}`.
        carnot_fraction: as for `cooling_overhead`, for all stages.

    Raises:
        SpecError: no performance, or no watts at all.

    Example:
        >>> round(performance_per_watt(1e9, {300: 1.0}) / performance_per_watt(1e9, {77: 1.0}, 1.0), 2)
        3.9
    """
    rate = to_number(performance, "performance")
    heats = {to_kelvin(t): to_number(w, f"watts at {t} K", strict=False) for t, w in watts.items()}
    total = sum(w * (1 + cooling_overhead(t, carnot_fraction)) for t, w in heats.items())
    if total <= 0:
        raise SpecError(
            f"performance_per_watt: watts={dict(watts)!r} holds no power; name what is dissipated"
        )
    return rate / total


def _length(value: float | str) -> float:
    if isinstance(value, str):
        return float(_quantity(value, "length", _METRES, "1 m"))
    return to_number(value, "length", strict=False)


def flight_time(length: float | str, velocity: float = tables.CABLE_VELOCITY.value) -> Time:
    """Time of a signal over a line of `length` metres at `velocity` times that of light.

    Example:
        >>> print(flight_time("1 m"))
        4.765202 ns
    """
    speed = to_number(velocity, "velocity")
    if speed > 1:
        raise SpecError(f"velocity={speed:g}: nothing is faster than light; give a share of it, as 0.7")
    return Time(math.ceil(_length(length) / (speed * tables.SPEED_OF_LIGHT) * 1e15))


def crossing_time(
    cold: float | str, warm: float | str, length: float | str | None = None, round_trip: bool = False
) -> Time:
    """Flight time between two thermal stages; without a length, over the usual one of `table("links")`.

    Raises:
        SpecError: `warm` is not warmer than `cold`, or no length is known for the two.

    Example:
        >>> print(crossing_time(4, 300, round_trip=True))
        9.530404 ns
    """
    low, high = to_kelvin(cold, "cold"), to_kelvin(warm, "warm")
    if low >= high:
        raise SpecError(f"crossing_time: warm={high:g} K must be above cold={low:g} K")
    if length is None:
        # A bath of helium has 4.2 K, one of nitrogen 77.4 K.
        near = [v for (a, b), v in tables.STAGES.items() if abs(a - low) <= 1 and abs(b - high) <= 1]
        if not near:
            known = ", ".join(f"{a:g} K to {b:g} K" for a, b in tables.STAGES)
            raise SpecError(f"no length is known from {low:g} K to {high:g} K (known: {known}); give length=")
        length = near[0].value
    time = flight_time(length)
    return Time(2 * time) if round_trip else time


def conducted_heat(cold: float | str, warm: float | str, resistance: float) -> float:
    """Heat in W that a metal line of `resistance` ohms leads from `warm` to `cold`.

    Source: the law of Wiedemann and Franz, L (warm^2 - cold^2) / 2 R; superconducting lines conduct less.

    Example:
        >>> round(conducted_heat(77, 300, 1.0) * 1e3, 2)
        1.03
    """
    low, high = to_kelvin(cold, "cold"), to_kelvin(warm, "warm")
    if low >= high:
        raise SpecError(f"conducted_heat: warm={high:g} K must be above cold={low:g} K")
    return tables.LORENZ.value * (high**2 - low**2) / (2 * to_number(resistance, "resistance"))
