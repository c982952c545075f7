"""Mining chips as tables: each figure with its unit and its source, and the limits within which a real one is kept.

What was not read in a primary source says `estimate:` in its source.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Literal

from hwmodel.errors import SpecError, unknown

__all__ = ["BM1366", "BM1370", "BM1387", "BM1397", "PRESETS", "ChipSpec", "Figure", "chip", "small_chip"]


@dataclass(frozen=True)
class Figure:
    """A number with its unit and its source.

    Example:
        >>> Figure(25.0, "MHz", "ESP-Miner 5c27713, pll.c").value
        25.0
    """

    value: float
    unit: str
    source: str

    def __post_init__(self) -> None:
        if not self.source:
            raise SpecError(f"Figure({self.value} {self.unit}): name its source, or say 'estimate: ...'")


@dataclass(frozen=True)
class ChipSpec:
    """What is known of a chip, and how it divides the search.

    Core c and the small core (version slot) k sweep counters of `counter_bits` bits; all small cores count together. A
    sweep takes one batch of `slots` versions, and when the versions are used up the first batch comes again.
    The number that the counter holds is `core << counter_bits | counter`; its
    bytes are the nonce of the header, see `scan_order`.

    Attributes:
        name: of the chip.
        chip_id: what it says when it is asked, such as 0x1366.
        cores: cores that share the counter's top bits.
        small_cores: small cores that work; the last ones of `cores * slots` are taken to be missing.
        slots: versions of a batch, which is the small cores of a core.
        domains: groups of cores with a hash counter each.
        counter_bits, version_bits: width of counter and of the rolled version.
        crystal: reference of the PLL.
        frequency, frequency_low, frequency_high: default and allowed range of the hash clock.
        voltage, voltage_low, voltage_high: default and allowed range of the core voltage.
        temperature_limit: at which the firmware throttles.
        nonces_per_clock: counter steps of a small core in a clock; a calibration parameter.
        batch_gap: counter steps lost between two sweeps; a calibration parameter.
        hashes_per_clock: published rate over frequency.
        efficiency: published energy a hash.
        response_bytes: of a result frame.
        response_job_mask, response_slot_mask, response_job_shift: bits of the response's job byte; the number of the
            job is shifted left into it.
        job_step: numbers of jobs are multiples of it, so that 128 / job_step are told apart.

    Raises:
        SpecError: a geometry that does not fit 32 bits of nonce.

    Example:
        >>> BM1366.cores, BM1366.counter_bits, BM1366.nonces_per_clock.unit
        (112, 25, '1')
        >>> round(BM1366.hash_rate(485e6) / 1e9, 1)
        433.6
    """

    name: str
    chip_id: int
    cores: int
    small_cores: int
    slots: int
    domains: int
    counter_bits: int
    version_bits: int
    crystal: Figure
    frequency: Figure
    frequency_low: Figure
    frequency_high: Figure
    voltage: Figure
    voltage_low: Figure
    voltage_high: Figure
    temperature_limit: Figure
    nonces_per_clock: Figure
    batch_gap: Figure
    hashes_per_clock: Figure
    efficiency: Figure
    geometry_source: str
    response_bytes: int = 11
    response_job_mask: int = 0xF8
    response_slot_mask: int = 0x07
    response_job_shift: int = 0
    job_step: int = 8

    def __post_init__(self) -> None:
        bits = (self.cores - 1).bit_length() + self.counter_bits
        if not (self.cores >= 1 and self.counter_bits >= 1 and bits <= 32):
            raise SpecError(
                f"ChipSpec '{self.name}': {self.cores} cores and {self.counter_bits} counter bits exceed 32 bits"
            )
        if self.slots < 1 or self.slots & (self.slots - 1) or not 0 <= self.version_bits <= 16:
            raise SpecError(
                f"ChipSpec '{self.name}': slots={self.slots} must be a power of two, version_bits={self.version_bits} 0 to 16"
            )
        if not self.cores * (self.slots - 1) < self.small_cores <= self.cores * self.slots:
            raise SpecError(
                f"ChipSpec '{self.name}': {self.small_cores} small cores do not fit {self.cores} cores of {self.slots}"
            )
        if not 1 <= self.domains <= self.cores:
            raise SpecError(f"ChipSpec '{self.name}': domains={self.domains}: give 1 to {self.cores}")

    @property
    def core_bits(self) -> int:
        """Bits of the nonce that name the core."""
        return (self.cores - 1).bit_length()

    def hash_rate(self, frequency: float) -> float:
        """Published hashes a second at a frequency in Hz."""
        return self.hashes_per_clock.value * frequency

    def response_header(self, job_id: int, slot: int) -> int:
        """The byte of a result that names job and small core.

        Example:
            >>> hex(BM1366.response_header(0x18, 3)), hex(BM1370.response_header(0x18, 3))
            ('0x1b', '0x33')
        """
        return (job_id << self.response_job_shift) & self.response_job_mask | slot & self.response_slot_mask

    def figures(self) -> MappingProxyType[str, Figure]:
        """All figures by name."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return MappingProxyType({name: value for name, value in found.items() if isinstance(value, Figure)})

    def check_setting(self, quantity: Literal["frequency", "voltage"], value: float) -> float:
        """Return a set point in Hz or V that a real chip may be given; refuse any other.

        Raises:
            SpecError: outside of the allowed range.

        Example:
            >>> BM1366.check_setting("voltage", 1.2)
            1.2
        """
        scale = {"frequency": 1e6, "voltage": 1e-3}[quantity]
        low, high = (getattr(self, f"{quantity}_{end}") for end in ("low", "high"))
        if not low.value * scale <= value <= high.value * scale:
            raise SpecError(
                f"{self.name}: {quantity} {value / scale:g} {low.unit} is outside of its safe range "
                f"{low.value:g} to {high.value:g} {low.unit} ({(high if value > high.value * scale else low).source}); "
                "choose one within"
            )
        return float(value)


