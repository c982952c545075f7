"""Plain Verilog of a graph: one combinational module, written out from the definitions of the layers.

A proof compares emitted hardware with this text, so nothing here shares code with the emission, nor with the casts
in NumPy: products are `*`, sums are `+`, and a cast is its shift, its rounding and its clamp. Every number is a
signed wire that is wide enough for all that it can be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

import numpy as np

from hwmodel.errors import SpecError
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._graph import Graph
from hwmodel.fixedpoint._layers import (
    INPUT,
    Add,
    Argmax,
    BatchNorm,
    Concat,
    Dense,
    Flatten,
    Layer,
    PReLU,
    ReLU,
    Requantize,
    TensorType,
    Threshold,
)
from hwmodel.fixedpoint._layers_image import AvgPool, Conv1d, Conv2d, MaxPool
from hwmodel.fixedpoint._layers_sum import WeightedSum

__all__ = ["MODULE", "reference_cost", "reference_verilog"]

MODULE = "hwmodel_reference"


@dataclass(frozen=True)
class Number:
    """A signed wire or constant: its text, the least and the greatest raw that it takes, its fractional bits."""

    text: str
    low: int
    high: int
    frac_bits: int

    @property
    def width(self) -> int:
        """Bits of two's complement that hold every value."""
        return max(self.high, -self.low - 1, 0).bit_length() + 1


def _literal(value: int, width: int) -> str:
    """A signed constant; the sign stands before it, so the width must hold the magnitude as well."""
    bits = max(width, abs(value).bit_length() + 1)
    return f"{'-' if value < 0 else ''}{bits}'sd{abs(value)}"


def _constant(value: int, frac_bits: int) -> Number:
    return Number(_literal(value, 1), value, value, frac_bits)


