"""Sharing: pairs of digits that recur, in one column or in several, become one adder.

A column is an output as digits: (signal, shift) -> sign. Two digits of one column form a pair; its pattern is the
two signals, their distance in shift and the product of their signs, so a pattern recurs at any shift and sign. The
pattern that saves most is made a node and stands for the pair wherever it occurs, until no pattern saves anything.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable

from hwmodel.fixedpoint.adders._csd import csd
from hwmodel.fixedpoint.adders._signals import Signals, adder_bits, combine

Column = dict[tuple[int, int], int]
Pattern = tuple[int, int, int, int]  # signal, signal, distance, product of signs

Digit = tuple[tuple[int, int], int]

SCALE = 20  # costs are whole numbers of 1/SCALE LUT


def digits_of(coefficients: Iterable[tuple[int, int]]) -> Column:
    """Write the coefficients of one output as digits; pairs (signal, coefficient)."""
    return {(signal, shift): sign for signal, value in coefficients for shift, sign in csd(value)}


def pattern_of(one: Digit, two: Digit) -> tuple[Pattern, Digit]:
    """Return the pattern of two digits and the place and sign where it occurs."""
    (signal, shift), sign = one
    (other, far), other_sign = two
    if shift < far or (shift == far and signal < other):
        return (signal, other, far - shift, sign * other_sign), one
    return (other, signal, shift - far, sign * other_sign), two


class _Sharing:
    """The columns, the number of times that each pattern occurs, and a heap of patterns by saving."""

    def __init__(self, signals: Signals, columns: list[Column], digit: int, max_depth: int | None) -> None:
        self.signals = signals
        self.columns = columns
        self.digit = digit
        self.max_depth = max_depth
        self.costs: dict[Pattern, tuple[int, int]] = {}
        self.counts: Counter[Pattern] = Counter()
        for column in columns:
            placed = list(column.items())
            for n, one in enumerate(placed):
                self.counts.update(pattern_of(one, two)[0] for two in placed[n + 1 :])
        self.heap = [(-gain, p) for p in self.counts if (gain := self.gain(p, self.counts[p])) > 0]
        heapq.heapify(self.heap)

    def gain(self, pattern: Pattern, count: int) -> int:
        """Return what sharing a pattern that occurs `count` times saves, in 1/SCALE LUT."""
        if count < 2:
            return 0
        if pattern not in self.costs:
            one, two, distance, sign = pattern
            ranges = self.signals.ranges
            out = combine(ranges[one], ranges[two], (0, distance), sign)
            wide = self.signals.width_of(one) + self.signals.width_of(two)
            narrow = max(out[1].bit_length(), (-out[0] - 1).bit_length() + 1 if out[0] < 0 else 0)
            cost = adder_bits(ranges[one], ranges[two], (0, distance), sign, out)
            self.costs[pattern] = SCALE * cost, wide - narrow
        cost, bits = self.costs[pattern]
        # Plain adders save an adder a use; tables save the LUTs that the bits of a digit would take.
        return (count - 1) * cost if self.digit == 0 else count * self.digit * bits - cost

    def places(self, pattern: Pattern) -> list[tuple[int, Digit, Digit]]:
        """Find where a pattern occurs, no digit used twice: column, first digit, second digit."""
        one, two, distance, sign = pattern
        found = []
        for n, column in enumerate(self.columns):
            used: set[tuple[int, int]] = set()
            keys = [key for key in column if key[0] == one]
            for key in sorted(keys) if keys else ():
                far = (two, key[1] + distance)
                if key in used or far in used or far == key or column.get(far) != sign * column[key]:
                    continue
                if self.max_depth is not None and not self.fits(column, key, far):
                    continue
                used |= {key, far}
                found.append((n, (key, column[key]), (far, column[far])))
        return found

    def fits(self, column: Column, key: tuple[int, int], far: tuple[int, int]) -> bool:
        """Tell whether the column can still be summed within the depth after sharing this pair.

        A binary tree with leaves at depth d exists where the sum of 2**-(max_depth - d) is at most 1.
        """
        depths = [self.signals.depth_of(signal) for signal, _ in column]
        one, two = self.signals.depth_of(key[0]), self.signals.depth_of(far[0])
        load = sum(1 << d for d in depths) - (1 << one) - (1 << two) + (2 << max(one, two))
        return load <= 1 << (self.max_depth or 0)

    def replace(self, pattern: Pattern, places: list[tuple[int, Digit, Digit]]) -> None:
        """Make the pattern a node and put it in all these places."""
        one, two, distance, sign = pattern
        # Of two ways round a difference, the one that fewer of its places negate.
        turned = sign < 0 and distance == 0 and 2 * sum(first[1] < 0 for _, first, _ in places) > len(places)
        node = (
            self.signals.add(two, one, 0, 0, -1) if turned else self.signals.add(one, two, 0, distance, sign)
        )
        touched: set[Pattern] = set()
        for n, first, second in places:
            column = self.columns[n]
            for key, _ in (first, second):
                gone = (key, column.pop(key))
                for other in column.items():
                    self.counts[pattern_of(gone, other)[0]] -= 1
            new = ((node, first[0][1]), -first[1] if turned else first[1])
            for other in column.items():
                found = pattern_of(new, other)[0]
                self.counts[found] += 1
                touched.add(found)
            column[new[0]] = new[1]
        for found in touched:
            if (gain := self.gain(found, self.counts[found])) > 0:
                heapq.heappush(self.heap, (-gain, found))

    def run(self) -> None:
        """Share until nothing is saved."""
        while self.heap:
            claimed, pattern = heapq.heappop(self.heap)
            gain = self.gain(pattern, self.counts[pattern])
            if gain <= 0:
                continue
            if gain != -claimed:
                heapq.heappush(self.heap, (-gain, pattern))
                continue
            places = self.places(pattern)
            if len(places) == self.counts[pattern]:
                self.replace(pattern, places)
            elif (real := self.gain(pattern, len(places))) > 0 and 2 * real >= gain:
                self.replace(pattern, places)  # overlapping pairs count twice, so a claim may be too high


def share(signals: Signals, columns: list[Column], digit: int, max_depth: int | None) -> None:
    """Replace recurring pairs of digits by nodes, in place.

    `digit` is what one bit of a digit costs where tables sum the digits, in 1/SCALE LUT, and 0 for plain adders.
    """
    _Sharing(signals, columns, digit, max_depth).run()