_ESP = "ESP-Miner 0831a13, main/device_config.h"
_PLL = "ESP-Miner 5c27713, components/asic/pll.c"
_FIT = "fit of 16 timed nonces of a BM1366 (ESP-Miner log of block 839900): 1 a small core and clock"
_ONE = "estimate: as the BM1366, for which 1 fits timed nonces"
_THROTTLE = "ESP-Miner 5c27713: ASIC limit of the power management task"
_MUJINA = "mujina 1a69ef40, bm13xx/REFERENCE.md"


def _mega(value: float, source: str) -> Figure:
    return Figure(value, "MHz", source)


def _milli(value: float, source: str) -> Figure:
    return Figure(value, "mV", source)


BM1366 = ChipSpec(
    name="BM1366",
    chip_id=0x1366,
    cores=112,
    small_cores=894,
    slots=8,
    domains=4,
    counter_bits=25,
    version_bits=16,
    crystal=_mega(25.0, _PLL),
    frequency=_mega(485.0, _ESP),
    frequency_low=_mega(400.0, _ESP + ", first option"),
    frequency_high=_mega(575.0, _ESP + ", last option"),
    voltage=_milli(1200.0, _ESP),
    voltage_low=_milli(1100.0, _ESP + ", first option"),
    voltage_high=_milli(1300.0, _ESP + ", last option"),
    temperature_limit=Figure(75.0, "C", _THROTTLE),
    nonces_per_clock=Figure(1.0, "1", _FIT),
    batch_gap=Figure(0.0, "steps", "estimate: none seen in the fit"),
    hashes_per_clock=Figure(894.0, "1", _ESP + ": 894 small cores, one hash a clock each"),
    efficiency=Figure(
        24.0, "J/TH", "estimate: S19 XP class, 21.5 J/TH at the wall by its data sheet, not read"
    ),
    geometry_source=_ESP + "; fit of timed nonces for the counter",
)
BM1370 = replace(
    BM1366,
    name="BM1370",
    chip_id=0x1370,
    cores=128,
    small_cores=2040,
    slots=16,
    frequency=_mega(525.0, _ESP),
    frequency_low=_mega(400.0, _ESP + ", first option"),
    frequency_high=_mega(625.0, _ESP + ", last option"),
    voltage=_milli(1150.0, _ESP),
    voltage_low=_milli(1000.0, _ESP + ", first option"),
    voltage_high=_milli(1250.0, _ESP + ", last option"),
    nonces_per_clock=Figure(1.0, "1", _ONE),
    batch_gap=Figure(2730.0, "steps", _MUJINA + ": about 130 ticks of 25 MHz a batch, at 525 MHz"),
    hashes_per_clock=Figure(
        2040.0, "1", "estimate: 128 cores and 2040 small cores, as ESP-Miner counts them"
    ),
    efficiency=Figure(15.0, "J/TH", "estimate: S21 Pro class"),
    geometry_source=_ESP + ": 128 cores, 2040 small cores, 4 domains; 16 slots from its bm1370.c",
    response_job_mask=0xF0,
    response_slot_mask=0x0F,
    response_job_shift=1,
)
BM1397 = replace(
    BM1366,
    name="BM1397",
    chip_id=0x1397,
    cores=168,
    small_cores=672,
    slots=4,
    domains=1,
    counter_bits=24,
    frequency=_mega(425.0, _ESP),
    frequency_low=_mega(400.0, _ESP + ", first option"),
    frequency_high=_mega(
        500.0, "estimate: above its options of 400 to 500 MHz the cooling of one-chip boards ends"
    ),
    voltage=_milli(1400.0, _ESP),
    voltage_low=_milli(1100.0, _ESP + ", first option"),
    voltage_high=_milli(1500.0, _ESP + ", last option"),
    nonces_per_clock=Figure(1.0, "1", _ONE),
    hashes_per_clock=Figure(672.0, "1", _ESP + ": 672 small cores, one hash a clock each"),
    efficiency=Figure(40.0, "J/TH", "estimate: S17 class"),
    geometry_source=_ESP
    + ": 168 cores, 672 small cores, 1 domain; estimate: 8 bits of core, though bm1397.c reads 7",
    response_bytes=9,
    response_job_mask=0xFC,
    response_slot_mask=0x03,
    job_step=4,
)
BM1387 = replace(
    BM1366,
    name="BM1387",
    chip_id=0x1387,
    cores=114,
    small_cores=114,
    slots=1,
    domains=1,
    version_bits=0,
    frequency=_mega(650.0, "estimate: S9 of 13.5 TH/s with 189 chips of 114 cores"),
    frequency_low=_mega(100.0, "estimate: lowest frequency of S9 firmware"),
    frequency_high=_mega(800.0, "estimate: above it S9 boards are overclocked"),
    voltage=_milli(400.0, "estimate: 8.3 V over 21 chips in series"),
    voltage_low=_milli(380.0, "estimate: 8.0 V over 21 chips"),
    voltage_high=_milli(450.0, "estimate: 9.4 V over 21 chips"),
    temperature_limit=Figure(90.0, "C", "estimate: S9 firmware stops between 85 and 95 C"),
    nonces_per_clock=Figure(1.0, "1", _ONE),
    hashes_per_clock=Figure(114.0, "1", "estimate: 114 cores, one hash a clock each"),
    efficiency=Figure(98.0, "J/TH", "estimate: S9 class"),
    geometry_source="estimate: 114 cores; the S9 rolls no version in the chip",
    response_bytes=9,
    response_job_mask=0x7F,
    response_slot_mask=0x00,
    job_step=1,
)

