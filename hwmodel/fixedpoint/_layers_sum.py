"""Layers that add up weighted inputs: what a sum can reach, and how an accumulator takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwmodel.fixedpoint._cast import cast_array, cast_of, requantize
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._layers_base import Bound, Layer, TensorType, Types, container
from hwmodel.fixedpoint._raw import Raws


@dataclass(frozen=True, eq=False, kw_only=True)
class WeightedSum(Layer):
    """Base of Dense and of the convolutions: weights, a bias, an accumulator and the output's cast.

    Parameters:
        weights: raws; the layer says in which shape.
        weights_fmt: their format.
        bias: raws, one for each output feature or channel; None for none.
        bias_fmt: their format.
        accumulator: format of the sum; None keeps it whole.
        each_step: True casts to the accumulator after each `acc += x * w`, as a loop in HLS does, beginning with the
            bias cast to it; False casts the exact sum, bias and all, once, as an adder tree does.
        output: format of the result, cast from the accumulator; None keeps the accumulator's, or where that is None
            the narrowest one that holds every sum.
    """

    weights: Raws
    weights_fmt: Fixed
    bias: Raws | None = None
    bias_fmt: Fixed | None = None
    accumulator: Fixed | None = None
    each_step: bool = False
    output: Fixed | None = None

    def __post_init__(self) -> None:
        """Check formats; the subclass checks the weights' shape."""
        super().__post_init__()
        self.set_format("weights_fmt")
        for field in ("bias_fmt", "accumulator", "output"):
            self.set_format(field, optional=True)
        if (self.bias is None) != (self.bias_fmt is None):
            self.refuse("bias and bias_fmt belong together; give both or neither")
        if self.each_step and self.accumulator is None:
            self.refuse("each_step=True needs an accumulator to cast to; give its format")
        object.__setattr__(self, "each_step", bool(self.each_step))

    def set_weights(self, ndim: int, outputs_axis: int) -> None:
        """Check weights and bias."""
        self.set_raws("weights", self.weights_fmt, ndim)
        if self.bias_fmt is None:
            return
        self.set_raws("bias", self.bias_fmt, 1)
        outputs = self.weights.shape[outputs_axis]
        if self.bias is not None and self.bias.shape != (outputs,):
            self.refuse(f"bias has shape {self.bias.shape}, but the weights make {outputs} outputs")

    def sum_frac_bits(self, source: TensorType) -> int:
        """Fractional bits of the exact sum."""
        product = source.fmt.frac_bits + self.weights_fmt.frac_bits
        return product if self.bias_fmt is None else max(product, self.bias_fmt.frac_bits)

    def result_format(self, types: Types) -> Fixed:
        """Format of the output."""
        if self.output is not None:
            return self.output
        return self.accumulator if self.accumulator is not None else self.sum_bound(types).fmt

    def sum_bound(self, types: Types) -> Bound:
        """The bound that `accumulator_bound` gives, worked out once for each input type."""
        known: dict[Types, Bound] = self.__dict__.setdefault("_bounds", {})
        if types not in known:
            bound = self.accumulator_bound(types)
            assert bound is not None  # every weighted sum has one
            known[types] = bound
        return known[types]

    def aligned_bias(self, frac_bits: int) -> Raws | None:
        """Bias with so many fractional bits, as Python ints."""
        if self.bias is None or self.bias_fmt is None:
            return None
        return np.asarray(self.bias.astype(object) << (frac_bits - self.bias_fmt.frac_bits))

    def accumulate(self, types: Types, product: Callable[[Fixed, bool, Raws | None], Raws]) -> Raws:
        """Run the sum as the layer's accumulator says, and cast it to the output.

        `product(accumulator, each_step, start)` is the product of inputs and weights with these casts.
        """
        target = self.result_format(types)
        if self.each_step and self.accumulator is not None:
            start = None
            if self.bias is not None and self.bias_fmt is not None:
                start = requantize(self.bias, self.bias_fmt, self.accumulator)
            return recast(product(self.accumulator, True, start), self.accumulator, target)
        exact = self.sum_bound(types).fmt
        bias = self.aligned_bias(exact.frac_bits)
        total = product(exact, False, None if bias is None else bias.astype(exact.dtype))
        if self.accumulator is not None:
            total, exact = recast(total, exact, self.accumulator), self.accumulator
        return recast(total, exact, target)

    def warnings(self, types: Types) -> list[str]:
        """Warn of an accumulator that is too narrow, with the sum that shows it."""
        if self.accumulator is None:
            return []
        bound, said = self.sum_bound(types), []
        if not bound.fits(self.accumulator):
            unit = 2.0**-bound.frac_bits
            said.append(
                f"layer '{self.name}': sums reach {bound.low * unit:g} .. {bound.high * unit:g}, but the accumulator "
                f"{self.accumulator} holds {float(self.accumulator.min):g} .. {float(self.accumulator.max):g}; "
                f"{bound.fmt} holds all, and accumulator_bound(types).high_input is an input that shows it"
            )
        if self.accumulator.frac_bits < bound.frac_bits:
            when = "at each step" if self.each_step else "once"
            said.append(
                f"layer '{self.name}': the accumulator {self.accumulator} drops "
                f"{bound.frac_bits - self.accumulator.frac_bits} fractional bits of the products {when}"
            )
        return said


