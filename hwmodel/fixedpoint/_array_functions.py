"""The functions of NumPy that take a `FixedArray`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hwmodel.errors import FormatError
from hwmodel.fixedpoint import _array_operands as operands
from hwmodel.fixedpoint._array import FixedArray, reduced
from hwmodel.fixedpoint._format import Fixed

# fmt: off
# These move values about; they work on the raws, and the format stays.
MOVES = [
    "reshape", "ravel", "transpose", "swapaxes", "moveaxis", "rollaxis", "expand_dims", "squeeze",
    "broadcast_to", "flip", "fliplr", "flipud", "rot90", "roll", "take", "take_along_axis", "compress",
    "repeat", "tile", "diagonal", "triu", "tril", "sort", "copy", "atleast_1d", "atleast_2d",
    "atleast_3d", "zeros_like", "delete", "extract", "trim_zeros",
]
# These give several arrays.
SPLITS = ["split", "array_split", "hsplit", "vsplit", "dsplit"]
# These ask about values or shapes; the order of raws is that of the values.
QUESTIONS = [
    "argmin", "argmax", "argsort", "nonzero", "flatnonzero", "count_nonzero", "argwhere", "any", "all",
    "shape", "ndim", "size",
]
# These put arrays together, in one format that holds all.
JOINS = ["concatenate", "stack", "vstack", "hstack", "dstack", "column_stack"]

# fmt: on
PADS = ("constant", "edge", "maximum", "minimum", "reflect", "symmetric", "wrap")  # others make new values
Handler = Callable[..., Any]


def call_function(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call what stands for a NumPy function here.

    Raises:
        FormatError: for a function that has none, and for `out=`.
    """
    name = getattr(func, "__name__", str(func))
    handler = HANDLERS.get(func)
    for key in ("dtype", "casting"):  # they would speak of the raws
        if kwargs.get(key) is not None and handler is not None:
            raise FormatError(f"np.{name} of a FixedArray takes no {key}=; cast it by x.astype(fmt)")
        kwargs = {k: v for k, v in kwargs.items() if k != key}
    if handler is None:
        raise FormatError(
            f"np.{name} is not defined for FixedArray; np.asarray(x) gives floats. Defined: {', '.join(sorted(names()))}"
        )
    if kwargs.pop("out", None) is not None:
        raise FormatError(f"np.{name}: a FixedArray cannot be changed, so out= is refused; assign the result")
    return handler(*args, **kwargs)


def names() -> list[str]:
    """Give the names of the functions that take a `FixedArray`."""
    return [func.__name__ for func in HANDLERS]


def _array(what: str, x: Any) -> FixedArray:
    if not isinstance(x, FixedArray):
        raise operands.refusal(what, x)
    return x


def _pair(x: Any) -> Any:
    return operands.Pair(x.raw, x.fmt) if isinstance(x, FixedArray) else x


def _move(func: Any) -> Handler:
    def moved(x: Any, *args: Any, **kwargs: Any) -> FixedArray:
        if func is np.extract or func is np.compress:  # the condition comes first
            array = _array(func.__name__, args[0])
            return FixedArray._wrap(func(np.asarray(x, bool), array.raw, *args[1:], **kwargs), array.fmt)
        array = _array(func.__name__, x)
        return FixedArray._wrap(func(array.raw, *args, **kwargs), array.fmt)

    return moved


def _split(func: Any) -> Handler:
    def parts(x: Any, *args: Any, **kwargs: Any) -> list[FixedArray]:
        array = _array(func.__name__, x)
        return [FixedArray._wrap(part, array.fmt) for part in func(array.raw, *args, **kwargs)]

    return parts


def _question(func: Any) -> Handler:
    def answer(x: Any, *args: Any, **kwargs: Any) -> Any:
        return func(_array(func.__name__, x).raw, *args, **kwargs)

    return answer


def _join(func: Any) -> Handler:
    def joined(arrays: Any, *args: Any, **kwargs: Any) -> FixedArray:
        for x in arrays:
            _array(func.__name__, x)
        raws, fmt = operands.join(func.__name__, [_pair(x) for x in arrays])
        return FixedArray._wrap(func(raws, *args, **kwargs), fmt)

    return joined


