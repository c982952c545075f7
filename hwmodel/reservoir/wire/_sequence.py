"""Commands by which a chain is brought up, as firmware sends them.

Sources: BM1366: ESP-Miner 5c27713, components/asic/bm1366.c. BM1370: mujina 1a69ef40, REFERENCE.md, captures of one
chip and of a chain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from hwmodel.errors import SpecError
from hwmodel.reservoir.wire._frames import Command
from hwmodel.reservoir.wire._registers import (
    Register,
    pll_word,
    ticket_mask_word,
    version_mask_word,
)
from hwmodel.units import Frequency

__all__ = ["BringUp", "address_interval", "bring_up", "ramp"]

MAX_CHIPS = 128
STEP = Fraction(6_250_000)
LOWEST = Fraction(50_000_000)


@dataclass(frozen=True)
class BringUp:
    """What differs between models, and the commands that follow from it.

    Attributes:
        broadcast: registers and words for all chips, once they have addresses.
        first: registers and words for the first chip.
        each: registers and words for each chip in turn.
        reset: registers and words for all chips, before they have addresses.
        feedback: range of the PLL's feedback divider.

    Example:
        >>> from hwmodel.reservoir.wire import encode
        >>> [encode(command).hex() for command in bring_up("BM1366").discover()][-1]
        '55aa520500000a'
    """

    reset: tuple[tuple[int, int], ...]
    broadcast: tuple[tuple[int, int], ...]
    first: tuple[tuple[int, int], ...]
    each: tuple[tuple[int, int], ...]
    mux: tuple[tuple[int, int], ...]
    feedback: tuple[int, int]

    def discover(self) -> list[Command]:
        """Version mask three times, then the question who is there."""
        mask = Command.write(Register.VERSION_MASK, version_mask_word())
        return [mask, mask, mask, Command.read(Register.CHIP_ID)]

    def addressing(self, chips: int) -> list[Command]:
        """Normalise the chips' state and give them addresses."""
        interval = address_interval(chips)
        addresses = [Command.address(n * interval) for n in range(chips)]
        return [*(Command.write(*word) for word in self.reset), Command.inactive(), *addresses]

    def configure(self, chips: int, difficulty: float) -> list[Command]:
        """Core clocks, ticket mask, pins; then chip by chip, the cores among it."""
        interval = address_interval(chips)
        clocks = [Command.write(*word) for word in self.broadcast]
        pins = [Command.write(*word) for word in self.mux]
        ticket = Command.write(Register.TICKET_MASK, ticket_mask_word(difficulty))
        first = [Command.write(*word, chip=0) for word in self.first]
        each = [Command.write(*word, chip=n * interval) for n in range(chips) for word in self.each]
        return [*clocks, ticket, *pins, *first, *each]


_CORES_1366 = ((Register.CORE, 0x8000_8540), (Register.CORE, 0x8000_8020))
_CORES_1370 = ((Register.CORE, 0x8000_8B00), (Register.CORE, 0x8000_800C))
_ENABLE = (Register.CORE, 0x8000_82AA)

_MODELS = {
    "BM1366": BringUp(
        reset=((Register.SOFT_RESET, 0x0007_0000), (Register.MISC_CONTROL, 0xFF0F_C100)),
        broadcast=_CORES_1366,
        mux=((Register.ANALOG_MUX, 0x0000_0003), (Register.DRIVE_STRENGTH, 0x0211_1111)),
        first=((Register.RELAY, 0x007C_0003),),
        each=(
            (Register.SOFT_RESET, 0x0007_01F0),
            (Register.MISC_CONTROL, 0xF000_C100),
            *_CORES_1366,
            _ENABLE,
        ),
        feedback=(144, 235),
    ),
    "BM1370": BringUp(
        reset=((Register.SOFT_RESET, 0x0007_0000), (Register.MISC_CONTROL, 0xF000_C100)),
        broadcast=_CORES_1370,
        mux=((Register.DRIVE_STRENGTH, 0x0001_1111),),
        first=(),
        each=(
            (Register.SOFT_RESET, 0x0007_01F0),
            (Register.MISC_CONTROL, 0xF000_C100),
            *_CORES_1370,
            _ENABLE,
        ),
        feedback=(160, 239),
    ),
}


def bring_up(model: str) -> BringUp:
    """The commands for a model.

    Raises:
        SpecError: a model whose sequence is not known.

    Example:
        >>> len(bring_up("BM1370").addressing(2))
        5
    """
    if model not in _MODELS:
        raise SpecError(f"bring_up('{model}'): no sequence is known for it; known are {', '.join(_MODELS)}")
    return _MODELS[model]


def address_interval(chips: int) -> int:
    """Step between the addresses of a chain's chips.

    Raises:
        SpecError: not 1 to 128 chips.

    Example:
        >>> address_interval(6)
        42
    """
    if not 1 <= chips <= MAX_CHIPS:
        raise SpecError(f"a chain of {chips} chips: give 1 to {MAX_CHIPS}")
    return 256 // chips


def ramp(start: Frequency | None, target: Frequency, feedback: tuple[int, int] = (144, 235)) -> Iterator[int]:
    """Words of the PLL from one frequency to another, in steps of 6.25 MHz at most; the last is that of the target.

    Parameters:
        start: what the chips run at; None for 50 MHz, from which chips are brought up.

    Example:
        >>> from hwmodel.reservoir.wire import pll_frequency
        >>> from hwmodel.units import MHz
        >>> [float(pll_frequency(word).hz) / 1e6 for word in ramp(MHz(475), MHz(485))]
        [481.25, 485.0]
    """
    at = LOWEST if start is None else start.hz
    sign = 1 if target.hz > at else -1
    # The grid of 6.25 MHz, which both ends may miss.
    step = at // STEP if sign > 0 else -(-at // STEP)
    while sign * (target.hz - (step + sign) * STEP) > 0:
        step += sign
        yield pll_word(Frequency(step * STEP), feedback)
    yield pll_word(target, feedback)
