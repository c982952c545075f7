"""Layers on vectors, and those that work on each element or channel alone.

Every result is the exact one, cast to the output's format once, unless an accumulator says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwmodel.fixedpoint._dot import matmul
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._layers_base import (
    INPUT,
    Bound,
    Layer,
    TensorType,
    Types,
    cast_bounded,
    channelwise,
    container,
)
from hwmodel.fixedpoint._layers_sum import WeightedSum, bound_of_columns, combine, recast, worst_inputs
from hwmodel.fixedpoint._raw import Raws

__all__ = [
    "INPUT",
    "Add",
    "Argmax",
    "BatchNorm",
    "Bound",
    "Concat",
    "Dense",
    "Flatten",
    "Layer",
    "PReLU",
    "ReLU",
    "Requantize",
    "TensorType",
    "Threshold",
]


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(WeightedSum):
    """A matrix-vector product: y = cast(x @ weights + bias).

    Parameters:
        weights: raws, shape (inputs, outputs).
        weights_fmt: their format.
        bias, bias_fmt, accumulator, each_step, output: as in every weighted sum; see "Layers and graphs".

    Raises:
        FormatError: for raws outside their format and for shapes that do not fit.

    Example:
        >>> layer = Dense("fc", weights=[[1, -2], [3, 4]], weights_fmt=Fixed(4, 4), output=Fixed(6, 6, overflow="SAT"))
        >>> layer.evaluate([[5, 7]], types=(TensorType((2,), Fixed(4, 4)),))
        array([[26, 18]])
    """

    def __post_init__(self) -> None:
        """Check the weights."""
        super().__post_init__()
        self.set_weights(ndim=2, outputs_axis=1)

    def output_type(self, *inputs: TensorType) -> TensorType:
        """Give shape (outputs,)."""
        source, rows = self.one(inputs), len(self.weights)
        if source.shape != (rows,):
            hint = (
                "put a Flatten before it"
                if source.size == rows
                else "the weights have the shape (inputs, outputs)"
            )
            self.refuse(f"the input has shape {source.shape}, wanted ({rows},); {hint}")
        return TensorType((self.weights.shape[1],), self.result_format(inputs))

    def apply(self, raws: tuple[Raws, ...], types: Types) -> Raws:
        """Evaluate without checks."""

        def product(accumulator: Fixed, each_step: bool, start: Raws | None) -> Raws:
            return matmul(
                raws[0], types[0].fmt, self.weights, self.weights_fmt, accumulator, each_step, start
            )

        return self.accumulate(types, product)

    def accumulator_bound(self, types: Types) -> Bound:
        """Give the bound of all sums; partial sums obey it too, because every format holds 0."""
        source = self.one(types)
        bound, least, greatest = bound_of_columns(self, self.weights, source)
        small, _ = worst_inputs(self.weights[:, least], source.fmt)
        _, large = worst_inputs(self.weights[:, greatest], source.fmt)
        return Bound(bound.low, bound.high, bound.frac_bits, (small,), (large,))

    def macs(self, types: Types) -> int:
        """One for each weight."""
        return self.weights.size


@dataclass(frozen=True, eq=False, kw_only=True)
class BatchNorm(Layer):
    """A fixed affine for each channel: y = cast(x * scale + shift), the sum exact and cast once.

    Parameters:
        scale: raws, shape (channels,); a channel is one index of the first axis of the input.
        scale_fmt: their format.
        shift: raws, likewise.
        shift_fmt: their format.
        output: format of the result; None takes the narrowest that holds every one exactly.

    Example:
        >>> norm = BatchNorm("bn", scale=[3], scale_fmt=Fixed(4, 3), shift=[-1], shift_fmt=Fixed(4, 4))
        >>> norm.output_type(TensorType((1,), Fixed(4, 4)))
        TensorType(shape=(1,), fmt=Fixed(6, 5))
    """

    scale: Raws
    scale_fmt: Fixed
    shift: Raws
    shift_fmt: Fixed
    output: Fixed | None = None

    def __post_init__(self) -> None:
        """Check both rows of numbers."""
        super().__post_init__()
        self.set_format("scale_fmt")
        self.set_format("shift_fmt")
        self.set_format("output", optional=True)
        self.set_raws("scale", self.scale_fmt, 1)
        self.set_raws("shift", self.shift_fmt, 1)
        if self.scale.shape != self.shift.shape:
            self.refuse(
                f"scale has shape {self.scale.shape}, shift {self.shift.shape}; give one of each a channel"
            )

    def output_type(self, *inputs: TensorType) -> TensorType:
        """Keep the shape."""
        source = self.one(inputs)
        if source.shape[0] != self.scale.size:
            self.refuse(
                f"the input has {source.shape[0]} channels (shape {source.shape}), scale has {self.scale.size}"
            )
        return TensorType(source.shape, self.output or self.accumulator_bound(inputs).fmt)

    def apply(self, raws: tuple[Raws, ...], types: Types) -> Raws:
        """Evaluate without checks."""
        source, bound = types[0], self.accumulator_bound(types)
        bits = bound.magnitude_bits + 2
        scale = container(channelwise(self.scale, source.shape), bits)
        shift = container(channelwise(self.shift, source.shape), bits)
        fracs = (source.fmt.frac_bits + self.scale_fmt.frac_bits, self.shift_fmt.frac_bits)
        total = combine((container(raws[0], bits) * scale, shift), fracs, bound)
        return cast_bounded(total, bound, self.output_type(*types).fmt)

    def accumulator_bound(self, types: Types) -> Bound:
        """Give the bound of x * scale + shift over all channels."""
        source = self.one(types)
        product = source.fmt.frac_bits + self.scale_fmt.frac_bits
        frac_bits = max(product, self.shift_fmt.frac_bits)
        scale = self.scale.astype(object) << (frac_bits - product)
        shift = self.shift.astype(object) << (frac_bits - self.shift_fmt.frac_bits)
        ends = (source.fmt.min_raw, source.fmt.max_raw)
        each = np.array([scale * end + shift for end in ends])  # (2, channels)
        at_low, at_high = (np.unravel_index(int(k), each.shape) for k in (np.argmin(each), np.argmax(each)))
        inputs = [np.full(source.shape, ends[at[0]], source.fmt.dtype) for at in (at_low, at_high)]
        return Bound(int(each[at_low]), int(each[at_high]), frac_bits, (inputs[0],), (inputs[1],))

    def macs(self, types: Types) -> int:
        """One for each element."""
        return types[0].size


@dataclass(frozen=True, eq=False, kw_only=True)
class Requantize(Layer):
    """A cast to another format.

    Parameters:
        output: the format; its rounding and overflow say how.

    Example:
        >>> cast = Requantize("q", output=Fixed(4, 4, overflow="SAT"))
        >>> cast.evaluate([[9, -100]], types=(TensorType((2,), Fixed(8, 7)),))
        array([[ 4, -8]])
    """

    output: Fixed

    def __post_init__(self) -> None:
        """Check the format."""
        super().__post_init__()
        self.set_format("output")

    def output_type(self, *inputs: TensorType) -> TensorType:
        """Keep the shape."""
        return TensorType(self.one(inputs).shape, self.output)

    def apply(self, raws: tuple[Raws, ...], types: Types) -> Raws:
        """Evaluate without checks."""
        return recast(raws[0], types[0].fmt, self.output)


@dataclass(frozen=True, eq=False, kw_only=True)
class ReLU(Layer):
    """The positive part: y = cast(max(x, 0)).

    Parameters:
        output: format of the result; None keeps the input's.

    Example:
        >>> ReLU("act").evaluate([[3, -2]], types=(TensorType((2,), Fixed(4, 4)),))
        array([[3, 0]])
    """

    output: Fixed | None = None

    def __post_init__(self) -> None:
        """Check the format."""
        super().__post_init__()
        self.set_format("output", optional=True)

    def output_type(self, *inputs: TensorType) -> TensorType:
        """Keep the shape."""
        source = self.one(inputs)
        return TensorType(source.shape, self.output or source.fmt)

    def apply(self, raws: tuple[Raws, ...], types: Types) -> Raws:
        """Evaluate without checks."""
        positive = np.maximum(raws[0], 0)
        return recast(positive, types[0].fmt, self.output or types[0].fmt)


@dataclass(frozen=True, eq=False, kw_only=True)
class PReLU(Layer):
    """A slope for negative numbers: y = cast(x) where x >= 0, else cast(x * slope).

    Parameters:
        slope: raws, shape (channels,), or one raw for all.
        slope_fmt: their format.
        output: format of the result; None takes the narrowest that holds every one exactly.

    Example:
        >>> leaky = PReLU("act", slope=1, slope_fmt=Fixed(4, 1), output=Fixed(8, 4))
        >>> leaky.evaluate([[16, -16]], types=(TensorType((2,), Fixed(8, 4)),))
        array([[16, -2]])
    """

    slope: Raws
    slope_fmt: Fixed
    output: Fixed | None = None

    def __post_init__(self) -> None:
        """Check the slopes."""
        super().__post_init__()
        self.set_format("slope_fmt")
        self.set_format("output", optional=True)
        self.set_raws("slope", self.slope_fmt, 0, 1)

    def output_type(self, *inputs: TensorType) -> TensorType:
        """Keep the shape."""
        source = self.one(inputs)
        if self.slope.ndim and self.slope.shape != source.shape[:1]:
            self.refuse(
                f"the input has {source.shape[0]} channels (shape {source.shape}), slope has {self.slope.size}; "
                "give one raw a channel, or one for all"
            )
        return TensorType(source.shape, self.output or self.range_bound(source).fmt)

    def range_bound(self, source: TensorType) -> Bound:
        """Bound of the results before their cast."""
        frac_bits = max(source.fmt.frac_bits, source.fmt.frac_bits + self.slope_fmt.frac_bits)
        kept = frac_bits - source.fmt.frac_bits
        moved = kept - self.slope_fmt.frac_bits
        ends = [source.fmt.min_raw * int(s) << moved for s in self.slope.reshape(-1)]
        return Bound(min(0, *ends), max(source.fmt.max_raw << kept, *ends), frac_bits)

    def apply(self, raws: tuple[Raws, ...], types: Types) -> Raws:
        """Evaluate without checks."""
        source, bound = types[0], self.range_bound(types[0])
        x = container(raws[0], bound.magnitude_bits + 2)
        kept = bound.frac_bits - source.fmt.frac_bits
        slope = channelwise(self.slope, source.shape).astype(x.dtype)
        bent = np.minimum(x, 0) * slope << (kept - self.slope_fmt.frac_bits)
        number = (np.maximum(x, 0) << kept) + bent  # one of the two is 0
        return cast_bounded(np.asarray(number), bound, self.output_type(*types).fmt)

    def macs(self, types: Types) -> int:
        """One for each element."""
        return types[0].size


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(Layer):
    """The sum of two or more inputs of one shape, whose formats may differ: y = cast(a + b + ...).

    Parameters:
        output: format of the result; None takes the narrowest that holds every sum.

    Example:
        >>> types = (TensorType((1,), Fixed(4, 2)), TensorType((1,), Fixed(4, 4)))
        >>> Add("sum").evaluate([[3]], [[-2]], types=types), Add("sum").output_type(*types).fmt
        (array([[-5]]), Fixed(7, 5))
    """

    output: Fixed | None = None
    arity: ClassVar[tuple[int, int]] = (2, 1 << 20)

    def __post_init__(self) -> None:
        """Check the format."""
        super().__post_init__()
        self.set_format("output", optional=True)

    def output_type(self, *inputs: TensorType) -> TensorType:
        """Keep the shape, which all inputs must share."""
        bound = self.accumulator_bound(inputs)
        return TensorType(inputs[0].shape, self.output or bound.fmt)

    def apply(self, raws: tuple[Raws, ...], types: Types) -> Raws:
        """Evaluate without checks."""
        bound = self.accumulator_bound(types)
        total = combine(raws, tuple(t.fmt.frac_bits for t in types), bound)
        return cast_bounded(total, bound, self.output or bound.fmt)

    def accumulator_bound(self, types: Types) -> Bound:
        """Give the bound of the sum."""
        self.check_arity(len(types))
        if len({t.shape for t in types}) > 1:
            self.refuse(
                f"its inputs have shapes {', '.join(str(t.shape) for t in types)}; make them the same"
            )
        formats = [t.fmt for t in types]
        frac_bits = max(f.frac_bits for f in formats)
        low = sum(f.min_raw << (frac_bits - f.frac_bits) for f in formats)
        high = sum(f.max_raw << (frac_bits - f.frac_bits) for f in formats)
        least = tuple(np.full(t.shape, t.fmt.min_raw, t.fmt.dtype) for t in types)
        greatest = tuple(np.full(t.shape, t.fmt.max_raw, t.fmt.dtype) for t in types)
        return Bound(low, high, frac_bits, least, greatest)


@dataclass(frozen=True, eq=False, kw_only=True)
class Concat(Layer):
    """The channels of two or more inputs one after the other, each cast to the output; other sizes must agree.

    Parameters:
        output: format of the result; None keeps a format that all inputs share, or else takes the narrowest one
            that holds every number of all of them.

    Example:
        >>> types = (TensorType((1,), Fixed(4, 2)), TensorType((2,), Fixed(4, 4)))
        >>> Concat("both").evaluate([[3]], [[-2, 1]], types=types), Concat("both").output_type(*types).fmt
        (array([[ 3, -8,  4]]), Fixed(6, 4))
    """

    output: Fixed | None = None
    arity: ClassVar[tuple[int, int]] = (2, 1 << 20)

    def __post_init__(self) -> None:
        """Check the format."""
        super().__post_init__()
        self.set_format("output", optional=True)

    def output_type(self, *inputs: TensorType) -> TensorType:
        """Add up the channels."""
        self.check_arity(len(inputs))
        if len({t.shape[1:] for t in inputs}) > 1:
            shapes = ", ".join(str(t.shape) for t in inputs)
            self.refuse(f"its inputs have shapes {shapes}; make all but the channels the same")
        fmt, formats = self.output or inputs[0].fmt, [t.fmt for t in inputs]
        if self.output is None and len(set(formats)) > 1:
            frac = max(f.frac_bits for f in formats)
            low = min(f.min_raw << (frac - f.frac_bits) for f in formats)
            fmt = Bound(low, max(f.max_raw << (frac - f.frac_bits) for f in formats), frac).fmt
        return TensorType((sum(t.shape[0] for t in inputs), *inputs[0].shape[1:]), fmt)

    def apply(self, raws: tuple[Raws, ...], types: Types) -> Raws:
        """Evaluate without checks."""
        fmt = self.output_type(*types).fmt
        return np.concatenate([recast(r, t.fmt, fmt) for r, t in zip(raws, types, strict=True)], axis=1)


@dataclass(frozen=True, eq=False, kw_only=True)
class Threshold(Layer):
    """Comparisons with constant levels: the thermometer code of an input, or its single bits.

    Channel c of the input and level k give channel c * levels + k of the output, `values[1]` where x >= level,
    else `values[0]`. One level keeps the shape.

    Parameters:
        levels: raws, shape (levels,) for all channels alike, or (channels, levels).
        levels_fmt: their format; it need not be that of the input.
        values: raws of the output below and from the level on.
        output: their format.

    Example:
        >>> code = Threshold("code", levels=[-4, 0, 4], levels_fmt=Fixed(4, 4))
        >>> code.evaluate([[1, -4]], types=(TensorType((2,), Fixed(4, 4)),))
        array([[1, 1, 0, 1, 0, 0]])
    """

    levels: Raws
    levels_fmt: Fixed
    values: tuple[int, int] = (0, 1)
    output: Fixed = Fixed(1, 1, signed=False)

    def __post_init__(self) -> None:
        """Check levels and values."""
        super().__post_init__()
        self.set_format("levels_fmt")
        self.set_format("output")
        self.set_raws("levels", self.levels_fmt, 1, 2)
        values = tuple(int(v) for v in self.values)
        if len(values) != 2 or not all(self.output.min_raw <= v <= self.output.max_raw for v in values):
            self.refuse(
                f"values={self.values!r} are not two raws of {self.output}; give those below and from the level on"
            )
        object.__setattr__(self, "values", values)

    def output_type(self, *inputs: TensorType) -> TensorType:
        """Multiply the channels by the number of levels."""
        source = self.one(inputs)
        channels = source.shape[0]
        if self.levels.ndim == 2 and len(self.levels) != channels:
            self.refuse(
                f"the input has {channels} channels (shape {source.shape}), levels has {len(self.levels)} rows"
            )
        return TensorType((channels * self.levels.shape[-1], *source.shape[1:]), self.output)

    def apply(self, raws: tuple[Raws, ...], types: Types) -> Raws:
        """Evaluate without checks."""
        x, source = raws[0], types[0]
        frac_bits = max(source.fmt.frac_bits, self.levels_fmt.frac_bits)
        bits = max(source.fmt.int_bits, self.levels_fmt.int_bits) + frac_bits + 1
        levels = container(self.levels, bits) << (frac_bits - self.levels_fmt.frac_bits)
        rows = levels.reshape(
            (1, *((1,) * (2 - levels.ndim)), *levels.shape, *((1,) * (len(source.shape) - 1)))
        )
        number = container(x, bits) << (frac_bits - source.fmt.frac_bits)
        above = number[:, :, None] >= rows  # (batch, channels, levels, ...)
        low, high = self.values
        out = np.where(above, high, low).astype(self.output.dtype)
        return out.reshape((len(x), *self.output_type(source).shape))


@dataclass(frozen=True, eq=False, kw_only=True)
class Argmax(Layer):
    """The index of the greatest number along the first axis, the first of equals; shape (1, ...).

    Example:
        >>> Argmax("label").evaluate([[3, 7, 7, 1]], types=(TensorType((4,), Fixed(8, 8)),))
        array([[1]])
    """

    def output_type(self, *inputs: TensorType) -> TensorType:
        """Give one unsigned number of as many bits as the last index needs."""
        shape = self.one(inputs).shape
        bits = max((shape[0] - 1).bit_length(), 1)
        return TensorType((1, *shape[1:]), Fixed(bits, bits, signed=False))

    def apply(self, raws: tuple[Raws, ...], types: Types) -> Raws:
        """Evaluate without checks."""
        return np.expand_dims(np.argmax(raws[0], axis=1), 1).astype(np.int64)


@dataclass(frozen=True, eq=False, kw_only=True)
class Flatten(Layer):
    """All elements in one row, the last axis running fastest.

    Example:
        >>> Flatten("row").output_type(TensorType((3, 4, 4), Fixed(8, 1))).shape
        (48,)
    """

    def output_type(self, *inputs: TensorType) -> TensorType:
        """Give shape (elements,)."""
        source = self.one(inputs)
        return TensorType((source.size,), source.fmt)

    def apply(self, raws: tuple[Raws, ...], types: Types) -> Raws:
        """Evaluate without checks."""
        return raws[0].reshape(len(raws[0]), types[0].size)
