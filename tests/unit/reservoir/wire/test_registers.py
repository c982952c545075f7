"""Words in registers, against those that firmware was seen to write."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel.errors import SpecError, WireError
from hwmodel.reservoir.chip.pll import pll_settings
from hwmodel.reservoir.wire import (
    Command,
    address_interval,
    baud_of,
    baud_word,
    bring_up,
    encode,
    hash_counting_number,
    pll_frequency,
    pll_word,
    ramp,
    ticket_difficulty,
    ticket_mask_word,
    version_mask,
    version_mask_word,
)
from hwmodel.units import Frequency, MHz


@pytest.mark.parametrize(
    ("mhz", "word"), [(485, "50c20240"), (525, "40a80230"), (400, "40a00240"), (425, "40aa0240")]
)
def test_pll_words_are_those_of_firmware(mhz: int, word: str) -> None:
    assert f"{pll_word(MHz(mhz)):08x}" == word
    assert pll_frequency(int(word, 16)) == MHz(mhz)


@given(st.sampled_from(pll_settings()))
def test_every_frequency_that_the_pll_makes_comes_back(setting: Any) -> None:
    assert pll_frequency(pll_word(Frequency(setting[0]))) == Frequency(setting[0])


@given(st.integers(52_000, 1_000_000).map(lambda khz: Fraction(khz * 1000)))
def test_no_setting_is_nearer_or_has_a_slower_oscillator(hertz: Fraction) -> None:
    word = pll_word(Frequency(hertz))
    off = abs(pll_frequency(word).hz - hertz)
    nearest = min(abs(setting[0] - hertz) for setting in pll_settings())
    assert off == nearest
    slowest = min(Fraction(s[1], s[2]) for s in pll_settings() if abs(s[0] - hertz) == nearest)
    assert Fraction(word >> 16 & 0xFF, word >> 8 & 0xFF) == slowest


@given(st.sampled_from(pll_settings()))
def test_the_oscillator_bit_is_set_from_2400_mhz(setting: Any) -> None:
    word = pll_word(Frequency(setting[0]))
    oscillator = 25 * Fraction(word >> 16 & 0xFF, word >> 8 & 0xFF)
    assert word >> 24 == (0x50 if oscillator >= 2400 else 0x40)


def test_captured_pll_words_of_other_chips_are_read() -> None:
    assert pll_frequency(0x50D20265) == MHz("62.5")
    assert pll_frequency(0x50C00230) == MHz(600)
    assert pll_frequency(0x40A20255) == MHz("56.25")


@pytest.mark.parametrize(
    ("difficulty", "word"), [(1, 0), (256, 0xFF), (300, 0xFF), (512, 0x80FF), (1024, 0xC0FF)]
)
def test_ticket_masks_are_those_of_firmware(difficulty: int, word: int) -> None:
    assert ticket_mask_word(difficulty) == word


@given(st.integers(0, 32))
def test_a_ticket_mask_comes_back_as_its_difficulty(bits: int) -> None:
    assert ticket_difficulty(ticket_mask_word(1 << bits)) == 1 << bits


def test_the_hash_counting_number_at_485_mhz() -> None:
    assert hash_counting_number(MHz(485)) == 864_804
    assert hash_counting_number(MHz(485), chips=6) == hash_counting_number(MHz(485), chips=8) == 864_804 // 8


def test_version_masks() -> None:
    assert version_mask_word() == 0x9000FFFF
    assert version_mask(0x9000FFFF) == 0x1FFFE000


@pytest.mark.parametrize(
    ("baud", "word"), [(1_000_000, 0x11300200), (3_125_000, 0x11300000), (115_200, 0x11301A00)]
)
def test_baud_words(baud: int, word: int) -> None:
    assert baud_word(baud) == word
    assert abs(baud_of(word) / baud - 1) < 0.05


@pytest.mark.parametrize(
    "make",
    [
        lambda: pll_word(MHz(10)),
        lambda: pll_frequency(0),
        lambda: ticket_mask_word(0.5),
        lambda: ticket_mask_word(2**33),
        lambda: ticket_difficulty(0x00000FFF),
        lambda: hash_counting_number(MHz(485), chips=0),
        lambda: hash_counting_number(Frequency(Fraction(1)), cores=1),
        lambda: version_mask_word(1),
        lambda: baud_word(2_000_000),
        lambda: baud_word(0),
    ],
)
def test_what_a_register_cannot_hold_is_refused(make: Any) -> None:
    with pytest.raises(WireError):
        make()


def test_the_bring_up_of_a_bm1366_byte_for_byte() -> None:
    """As ESP-Miner 5c27713 sends it to one chip at ticket mask 256."""
    sequence = bring_up("BM1366")
    commands = [*sequence.discover(), *sequence.addressing(1), *sequence.configure(1, 256)]
    assert [encode(command).hex() for command in commands[3:16]] == [
        "55aa520500000a",
        "55aa510900a80007000003",
        "55aa51090018ff0fc10000",
        "55aa5305000003",
        "55aa400500001c",
        "55aa5109003c800085400c",
        "55aa5109003c8000802019",
        "55aa51090014000000ff08",
        "55aa51090054000000031d",
        "55aa510900580211111106",
        "55aa4109002c007c000303",
        encode(Command.write(0xA8, 0x000701F0, chip=0)).hex(),
        encode(Command.write(0x18, 0xF000C100, chip=0)).hex(),
    ]
    assert [command.value for command in commands[16:]] == [0x80008540, 0x80008020, 0x800082AA]
    assert commands[:3] == [Command.write(0xA4, 0x9000FFFF)] * 3


def test_six_chips_are_42_addresses_apart() -> None:
    commands = bring_up("BM1366").addressing(6)
    assert [command.chip for command in commands[3:]] == [0, 42, 84, 126, 168, 210]


def test_every_chip_of_a_chain_is_configured() -> None:
    commands = bring_up("BM1366").configure(2, 1)
    assert [c.chip for c in commands if c.value == 0x800082AA] == [0, 128]


@given(st.integers(50, 575), st.integers(400, 575))
def test_a_ramp_ends_at_its_target_in_steps_of_at_most_two_grid_steps(start: int, end: int) -> None:
    reached = [pll_frequency(word).hz for word in ramp(MHz(start), MHz(end))]
    assert reached[-1] == pll_frequency(pll_word(MHz(end))).hz
    steps = [abs(b - a) for a, b in zip([MHz(start).hz, *reached], reached, strict=False)]
    assert max(steps) <= 2 * 6_250_000 + 2_000_000  # the PLL misses the grid by up to a MHz


def test_a_ramp_of_six_and_a_quarter_megahertz() -> None:
    words = list(ramp(None, MHz(485)))
    assert pll_frequency(words[0]) == MHz("56.25")
    assert len(words) == 70


def test_an_unknown_model_and_an_impossible_chain_are_refused() -> None:
    with pytest.raises(SpecError, match="BM1397"):
        bring_up("BM1397")
    with pytest.raises(SpecError, match="129"):
        address_interval(129)
