"""Raw integers at the door: what is no integer, or outside its format, is refused by name."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import FormatError
from hwmodel.fixedpoint._format import Fixed

Raws = npt.NDArray[Any]  # int64, or object with Python ints

FLOAT_EXACT = 2.0**53  # from here on a float64 may be a rounded integer


def as_format(fmt: Any, what: str = "fmt") -> Fixed:
    """Take a `Fixed`, or the text of one.

    Raises:
        FormatError: for anything else.
    """
    if isinstance(fmt, Fixed):
        return fmt
    if isinstance(fmt, str):
        return Fixed.parse(fmt)
    raise FormatError(f"{what}={fmt!r} is no format; write Fixed(8, 3) or 'ap_fixed<8,3>'")


def as_numbers(given: Any, what: str) -> npt.NDArray[Any]:
    """Give the array that NumPy makes of the input, but never one that has rounded a large integer to a float.

    Raises:
        FormatError: for rows of different lengths.
    """
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise FormatError(f"{what}: rows of different lengths; give a rectangular array") from error
    if isinstance(given, np.ndarray | np.generic) or array.dtype.kind != "f":
        return array
    # NumPy makes floats of a list that holds integers beside floats, or both below 0 and above 2**63.
    if array.size and np.abs(array).max(initial=0, where=np.isfinite(array)) >= FLOAT_EXACT:
        whole = np.asarray(given, object)
        if any(isinstance(item, int | np.integer) for item in whole.reshape(-1)):
            return whole
    return array


def as_integers(raw: Any, what: str) -> Raws:
    """Give an int64 array, or an object array of Python ints where int64 is too small.

    Raises:
        FormatError: for floats and everything else that is no integer.
    """
    array = as_numbers(raw, what)
    if array.dtype == np.int64:
        return array
    if array.dtype.kind in "iu" and array.dtype != np.uint64:
        return array.astype(np.int64)
    if array.dtype == np.uint64:
        small = array.size == 0 or int(array.max()) < 2**63
        return array.astype(np.int64 if small else object)
    if array.size == 0 and array.dtype.kind == "f" and not isinstance(raw, np.ndarray):
        return array.astype(np.int64)  # an empty list
    if array.dtype == object:
        return _python_ints(array, what)
    hint = "floats become raws by quantize(x, fmt)" if array.dtype.kind == "f" else "raws are whole numbers"
    raise FormatError(f"{what} holds {array.dtype} where raw integers are wanted; {hint}")


def _python_ints(array: Raws, what: str) -> Raws:
    whole = np.empty(array.shape, object)
    flat = whole.reshape(-1)
    for k, item in enumerate(array.reshape(-1)):
        try:
            flat[k] = operator.index(item)
        except TypeError:
            raise FormatError(f"{what} holds {item!r} where raw integers are wanted") from None
    return whole


def bounds(raw: Raws) -> tuple[int, int]:
    """Give the least and the greatest raw; 0 and 0 of an empty array."""
    return (int(raw.min()), int(raw.max())) if raw.size else (0, 0)


def as_raw(raw: Any, fmt: Fixed, what: str = "raw") -> Raws:
    """Give raws in the container of their format, each of them checked to fit it.

    Raises:
        FormatError: naming the first raw outside the format.
    """
    array = as_integers(raw, what)
    low, high = bounds(array)
    if low < fmt.min_raw or high > fmt.max_raw:
        outside = np.flatnonzero(((array < fmt.min_raw) | (array > fmt.max_raw)).reshape(-1))
        place = np.unravel_index(int(outside[0]), array.shape)
        index = "".join(f"[{i}]" for i in place)
        raise FormatError(
            f"{what}{index} = {array[place]} does not fit {fmt} ({fmt.min_raw}..{fmt.max_raw}); "
            "cast it by requantize(raw, src, dst), or name its true format"
        )
    return array if array.dtype == fmt.dtype else array.astype(fmt.dtype)


def broadcast(a: Raws, b: Raws, what: str) -> tuple[Raws, Raws]:
    """Bring two operands to one shape.

    Raises:
        FormatError: naming both shapes where they do not fit.
    """
    try:
        both = np.broadcast_arrays(a, b)
    except ValueError:
        raise FormatError(
            f"{what}: shapes {a.shape} and {b.shape} do not broadcast; make them equal, or 1 where they differ"
        ) from None
    return both[0], both[1]
