"""The whole search: several ways to share and to sum, of which the cheapest is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from hwmodel.errors import FormatError, SpecError
from hwmodel.fixedpoint.adders._csd import csd_count, integers
from hwmodel.fixedpoint.adders._factor import factor
from hwmodel.fixedpoint.adders._graph import AdderGraph
from hwmodel.fixedpoint.adders._share import Column, digits_of, share
from hwmodel.fixedpoint.adders._signals import MAX_WIDTH, Range, Signals
from hwmodel.fixedpoint.adders._sums import Output, straighten, sum_column
from hwmodel.fixedpoint.adders._tables import pack_columns, sum_tables

__all__ = ["InputFormat", "adder_graph"]

MAX_LOOKUPS = 5  # inputs of a six-input LUT that the running sum leaves free
DRAFT_EFFORT = 1
# What a bit of a digit costs in LUTs once packed into tables, as a guess for the sharing.
BIT_COSTS = (9, 11, 13)  # in 1/20 LUT
MANY_DIGITS = 1000  # from here only the middle guess is tried
WORTH = 90  # and factoring only if it leaves at most so many percent of the digits


@runtime_checkable
class InputFormat(Protocol):
    """What is needed of an input's format; `Fixed` has it."""

    @property
    def width(self) -> int:
        """Bits of a word."""

    @property
    def signed(self) -> bool:
        """Two's complement."""


Format = InputFormat | tuple[int, bool]


@dataclass(frozen=True)
class Plan:
    """One way to build the graph."""

    lookups: int
    bit_cost: int | None  # None: no sharing
    factored: bool


def adder_graph(
    weights: npt.ArrayLike,
    input_formats: Format | Sequence[Format],
    *,
    bias: npt.ArrayLike | None = None,
    max_depth: int | None = None,
    share: bool = True,
    lookups: int = MAX_LOOKUPS,
    effort: int = 2,
) -> AdderGraph:
    """Make a graph of shift-adds for y = x @ W + bias, exact, with what columns have in common built once.

    Parameters:
        weights: W, raw integers, inputs by outputs.
        input_formats: format of each input, or one for all: anything with `width` and `signed` such as `Fixed`,
            or a pair (width in bits, signed).
        bias: raw integer an output, at the scale of the products; a rounding constant may be part of it.
        max_depth: adders on the longest path; None puts cost first.
        share: look for common subexpressions; False gives one chain or tree of digits a column.
        lookups: input bits that the LUT of an adder's bit takes beside the running sum: 5 for FPGAs with
            six-input LUTs, 3 for four-input LUTs less one, 0 for plain two-input adders everywhere.
        effort: length of the search that packs bits into tables; 1 is a draft, 40 leaves little to gain.

    Source:
        Common subexpressions: R. I. Hartley, IEEE Trans. Circuits Syst. II 43 (1996) 677. Tables before carry
        chains: distributed arithmetic, S. A. White, IEEE ASSP Magazine 6(3) (1989) 4. The packing is our own.

    Raises:
        FormatError: a weight or a bias is not an integer, or a format is malformed.
        SpecError: W is empty, shapes do not fit, a sum is too wide, or the depth cannot be had.

    Example:
        >>> graph = adder_graph([[7, 3], [7, -5]], (8, True), lookups=0)
        >>> graph.evaluate([10, -3]).tolist()
        [49, 45]
        >>> graph.adders
        4
    """
    W, offsets = checked_matrix(weights, bias)
    ranges = input_ranges(input_formats, W.shape[0])
    check_limits(max_depth, lookups, effort)
    plans = plans_for(W, lookups, share)
    if len(plans) == 1:
        try:
            return build(W, offsets, ranges, plans[0], max_depth, effort)
        except SpecError:  # shared nodes may lie too deep; digits alone may not
            return build(W, offsets, ranges, Plan(lookups, None, False), max_depth, effort)
    graph, plan = cheapest(W, offsets, ranges, plans, max_depth)
    if lookups and effort > DRAFT_EFFORT:
        graph = min(graph, build(W, offsets, ranges, plan, max_depth, effort), key=rank)
    return graph


def plans_for(matrix: npt.NDArray[Any], lookups: int, share: bool) -> list[Plan]:
    """List what is worth trying; for large matrices just what nearly always wins."""
    plain = Plan(lookups, None, False)
    if not share:
        return [plain]
    large = csd_count(matrix) >= MANY_DIGITS
    guesses = (BIT_COSTS[1:2] if large else BIT_COSTS) if lookups else (0,)
    factored = (False,) if factor(matrix, WORTH if large else 100) is None else (False, True)
    return ([] if large else [plain]) + [Plan(lookups, cost, way) for cost in guesses for way in factored]


def cheapest(
    matrix: npt.NDArray[Any],
    bias: tuple[int, ...],
    ranges: tuple[Range, ...],
    plans: list[Plan],
    max_depth: int | None,
) -> tuple[AdderGraph, Plan]:
    """Draft a graph for every plan; return the cheapest."""
    found: list[tuple[AdderGraph, Plan]] = []
    refused: SpecError | None = None
    for plan in plans:
        try:
            found.append((build(matrix, bias, ranges, plan, max_depth, DRAFT_EFFORT), plan))
        except SpecError as error:
            refused = refused or error
    if not found and refused is not None:
        raise refused
    if plans[0].lookups == 0:  # what saves LUTs must not cost adders beyond the first plan
        most = found[0][0].adders
        found = [made for made in found if made[0].adders <= most]
    return min(found, key=lambda made: rank(made[0]))


