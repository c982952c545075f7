"""What a timed cache may be: the bounds of its numbers, and what does not go together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hwmodel.errors import SpecError, unknown

if TYPE_CHECKING:
    from hwmodel.cryo.config import Cache

MAX_CYCLES = 1024  # a port may be taken for this long: a quarter of the table of its cycles
BOUNDS = {
    "latency": (0, 1 << 20),
    "fill_latency": (0, 1 << 20),
    "tag_latency": (0, 1 << 20),
    "store_latency": (0, 1 << 20),
    "prefetch_latency": (0, 1 << 20),
    "interval": (0, MAX_CYCLES),
    "ports": (1, 63),
    "mshrs": (1, 64),
    "degree": (1, 63),
    "reserve": (0, 64),
    "write_buffer": (0, 64),
    "loop": (0, 1 << 20),
}


def check_cache(cache: Cache, choices: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse a cache with a number that the tables of the kernels do not hold, or a name that nobody knows."""
    for name, known in choices.items():
        if getattr(cache, name) not in known:
            raise unknown(name, str(getattr(cache, name)), known)
    for name, (low, high) in BOUNDS.items():
        value = getattr(cache, name)
        if value is not None and not low <= value <= high:
            raise SpecError(f"Cache({name}={value}): give {low} to {high}")
    if cache.write == "back" and not cache.allocate:
        raise SpecError(
            'Cache(allocate=False): a write-back cache keeps what is stored; give write="through" too'
        )
    check_array(cache)


def check_array(cache: Cache) -> None:
    """Refuse settings of an array that has no use for them."""
    if cache.readout == "plain" and cache.restore:
        raise SpecError(
            f'Cache(restore={cache.restore}): a plain read restores nothing; give readout="destructive" too'
        )
    if not 0 <= cache.busy_after_read <= MAX_CYCLES:
        raise SpecError(
            f"Cache(latency={cache.latency}, restore={cache.restore}): a read occupies its port for"
            f" {cache.busy_after_read} cycles; give 0 to {MAX_CYCLES} together"
        )
    if cache.organisation == "plain":
        if cache.loop or cache.shift_clock is not None:
            raise SpecError(
                f"Cache(loop={cache.loop}, shift_clock={cache.shift_clock}): these are of a shift register;"
                ' give organisation="shift-register" too'
            )
    elif cache.readout != "plain":
        raise SpecError(
            'Cache(organisation="shift-register"): its words come round unharmed; leave out readout'
        )
    elif cache.loop < 1:
        raise SpecError(
            f"Cache(loop={cache.loop}): a shift register needs the words of one loop; give at least 1"
        )
