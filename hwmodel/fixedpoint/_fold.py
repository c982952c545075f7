"""Float parameters to fixed ones: formats that fit numbers, and batch normalisation as a fixed affine."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import FormatError
from hwmodel.fixedpoint._float import dequantize, quantize
from hwmodel.fixedpoint._format import MAX_WIDTH, Fixed
from hwmodel.fixedpoint._layers import BatchNorm
from hwmodel.fixedpoint._layers_base import Bound
from hwmodel.fixedpoint._raw import Raws

Floats = npt.NDArray[np.float64]


def fitting_format(values: Any, width: int, *, rounding: str = "RND_CONV", overflow: str = "SAT") -> Fixed:
    """Give the format of a width that holds all values with the most fractional bits.

    Parameters:
        values: finite floats of any shape.
        width: bits of the word.
        rounding, overflow: modes of the format.

    Returns:
        A signed format; unsigned would cost one bit more wherever it meets signed ones.

    Raises:
        FormatError: where a value is not finite.

    Example:
        >>> fitting_format([0.3, -0.8], 8), fitting_format([3.99], 4)
        (Fixed(8, 1, rounding='RND_CONV', overflow='SAT'), Fixed(4, 4, rounding='RND_CONV', overflow='SAT'))
    """
    numbers = np.asarray(values, np.float64)
    if not np.isfinite(numbers).all():
        raise FormatError("values hold NaN or infinities, which no format fits; remove them")
    greatest = float(np.abs(numbers).max(initial=0.0))
    int_bits = int(np.frexp(greatest)[1]) + 1 if greatest else 1
    for bits in (int_bits - 1, int_bits, int_bits + 1):
        fmt = Fixed(width, bits, rounding=rounding, overflow=overflow)
        wide = Fixed(min(width + 8, MAX_WIDTH), bits + 8, rounding=rounding)
        if np.array_equal(quantize(numbers, fmt), quantize(numbers, wide)):
            return fmt
    raise FormatError(f"no format of {width} bits holds values up to {greatest:g}; take more bits")


def exact_format(values: Any, limit: int) -> Fixed | None:
    """Give the narrowest format that holds all values exactly; None where it needs more than `limit` bits.

    Example:
        >>> exact_format([0.5, -1.25], 32), exact_format([0.1], 32)
        (Fixed(4, 2), None)
    """
    numbers = np.asarray(values, np.float64)
    if not np.isfinite(numbers).all():
        return None
    ratios = [float(v).as_integer_ratio() for v in numbers.reshape(-1)]
    if not any(top for top, _ in ratios):
        return Fixed(1, 1, signed=False)
    frac_bits = max(bottom.bit_length() - 1 for top, bottom in ratios if top)
    if frac_bits == 0:  # whole numbers: leave out zeros that all end in
        frac_bits = -min((top & -top).bit_length() - 1 for top, _ in ratios if top)
    if frac_bits > limit + 1100:
        return None
    raws = [_scaled(top, bottom, frac_bits) for top, bottom in ratios]
    bound = Bound(min(0, *raws), max(0, *raws), frac_bits)
    return bound.fmt if bound.magnitude_bits + 1 <= limit else None


def _scaled(top: int, bottom: int, frac_bits: int) -> int:
    return (top << frac_bits) // bottom if frac_bits >= 0 else top // (bottom << -frac_bits)


def fold_batch_norm(
    name: str,
    gamma: Any,
    beta: Any,
    mean: Any,
    variance: Any,
    *,
    epsilon: float = 1e-5,
    width: int = 16,
    scale_fmt: Fixed | None = None,
    shift_fmt: Fixed | None = None,
    output: Fixed | None = None,
    inputs: tuple[str, ...] = (),
) -> BatchNorm:
    """Fold a trained batch normalisation into a fixed affine for each channel.

    The scale gamma / sqrt(variance + epsilon) is rounded first, and the shift is worked out from the rounded scale,
    beta - mean * scale: so the error of the scale grows with the distance from the mean, not from zero.

    Parameters:
        name: of the layer.
        gamma, beta, mean, variance: floats, shape (channels,).
        epsilon: as in training.
        width: bits of scale and shift where their formats are not given.
        scale_fmt, shift_fmt: formats; None takes those of `width` bits that fit.
        output: format of the result; None takes the narrowest that holds every one exactly.
        inputs: what the layer reads.

    Raises:
        FormatError: for shapes that differ, and for parameters that are no numbers.

    Example:
        >>> layer = fold_batch_norm("bn", [1.0], [0.5], [2.0], [4.0], epsilon=0.0, width=8)
        >>> dequantize(layer.scale, layer.scale_fmt), dequantize(layer.shift, layer.shift_fmt)
        (array([0.5]), array([-0.5]))
    """
    rows = [np.asarray(values, np.float64) for values in (gamma, beta, mean, variance)]
    if any(row.ndim != 1 or row.shape != rows[0].shape for row in rows):
        shapes = ", ".join(str(row.shape) for row in rows)
        raise FormatError(
            f"layer '{name}' (BatchNorm): gamma, beta, mean, variance have shapes {shapes}; give (channels,)"
        )
    if not all(np.isfinite(row).all() for row in rows) or (rows[3] + epsilon <= 0).any():
        raise FormatError(
            f"layer '{name}' (BatchNorm): parameters must be finite and variance + epsilon above 0; check the model"
        )
    scale, first = _rounded(rows[0] / np.sqrt(rows[3] + epsilon), scale_fmt, width)
    shift, second = _rounded(rows[1] - rows[2] * dequantize(scale, first), shift_fmt, width)
    return BatchNorm(name, inputs, scale=scale, scale_fmt=first, shift=shift, shift_fmt=second, output=output)


def _rounded(values: Floats, fmt: Fixed | None, width: int) -> tuple[Raws, Fixed]:
    chosen = fitting_format(values, width) if fmt is None else fmt
    return quantize(values, chosen), chosen