def _where(condition: Any, *choices: Any) -> Any:
    mask = condition.raw != 0 if isinstance(condition, FixedArray) else np.asarray(condition, bool)
    if not choices:
        return np.nonzero(mask)
    if not any(isinstance(x, FixedArray) for x in choices):
        return np.where(mask, *choices)
    raws, fmt = operands.join("where", [_pair(x) for x in choices])
    return FixedArray._wrap(np.where(mask, *raws), fmt)


def _dot(a: Any, b: Any) -> FixedArray:
    scalars = [x for x in (a, b) if not isinstance(x, FixedArray) or x.ndim == 0]
    if scalars:
        product: FixedArray = np.multiply(a, b)
        return product
    if b.ndim > 2:
        raise FormatError(
            f"np.dot of shapes {a.shape} and {b.shape}: beyond matrices write a @ b, which broadcasts"
        )
    return _array("dot", a).dot(b)


def _array_equal(a: Any, b: Any) -> bool:
    return bool(np.shape(a) == np.shape(b) and np.all(a == b))


def _full_like(x: FixedArray, fill_value: Any, shape: Any = None) -> FixedArray:
    number = operands.scalar(fill_value)
    raw = operands.raw_of(number, x.fmt) if isinstance(number, int | float) else None
    if raw is None:
        raise FormatError(
            f"full_like with {fill_value!r}: {x.fmt} does not hold it; take a value on its grid"
        )
    return FixedArray._wrap(np.full(x.shape if shape is None else shape, raw, x.fmt.dtype), x.fmt)


def _pad(
    x: FixedArray, pad_width: Any, mode: str = "constant", constant_values: Any = 0, **kwargs: Any
) -> FixedArray:
    if mode not in PADS:
        raise FormatError(f"np.pad of a FixedArray by mode={mode!r}: take one of {', '.join(PADS)}")
    if mode != "constant":
        return FixedArray._wrap(np.pad(x.raw, pad_width, mode, **kwargs), x.fmt)  # type: ignore[call-overload]
    raw = int(_full_like(x, constant_values, ()).raw)
    return FixedArray._wrap(np.pad(x.raw, pad_width, mode="constant", constant_values=raw), x.fmt)


def _clip(x: Any, a_min: Any = None, a_max: Any = None, **newer: Any) -> FixedArray:
    limits = {"min": a_min, "max": a_max} | newer  # the names that NumPy 2.1 added
    return _array("clip", x).clip(limits.pop("min"), limits.pop("max"), **limits)


def _cumsum(x: FixedArray, axis: int | None = None) -> FixedArray:
    array = x.ravel() if axis is None else x
    more = max(array.shape[axis or 0] - 1, 0).bit_length()
    fmt = Fixed(x.fmt.width + more, x.fmt.int_bits + more, x.fmt.signed)
    return FixedArray._wrap(np.cumsum(array.raw.astype(fmt.dtype), axis=axis or 0), fmt if more else x.fmt)


HANDLERS: dict[Any, Handler] = {
    **{getattr(np, name): _move(getattr(np, name)) for name in MOVES},
    **{getattr(np, name): _split(getattr(np, name)) for name in SPLITS},
    **{getattr(np, name): _question(getattr(np, name)) for name in QUESTIONS},
    **{getattr(np, name): _join(getattr(np, name)) for name in JOINS},
    np.sum: reduced("sum"),
    np.max: reduced("max"),
    np.min: reduced("min"),
    np.amax: reduced("max"),
    np.amin: reduced("min"),
    np.cumsum: _cumsum,
    np.where: _where,
    np.clip: _clip,
    np.dot: _dot,
    np.outer: lambda a, b: np.multiply(_array("outer", a).ravel()[:, None], _array("outer", b).ravel()),
    np.array_equal: _array_equal,
    np.full_like: _full_like,
    np.ones_like: lambda x: _full_like(x, 1),
    np.pad: _pad,
}
