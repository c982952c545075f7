"""Convolutions (cross-correlations, as in neural networks) as matrix products over patches."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from hwmodel.errors import FormatError
from hwmodel.fixedpoint._dot import matmul, sum_formats
from hwmodel.fixedpoint._format import Fixed
from hwmodel.fixedpoint._raw import Raws, as_format, as_raw
from hwmodel.fixedpoint._report import witnesses_at

Steps = int | Sequence[int]


def conv1d(
    x_raw: Any,
    x_fmt: Fixed | str,
    w_raw: Any,
    w_fmt: Fixed | str,
    accumulator: Fixed | str | None = None,
    each_step: bool = True,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
    start: Any = None,
) -> Raws:
    """Convolve in one dimension; the arguments are those of `conv2d` with one axis less.

    Parameters:
        x_raw: raws, shape (batch, channels, length).
        x_fmt: their format.
        w_raw: raws, shape (outputs, channels / groups, taps).
        w_fmt: their format.
        accumulator: as in `dot`.
        each_step: cast after each product, in the order channel, tap; or once at the end.
        stride: samples between outputs.
        padding: zeros on either side.
        dilation: samples between taps.
        groups: groups of channels that do not mix.
        start: raws of the accumulator to begin with, such as a bias; shape (outputs,).

    Returns:
        Raws of the accumulator, shape (batch, outputs, length).

    Raises:
        FormatError: for shapes that do not fit, or raws outside their format.

    Example:
        >>> conv1d([[[1, 2, 3]]], Fixed(8, 8), [[[1, -1]]], Fixed(4, 4))
        array([[[-1, -1]]])
    """
    steps = ((stride,), (padding,), (dilation,))
    return _convolve("conv1d", x_raw, x_fmt, w_raw, w_fmt, accumulator, each_step, steps, groups, start)


def conv2d(
    x_raw: Any,
    x_fmt: Fixed | str,
    w_raw: Any,
    w_fmt: Fixed | str,
    accumulator: Fixed | str | None = None,
    each_step: bool = True,
    *,
    stride: Steps = 1,
    padding: Steps = 0,
    dilation: Steps = 1,
    groups: int = 1,
    start: Any = None,
) -> Raws:
    """Convolve images.

    Parameters:
        x_raw: raws, shape (batch, channels, height, width).
        x_fmt: their format.
        w_raw: raws, shape (outputs, channels / groups, rows, columns).
        w_fmt: their format.
        accumulator: as in `dot`.
        each_step: cast after each product, in the order channel, row, column (zeros of the padding too); or once.
        stride: samples between outputs, one number or (down, across).
        padding: zeros on every side, likewise.
        dilation: samples between taps, likewise.
        groups: groups of channels that do not mix.
        start: raws of the accumulator to begin with, such as a bias; shape (outputs,).

    Returns:
        Raws of the accumulator, shape (batch, outputs, height, width).

    Raises:
        FormatError: for shapes that do not fit, or raws outside their format.

    Example:
        >>> import numpy as np
        >>> conv2d(np.ones((1, 1, 3, 3), int), Fixed(4, 4), np.ones((1, 1, 2, 2), int), Fixed(4, 4), stride=2, padding=1)
        array([[[[1, 2],
                 [2, 4]]]])
    """
    steps = (_pair("stride", stride), _pair("padding", padding), _pair("dilation", dilation))
    return _convolve("conv2d", x_raw, x_fmt, w_raw, w_fmt, accumulator, each_step, steps, groups, start)


def _pair(name: str, steps: Steps) -> tuple[int, ...]:
    pair: tuple[Any, ...] = tuple(steps) if isinstance(steps, Sequence | np.ndarray) else (steps, steps)
    if len(pair) != 2:
        raise FormatError(f"{name}={steps!r} has {len(pair)} numbers; give one, or (down, across)")
    return pair


AllSteps = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


def _convolve(
    what: str,
    x_raw: Any,
    x_fmt: Fixed | str,
    w_raw: Any,
    w_fmt: Fixed | str,
    accumulator: Fixed | str | None,
    each_step: bool,
    steps: AllSteps,
    groups: int,
    start: Any,
) -> Raws:
    first, second = as_format(x_fmt, "x_fmt"), as_format(w_fmt, "w_fmt")
    x, w = as_raw(x_raw, first, "x_raw"), as_raw(w_raw, second, "w_raw")
    _check(what, x, w, steps, groups)
    terms, outputs = int(np.prod(w.shape[1:])), len(w)
    given, target = sum_formats(first, second, accumulator, terms, start)
    begin = as_raw(0 if start is None else start, given, "start")
    if begin.shape not in ((), (outputs,)):
        raise FormatError(
            f"{what}: start has shape {begin.shape}; give one raw for each of {outputs} outputs"
        )
    begin = np.broadcast_to(begin, (outputs,))
    patches, size = _patches(x, w.shape[2:], steps)  # (batch, places, channels, taps)
    per_group, per_output = x.shape[1] // groups, outputs // groups
    parts = []
    for group in range(groups):
        rows = patches[:, :, group * per_group : (group + 1) * per_group]
        own = slice(group * per_output, (group + 1) * per_output)
        rows = rows.reshape(len(x), int(np.prod(size)), terms)
        columns = w[own].reshape(per_output, terms).T
        with witnesses_at(partial(_place, size, own.start)):
            parts.append(matmul(rows, first, columns, second, target, each_step, begin[own]))
    out = np.concatenate(parts, axis=-1)
    return np.ascontiguousarray(np.moveaxis(out, -1, 1)).reshape(len(x), outputs, *size)


def _place(size: tuple[int, ...], first: int, index: tuple[int, ...]) -> tuple[int, ...]:
    """The place in the result of a sum of (batch, place, output of the group)."""
    batch, place, output = index
    return (batch, first + output, *(int(i) for i in np.unravel_index(place, size)))


def _check(what: str, x: Raws, w: Raws, steps: AllSteps, groups: int) -> None:
    """Refuse what does not fit together, naming it."""
    axes = len(steps[0])
    if x.ndim != axes + 2 or w.ndim != axes + 2:
        raise FormatError(f"{what}: x and w have shapes {x.shape} and {w.shape}; both need {axes + 2} axes")
    for name, numbers, least in zip(("stride", "padding", "dilation"), steps, (1, 0, 1), strict=True):
        for number in numbers:
            if not hasattr(number, "__index__") or operator.index(number) < least:
                raise FormatError(f"{what}: {name}={number!r} is no whole number from {least} on")
    if not hasattr(groups, "__index__") or groups < 1 or x.shape[1] % groups or len(w) % groups:
        raise FormatError(
            f"{what}: groups={groups} does not divide {x.shape[1]} channels and {len(w)} outputs"
        )
    if x.shape[1] // groups != w.shape[1]:
        raise FormatError(
            f"{what}: w takes {w.shape[1]} channels, but x has {x.shape[1]} in {groups} groups; "
            "w has the shape (outputs, channels / groups, ...)"
        )
    for axis, (pad, gap) in enumerate(zip(steps[1], steps[2], strict=True)):
        span, length = gap * (w.shape[2 + axis] - 1) + 1, x.shape[2 + axis] + 2 * pad
        if not 0 < span <= length:
            raise FormatError(
                f"{what}: {span} taps wide on {length} samples, padding included; shapes {x.shape}, {w.shape}"
            )


def _patches(x: Raws, taps: tuple[int, ...], steps: AllSteps) -> tuple[Raws, tuple[int, ...]]:
    """What each output sees, (batch, places, channels, taps), and the output's size."""
    stride, padding, dilation = steps
    padded = np.pad(x, [(0, 0), (0, 0), *((pad, pad) for pad in padding)])
    spans = tuple(gap * (count - 1) + 1 for gap, count in zip(dilation, taps, strict=True))
    windows = sliding_window_view(padded, spans, axis=tuple(range(2, x.ndim)))
    places = tuple(slice(None, None, step) for step in stride)
    kept = tuple(slice(None, None, gap) for gap in dilation)
    windows = windows[(slice(None), slice(None), *places, *kept)]
    axes = len(taps)
    size = windows.shape[2 : 2 + axes]
    moved = np.moveaxis(windows, 1, 1 + axes)  # (batch, places..., channels, taps...)
    return moved.reshape(len(x), int(np.prod(size)), x.shape[1], int(np.prod(taps))), size