PRESETS: MappingProxyType[str, ChipSpec] = MappingProxyType(
    {spec.name: spec for spec in (BM1366, BM1370, BM1397, BM1387)} | {"S9": BM1387}
)


def chip(name: str) -> ChipSpec:
    """The preset of a name.

    Raises:
        UnknownNameError: no such preset.

    Example:
        >>> chip("BM1370").chip_id == 0x1370
        True
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise unknown("chip", name, PRESETS) from None


def small_chip(
    cores: int = 2,
    counter_bits: int = 8,
    slots: int = 2,
    domains: int = 1,
    version_bits: int = 16,
    **changes: Any,
) -> ChipSpec:
    """A shrunk BM1366, small enough to hash every header that it would.

    Parameters:
        cores, counter_bits, slots, domains, version_bits: its geometry; all small cores are there.
        changes: other fields of `ChipSpec`.

    Example:
        >>> small_chip(4, 10).small_cores
        8
    """
    given: dict[str, Any] = {
        "name": "small",
        "small_cores": cores * slots,
        "geometry_source": "chosen by the user",
        "hashes_per_clock": Figure(float(cores * slots), "1", "one hash a clock for each small core"),
    }
    shape: dict[str, Any] = {"cores": cores, "counter_bits": counter_bits, "slots": slots, "domains": domains}
    return replace(BM1366, **shape, version_bits=version_bits, **(given | changes))
