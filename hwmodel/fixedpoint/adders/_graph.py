"""The finished adder graph: exact execution, cost, depth and a self-check."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import FormatError, SpecError
from hwmodel.fixedpoint.adders._csd import integers
from hwmodel.fixedpoint.adders._signals import (
    Lookup,
    Range,
    Row,
    Signals,
    width_of,
)
from hwmodel.fixedpoint.adders._sums import Output
from hwmodel.fixedpoint.adders._tables import signal_cost

__all__ = ["AdderGraph"]

LEFT, RIGHT, LEFT_SHIFT, RIGHT_SHIFT, SIGN, DEPTH = range(6)
SAFE = 1 << 62  # a product of shift and value below this fits int64


@dataclass(frozen=True, eq=False)
class AdderGraph:
    """A constant matrix-vector product y = x @ W + bias as shared shift-add nodes.

    Signals are numbered from 0: first the inputs, then the nodes. A node is
    (left << left_shift) + sign * (right << right_shift). A reference -1 - k is lookup k: tables of input bits that
    the adder's own LUTs hold, or a constant. An output is sign * (signal << shift); sign 0 is a constant zero.

    Parameters:
        input_ranges: smallest and largest raw integer of each input.
        node_rows: left, right, left_shift, right_shift, sign of each node, each after those it uses.
        lookups: tables and constants.
        output_rows: signal, shift, sign of each output.
        weights: W as Python ints, inputs by outputs.
        bias: one Python int an output.

    Example:
        >>> from hwmodel.fixedpoint.adders import adder_graph
        >>> graph = adder_graph([[5, 10], [3, 6]], (8, True), lookups=0)
        >>> graph.evaluate([[1, 2], [-128, 127]]).tolist()
        [[11, 22], [-259, -518]]
        >>> graph.adders, graph.depth
        (3, 3)
    """

    input_ranges: tuple[Range, ...]
    node_rows: tuple[Row, ...]
    lookups: tuple[Lookup, ...]
    output_rows: tuple[Output, ...]
    weights: npt.NDArray[Any]
    bias: tuple[int, ...]
    signals: Signals = field(init=False, repr=False)

    def __post_init__(self) -> None:
        signals = Signals(list(self.input_ranges), lookups=list(self.lookups))
        for left, right, left_shift, right_shift, sign in self.node_rows:
            signals.add(left, right, left_shift, right_shift, sign)
        object.__setattr__(self, "signals", signals)

    def __repr__(self) -> str:
        n, m = self.weights.shape
        return f"<AdderGraph {n}x{m}: {self.adders} adders, {self.cost()} LUTs estimated, depth {self.depth}>"

    @property
    def nodes(self) -> npt.NDArray[np.int64]:
        """Table of the nodes: left, right, left_shift, right_shift, sign, depth."""
        depths = self.signals.depths[len(self.input_ranges) :]
        rows = [(*row, depth) for row, depth in zip(self.node_rows, depths, strict=True)]
        return np.array(rows, np.int64).reshape(len(rows), 6)

    @property
    def outputs(self) -> npt.NDArray[np.int64]:
        """Table of the outputs: signal, shift, sign."""
        return np.array(self.output_rows, np.int64).reshape(len(self.output_rows), 3)

    @property
    def adders(self) -> int:
        """Two-input adders and subtractors, and negated outputs."""
        return len(self.node_rows) + sum(sign < 0 for _, _, sign in self.output_rows)

    @property
    def depth(self) -> int:
        """Adders on the longest path from an input to an output."""
        return max((self.output_depth(j) for j in range(len(self.output_rows))), default=0)

    def output_depth(self, j: int) -> int:
        """Adders on the longest path to output j."""
        signal, _, sign = self.output_rows[j]
        return (self.signals.depth_of(signal) if sign else 0) + (sign < 0)

    def output_range(self, j: int) -> Range:
        """Smallest and largest value of output j over all inputs, exact."""
        low, high = self.signals.span({i: int(c) for i, c in enumerate(self.weights[:, j])})
        return low + self.bias[j], high + self.bias[j]

    def output_width(self, j: int) -> int:
        """Bits of output j as a two's-complement (or, where never negative, unsigned) word."""
        return width_of(self.output_range(j))

    def cost(self) -> int:
        """Estimate the LUTs: one for each place where an adder has two bits to add, one for each table bit.

        An FPGA's carry chain takes one LUT a bit; wires, shifts and sums with nothing are free.
        """
        negated = sum(self.output_width(j) for j, row in enumerate(self.output_rows) if row[2] < 0)
        return signal_cost(self.signals) + negated

    def describe(self) -> dict[str, Any]:
        """Give everything that defines the graph, as JSON can hold it."""
        return {
            "input_ranges": [list(span) for span in self.input_ranges],
            "weights": self.weights.tolist(),
            "bias": list(self.bias),
            "nodes": [list(row) for row in self.node_rows],
            "outputs": [list(row) for row in self.output_rows],
            "lookups": [
                [lookup.constant, [[s.position, s.signals, s.bits, s.coefficients] for s in lookup.segments]]
                for lookup in self.lookups
            ],
        }

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the description, in hex."""
        return hashlib.sha256(json.dumps(self.describe(), sort_keys=True).encode()).hexdigest()

    def evaluate(self, x_raw: npt.ArrayLike) -> npt.NDArray[Any]:
        """Run the graph on raw integers, exactly.

        Parameters:
            x_raw: raw inputs, shape (..., inputs).

        Returns:
            Shape (..., outputs): int64 where every value is proved to fit, else Python ints.

        Raises:
            SpecError: the last axis is not the number of inputs.
            FormatError: a value is not an integer or does not fit its input's format.
        """
        x = self.checked(x_raw)
        values = self.values(x)
        out = np.zeros((*x.shape[:-1], len(self.output_rows)), x.dtype)
        for j, (signal, shift, sign) in enumerate(self.output_rows):
            if sign:
                out[..., j] = sign * (values[signal] << shift)
        return out

    def checked(self, x_raw: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the inputs as int64 or Python ints after checking each against its range."""
        exact = integers(x_raw, "evaluate: x_raw")
        inputs = len(self.input_ranges)
        if exact.ndim == 0 or exact.shape[-1] != inputs:
            raise SpecError(
                f"evaluate: x_raw has shape {exact.shape}; its last axis must be the graph's {inputs} inputs"
            )
        x = exact.astype(np.int64) if self.fits_int64 and max_abs(exact) < SAFE else exact
        for i, (low, high) in enumerate(self.input_ranges):
            bad = (x[..., i] < low) | (x[..., i] > high)
            if bad.any():
                value = x[..., i][bad].flat[0] if x.ndim > 1 else x[i]
                raise FormatError(
                    f"evaluate: input {i} is {value}, outside {low} to {high}; requantize it to the input's format"
                )
        return x

    @property
    def fits_int64(self) -> bool:
        """Tell whether no value on the way to an output can leave int64."""
        ranges = [(*self.signals.range_of(left), ls) for left, _, ls, _, _ in self.node_rows]
        ranges += [(*self.signals.range_of(right), rs) for _, right, _, rs, _ in self.node_rows]
        ranges += [(*span, 0) for span in self.signals.ranges]
        ranges += [
            (*self.signals.range_of(signal), shift) for signal, shift, sign in self.output_rows if sign
        ]
        return all(low << shift > -SAFE and high << shift < SAFE for low, high, shift in ranges)

    def values(self, x: npt.NDArray[Any]) -> Mapping[int, npt.NDArray[Any]]:
        """Give the value of every signal and lookup that takes part; `x` must have been checked."""
        count = len(self.input_ranges)
        values: dict[int, npt.NDArray[Any]] = {i: x[..., i] for i in range(count)}

        def get(signal: int) -> npt.NDArray[Any]:
            if signal not in values:
                values[signal] = self.look(self.lookups[-1 - signal], values, x)
            return values[signal]

        for n, (left, right, left_shift, right_shift, sign) in enumerate(self.node_rows):
            values[count + n] = (get(left) << left_shift) + sign * (get(right) << right_shift)
        for signal, _, sign in self.output_rows:
            if sign:
                get(signal)
        return values

    def look(
        self, lookup: Lookup, values: dict[int, npt.NDArray[Any]], x: npt.NDArray[Any]
    ) -> npt.NDArray[Any]:
        """Value of a lookup."""
        total = np.zeros(x.shape[:-1], x.dtype) + lookup.constant
        for segment in lookup.segments:
            word = np.zeros(x.shape[:-1], np.int64)
            for k, (signal, bit) in enumerate(zip(segment.signals, segment.bits, strict=True)):
                word |= ((values[signal] >> bit) & 1).astype(np.int64) << k
            total = total + (np.array(segment.table(), x.dtype)[word] << segment.position)
        return total

    def check(self) -> list[str]:
        """Prove the graph's widths and its result on the inputs that drive each output to its ends.

        Returns:
            Warnings; none so far.

        Raises:
            SpecError: a value left the range that its width was made for, or an output is not x @ W + bias.
        """
        low = np.array([span[0] for span in self.input_ranges], object)
        high = np.array([span[1] for span in self.input_ranges], object)
        signs = [self.weights[:, j] > 0 for j in range(self.weights.shape[1])]
        signs += [
            np.array([form.get(i, 0) > 0 for i in range(len(low))])
            for form in self.signals.forms
            if form is not None
        ]
        corners = [np.where(up, high, low) for up in signs] + [np.where(up, low, high) for up in signs]
        x = np.array([low, high, *corners], object)
        values = self.values(self.checked(x))
        for signal, value in values.items():
            least, most = self.signals.range_of(signal)
            if value.min() < least or value.max() > most:
                raise SpecError(
                    f"adder graph: signal {signal} reached {value.min()} to {value.max()}, but its width was "
                    f"made for {least} to {most}; the node table is damaged"
                )
        if (self.evaluate(x).astype(object) != x @ self.weights + np.array(self.bias, object)).any():
            raise SpecError("adder graph: an output is not x @ W + bias; the node table is damaged")
        return []


def max_abs(values: npt.NDArray[Any]) -> int:
    """Largest magnitude of an array of Python ints, 0 if it is empty."""
    return max((abs(value) for value in values.ravel().tolist()), default=0)
