"""Sums of many terms with two-input adders: cheapest pair first, within a bound on the depth."""

from __future__ import annotations

from itertools import pairwise

from hwmodel.errors import SpecError
from hwmodel.fixedpoint.adders._share import Column
from hwmodel.fixedpoint.adders._signals import Lookup, Signals

Term = tuple[int, int, int]  # shift, signal, sign
Output = tuple[int, int, int]  # signal, shift, sign; sign 0 for a constant zero


def least_depth(depths: list[int]) -> int:
    """Return the depth of the shallowest tree over terms of these depths."""
    return (sum(1 << d for d in depths) - 1).bit_length() if depths else 0


def add_terms(signals: Signals, one: Term, two: Term) -> Term:
    """Add two terms; the result starts at the lower shift and is positive where it can be."""
    first, second = sorted((one, two))
    if first[2] < 0 < second[2]:  # a difference, so that nothing is negated twice
        first, second = second, first
    base = min(first[0], second[0])
    node = signals.add(first[1], second[1], first[0] - base, second[0] - base, first[2] * second[2])
    return base, node, first[2]


def price(signals: Signals, one: Term, two: Term) -> int:
    """LUTs of adding two terms."""
    first, second = sorted((one, two))
    if first[2] < 0 < second[2]:
        first, second = second, first
    base = min(first[0], second[0])
    return signals.adder_cost(first[1], second[1], (first[0] - base, second[0] - base), first[2] * second[2])


def straighten(signals: Signals, outputs: list[Output]) -> list[Output]:
    """Turn round the differences that are only put out negated; returns the outputs, changes the nodes in place."""
    first = len(signals.input_ranges)
    used = {signal for left, right, *_ in signals.nodes for signal in (left, right)}
    used |= {s for lookup in signals.lookups for segment in lookup.segments for s in segment.signals}
    used |= {signal for signal, _, sign in outputs if sign > 0}
    turned = set()
    for signal in {signal for signal, _, sign in outputs if sign < 0} - used:
        if signal >= first and signals.nodes[signal - first][4] < 0:
            left, right, left_shift, right_shift, sign = signals.nodes[signal - first]
            signals.nodes[signal - first] = (right, left, right_shift, left_shift, sign)
            turned.add(signal)
    return [(signal, shift, 1 if signal in turned else sign) for signal, shift, sign in outputs]


def sum_column(signals: Signals, column: Column, constant: int, max_depth: int | None, name: str) -> Output:
    """Sum the digits of a column and a constant; adds the nodes to `signals`."""
    terms: list[Term] = sorted((shift, signal, sign) for (signal, shift), sign in column.items())
    if constant:
        shift = (constant & -constant).bit_length() - 1
        terms.append((shift, signals.look(Lookup((), constant >> shift)), 1))
    if not terms:
        return 0, 0, 0
    depths = [signals.depth_of(term[1]) for term in terms]
    if max_depth is not None and least_depth(depths) > max_depth:
        raise SpecError(
            f"{name}: {len(terms)} terms need a depth of {least_depth(depths)}, but max_depth is {max_depth}; "
            "raise it, or use weights of fewer digits"
        )
    cache: dict[tuple[Term, Term], int] = {}
    while len(terms) > 1:
        terms.sort(key=lambda t: (t[0], signals.depth_of(t[1]), t[1], t[2]))
        load = sum(1 << signals.depth_of(t[1]) for t in terms)
        best = None
        for k, (one, two) in enumerate(pairwise(terms)):
            a, b = signals.depth_of(one[1]), signals.depth_of(two[1])
            grown = load - (1 << a) - (1 << b) + (2 << max(a, b))
            if max_depth is not None and grown > 1 << max_depth:
                continue
            if (one, two) not in cache:
                cache[one, two] = price(signals, one, two)
            rank = (cache[one, two], max(a, b), k)
            best = min(best, rank) if best else rank
        if best is None:  # only the two shallowest always fit
            terms.sort(key=lambda t: (signals.depth_of(t[1]), t))
            best = (0, 0, 0)
        k = best[2]
        terms[k : k + 2] = [add_terms(signals, terms[k], terms[k + 1])]
    shift, signal, sign = terms[0]
    return signal, shift, sign
