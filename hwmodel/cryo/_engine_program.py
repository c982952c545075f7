"""The program of a core in lock-step: chunks of a trace, with the accesses to mapped ports marked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwmodel.cryo._trace_base import TAKEN, Branch, Chunk, TraceSource, operand_counts
from hwmodel.cryo.timing import TimedRun, addresses_of
from hwmodel.errors import SpecError

CHUNK = 1 << 15
"""Instructions that are prepared at once. Groups end where chunks do, so this is a part of the model."""

KEPT = 1 << 20
"""Instructions that stay prepared: a program that is run again and again is shorter than that."""

SIGN = np.int64(-(2**63))
FLAGS = 7  # column of the facts
FENCE = 2
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Range:
    """An address range of a port: a mailbox, or a doorbell with its number among the outputs."""

    port: str
    base: int
    end: int
    mailbox: bool
    number: int


@dataclass(frozen=True)
class Prepared:
    """A chunk as the compiled loop takes it: the tables of static instructions and one array of the rest."""

    first: int
    tables: Ints
    rows: int
    columns: tuple[int, int, int]
    program: Ints
    length: int
    marks: int
    codes: int


class Program:
    """Gives the chunks of a trace one by one, and again from the start of any of them."""

    def __init__(self, name: str, source: TraceSource, ranges: tuple[Range, ...], run: TimedRun) -> None:
        self._name = name
        self._source = source
        self._ranges = ranges
        self._run = run
        self._statics: object = None
        self._variant: dict[int, int] = {}
        self._tables: tuple[Ints, int, tuple[int, int, int]] | None = None
        self._chunks: Iterator[Chunk] | None = None  # from `_at` on
        self._at = -1  # before the start
        self._kept: dict[int, Prepared | None] = {-1: None}  # by first instruction; None is the end

    def start(self, first: int = 0) -> None:
        """Go to the chunk that begins at an instruction."""
        self._chunks, self._at = None, first

    def next(self) -> Prepared | None:
        """The next chunk, or None at the end of the trace.

        Raises:
            SpecError: an access that a mapped port does not allow.
        """
        first = self._at
        if first in self._kept:
            made, self._chunks = self._kept[first], None
        else:
            if self._chunks is None:
                self._chunks = self._source.chunks(CHUNK, start=first)
            chunk = next(self._chunks, None)
            made = None if chunk is None else self._prepare(chunk)
            if len(self._kept) <= KEPT // CHUNK:
                self._kept[first] = made
        self._at += 0 if made is None else made.length
        return made

    # What follows is private.

    def _prepare(self, chunk: Chunk) -> Prepared:
        ids = chunk.ids.astype(np.int64)
        addresses = addresses_of(chunk)
        whole = (chunk.addresses & np.uint64(2**63 - 1)).astype(np.int64)
        owner = np.full(len(addresses), -1, np.int64)
        for n, span in enumerate(self._ranges):
            owner[(whole >= span.base) & (whole < span.end)] = n
        mapped = np.flatnonzero(owner >= 0)
        addresses[mapped] = whole[mapped]
        marks = codes = np.zeros(0, np.int64)
        if chunk.statics is not self._statics:
            self._statics, self._variant, self._tables = chunk.statics, {}, None
        if len(mapped):
            marks, codes = self._mark(chunk, ids, addresses, owner, mapped)
        if self._tables is None:
            self._tables = self._make_tables(chunk)
        tables, rows, columns = self._tables
        program = np.concatenate([ids, addresses, marks, [len(ids)], codes])
        begin = len(ids) + len(addresses)
        return Prepared(chunk.first, tables, rows, columns, program, len(ids), begin, begin + len(marks) + 1)

    def _mark(self, chunk: Chunk, ids: Ints, addresses: Ints, owner: Ints, mapped: Ints) -> tuple[Ints, Ints]:
        """Give mapped operands a negative address, and their instructions a variant that is a fence."""
        indices = chunk.indices
        counts = operand_counts(chunk.statics)[indices].astype(np.int64)
        begins = np.cumsum(counts) - counts
        instruction = np.searchsorted(begins + counts, mapped, side="right")
        loads = mapped - begins[instruction] < chunk.statics["loads"][indices[instruction]]
        self._check(chunk, addresses, owner, mapped, instruction, loads)
        marks = np.unique(instruction)
        for static in np.unique(indices[marks]).tolist():
            if static not in self._variant:
                self._variant[static] = len(chunk.statics) + len(self._variant)
                self._tables = None
        variants = np.array([self._variant[static] for static in indices[marks].tolist()], np.int64)
        ids[marks] = variants | (ids[marks] & TAKEN)
        addresses[mapped] |= SIGN
        numbers = np.array([span.number for span in self._ranges], np.int64)
        return marks, numbers[owner[mapped[loads]]]

    def _check(
        self,
        chunk: Chunk,
        addresses: Ints,
        owner: Ints,
        mapped: Ints,
        instruction: Ints,
        loads: npt.NDArray[np.bool_],
    ) -> None:
        mailbox = np.array([span.mailbox for span in self._ranges])[owner[mapped]]
        branch = chunk.statics["branch"][chunk.indices[instruction]] != Branch.NONE
        wrong = np.flatnonzero((loads != mailbox) | branch)
        if not len(wrong):
            return
        n = int(wrong[0])
        span = self._ranges[int(owner[mapped[n]])]
        static = chunk.statics[chunk.indices[instruction[n]]]
        kind = "mailbox" if span.mailbox else "doorbell"
        verb = "loads from" if loads[n] else "stores to"
        remedy = "a mailbox takes loads only" if span.mailbox else "a doorbell takes stores only"
        if branch[n]:
            remedy = "it is a branch, whose target a port cannot give"
        raise SpecError(
            f"core '{self._name}': instruction {chunk.first + int(instruction[n])} at pc {int(static['pc']):#x} {verb} "
            f"{int(addresses[mapped[n]]):#x}, which lies in {kind} '{span.port}': {remedy}; map another range, or change "
            "the program"
        )

    def _make_tables(self, chunk: Chunk) -> tuple[Ints, int, tuple[int, int, int]]:
        """All static instructions, and behind them those with mapped operands once more, as fences."""
        pcs, facts, sources, destinations = self._run.tables(chunk)
        order = np.concatenate([np.arange(len(pcs)), np.array(list(self._variant), np.int64)]).astype(
            np.int64
        )
        facts = facts[order]
        facts[len(pcs) :, FLAGS] |= FENCE
        parts = (pcs[order], facts, sources[order], destinations[order])
        columns = (facts.shape[1], sources.shape[1], destinations.shape[1])
        return np.concatenate([part.ravel() for part in parts]), len(order), columns