@dataclass
class Writer:
    """Lines of Verilog, and the names that were given."""

    lines: list[str] = field(default_factory=list)
    count: int = 0

    def wire(self, expression: str, low: int, high: int, frac_bits: int = 0) -> Number:
        """Declare a signed wire for an expression of signed numbers; it is evaluated in the wire's width."""
        self.count += 1
        made = Number(f"n{self.count}", low, high, frac_bits)
        self.lines.append(f"  wire signed [{made.width - 1}:0] {made.text} = {expression};")
        return made

    def flag(self, expression: str) -> str:
        """Declare a wire of one bit."""
        self.count += 1
        self.lines.append(f"  wire f{self.count} = {expression};")
        return f"f{self.count}"

    def bits(self, number: Number, width: int) -> str:
        """Declare the last `width` bits of a number, its sign repeated where it is shorter."""
        self.count += 1
        self.lines.append(f"  wire signed [{width - 1}:0] b{self.count} = {number.text};")
        return f"b{self.count}"

    def scaled(self, number: Number, frac_bits: int) -> Number:
        """Give the same number with more fractional bits."""
        factor = 1 << (frac_bits - number.frac_bits)
        if factor == 1:
            return number
        return self.times(number, Number(_literal(factor, 1), factor, factor, frac_bits - number.frac_bits))

    def times(self, a: Number, b: Number) -> Number:
        """Multiply."""
        ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
        return self.wire(f"{a.text} * {b.text}", min(ends), max(ends), a.frac_bits + b.frac_bits)

    def total(self, numbers: Sequence[Number]) -> Number:
        """Add, at the finest fractional bits among the numbers."""
        frac_bits = max(n.frac_bits for n in numbers)
        same = [self.scaled(n, frac_bits) for n in numbers]
        result = same[0]
        for number in same[1:]:
            result = self.wire(
                f"{result.text} + {number.text}",
                result.low + number.low,
                result.high + number.high,
                frac_bits,
            )
        return result

    def rounded(self, number: Number, dst: Fixed) -> tuple[Number, Number]:
        """Round to the fractional bits of a format; give the rounded number and the one cut off."""
        drop = number.frac_bits - dst.frac_bits
        if drop <= 0:
            exact = self.scaled(number, dst.frac_bits)
            return exact, exact
        low, high = number.low >> drop, number.high >> drop
        floor = self.wire(f"{number.text} >>> {drop}", low, high, dst.frac_bits)
        if dst.rounding == "TRN":
            return floor, floor
        rest = self.bits(number, drop)
        negative = self.flag(f"{number.text} < 0")
        if dst.rounding == "TRN_ZERO":
            up = self.flag(f"{negative} & (|{rest})")
        else:
            # The first dropped bit says "half or more", those below it whether it is more.
            half = f"{rest}[{drop - 1}]"
            more = f"(|{rest}[{drop - 2}:0])" if drop > 1 else "1'b0"
            ties = {"RND": "1'b1", "RND_MIN_INF": "1'b0", "RND_ZERO": negative, "RND_INF": f"~{negative}"}
            ties["RND_CONV"] = f"{floor.text}[0]"
            up = self.flag(f"{half} & ({more} | {ties[dst.rounding]})")
        return self.wire(f"{floor.text} + $signed({{1'b0, {up}}})", low, high + 1, dst.frac_bits), floor

    def cast(self, number: Number, dst: Fixed) -> Number:
        """Cast to a format: round, then bring into the range."""
        rounded, floor = self.rounded(number, dst)
        low, high = dst.min_raw, dst.max_raw
        if dst.overflow == "SAT_SYM" and dst.signed and dst.width > 1:
            low += 1
        if low <= rounded.low and rounded.high <= high:
            return rounded
        below = self.flag(f"{rounded.text} < {_literal(low, rounded.width)}")
        above = self.flag(f"{rounded.text} > {_literal(high, rounded.width)}")
        if dst.overflow in ("SAT", "SAT_SYM"):
            left, right = _literal(low, 1), _literal(high, 1)
        elif dst.overflow == "SAT_ZERO":
            left = right = "1'sd0"
        else:
            left = right = self.wrapped(rounded, floor, dst)
        text = f"{below} ? {left} : {above} ? {right} : {rounded.text}"
        return self.wire(text, low if "SAT" in dst.overflow else dst.min_raw, high, dst.frac_bits)

    def wrapped(self, rounded: Number, floor: Number, dst: Fixed) -> str:
        """Give what WRAP and WRAP_SM make of a number out of range."""
        width, n = dst.width, dst.saturation_bits
        # One bit above the word, so that the first lost bit exists.
        word, cut = self.bits(rounded, width + 1), self.bits(floor, width + 1)
        negative = self.flag(f"{rounded.text} < 0")
        low_bits = f"{word}[{width - 1}:0]"
        if dst.overflow == "WRAP_SM":
            return self._sign_magnitude(word, cut, negative, dst)
        if n == 0:
            pattern = low_bits
        elif not dst.signed:
            pattern = _joined(f"{{{n}{{1'b1}}}}", _slice(word, width - n))
        else:
            ones = f"{{{n - 1}{{~{negative}}}}}" if n > 1 else ""
            pattern = _joined(negative, ones, _slice(word, width - n))
        return self._word(pattern, dst)

    def _sign_magnitude(self, word: str, cut: str, negative: str, dst: Fixed) -> str:
        width, n = dst.width, dst.saturation_bits
        if n == 0:
            kept = self.flag(f"{cut}[{width}]")
            flip = self.flag(f"{kept} != {word}[{width - 1}]")
        elif n == 1:
            kept, flip = negative, self.flag(f"{negative} != {word}[{width - 1}]")
        else:
            kept, flip = negative, self.flag(f"{negative} == {word}[{width - n}]")
        below = width - max(n, 1)
        rest = f"({_slice(word, below)} ^ {{{below}{{{flip}}}}})" if below else ""
        ones = f"{{{n - 1}{{~{kept}}}}}" if n > 1 else ""
        return self._word(_joined(kept, ones, rest), dst)

    def _word(self, pattern: str, dst: Fixed) -> str:
        """Read bits as a word of a format."""
        self.count += 1
        name = f"w{self.count}"
        self.lines.append(f"  wire [{dst.width - 1}:0] {name} = {pattern};")
        return f"$signed({name})" if dst.signed else f"$signed({{1'b0, {name}}})"

    def copied(self, number: Number, src: Fixed, dst: Fixed) -> Number:
        """Cast between formats; an assignment between equal ones changes nothing."""
        return number if src == dst else self.cast(number, dst)

    def greater(self, a: Number, b: Number) -> Number:
        """Give the greater of two numbers of one format."""
        low, high = max(a.low, b.low), max(a.high, b.high)
        return self.wire(f"{a.text} > {b.text} ? {a.text} : {b.text}", low, high, a.frac_bits)


