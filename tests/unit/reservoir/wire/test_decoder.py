"""The decoder: any bytes, any chunks, garbage between frames, and the count of what it drops."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hwmodel.errors import WireError
from hwmodel.reservoir.wire import Command, Decoder, Frame, NonceResponse, RegisterResponse, decode, encode
from tests.unit.reservoir.wire.strategies import COMMANDS, FRAMES, LONG, SHORT

MODES = st.tuples(st.sampled_from(["command", "response", None]), st.sampled_from([9, 11, None]))
# Bytes of preambles and headers are frequent, so that much looks like a frame and is none.
TRICKY = st.lists(
    st.sampled_from(
        [b"\x55", b"\xaa", b"\x55\xaa", b"\xaa\x55", b"\x52\x05", b"\x51\x09", b"\x21\x36", b"\x21\x56"]
    )
    | st.binary(min_size=1, max_size=3)
    | FRAMES.map(encode),
    max_size=12,
).map(b"".join)
QUIET = st.binary(max_size=20).filter(lambda data: not set(data) & {0x55, 0xAA})


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


@given(TRICKY, MODES)
def test_it_never_raises_and_counts_every_byte(data: bytes, mode: tuple[str | None, int | None]) -> None:
    decoder = Decoder(*mode)  # type: ignore[arg-type]
    frames = [*decoder.feed(data), *decoder.finish()]
    assert sum(len(encode(frame)) for frame in frames) + decoder.dropped == len(data)
    assert decoder.pending == 0


@given(TRICKY, MODES, st.lists(st.integers(0, 5000), max_size=30))
def test_chunks_change_nothing(data: bytes, mode: tuple[str | None, int | None], places: list[int]) -> None:
    whole, parts = Decoder(*mode), Decoder(*mode)  # type: ignore[arg-type]
    expected = [*whole.feed(data), *whole.finish()]
    found = [frame for part in cut(data, places) for frame in parts.feed(part)]
    assert [*found, *parts.finish()] == expected
    for name in ("dropped", "damaged", "resynchronised", "taken"):
        assert getattr(parts, name) == getattr(whole, name)


@given(st.lists(st.tuples(QUIET, FRAMES), max_size=8), QUIET)
def test_frames_of_both_directions_are_found_between_garbage(
    parts: list[tuple[bytes, Frame]], tail: bytes
) -> None:
    data = b"".join(garbage + encode(frame) for garbage, frame in parts) + tail
    # A short answer before garbage may be read as a long one, or as a damaged one: of that there is a test below.
    assume(all(getattr(frame, "form", 11) == 11 for _, frame in parts))
    decoder = Decoder()
    assert [*decoder.feed(data), *decoder.finish()] == [frame for _, frame in parts]
    assert decoder.dropped == sum(len(garbage) for garbage, _ in parts) + len(tail)
    assert decoder.resynchronised == sum(bool(garbage) for garbage, _ in parts)


@given(st.lists(COMMANDS | SHORT | LONG, max_size=10))
def test_forms_and_directions_are_told_apart_in_one_buffer(frames: list[Frame]) -> None:
    assert decode(b"".join(map(encode, frames))) == frames


@given(st.lists(LONG, min_size=3, max_size=6), st.integers(0, 10), st.integers(1, 255))
def test_after_a_changed_byte_the_last_frames_are_found(frames: list[Frame], place: int, change: int) -> None:
    first = bytearray(encode(frames[0]))
    first[place] ^= change
    assume(not decode(bytes(first)))
    found = decode(bytes(first) + b"".join(map(encode, frames[1:])))
    # What is left of the first may, once in a hundred, begin a frame that takes the second one's start with it.
    assert found[-1] == frames[-1]


@given(st.lists(LONG, min_size=2, max_size=5), st.integers(0, 10))
def test_a_lost_byte_costs_one_frame(frames: list[Frame], place: int) -> None:
    first = bytearray(encode(frames[0]))
    del first[place]
    decoder = Decoder("response", 11)
    data = bytes(first) + b"".join(map(encode, frames[1:]))
    found = [*decoder.feed(data), *decoder.finish()]
    assert found[-len(frames) + 1 :] == frames[1:] or decoder.damaged
    assert sum(len(encode(frame)) for frame in found) + decoder.dropped == len(data)


def test_a_damaged_answer_is_dropped_and_the_next_is_found() -> None:
    good = bytes.fromhex("aa55136600000000000005")
    bad = bytes.fromhex("aa55136700000000000005")
    decoder = Decoder("response", 11)
    assert decoder.feed(bad + good) == [RegisterResponse(0x13660000)]
    assert (decoder.dropped, decoder.damaged, decoder.resynchronised) == (11, 1, 1)


def test_a_short_answer_is_held_back_until_it_cannot_be_a_long_one() -> None:
    data = bytes.fromhex("aa5513971800000006")
    decoder = Decoder()
    assert decoder.feed(data) == []
    assert decoder.feed(b"\xaa\x55") == [RegisterResponse(0x13971800, unknown=None)]
    fixed = Decoder("response", 9)
    assert fixed.feed(data) == [RegisterResponse(0x13971800, unknown=None)]


def test_a_long_answer_whose_first_nine_bytes_close_is_a_long_one() -> None:
    frame = next(
        found
        for n in range(10_000)
        if decode(encode(found := NonceResponse(n, 0, 8, 0x8012))[:9])  # looks whole after nine bytes
    )
    assert decode(encode(frame)) == [frame]


def test_only_the_asked_direction_is_read() -> None:
    data = encode(Command.read(0)) + encode(RegisterResponse(1))
    assert Decoder("command").feed(data) == [Command.read(0)]
    assert Decoder("response", 11).feed(data) == [RegisterResponse(1)]


def test_places_count_the_bytes_since_the_beginning() -> None:
    decoder = Decoder("response", 11)
    decoder.feed(b"\x00" * 5)
    one = encode(RegisterResponse(1))
    assert decoder.feed_placed(one + one) == [(RegisterResponse(1), 16), (RegisterResponse(1), 27)]


def test_a_broken_job_does_not_hide_the_command_behind_it() -> None:
    from hwmodel.reservoir.wire import JobFrame

    job = encode(JobFrame(8, 1, bytes(32), bytes(32), 0, 0))
    decoder = Decoder("command")
    assert decoder.feed(job[:50] + encode(Command.read(0))) == []
    assert decoder.finish() == [Command.read(0)]


@pytest.mark.parametrize("mode", [("host", 11), ("response", 10)])
def test_an_unknown_mode_is_refused(mode: tuple[str, int]) -> None:
    with pytest.raises(WireError, match="Decoder"):
        Decoder(*mode)  # type: ignore[arg-type]


def test_text_is_refused() -> None:
    with pytest.raises(WireError, match="fromhex"):
        decode("55aa")  # type: ignore[arg-type]
