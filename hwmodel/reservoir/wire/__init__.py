"""The wire of BM13xx chips: frames and bytes in both directions, registers, and the commands of the bring-up.

Importing this package loads neither numba nor pyserial.
"""

from __future__ import annotations

from hwmodel.reservoir.wire._crc import crc5, crc16
from hwmodel.reservoir.wire._decode import Decoder, Direction, decode
from hwmodel.reservoir.wire._frames import (
    Command,
    CommandKind,
    Frame,
    JobFrame,
    MidstateJobFrame,
    NonceResponse,
    RegisterResponse,
    encode,
)
from hwmodel.reservoir.wire._registers import (
    RESET_BAUD_WORD,
    Register,
    baud_of,
    baud_word,
    hash_counting_number,
    pll_frequency,
    pll_word,
    ticket_difficulty,
    ticket_mask_word,
    version_mask,
    version_mask_word,
)
from hwmodel.reservoir.wire._sequence import BringUp, address_interval, bring_up, ramp

__all__ = [
    "RESET_BAUD_WORD",
    "BringUp",
    "Command",
    "CommandKind",
    "Decoder",
    "Direction",
    "Frame",
    "JobFrame",
    "MidstateJobFrame",
    "NonceResponse",
    "Register",
    "RegisterResponse",
    "address_interval",
    "baud_of",
    "baud_word",
    "bring_up",
    "crc5",
    "crc16",
    "decode",
    "encode",
    "hash_counting_number",
    "pll_frequency",
    "pll_word",
    "ramp",
    "ticket_difficulty",
    "ticket_mask_word",
    "version_mask",
    "version_mask_word",
]
