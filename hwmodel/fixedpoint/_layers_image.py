"""Layers that slide a window over one or two axes: convolutions and pools."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from hwmodel.fixedpoint._cast import cast_array, cast_of
from hwmodel.fixedpoint._conv import conv1d, conv2d
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._layers_base import Bound, Layer, TensorType, Types, cast_bounded, container
from hwmodel.fixedpoint._layers_sum import WeightedSum, bound_of_columns, recast, worst_inputs
from hwmodel.fixedpoint._raw import Raws

__all__ = ["AvgPool", "Conv1d", "Conv2d", "MaxPool"]

RECIPROCAL_BITS = 18  # the wide side of a common hardware multiplier
DIVISIONS = ("auto", "shift", "reciprocal", "truncate")

Window = tuple[Any, ...]  # taps of a kernel that lie on the input, one slice an axis


@dataclass(frozen=True, eq=False, kw_only=True)
class Convolution(WeightedSum):
    """Base of the convolutions.

    Parameters:
        stride: samples between outputs, one number or one for each axis.
        padding: zeros on either side, likewise.
        groups: groups of channels that do not mix.
    """

    stride: tuple[int, ...] = (1,)
    padding: tuple[int, ...] = (0,)
    groups: int = 1
    axes: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Check weights and steps."""
        super().__post_init__()
        put = object.__setattr__
        for field, default, least in (("stride", (1,), 1), ("padding", (0,), 0)):
            if getattr(self, field) == default:
                put(self, field, default * self.axes)
            put(self, field, self.sizes(field, self.axes, least))
        put(self, "groups", _only(self.sizes("groups", 1, 1)))
        self.set_weights(ndim=2 + self.axes, outputs_axis=0)
        if len(self.weights) % self.groups:
            self.refuse(
                f"groups={self.groups} does not divide the {len(self.weights)} outputs of the weights"
            )

    @property
    def kernel(self) -> tuple[int, ...]:
        """Taps along each axis."""
        return self.weights.shape[2:]

    def output_type(self, *inputs: TensorType) -> TensorType:
        """Give shape (outputs, length) or (outputs, height, width)."""
        self._check_input(inputs)
        places = places_of(inputs[0].shape[1:], self.kernel, self.stride, self.padding)
        return TensorType((len(self.weights), *places), self.result_format(inputs))

    def _check_input(self, types: Types) -> TensorType:
        source = self.one(types)
        axes = "(channels, length)" if self.axes == 1 else "(channels, height, width)"
        if len(source.shape) != self.axes + 1:
            self.refuse(f"the input has shape {source.shape}, wanted {axes}")
        channels = self.weights.shape[1] * self.groups
        if source.shape[0] != channels:
            self.refuse(
                f"the input has {source.shape[0]} channels (shape {source.shape}), but weights of shape "
                f"{self.weights.shape} in groups={self.groups} take {channels}"
            )
        check_window(self, source, self.kernel, self.padding)
        return source

    def apply(self, raws: tuple[Raws, ...], types: Types) -> Raws:
        """Evaluate without checks."""
        if not len(raws[0]):
            kind = self.output_type(*types)
            return np.zeros((0, *kind.shape), kind.fmt.dtype)

        def product(accumulator: Fixed, each_step: bool, start: Raws | None) -> Raws:
            return self.convolve(raws[0], types[0].fmt, accumulator, each_step, start)

        return self.accumulate(types, product)

    def convolve(self, x: Raws, fmt: Fixed, accumulator: Fixed, each_step: bool, start: Raws | None) -> Raws:
        """Give the sums in the accumulator's format."""
        raise TypeError(f"{self.kind} gives no convolve; a convolution must define it")

    def accumulator_bound(self, types: Types) -> Bound:
        """Give the bound of all sums; taps in the padding add nothing."""
        source = self._check_input(types)
        found = []
        for window, place in self._windows(source.shape[1:]):
            seen = np.moveaxis(self.weights[(slice(None), slice(None), *window)], 0, -1)
            columns = seen.reshape(-1, seen.shape[-1])
            found.append((*bound_of_columns(self, columns, source), window, place))
        low, high = min(found, key=lambda f: f[0].low), max(found, key=lambda f: f[0].high)
        least = self._witness(source, low[1], low[3], low[4])[0]
        greatest = self._witness(source, high[2], high[3], high[4])[1]
        return Bound(low[0].low, high[0].high, low[0].frac_bits, (least,), (greatest,))

    def _windows(self, shape: tuple[int, ...]) -> Iterator[tuple[Window, tuple[int, ...]]]:
        """Every distinct set of taps that lie on the input, with the first sample that they meet."""
        each_axis = []
        for length, taps, stride, pad in zip(shape, self.kernel, self.stride, self.padding, strict=True):
            distinct: dict[tuple[int, int], int] = {}
            for place in range((length + 2 * pad - taps) // stride + 1):
                begin = place * stride - pad
                first, last = min(max(-begin, 0), taps), max(min(taps, length - begin), 0)
                distinct.setdefault((first, max(first, last)), max(begin, 0))
            each_axis.append([(slice(a, b), first) for (a, b), first in distinct.items()])
        for parts in product(*each_axis):
            yield tuple(part[0] for part in parts), tuple(part[1] for part in parts)

    def _witness(
        self, source: TensorType, output: int, window: Window, place: tuple[int, ...]
    ) -> tuple[Raws, Raws]:
        """Inputs that bring one output to its least and its greatest sum where the window lies so."""
        seen = self.weights[output][(slice(None), *window)]
        group = output // (len(self.weights) // self.groups)
        own = slice(group * len(seen), (group + 1) * len(seen))
        where = tuple(slice(a, a + n) for a, n in zip(place, seen.shape[1:], strict=True))
        inputs = []
        for worst in worst_inputs(seen.reshape(-1), source.fmt):
            x = np.zeros(source.shape, source.fmt.dtype)
            x[(own, *where)] = worst.reshape(seen.shape)
            inputs.append(x)
        return inputs[0], inputs[1]

    def macs(self, types: Types) -> int:
        """One for each weight at each place."""
        return self.weights.size * prod(self.output_type(*types).shape[1:])


@dataclass(frozen=True, eq=False, kw_only=True)
class Conv1d(Convolution):
    """A convolution along one axis (a cross-correlation, as in neural networks).

    Parameters:
        weights: raws, shape (outputs, channels / groups, taps).
        weights_fmt: their format.
        bias, bias_fmt, accumulator, each_step, output: as in every weighted sum; see "Layers and graphs".
        stride, padding, groups: whole numbers.

    With `each_step` the products come in the order channel, tap.

    Example:
        >>> layer = Conv1d("fir", weights=[[[1, -1]]], weights_fmt=Fixed(2, 2), output=Fixed(8, 8))
        >>> layer.evaluate([[[1, 4, 2]]], types=(TensorType((1, 3), Fixed(4, 4)),))
        array([[[-3,  2]]])
    """

    axes: ClassVar[int] = 1

    def convolve(self, x: Raws, fmt: Fixed, accumulator: Fixed, each_step: bool, start: Raws | None) -> Raws:
        """Give the sums in the accumulator's format."""
        return conv1d(
            x,
            fmt,
            self.weights,
            self.weights_fmt,
            accumulator,
            each_step,
            stride=self.stride[0],
            padding=self.padding[0],
            groups=self.groups,
            start=start,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Conv2d(Convolution):
    """A convolution of images (a cross-correlation, as in neural networks).

    Parameters:
        weights: raws, shape (outputs, channels / groups, rows, columns).
        weights_fmt: their format.
        bias, bias_fmt, accumulator, each_step, output: as in every weighted sum; see "Layers and graphs".
        stride, padding: whole numbers, or (down, across).
        groups: groups of channels that do not mix.

    With `each_step` the products come in the order channel, row, column.

    Example:
        >>> layer = Conv2d("edge", weights=[[[[1, -1]]]], weights_fmt=Fixed(2, 2), output=Fixed(8, 8))
        >>> layer.evaluate([[[[1, 4, 2]]]], types=(TensorType((1, 1, 3), Fixed(4, 4)),))
        array([[[[-3,  2]]]])
    """

    axes: ClassVar[int] = 2

    def convolve(self, x: Raws, fmt: Fixed, accumulator: Fixed, each_step: bool, start: Raws | None) -> Raws:
        """Give the sums in the accumulator's format."""
        return conv2d(
            x,
            fmt,
            self.weights,
            self.weights_fmt,
            accumulator,
            each_step,
            stride=self.stride,
            padding=self.padding,
            groups=self.groups,
            start=start,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool(Layer):
    """Base of the pools.

    Parameters:
        kernel: samples of a window along each axis; one number, one for each axis, or None for the whole axis.
        stride: samples between windows, likewise; None takes the kernel.
        padding: samples on either side, likewise.
        output: format of the result.
    """

    kernel: tuple[int, ...] | int | None = None
    stride: tuple[int, ...] | int | None = None
    padding: tuple[int, ...] | int = 0
    output: Fixed | None = None

    def __post_init__(self) -> None:
        """Check the sizes as far as they are known without an input."""
        super().__post_init__()
        self.set_format("output", optional=True)
        for field, least in (("kernel", 1), ("stride", 1), ("padding", 0)):
            value = getattr(self, field)
            if value is not None and not isinstance(value, int | np.integer):
                object.__setattr__(self, field, self.sizes(field, len(tuple(value)), least))
            elif value is not None:
                object.__setattr__(self, field, _only(self.sizes(field, 1, least)))

    def steps(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Give kernel, stride and padding along each axis of an input of this shape."""
        axes = len(shape) - 1
        if axes not in (1, 2):
            self.refuse(
                f"the input has shape {shape}, wanted (channels, length) or (channels, height, width)"
            )
        kernel = shape[1:] if self.kernel is None else self.sizes("kernel", axes, 1)
        stride = kernel if self.stride is None else self.sizes("stride", axes, 1)
        return kernel, stride, self.sizes("padding", axes, 0)

    def output_type(self, *inputs: TensorType) -> TensorType:
        """Keep the channels."""
        source = self.one(inputs)
        kernel, stride, padding = self.steps(source.shape)
        check_window(self, source, kernel, padding)
        if any(pad >= taps for pad, taps in zip(padding, kernel, strict=True)):
            self.refuse(
                f"padding={self.padding} leaves windows without a sample; keep it below kernel={kernel}"
            )
        places = places_of(source.shape[1:], kernel, stride, padding)
        return TensorType((source.shape[0], *places), self.pooled_format(source))

    def pooled_format(self, source: TensorType) -> Fixed:
        """Format of the result."""
        return self.output or source.fmt

    def windows(self, raw: Raws, source: TensorType, fill: int) -> Raws:
        """Give what each output sees, shape (batch, channels, *places, samples)."""
        kernel, stride, padding = self.steps(source.shape)
        # np.pad would fill object arrays with int64 scalars, which overflow beside wide Python ints.
        sizes = [n + 2 * p for n, p in zip(source.shape[1:], padding, strict=True)]
        padded = np.full((*raw.shape[:2], *sizes), fill, raw.dtype)
        inside = tuple(slice(p, p + n) for n, p in zip(source.shape[1:], padding, strict=True))
        padded[(slice(None), slice(None), *inside)] = raw
        seen = sliding_window_view(padded, kernel, axis=tuple(range(2, raw.ndim)))
        seen = seen[(slice(None), slice(None), *(slice(None, None, step) for step in stride))]
        return seen.reshape(*seen.shape[: raw.ndim], prod(kernel))


@dataclass(frozen=True, eq=False, kw_only=True)
class MaxPool(Pool):
    """The greatest sample of each window, cast to the output.

    Parameters:
        kernel, stride, padding: as in `AvgPool`; padding never wins.
        output: format of the result; None keeps the input's.

    Example:
        >>> MaxPool("pool", kernel=2).evaluate([[[1, 5, -3, -2]]], types=(TensorType((1, 4), Fixed(4, 4)),))
        array([[[ 5, -2]]])
    """

    def apply(self, raws: tuple[Raws, ...], types: Types) -> Raws:
        """Evaluate without checks."""
        source = types[0]
        greatest = self.windows(raws[0], source, source.fmt.min_raw).max(axis=-1)
        return recast(greatest, source.fmt, self.pooled_format(source))


@dataclass(frozen=True, eq=False, kw_only=True)
class AvgPool(Pool):
    """The mean of each window: the exact sum, divided, and cast to the output once.

    Parameters:
        kernel: samples of a window along each axis; one number, one for each axis, or None for the whole axis.
        stride: samples between windows, likewise; None takes the kernel.
        padding: zeros on either side, likewise; they count as samples.
        output: format of the result; None keeps the input's.
        division: "shift" moves the binary point, for windows of 2**k samples; "reciprocal" multiplies the sum by
            `reciprocal(n)`, n samples' 1/n rounded to nearest, so that the mean is off by at most 2**-18 of itself;
            "truncate" cuts the quotient toward zero at the sum's last bit, as `ap_fixed / int` does, so that the
            output's rounding sees no more; "auto" takes "shift" where it can, else "reciprocal".

    Example:
        >>> pool = AvgPool("pool", kernel=2, output=Fixed(4, 4, rounding="RND"))
        >>> pool.evaluate([[[1, 2, -3, -4]]], types=(TensorType((1, 4), Fixed(4, 4)),))
        array([[[ 2, -3]]])
    """

    division: str = "auto"

    def __post_init__(self) -> None:
        """Check the way of dividing."""
        super().__post_init__()
        if self.division not in DIVISIONS:
            self.refuse(f"division={self.division!r} is unknown; take one of {', '.join(DIVISIONS)}")

    def method(self, samples: int) -> str:
        """Give the way of dividing by so many samples: "shift", "reciprocal" or "truncate"."""
        power = not samples & (samples - 1)
        return ("shift" if power else "reciprocal") if self.division == "auto" else self.division

    @staticmethod
    def reciprocal(samples: int) -> tuple[int, Fixed]:
        """Give the raw of 1 / samples and its format, 18 significant bits rounded to nearest.

        Example:
            >>> AvgPool.reciprocal(9)
            (233017, Fixed(18, -3, signed=False))
        """
        frac_bits = RECIPROCAL_BITS - 1 + (samples - 1).bit_length()
        raw = ((1 << (frac_bits + 1)) + samples) // (2 * samples)
        raw = min(raw, (1 << RECIPROCAL_BITS) - 1)
        return raw, Fixed(RECIPROCAL_BITS, RECIPROCAL_BITS - frac_bits, signed=False)

    def output_type(self, *inputs: TensorType) -> TensorType:
        """Keep the channels."""
        out = super().output_type(*inputs)
        samples = self.samples(inputs[0])
        if self.division == "shift" and samples & (samples - 1):
            self.refuse(
                f"division='shift' of {samples} samples (kernel {self.steps(inputs[0].shape)[0]}) is no shift; "
                "take 'reciprocal', 'truncate' or a kernel of 2**k samples"
            )
        return out

    def samples(self, source: TensorType) -> int:
        """Samples of a window."""
        return prod(self.steps(source.shape)[0])

    def apply(self, raws: tuple[Raws, ...], types: Types) -> Raws:
        """Evaluate without checks."""
        source, bound, samples = types[0], self.accumulator_bound(types), self.samples(types[0])
        seen = container(self.windows(raws[0], source, 0), bound.magnitude_bits + 1)
        total, target = np.asarray(seen.sum(axis=-1)), self.pooled_format(source)
        method = self.method(samples)
        if method == "truncate":
            quotient = abs(total) // samples
            return cast_bounded(np.where(total < 0, -quotient, quotient), bound, target)
        frac_bits, bits = source.fmt.frac_bits, bound.magnitude_bits
        if method == "shift":
            return cast_array(total, bits, cast_of(frac_bits + samples.bit_length() - 1, target))
        raw, fmt = self.reciprocal(samples)
        scaled = container(total, bits + fmt.width + 1) * raw
        return cast_array(np.asarray(scaled), bits + fmt.width, cast_of(frac_bits + fmt.frac_bits, target))

    def accumulator_bound(self, types: Types) -> Bound:
        """Give the bound of the sum before it is divided."""
        source = self.one(types)
        samples, fmt = self.samples(source), source.fmt
        ends = [np.full(source.shape, end, fmt.dtype) for end in (fmt.min_raw, fmt.max_raw)]
        return Bound(fmt.min_raw * samples, fmt.max_raw * samples, fmt.frac_bits, (ends[0],), (ends[1],))


def _only(many: tuple[int, ...]) -> int:
    return many[0]


def check_window(layer: Layer, source: TensorType, kernel: tuple[int, ...], padding: tuple[int, ...]) -> None:
    """Refuse a kernel that is longer than its input."""
    for taps, length, pad in zip(kernel, source.shape[1:], padding, strict=True):
        if taps > length + 2 * pad:
            layer.refuse(
                f"the kernel {kernel} is larger than the input, shape {source.shape} with padding {padding}; "
                "take a smaller kernel or more padding"
            )


def places_of(
    shape: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...]
) -> tuple[int, ...]:
    """Outputs along each axis."""
    each = zip(shape, kernel, stride, padding, strict=True)
    return tuple((length + 2 * pad - taps) // step + 1 for length, taps, step, pad in each)
