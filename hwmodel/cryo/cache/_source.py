"""Accesses from traces and arrays, in the form that the compiled loops take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hwmodel.cryo.trace import ACCESS_ONLY, Chunk, Trace, TraceSource, operand_counts
from hwmodel.errors import SpecError

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Source = Any
"""A trace, or a tuple (addresses, is_write)."""

READ, WRITE, FETCH = 0, 1, 2
CHUNK = 1 << 20
NO_PCS = np.zeros(0, dtype=np.int64)


class Accesses(NamedTuple):
    """A run of accesses: byte addresses (or lines), what each does, and its program counter (or none at all)."""

    addresses: Ints
    kinds: Bytes
    pcs: Ints


def is_trace(source: Source) -> bool:
    """Say whether a source is a trace, not an array."""
    return isinstance(source, Trace) or hasattr(source, "chunks")


def to_addresses(addresses: npt.ArrayLike, lines: bool) -> Ints:
    """Return addresses as 64-bit words; an unsigned address above 2**63 keeps its bits.

    Raises:
        SpecError: no one-dimensional array of whole numbers, or line numbers that no address has.
    """
    given = np.asarray(addresses)
    if given.size == 0:
        given = given.astype(np.int64)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise SpecError(
            f"addresses: an array of {given.ndim} dimensions and type {given.dtype}; give one dimension of whole numbers"
        )
    words = np.ascontiguousarray(given, dtype=np.uint64 if given.dtype.kind == "u" else np.int64).view(
        np.int64
    )
    if given.dtype.kind == "i" and len(given) and int(given.min()) < 0:
        raise SpecError(f"addresses: {int(given.min())} is below zero; give unsigned addresses")
    if lines and len(words) and (int(words.min()) < 0 or int(words.max()) >= 1 << 52):
        raise SpecError(
            f"lines: {int(given.max())} is beyond 2**56; give line numbers, or addresses with lines=False"
        )
    return words


def to_kinds(is_write: npt.ArrayLike | None, length: int) -> Bytes:
    """Return what each access does as bytes: 0 reads, 1 writes.

    Raises:
        SpecError: another length than that of the addresses, or other values.
    """
    if is_write is None:
        return np.zeros(length, dtype=np.uint8)
    given = np.asarray(is_write)
    if given.shape != (length,):
        raise SpecError(f"is_write: shape {given.shape} for {length} addresses; give one value an address")
    if given.dtype == np.bool_:
        return np.ascontiguousarray(given).view(np.uint8)
    if given.size and (given.dtype.kind not in "iu" or int(given.min()) < 0 or int(given.max()) > 1):
        raise SpecError("is_write: give booleans, or 0 for a read and 1 for a write")
    return np.ascontiguousarray(given, dtype=np.uint8)


def accesses_of(
    source: TraceSource, fetches: bool, line: int, start: int = 0, stop: int | None = None
) -> Iterator[Accesses]:
    """Give the accesses of a trace chunk by chunk.

    Loads of an instruction come before its stores, and its fetch before both. An access that crosses a line of `line`
    bytes is two accesses, where the trace knows its size.
    """
    for chunk in source.chunks(CHUNK, start, stop):
        yield chunk_accesses(chunk, fetches, line)


def chunk_accesses(chunk: Chunk, fetches: bool, line: int) -> Accesses:
    """Return the accesses of a chunk."""
    indices, statics = chunk.indices, chunk.statics
    counts = operand_counts(statics)[indices].astype(np.int64)
    owner = np.repeat(indices, counts)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    store = number >= statics["loads"][owner]
    sizes = np.where(store, statics["store_size"][owner], statics["load_size"][owner]).astype(np.int64)
    addresses = chunk.addresses.astype(np.uint64, copy=False).view(np.int64)
    pcs = statics["pc"].view(np.int64) if statics["pc"].flags.c_contiguous else statics["pc"].astype(np.int64)
    found = Accesses(addresses, store.view(np.uint8), pcs[owner])
    if not fetches:
        return split(found, sizes, line)
    known = (statics["flags"][indices] & ACCESS_ONLY) == 0
    place = np.cumsum(counts) - counts
    fetch_at = place[known]
    merged = Accesses(
        np.insert(found.addresses, fetch_at, pcs[indices][known]),
        np.insert(found.kinds, fetch_at, FETCH),
        np.insert(found.pcs, fetch_at, pcs[indices][known]),
    )
    return split(merged, np.insert(sizes, fetch_at, statics["size"][indices][known]), line)


def split(accesses: Accesses, sizes: Ints, line: int) -> Accesses:
    """Make two accesses of each that crosses the end of a line; the second begins the next line."""
    bits = line.bit_length() - 1
    last = accesses.addresses + np.maximum(sizes, 1) - 1
    crossing = np.flatnonzero((accesses.addresses >> bits) != (last >> bits))
    if len(crossing) == 0:
        return accesses
    return Accesses(
        np.insert(accesses.addresses, crossing + 1, (last >> bits << bits)[crossing]),
        np.insert(accesses.kinds, crossing + 1, accesses.kinds[crossing]),
        np.insert(accesses.pcs, crossing + 1, accesses.pcs[crossing]),
    )