def _slice(name: str, width: int) -> str:
    return f"{name}[{width - 1}:0]" if width else ""


def _joined(*parts: str) -> str:
    return f"{{{', '.join(part for part in parts if part)}}}"


# ---------------------------------------------------------------------------------------------- layers

Numbers = Any  # an object array of `Number`, in the shape of the tensor
Types = tuple[TensorType, ...]


def _each(shape: tuple[int, ...], give: Callable[[tuple[int, ...]], Number]) -> Numbers:
    out = np.empty(shape, object)
    for at in product(*map(range, shape)):
        out[at] = give(at)
    return out


def _accumulate(
    w: Writer, layer: WeightedSum, x: Fixed, terms: Iterable[tuple[Number, int]], output: int, target: Fixed
) -> Number:
    """Add weighted inputs as the layer's accumulator says."""
    frac = layer.weights_fmt.frac_bits
    bias = None
    if layer.bias is not None and layer.bias_fmt is not None:
        bias = _constant(int(layer.bias[output]), layer.bias_fmt.frac_bits)
    products = [w.times(number, _constant(weight, frac)) for number, weight in terms]
    if layer.each_step and layer.accumulator is not None:
        held = layer.accumulator
        total = _constant(0, held.frac_bits) if bias is None else w.cast(bias, held)
        for one in products:
            total = w.cast(w.total([total, one]), held)
        return w.copied(total, held, target)
    exact = w.total([*products, *([] if bias is None else [bias])]) if products or bias else None
    exact = exact or _constant(0, x.frac_bits + frac)
    if layer.accumulator is None:
        return w.cast(exact, target)
    return w.copied(w.cast(exact, layer.accumulator), layer.accumulator, target)


def _dense(w: Writer, layer: Dense, x: tuple[Numbers, ...], types: Types, out: TensorType) -> Numbers:
    def give(at: tuple[int, ...]) -> Number:
        terms = [(x[0][k], int(row[at[0]])) for k, row in enumerate(layer.weights)]
        return _accumulate(w, layer, types[0].fmt, terms, at[0], out.fmt)

    return _each(out.shape, give)


def _conv(
    w: Writer, layer: Conv1d | Conv2d, x: tuple[Numbers, ...], types: Types, out: TensorType
) -> Numbers:
    of_group = len(layer.weights) // layer.groups

    def give(at: tuple[int, ...]) -> Number:
        first = at[0] // of_group * layer.weights.shape[1]
        terms = []
        for channel in range(layer.weights.shape[1]):
            for tap, place in _taps(at[1:], layer.kernel, layer.stride, layer.padding, types[0].shape[1:]):
                terms.append((x[0][(first + channel, *place)], int(layer.weights[(at[0], channel, *tap)])))
        return _accumulate(w, layer, types[0].fmt, terms, at[0], out.fmt)

    return _each(out.shape, give)


