"""Arrays of times: kept apart from `hwmodel.units` so that a unit needs no NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import BareNumberError, NotRepresentableError, TimeRangeError
from hwmodel.units import _FS_PER_UNIT, MAX_TIME, Rounding, Time, _check_rounding, to_fs

MOST_SHOWN = 1000
"""Longer arrays print their ends only."""


class Times(np.ndarray[Any, np.dtype[np.int64]]):
    """Times in femtoseconds, int64, shape (n,); made by `ps([...])` and its kin.

    Example:
        >>> from hwmodel.units import ps
        >>> ps([5, 105]) + ps(1)
        ps([6, 106])
    """

    def __repr__(self) -> str:
        if self.ndim != 1:
            return f"fs({self.tolist()})"
        values = self.tolist()
        least = min((abs(v) for v in values if v), default=_FS_PER_UNIT["ps"])
        fitting = (u for u in ("ns", "ps") if least >= _FS_PER_UNIT[u])
        unit = next((u for u in fitting if all(v % (_FS_PER_UNIT[u] // 1000) == 0 for v in values)), "fs")
        scale = _FS_PER_UNIT[unit]
        shown = [str(v // scale if v % scale == 0 else v / scale) for v in values]
        if len(shown) > MOST_SHOWN:
            shown = [*shown[:3], "...", *shown[-3:]]
        return f"{unit}([{', '.join(shown)}])"

    __str__ = __repr__

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        plain = [
            np.asarray(x) if isinstance(x, Times) else int(x) if isinstance(x, Time) else x for x in inputs
        ]
        if kwargs.get("out"):
            kwargs["out"] = tuple(np.asarray(x) for x in kwargs["out"])
        result = getattr(ufunc, method)(*plain, **kwargs)
        keeps_unit = ufunc in _KEEPS_UNIT and all(isinstance(x, Times | Time) for x in inputs)
        if ufunc is np.multiply:  # of times and whole numbers
            keeps_unit = sum(isinstance(x, Times | Time) for x in inputs) == 1
        if isinstance(result, np.ndarray) and result.dtype.kind != "i":
            return result
        return as_times(result) if keeps_unit and isinstance(result, np.ndarray) else result

    def __iter__(self) -> Iterator[Any]:
        return map(Time, self.tolist()) if self.ndim == 1 else super().__iter__()

    def __getitem__(self, key: Any) -> Any:
        item = super().__getitem__(key)
        return Time(int(item)) if np.ndim(item) == 0 else item


_KEEPS_UNIT = (np.add, np.subtract, np.minimum, np.maximum)


def as_times(values: npt.NDArray[Any]) -> Times:
    """View int64 femtoseconds as `Times`."""
    return np.ascontiguousarray(values, dtype=np.int64).view(Times)


def times_from(values: Iterable[Any], scale: int, unit: str, rounding: Rounding) -> Times:
    """Multiply numbers by `scale` fs and require whole femtoseconds (or round as named)."""
    if isinstance(values, Times) or (
        isinstance(values, list | tuple) and any(isinstance(v, Time) for v in values)
    ):
        raise BareNumberError(f"{unit}({values!r}): these are times already; leave out {unit}()")
    _check_rounding(rounding)
    array = np.asarray(values)
    if array.size == 0:
        return as_times(np.zeros(array.shape, np.int64))
    if array.dtype.kind in "iu":
        # Not by abs(): the least int64 has no positive counterpart.
        for extreme in (int(array.max()), int(array.min())):
            if abs(extreme) > MAX_TIME // scale:
                raise TimeRangeError(f"{unit}(...): {extreme} {unit} is beyond 9,223 s")
        return as_times(array.astype(np.int64) * scale)
    if array.dtype.kind != "f":
        return as_times(np.array([_one(v, scale, unit, rounding) for v in array.ravel()], np.int64))
    exact = array.astype(np.float64)
    if not np.isfinite(exact).all():
        raise NotRepresentableError(f"{unit}(...): item {int(np.argmin(np.isfinite(exact)))} is not finite")
    scaled = exact * scale
    if np.abs(scaled).max() >= MAX_TIME:
        raise TimeRangeError(
            f"{unit}(...): {float(exact.flat[np.abs(exact).argmax()])} {unit} is beyond 9,223 s"
        )
    whole = {"floor": np.floor, "ceil": np.ceil}.get(rounding, np.rint)(scaled)
    # A double is taken for the decimal it prints as, so it is whole exactly if dividing gives it back.
    bad = np.rint(scaled) / scale != exact
    if rounding in ("floor", "ceil"):
        whole = np.where(bad, whole, np.rint(scaled))
    if rounding == "error" and bad.any():
        first = int(np.argmax(bad))
        raise NotRepresentableError(
            f"{unit}(...): item {first}, {float(exact.flat[first])} {unit}, is not a whole number of femtoseconds; "
            "name a rounding, as in rounding='nearest'"
        )
    return as_times(whole.astype(np.int64))


def _one(value: Any, scale: int, unit: str, rounding: Rounding) -> int:
    from hwmodel.units import _make

    if isinstance(value, str):
        raise BareNumberError(
            f'{unit}([{value!r}]): write a number, or the text "20 {unit}" without {unit}()'
        )
    return int(_make(unit, value, rounding))


def array_from(value: object, what: str) -> npt.NDArray[np.int64]:
    """See `hwmodel.units.to_fs_array`."""
    if isinstance(value, Times):
        if value.dtype.kind not in "iu":
            raise BareNumberError(
                f"{what}: an array of {value.dtype} is no longer one of times; write fs(..., rounding='nearest')"
            )
        return np.asarray(value, np.int64).ravel()
    if isinstance(value, Time | str):
        return np.array([to_fs(value, what)], np.int64)
    if isinstance(value, np.ndarray) and value.dtype.kind in "iu":
        raise BareNumberError(
            f"{what}: an array of {value.dtype} has no unit; did you mean ps(...) or fs(...) of it?"
        )
    if isinstance(value, Iterable):
        return np.array([to_fs(v, f"{what}[{i}]") for i, v in enumerate(value)], np.int64)
    return np.array([to_fs(value, what)], np.int64)