def rank(graph: AdderGraph) -> tuple[int, int, int]:
    """Order graphs by cost, then by adders, then by depth."""
    return graph.cost(), graph.adders, graph.depth


def checked_matrix(
    weights: npt.ArrayLike, bias: npt.ArrayLike | None
) -> tuple[npt.NDArray[Any], tuple[int, ...]]:
    """Return W and bias as Python ints, or raise."""
    W = integers(weights, "adder_graph: weights")
    if W.ndim != 2 or 0 in W.shape:
        raise SpecError(
            f"adder_graph: weights have shape {W.shape}; give a matrix, inputs by outputs, of 1 x 1 or more"
        )
    widest = max(abs(value) for value in W.ravel()).bit_length()
    if widest > MAX_WIDTH // 2:
        raise SpecError(
            f"adder_graph: a weight of {widest} bits is wider than {MAX_WIDTH // 2}; scale the weights down"
        )
    offsets = integers(np.zeros(W.shape[1], int) if bias is None else bias, "adder_graph: bias")
    if offsets.shape != (W.shape[1],):
        raise SpecError(
            f"adder_graph: bias has shape {offsets.shape}; give one raw integer for each of {W.shape[1]} outputs"
        )
    return W, tuple(offsets.tolist())


def input_ranges(formats: Format | Sequence[Format], inputs: int) -> tuple[Range, ...]:
    """Return the raw range of each input."""
    one = isinstance(formats, InputFormat) or (isinstance(formats, tuple) and isinstance(formats[0], int))
    each: list[Any] = [formats] * inputs if one else list(formats)  # type: ignore[arg-type]
    if len(each) != inputs:
        raise SpecError(
            f"adder_graph: {len(each)} input formats for {inputs} inputs; give one for each, or one for all"
        )
    ranges = []
    for i, given in enumerate(each):
        width, signed = (given.width, given.signed) if isinstance(given, InputFormat) else given
        if (
            not isinstance(width, int | np.integer)
            or isinstance(width, bool)
            or not 1 <= width <= MAX_WIDTH // 2
        ):
            raise FormatError(f"adder_graph: input {i} has width {width!r}; give 1 to {MAX_WIDTH // 2} bits")
        top = 1 << (int(width) - bool(signed))
        ranges.append((-top if signed else 0, top - 1))
    return tuple(ranges)


def check_limits(max_depth: int | None, lookups: int, effort: int) -> None:
    """Refuse limits that no graph can keep."""
    if max_depth is not None and max_depth < 0:
        raise SpecError(f"adder_graph: max_depth is {max_depth}; give at least 0, or None for no bound")
    if not 0 <= lookups <= MAX_LOOKUPS:
        raise SpecError(
            f"adder_graph: lookups is {lookups}; give 0 (plain adders) to {MAX_LOOKUPS} (six-input LUTs)"
        )
    if not 1 <= effort <= 1000:
        raise SpecError(f"adder_graph: effort is {effort}; give 1 to 1000")


def build(
    matrix: npt.NDArray[Any],
    bias: tuple[int, ...],
    ranges: tuple[Range, ...],
    plan: Plan,
    max_depth: int | None,
    effort: int,
) -> AdderGraph:
    """Build the graph of one plan."""
    signals = Signals(list(ranges))
    inputs = list(range(len(ranges)))
    split = factor(matrix) if plan.factored else None
    stages = [matrix] if split is None else list(split)
    outputs: list[Output] = [(i, 0, 1) for i in inputs]
    for n, stage in enumerate(stages):
        last = n == len(stages) - 1
        columns = columns_of(stage, outputs)
        constants = bias if last else (0,) * len(columns)
        # The inner stage leaves room for the outer one: a bound on the whole is checked at the end.
        signals, outputs = sum_stage(signals, columns, constants, plan, max_depth if last else None, effort)
    outputs = straighten(signals, outputs)
    graph = AdderGraph(ranges, tuple(signals.nodes), tuple(signals.lookups), tuple(outputs), matrix, bias)
    if max_depth is not None and graph.depth > max_depth:
        raise SpecError(
            f"adder_graph: needs a depth of {graph.depth}, but max_depth is {max_depth}; raise it"
        )
    return graph


def columns_of(matrix: npt.NDArray[Any], sources: Sequence[Output]) -> list[Column]:
    """Write each column of a matrix over these sources as digits."""
    columns = []
    for j in range(matrix.shape[1]):
        sums: dict[int, int] = {}
        for i, (signal, shift, sign) in enumerate(sources):
            sums[signal] = sums.get(signal, 0) + sign * (int(matrix[i, j]) << shift)
        columns.append(digits_of(sums.items()))
    return columns


def sum_stage(
    signals: Signals,
    columns: list[Column],
    constants: Sequence[int],
    plan: Plan,
    max_depth: int | None,
    effort: int,
) -> tuple[Signals, list[Output]]:
    """Share, then sum each column."""
    names = [f"output {j}" for j in range(len(columns))]
    if plan.bit_cost is not None:
        share(signals, columns, plan.bit_cost, max_depth if plan.lookups == 0 else None)
    outputs = []
    if plan.lookups == 0:
        for column, constant, name in zip(columns, constants, names, strict=True):
            outputs.append(sum_column(signals, column, constant, max_depth, name))
        return signals, outputs
    packings = pack_columns(signals, columns, names, plan.lookups, effort)
    for column, constant, packing, name in zip(columns, constants, packings, names, strict=True):
        signals, output = sum_tables(signals, column, constant, packing, max_depth, name)
        outputs.append(output)
    return signals, outputs