def _taps(
    at: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    shape: Sequence[int],
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Taps of a window that lie on the input, with the samples that they meet, the last axis running fastest."""
    found = []
    for tap in product(*map(range, kernel)):
        place = tuple(a * s - p + t for a, s, p, t in zip(at, stride, padding, tap, strict=True))
        if all(0 <= c < size for c, size in zip(place, shape, strict=True)):
            found.append((tap, place))
    return found


def _batch_norm(
    w: Writer, layer: BatchNorm, x: tuple[Numbers, ...], types: Types, out: TensorType
) -> Numbers:
    def give(at: tuple[int, ...]) -> Number:
        scaled = w.times(x[0][at], _constant(int(layer.scale[at[0]]), layer.scale_fmt.frac_bits))
        shift = _constant(int(layer.shift[at[0]]), layer.shift_fmt.frac_bits)
        return w.cast(w.total([scaled, shift]), out.fmt)

    return _each(out.shape, give)


def _requantize(
    w: Writer, layer: Requantize, x: tuple[Numbers, ...], types: Types, out: TensorType
) -> Numbers:
    return _each(out.shape, lambda at: w.copied(x[0][at], types[0].fmt, out.fmt))


def _relu(w: Writer, layer: ReLU, x: tuple[Numbers, ...], types: Types, out: TensorType) -> Numbers:
    zero = _constant(0, types[0].fmt.frac_bits)
    return _each(out.shape, lambda at: w.copied(w.greater(x[0][at], zero), types[0].fmt, out.fmt))


def _prelu(w: Writer, layer: PReLU, x: tuple[Numbers, ...], types: Types, out: TensorType) -> Numbers:
    def give(at: tuple[int, ...]) -> Number:
        number = x[0][at]
        slope = int(layer.slope[at[0]] if layer.slope.ndim else layer.slope)
        bent = w.times(number, _constant(slope, layer.slope_fmt.frac_bits))
        frac = max(number.frac_bits, bent.frac_bits)
        kept, bent = w.scaled(number, frac), w.scaled(bent, frac)
        low, high = min(kept.low, bent.low), max(kept.high, bent.high)
        chosen = w.wire(f"{number.text} < 0 ? {bent.text} : {kept.text}", low, high, frac)
        return w.cast(chosen, out.fmt)

    return _each(out.shape, give)


def _add(w: Writer, layer: Add, x: tuple[Numbers, ...], types: Types, out: TensorType) -> Numbers:
    return _each(out.shape, lambda at: w.cast(w.total([one[at] for one in x]), out.fmt))


def _concat(w: Writer, layer: Concat, x: tuple[Numbers, ...], types: Types, out: TensorType) -> Numbers:
    def part(one: Numbers, fmt: Fixed) -> Numbers:
        return _each(one.shape, lambda at: w.copied(one[at], fmt, out.fmt))

    parts = [part(one, kind.fmt) for one, kind in zip(x, types, strict=True)]
    return np.concatenate(parts, axis=0)


def _threshold(w: Writer, layer: Threshold, x: tuple[Numbers, ...], types: Types, out: TensorType) -> Numbers:
    low, high = layer.values
    count = layer.levels.shape[-1]

    def give(at: tuple[int, ...]) -> Number:
        channel, k = divmod(at[0], count)
        level = int(layer.levels[channel, k] if layer.levels.ndim == 2 else layer.levels[k])
        number, limit = x[0][(channel, *at[1:])], _constant(level, layer.levels_fmt.frac_bits)
        frac = max(number.frac_bits, limit.frac_bits)
        a, b = w.scaled(number, frac), w.scaled(limit, frac)
        text = f"{a.text} >= {b.text} ? {_literal(high, 1)} : {_literal(low, 1)}"
        return w.wire(text, min(low, high), max(low, high), out.fmt.frac_bits)

    return _each(out.shape, give)


def _windows(layer: MaxPool | AvgPool, source: TensorType, at: tuple[int, ...]) -> list[tuple[int, ...]]:
    kernel, stride, padding = layer.steps(source.shape)
    return [(at[0], *place) for _, place in _taps(at[1:], kernel, stride, padding, source.shape[1:])]


def _max_pool(w: Writer, layer: MaxPool, x: tuple[Numbers, ...], types: Types, out: TensorType) -> Numbers:
    def give(at: tuple[int, ...]) -> Number:
        first, *others = (x[0][place] for place in _windows(layer, types[0], at))
        for number in others:
            first = w.greater(first, number)
        return w.copied(first, types[0].fmt, out.fmt)

    return _each(out.shape, give)


def _avg_pool(w: Writer, layer: AvgPool, x: tuple[Numbers, ...], types: Types, out: TensorType) -> Numbers:
    samples = prod(layer.steps(types[0].shape)[0])
    method = layer.method(samples)

    def give(at: tuple[int, ...]) -> Number:
        total = w.total([x[0][place] for place in _windows(layer, types[0], at)])
        if method == "shift":
            shift = samples.bit_length() - 1
            mean = Number(total.text, total.low, total.high, total.frac_bits + shift)
        elif method == "reciprocal":
            raw, fmt = layer.reciprocal(samples)
            mean = w.times(total, _constant(raw, fmt.frac_bits))
        else:  # Verilog cuts a quotient toward zero
            low, high = -(-total.low // samples), total.high // samples
            mean = w.wire(f"{total.text} / {_literal(samples, 1)}", low, high, total.frac_bits)
        return w.cast(mean, out.fmt)

    return _each(out.shape, give)


def _argmax(w: Writer, layer: Argmax, x: tuple[Numbers, ...], types: Types, out: TensorType) -> Numbers:
    def give(at: tuple[int, ...]) -> Number:
        best, index = x[0][(0, *at[1:])], _constant(0, 0)
        for k in range(1, types[0].shape[0]):
            number = x[0][(k, *at[1:])]
            wins = w.flag(f"{number.text} > {best.text}")
            index = w.wire(f"{wins} ? {_literal(k, 1)} : {index.text}", 0, k)
            best = w.greater(number, best)
        return index

    return _each(out.shape, give)


def _flatten(w: Writer, layer: Flatten, x: tuple[Numbers, ...], types: Types, out: TensorType) -> Numbers:
    return x[0].reshape(out.shape)


WRITERS: dict[type[Layer], Callable[..., Numbers]] = {
    Add: _add,
    Argmax: _argmax,
    AvgPool: _avg_pool,
    BatchNorm: _batch_norm,
    Concat: _concat,
    Conv1d: _conv,
    Conv2d: _conv,
    Dense: _dense,
    Flatten: _flatten,
    MaxPool: _max_pool,
    PReLU: _prelu,
    ReLU: _relu,
    Requantize: _requantize,
    Threshold: _threshold,
}


def reference_cost(graph: Graph) -> int:
    """Give the multiplications and elements that the text of a graph would hold, without writing it."""
    return sum(
        layer.macs(graph.input_types(layer)) + graph.types[layer.name].size
        for layer in graph.layers
        if layer.name not in graph.unused
    )


def reference_verilog(graph: Graph) -> str:
    """Write a graph as a combinational module `hwmodel_reference (x, y)`.

    The pins pack the elements in the order of the tensor, the last axis running fastest, element 0 in the low bits.

    Raises:
        SpecError: names the layer that has no such text.

    Example:
        >>> from hwmodel.fixedpoint._graph import sequential
        >>> halved = Requantize("halved", output=Fixed(3, 3))
        >>> print(reference_verilog(sequential("g", TensorType((1,), Fixed(4, 3)), halved)))
        module hwmodel_reference (input wire [3:0] x, output wire [2:0] y);
          wire signed [3:0] n1 = $signed(x[3:0]);
          wire signed [2:0] n2 = n1 >>> 1;
          assign y[2:0] = n2;
        endmodule
    """
    w, kind = Writer(), graph.input
    width = kind.fmt.width
    raws = np.empty(kind.size, object)
    for k in range(kind.size):
        part = f"x[{(k + 1) * width - 1}:{k * width}]"
        text = f"$signed({part})" if kind.fmt.signed else f"$signed({{1'b0, {part}}})"
        raws[k] = w.wire(text, kind.fmt.min_raw, kind.fmt.max_raw, kind.fmt.frac_bits)
    made = {INPUT: raws.reshape(kind.shape)}
    for layer in graph.layers:
        if layer.name in graph.unused:
            continue
        write = WRITERS.get(type(layer))
        if write is None:
            raise SpecError(
                f"layer '{layer.name}' ({layer.kind}) has no reference to prove against; simulate the design instead"
            )
        sources = tuple(made[name] for name in layer.inputs)
        made[layer.name] = write(w, layer, sources, graph.input_types(layer), graph.types[layer.name])
    out = graph.output_type
    bits = out.fmt.width
    ends = [
        f"  assign y[{(k + 1) * bits - 1}:{k * bits}] = {number.text};"
        for k, number in enumerate(made[graph.output].reshape(-1))
    ]
    head = f"module {MODULE} (input wire [{kind.size * width - 1}:0] x, output wire [{out.size * bits - 1}:0] y);"
    return "\n".join([head, *w.lines, *ends, "endmodule"])
