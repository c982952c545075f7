"""Frames of all kinds, drawn."""

from __future__ import annotations

from hypothesis import strategies as st

from hwmodel.reservoir.wire import (
    Command,
    CommandKind,
    JobFrame,
    MidstateJobFrame,
    NonceResponse,
    RegisterResponse,
)

BYTE, WORD, HALF = st.integers(0, 255), st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1)
HASH = st.binary(min_size=32, max_size=32)

WRITES = st.builds(Command, st.just(CommandKind.WRITE), BYTE, BYTE, WORD, st.booleans())
OTHERS = st.builds(
    Command,
    st.sampled_from([CommandKind.ADDRESS, CommandKind.READ, CommandKind.INACTIVE]),
    BYTE, BYTE, st.none(), st.booleans(),
)  # fmt: skip
JOBS = st.builds(
    JobFrame, BYTE, WORD, HASH, HASH, WORD, WORD, WORD,
    st.sampled_from([1, 4]), st.sampled_from([0x56, 0x36]), st.booleans(),
)  # fmt: skip
MIDSTATES = st.builds(
    MidstateJobFrame, BYTE, WORD, WORD, st.binary(min_size=4, max_size=4),
    st.lists(HASH, min_size=1, max_size=4).map(tuple), WORD, st.booleans(),
)  # fmt: skip
LONG = st.builds(NonceResponse, WORD, BYTE, BYTE, HALF) | st.builds(RegisterResponse, WORD, BYTE, BYTE, HALF)
SHORT = st.builds(NonceResponse, WORD, BYTE, BYTE, st.none()) | st.builds(
    RegisterResponse, WORD, BYTE, BYTE, st.none()
)
COMMANDS = WRITES | OTHERS | JOBS | MIDSTATES
FRAMES = COMMANDS | LONG | SHORT
