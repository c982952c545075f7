"""A chain of chips as its host sees it: bytes in, bytes out, each at its time. No input or output of its own."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any

from hwmodel.errors import QueueOverflowError, SpecError
from hwmodel.reservoir._emulator_faults import Faults
from hwmodel.reservoir.chip import Place
from hwmodel.reservoir.chip.model import ChipModel
from hwmodel.reservoir.job import Job
from hwmodel.reservoir.wire import (
    RESET_BAUD_WORD,
    Command,
    CommandKind,
    Decoder,
    JobFrame,
    NonceResponse,
    Register,
    RegisterResponse,
    baud_of,
    encode,
    pll_frequency,
    pll_word,
    ticket_difficulty,
    version_mask,
)
from hwmodel.units import NEVER, Time

__all__ = ["EmulatedChain"]

BITS_A_BYTE = 10  # 8N1
MAX_OUTBOX = 1 << 16
ERA, LAST = 4_000 * 10**15, 9_000 * 10**15  # fs; the model's own time ends at 9,223 s
LEAST_TICKS = 4096  # drawing the hits of many thousands of sweeps a second would take longer than the second
CORE_ENABLE = 0x82AA
REPORTING = 0xF000_0000
MODELS = ("BM1366", "BM1370")
COUNTERS = (0x88, 0x89, 0x8A, 0x8B, 0x4C, 0x8C)


class EmulatedChain:
    """Chips that take the bytes of a host and answer as BM1366 and BM1370 do.

    They answer reads, take addresses, PLL, ticket mask, version mask, sweep length and baud rate, hash jobs as their
    model does, and report results over one line at its baud rate. As on real chips nothing is reported before the
    bring-up has opened the cores, and answers have 9 bytes before the version mask is set.

    Parameters:
        make: makes the model; called once more each time that the model's own time nears its end.
        shrink: bits by which sweeps are shorter than what the sweep register asks for. Without it the shortest sweep that
            is emulated takes 4,096 ticks of the crystal; factory firmware asks for 5,404.
        fifo: frames that may wait for the line; a result that finds it full is lost.
        faults: what goes wrong on the line.
        chip_id: what the chips say they are; by default that of the model.

    Raises:
        SpecError: chips that are given midstates, as a BM1397 is.

    Times are fs since the beginning and must not fall. See `emulated_chain` for one that is ready to be used.
    """

    def __init__(
        self,
        make: Callable[[], ChipModel],
        *,
        shrink: int = 0,
        fifo: int = 16,
        faults: Faults | None = None,
        chip_id: int | None = None,
    ) -> None:
        self.model = make()
        self.spec = self.model.spec
        if self.spec.response_bytes != 11:
            raise SpecError(
                f"EmulatedChain: a {self.spec.name} is given midstates, which is not emulated; give one of {', '.join(MODELS)}"
            )
        if not (0 <= shrink <= 31 and 1 <= fifo <= MAX_OUTBOX):
            raise SpecError(
                f"EmulatedChain(shrink={shrink}, fifo={fifo}): give 0 to 31 bits and 1 to {MAX_OUTBOX} frames"
            )
        self._make, self._shrink, self._fifo = make, shrink, fifo
        self.chip_id = self.spec.chip_id if chip_id is None else chip_id
        self.faults = faults or Faults()
        self._line = self.faults.line()
        self._decoder = Decoder("command")
        self._slot_bits = 8 - self.spec.response_job_mask.bit_count()
        self._epoch = self.now = 0
        self._free = 0
        self._ends: deque[int] = deque()  # ends of frames that are still on the line
        self._outbox: deque[tuple[int, bytes]] = deque()
        self.results = self.lost = self.sent = self.ignored = 0
        self.baud = baud_of(RESET_BAUD_WORD)
        self._gone = self.model.chips
        self._counted = [dict.fromkeys(COUNTERS, 0) for _ in range(self.model.chips)]
        self._reset()

    def _reset(self) -> None:
        chips = range(self.model.chips)
        self._addresses: list[int | None] = [0 for _ in chips]
        self._registers: list[dict[int, int]] = [
            {
                Register.PLL: pll_word(self.model.frequency),
                Register.MISC_CONTROL: 0xC100,
                Register.SOFT_RESET: 0x0007_0000,
                Register.BAUD: RESET_BAUD_WORD,
            }
            for _ in chips
        ]
        self._enabled = [False for _ in chips]
        self._rolling = False
        self._mask = 0
        self._ticks: int | None = None

    # ------------------------------------------------------------------------------------------ what is there

    @property
    def chips(self) -> int:
        """Length of the chain, chips that have vanished included."""
        return self.model.chips

    @property
    def present(self) -> int:
        """Chips that answer: those before the first that has vanished."""
        return self._gone

    @property
    def dropped(self) -> int:
        """Bytes from the host that were in no frame."""
        return self._decoder.dropped

    @property
    def fault_counts(self) -> dict[str, int]:
        """How often each fault has happened."""
        return dict(self._line.counts)

    def register(self, number: int, chip: int = 0) -> int:
        """What a register of a chip holds."""
        if number == Register.CHIP_ID:
            return self.chip_id << 16 | (self._addresses[chip] or 0)
        if number in COUNTERS:
            counted = self._counted[chip][number] + self.model.registers(chip)[number]
            return counted & 0xFFFFFFFF
        return self._registers[chip].get(number, 0)

    # ------------------------------------------------------------------------------------------ bytes and time

    def receive(self, t: int, data: bytes) -> None:
        """Take bytes of the host that are complete at `t`."""
        self.advance(t)
        for frame in self._decoder.feed(data):
            self._take(frame)

    def idle(self, t: int) -> None:
        """Tell the chips that the host has been silent for long: half a frame is given up."""
        self.advance(t)
        for frame in self._decoder.finish():
            self._take(frame)

    @property
    def half_frame(self) -> bool:
        """Whether the chips wait for the rest of a frame."""
        return self._decoder.pending > 0

    def advance(self, t: int) -> None:
        """Work out all results before `t` and put them on the line."""
        if t < self.now:
            raise SpecError(f"EmulatedChain: it is at {self.now} fs, {t} fs is in its past")
        while t - self._epoch > LAST:
            self._run(self._epoch + LAST)
            self._renew(self._epoch + LAST, self.model.job)
        self._run(t)
        self.now = t

    def due(self, t: int) -> bytes:
        """Advance to `t`; give the bytes that have arrived at the host by then."""
        self.advance(t)
        parts = []
        while self._outbox and self._outbox[0][0] <= t:
            parts.append(self._outbox.popleft()[1])
        return b"".join(parts)

    def next_event(self) -> int:
        """Time at which bytes arrive or a result may come, whichever is first; NEVER if none is in sight."""
        waiting = self._outbox[0][0] if self._outbox else NEVER
        if self._halted():
            return waiting
        hit = self.model.next_hit()
        return min(waiting, NEVER if hit == NEVER else hit + self._epoch)

    def warm_up(self) -> None:
        """Compile what finds hits, so that the first results are not late."""
        job = Job(0, 0, bytes(32), bytes(32), 0, 0)
        self.model.oracle.hits(job, Place(self.spec, limit=1), 0, 1)

    def set_faults(self, faults: Faults) -> None:
        """Let other things go wrong from now on; draws and counts begin anew."""
        self.faults, self._line = faults, faults.line()

    def vanish(self, chip: int = 0) -> None:
        """Let a chip vanish, and with it those behind it, whose answers pass through it."""
        self._gone = min(self._gone, max(0, chip))

    def revive(self) -> None:
        """Bring all chips back as they are after a reset of the chain."""
        self.model.set_job(self._model_time(self.now), None)
        self._gone = self.model.chips
        self.baud = baud_of(RESET_BAUD_WORD)
        self._reset()

    def set_voltage(self, t: int, volts: float) -> None:
        """Set the core voltage, V, which is not done over the wire."""
        self.advance(t)
        self.model.set_voltage(self._model_time(t), volts)

    def voltage(self, t: int) -> float:
        """Voltage at the chips, V, droop taken off."""
        self.advance(t)
        return self.model.voltage_at(self._model_time(t))

    def temperature(self, t: int) -> float:
        """Temperature of the dies, C."""
        self.advance(t)
        return self.model.temperature_at(self._model_time(t))

    # ------------------------------------------------------------------------------------------ inside

    def _model_time(self, t: int) -> Time:
        return Time(t - self._epoch)

    def _renew(self, t: int, job: Job | None) -> None:
        """Go on with a new model whose time begins at `t`; temperatures begin anew with it."""
        for chip, counted in enumerate(self._counted):
            for number, value in self.model.registers(chip).items():
                counted[number] += value
        old, self.model, self._epoch = self.model, self._make(), t
        start = self._model_time(t)
        self.model.set_frequency(start, old.frequency)
        self.model.set_voltage(start, old.voltage)
        self.model.set_ticket_mask(start, old.ticket_mask)
        self.model.set_sweep_limit(start, self._ticks)
        if job is not None:
            self.model.set_job(start, job)

    def _run(self, t: int) -> None:
        for hit in self.model.run(self._model_time(t)):
            chip = int(hit["chip"])
            reports = self._enabled[chip] and self._registers[chip][Register.MISC_CONTROL] & REPORTING
            if chip < self._gone and reports:
                self.results += 1
                self._send(self._epoch + int(hit["t"]), self._response(hit))

    def _response(self, hit: Any) -> NonceResponse:
        field = (int(hit["job"]) << max(0, self._slot_bits - 3)) & self.spec.response_job_mask
        slot = int(hit["slot"]) & self.spec.response_slot_mask
        above = max(float(hit["difficulty"]) / self.model.ticket_mask, 1.0)
        rolled = (int(hit["version"]) & self._mask) >> 13
        return NonceResponse(
            int(hit["nonce"]),
            min(2 * int(math.log2(above)), 255),
            field | slot,
            rolled if self._rolling else None,
        )

    def _send(self, t: int, frame: NonceResponse | RegisterResponse) -> None:
        """Put a frame on the line, which sends one after the other."""
        while self._ends and self._ends[0] <= t:
            self._ends.popleft()
        if len(self._ends) >= self._fifo and isinstance(frame, NonceResponse):
            self.lost += 1
            return
        if len(self._outbox) >= MAX_OUTBOX:
            raise QueueOverflowError(
                f"EmulatedChain: {MAX_OUTBOX} pieces wait to be fetched; call due() more often"
            )
        data = encode(frame)
        self._free = max(t, self._free) + round(len(data) * BITS_A_BYTE * 1e15 / self.baud)
        self._ends.append(self._free)
        for wait, piece in self._line.pass_on(data):
            self._free += wait
            self._outbox.append((self._free, piece))
        self.sent += 1
        if self.faults.vanish_after is not None and self.sent >= self.faults.vanish_after:
            self.vanish(self.faults.vanish_chip)

    def _take(self, frame: object) -> None:
        """Do what the host asks for."""
        if isinstance(frame, JobFrame) and self._gone:
            if self.now - self._epoch > ERA:
                self._renew(self.now, None)
            self.model.set_job(self._model_time(self.now), frame.job(self._mask if self._rolling else 0))
        elif not isinstance(frame, Command):
            self.ignored += 1
        elif frame.kind is CommandKind.INACTIVE:
            self._addresses = [None] * self.chips
        elif frame.kind is CommandKind.ADDRESS:
            if None in self._addresses:
                self._addresses[self._addresses.index(None)] = frame.chip
        else:
            for chip in range(self._gone):
                if frame.all or self._addresses[chip] == frame.chip:
                    self._access(chip, frame)

    def _access(self, chip: int, frame: Command) -> None:
        if frame.kind is CommandKind.READ:
            value = self.register(frame.register, chip)
            unknown = 0 if self._rolling else None
            self._send(self.now, RegisterResponse(value, self._addresses[chip] or 0, frame.register, unknown))
            return
        assert frame.value is not None
        self._write(chip, frame.register, frame.value)

    def _write(self, chip: int, register: int, word: int) -> None:
        """Write a register. Clock, masks and baud are those of the whole chain: the last word counts."""
        now = self._model_time(self.now)
        self._registers[chip][register] = word
        if register == Register.PLL:
            if word >> 16 & 0xFFF and word >> 8 & 0x3F:
                self.model.set_frequency(now, pll_frequency(word))
        elif register == Register.TICKET_MASK:
            try:
                self.model.set_ticket_mask(now, ticket_difficulty(word))
            except ValueError:  # a mask with holes: none of the model's
                self.ignored += 1
        elif register == Register.HASH_COUNTING:
            # Only a word of 0 halts, and that at once; a short sweep that is shrunk stays one.
            least = 1 if self._shrink else LEAST_TICKS
            self._ticks = max(least, word >> self._shrink) if word else 0
            self.model.set_sweep_limit(now, self._ticks)
            if not word:
                self.model.set_job(now, None)
        elif register == Register.VERSION_MASK:
            mask = version_mask(word)
            if mask & (mask + (mask & -mask)):  # a mask with holes: none of the model's
                self.ignored += 1
            else:
                self._rolling, self._mask = bool(word >> 31), mask
        elif register == Register.BAUD:
            self.baud = baud_of(word)
        elif register == Register.CORE and word & 0xFFFF == CORE_ENABLE:
            self._enabled[chip] = True

    def _halted(self) -> bool:
        return self.model.job is None
