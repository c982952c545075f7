"""Sums of many bits with lookup tables on carry chains.

A six-input LUT in front of a carry chain adds one bit of the running sum to any function of five further bits. So a
row of the chain takes a table of five input bits, and the digits of a column become bits with coefficients that are
packed five to a table, tables side by side into rows, and rows one after the other onto the running sum.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from hwmodel.errors import SpecError
from hwmodel.fixedpoint.adders._share import Column
from hwmodel.fixedpoint.adders._signals import Lookup, Segment, Signals, adder_bits, width_of
from hwmodel.fixedpoint.adders._sums import Output, Term, add_terms, least_depth, sum_column

MAX_COEFFICIENT_BITS = 56  # a table's sum stays within int64
FEW_DIGITS = 6  # up to here plain adders may be cheaper and are tried
STEPS = 2500  # moves of the search a table and unit of effort
HOT, COLD = 0.3, 0.05  # LUTs: a move that costs this much is accepted every third time
SPARE = 4  # empty tables that the search may fill


@dataclass
class Packing:
    """The tables of one column: five bits and coefficients each, and what was left as a constant."""

    bits: list[tuple[int, int]]
    groups: list[list[tuple[int, int]]]  # (index into bits, coefficient)

    @property
    def cost(self) -> int:
        """LUTs of all tables."""
        return sum(segment_of(self.bits, group).width for group in self.groups)


def weighted_bits(signals: Signals, column: Column, name: str) -> list[tuple[tuple[int, int], int]]:
    """Expand a column into single bits with coefficients: ((signal, bit), coefficient)."""
    sums: dict[int, int] = {}
    for (signal, shift), sign in column.items():
        sums[signal] = sums.get(signal, 0) + (sign << shift)
    items = []
    for signal, value in sorted(sums.items()):
        span = signals.range_of(signal)
        width = width_of(span)
        if value.bit_length() + width > MAX_COEFFICIENT_BITS:
            raise SpecError(
                f"{name}: a product of {value.bit_length()} by {width} bits is too wide for tables "
                f"(at most {MAX_COEFFICIENT_BITS} together); pass lookups=0, which uses plain adders"
            )
        for bit in range(width if value else 0):
            negative = span[0] < 0 and bit == width - 1
            items.append(((signal, bit), (-value if negative else value) << bit))
    return items


def segment_of(bits: Sequence[tuple[int, int]], group: Sequence[tuple[int, int]]) -> Segment:
    """Make the table of a group."""
    seen = 0
    for _, c in group:
        seen |= abs(c)
    position = (seen & -seen).bit_length() - 1
    group = sorted(group)
    return Segment(
        position,
        tuple(bits[k][0] for k, _ in group),
        tuple(bits[k][1] for k, _ in group),
        tuple(c >> position for _, c in group),
    )


def pack_column(items: list[tuple[tuple[int, int], int]], slots: int, effort: int, seed: int) -> Packing:
    """Pack weighted bits into tables of `slots` bits; the same arguments always give the same tables."""
    from hwmodel.fixedpoint.adders._kernels import pack

    bits = [bit for bit, _ in items]
    order = sorted(range(len(items)), key=lambda k: (abs(items[k][1]), k))
    rows = [order[k : k + slots] for k in range(0, len(order), slots)]
    keys = np.zeros((len(rows) + SPARE, slots), np.int64)
    coefs, fill = np.zeros_like(keys), np.zeros(len(keys), np.int64)
    for g, row in enumerate(rows):
        keys[g, : len(row)], fill[g] = row, len(row)
        coefs[g, : len(row)] = [items[k][1] for k in row]
    if len(rows) > 1 and effort:
        pack(keys, coefs, fill, STEPS * effort * len(keys), HOT, COLD, seed)
    groups = [
        [(int(k), int(c)) for k, c in zip(keys[g, :n], coefs[g, :n], strict=True)]
        for g, n in enumerate(fill)
        if n
    ]
    return Packing(bits, groups)


def pack_columns(
    signals: Signals, columns: Sequence[Column], names: Sequence[str], slots: int, effort: int
) -> list[Packing]:
    """Pack all columns, on all cores."""
    items = [weighted_bits(signals, column, name) for column, name in zip(columns, names, strict=True)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(lambda n: pack_column(items[n], slots, effort, n), range(len(items))))


def rows_of(packing: Packing) -> tuple[list[tuple[int, Lookup]], int]:
    """Lay tables side by side: rows (shift, lookup), and the sum of the tables' offsets.

    Rows are ordered so that no two in succession begin at one place where that can be had: a synthesizer
    then sees single adders and does not fuse a whole column into one adder of many operands.
    """
    segments = sorted((segment_of(packing.bits, group) for group in packing.groups), key=lambda s: s.position)
    offset = sum(s.offset << s.position for s in segments)
    rows: list[list[Segment]] = []
    for segment in segments:
        ends = [(row[-1].position + row[-1].width, n) for n, row in enumerate(rows)]
        free = [(end, n) for end, n in ends if end <= segment.position]
        if free:
            rows[max(free)[1]].append(segment)
        else:
            rows.append([segment])
    out: list[tuple[int, Lookup]] = []
    for row in spread(rows):
        base = row[0].position
        moved = (Segment(s.position - base, s.signals, s.bits, s.coefficients) for s in row)
        out.append((base, Lookup(tuple(moved))))
    return out, offset


def spread(rows: list[list[Segment]]) -> list[list[Segment]]:
    """Order rows by place, but never the same place twice in succession where that can be had."""
    rest = list(rows)
    out: list[list[Segment]] = []
    while rest:
        counts: dict[int, int] = {}
        for row in rest:
            counts[row[0].position] = counts.get(row[0].position, 0) + 1
        last = out[-1][0].position if out else -1
        crowded = [p for p, n in counts.items() if p != last and 2 * n > len(rest)]
        pick = next((k for k, row in enumerate(rest) if crowded and row[0].position == crowded[0]), None)
        if pick is None:
            pick = next((k for k, row in enumerate(rest) if row[0].position != last), 0)
        out.append(rest.pop(pick))
    return out


def chain_rows(
    signals: Signals, rows: list[tuple[int, Lookup]], constant: int, chains: int
) -> tuple[Signals, Term]:
    """Sum rows on a number of carry chains that are then added in a tree, in a copy of the signals."""
    signals = signals.copy()
    ready = (
        sorted(range(len(rows)), key=lambda n: (row_depth(signals, rows[n]), n))
        if chains > 1
        else range(len(rows))
    )
    shares = [[rows[n] for k, n in enumerate(ready) if k % chains == first] for first in range(chains)]
    # A table is added as acc - ~table = acc + table + 1, the form that keeps it in the adder's own LUTs. The ones
    # are taken off the constant that the first chain begins with; the other chains begin with a table.
    bases = [min(mine, key=lambda row: row[0]) for mine in shares[1:]]
    for mine, base in zip(shares[1:], bases, strict=True):
        mine.remove(base)
    constant -= sum(1 << place for mine in shares for place, _ in mine)
    ends: list[Term] = []
    for mine, (shift, lookup) in zip(shares, [(0, Lookup((), constant)), *bases], strict=True):
        end = signals.look(lookup)
        for place, row in mine:
            end = signals.add(end, signals.look(Lookup(row.segments, 1)), 0, place - shift, 1)
        ends.append((shift, end, 1))
    while len(ends) > 1:
        ends.sort(key=lambda term: (signals.depth_of(term[1]), term[0]))
        ends[:2] = [add_terms(signals, ends[0], ends[1])]
    return signals, ends[0]


def row_depth(signals: Signals, row: tuple[int, Lookup]) -> int:
    """Depth of the deepest bit that a row looks at."""
    return max((signals.depth_of(s) for seg in row[1].segments for s in seg.signals), default=0)


def sum_tables(
    signals: Signals, column: Column, constant: int, packing: Packing, max_depth: int | None, name: str
) -> tuple[Signals, Output]:
    """Sum a column and a constant with tables, or with plain adders where that is cheaper.

    Returns new signals; those given stay as they are.
    """
    rows, offset = rows_of(packing)
    if len(column) <= FEW_DIGITS:
        depths = [signals.depth_of(s) for s, _ in column] + [0] * (constant != 0)
        plain = signals.copy()
        if max_depth is None or least_depth(depths) <= max_depth:
            output = sum_column(plain, column, constant, max_depth, name)
            if signal_cost(plain) - signal_cost(signals) <= packing.cost:
                return plain, output
    least = None
    for chains in range(1, len(rows) + 1):
        grown, (shift, end, _) = chain_rows(signals, rows, constant + offset, chains)
        depth = grown.depth_of(end)
        if max_depth is None or depth <= max_depth:
            return grown, (end, shift, 1)
        least = depth if least is None else min(least, depth)
    raise SpecError(f"{name}: needs a depth of {least}, but max_depth is {max_depth}; raise it")


def signal_cost(signals: Signals) -> int:
    """LUTs of all nodes and tables so far."""
    count = len(signals.input_ranges)
    total = sum(lookup.bits for lookup in signals.lookups)
    for n, (left, right, ls, rs, sign) in enumerate(signals.nodes):
        if right < 0 and signals.lookups[-1 - right].segments:
            continue
        total += adder_bits(
            signals.range_of(left), signals.range_of(right), (ls, rs), sign, signals.ranges[count + n]
        )
    return total