def recast(raw: Raws, src: Fixed, dst: Fixed) -> Raws:
    """Cast raws known to fit their format."""
    if src == dst:
        return raw
    return cast_array(raw, src.magnitude_bits, cast_of(src.frac_bits, dst))


def extremes(weights: Raws, source: Fixed) -> tuple[Raws, Raws]:
    """Least and greatest sum of each column of weights (terms, outputs), as Python ints."""
    # Sums of weights fit int64 unless there are 2**31 of them, or they are wider than 32 bits.
    small = weights.dtype != object and (not weights.size or int(abs(weights).max()) < 1 << 32)
    whole = weights if small else weights.astype(object)
    up = np.maximum(whole, 0).sum(axis=0).astype(object)
    down = np.minimum(whole, 0).sum(axis=0).astype(object)
    low = up * source.min_raw + down * source.max_raw
    return low, up * source.max_raw + down * source.min_raw


def worst_inputs(weights: Raws, source: Fixed) -> tuple[Raws, Raws]:
    """Inputs for which a column of weights gives its least and its greatest sum; 0 where the weight is 0."""
    low, high = source.min_raw, source.max_raw
    small = np.array([low if w > 0 else high if w < 0 else 0 for w in weights.tolist()], object)
    large = np.array([high if w > 0 else low if w < 0 else 0 for w in weights.tolist()], object)
    return small.astype(source.dtype), large.astype(source.dtype)


def bound_of_columns(layer: WeightedSum, weights: Raws, source: TensorType) -> tuple[Bound, int, int]:
    """Bound of all columns of weights (terms, outputs), and the columns that reach its two ends."""
    frac_bits = layer.sum_frac_bits(source)
    shift = frac_bits - source.fmt.frac_bits - layer.weights_fmt.frac_bits
    low, high = extremes(weights, source.fmt)
    low, high = low << shift, high << shift
    bias = layer.aligned_bias(frac_bits)
    if bias is not None:
        low, high = low + bias, high + bias
    least, greatest = int(np.argmin(low)), int(np.argmax(high))
    return Bound(int(low[least]), int(high[greatest]), frac_bits), least, greatest


def combine(raws: tuple[Raws, ...], fracs: tuple[int, ...], bound: Bound) -> Raws:
    """Add raws of different fractional bits, aligned to those of the bound."""
    bits = bound.magnitude_bits + 2
    total: Any = 0
    for raw, frac in zip(raws, fracs, strict=True):
        total = total + (container(raw, bits) << (bound.frac_bits - frac))
    return np.asarray(total)
