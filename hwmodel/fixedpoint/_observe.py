"""Counting for reports: each operation worked out once more, beside its result, to see which numbers it changed.

Nothing here runs unless a report is open, so it is written for exactness: where int64 does not hold a number, Python
ints do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.fixedpoint._arith import SHIFTS, operator_name
from hwmodel.fixedpoint._cast import INT64_BITS, cast_array, cast_of, requantize, shift_and_round
from hwmodel.fixedpoint._dot import dot, matmul, sum_formats
from hwmodel.fixedpoint._float import is_special, numbers_of, quantize, ratio
from hwmodel.fixedpoint._format import Fixed, NonFinite, NumberFormat
from hwmodel.fixedpoint._raw import Raws, as_format, as_integers, bounds
from hwmodel.fixedpoint._report import (
    EVENTS,
    Entry,
    Number,
    Report,
    Witness,
    active,
    call_site,
    unobserved,
)

Mask = npt.NDArray[np.bool_]
Index = tuple[int, ...]

FLOAT_BITS = 53  # words of so many bits are exact in float64


class Observer:
    """What operations tell their numbers to; it hands the counts to every report that is open.

    What its methods compute on the way is not counted, so operations may call them while a report is open.

    Parameters:
        reports: the open reports, the outermost first.
        place: what makes the place of a witness of sums from its place there; None keeps it.
    """

    def __init__(self, reports: tuple[Report, ...], place: Callable[[Index], Index] | None = None) -> None:
        self.reports = reports
        self._place = place

    def at(self, place: Callable[[Index], Index]) -> Observer:
        """Give one whose witnesses have the places that a function makes of theirs."""
        return Observer(self.reports, place)

    @unobserved()
    def quantized(
        self,
        x: Any,
        fmt: Fixed | NumberFormat,
        raw: Raws,
        operation: str = "quantize",
        name: str | None = None,
    ) -> None:
        """Count a cast of numbers (floats, integers or Fractions) to raws of a format."""
        values = numbers_of(x)
        if isinstance(fmt, Fixed):
            masks = _fixed_masks(values, fmt)
        else:
            masks = _other_masks(values, fmt, raw)
        entry = Entry(name or call_site(), operation, str(fmt), seen=values.size)
        after = np.asarray(raw)
        _fill(entry, masks, lambda place: (_number(values[place]), _value(after[place], fmt)))
        if values.size:
            entry.least, entry.greatest = _ends(values)
        self._add(entry)

    @unobserved()
    def cast(
        self,
        number: Raws,
        frac_bits: int,
        dst: Fixed,
        operation: str = "requantize",
        name: str | None = None,
        step: int | None = None,
    ) -> None:
        """Count a cast of integers with `frac_bits` fractional bits to a format."""
        number = np.asarray(number)
        masks, after = _cast_masks(number, frac_bits, dst)
        lsb = Fraction(2) ** -frac_bits
        entry = Entry(name or call_site(), operation, str(dst), seen=number.size)
        _fill(entry, masks, lambda place: (int(number[place]) * lsb, int(after[place]) * dst.lsb), step)
        if self._place is not None:
            places = self._place
            entry.witnesses = {
                event: replace(found, index=places(found.index)) for event, found in entry.witnesses.items()
            }
        if number.size:
            low, high = bounds(number)
            entry.least, entry.greatest = low * lsb, high * lsb
        self._add(entry)

    @unobserved()
    def arithmetic(
        self,
        op: str,
        a: Raws,
        a_fmt: Fixed,
        b: Any,
        b_fmt: Fixed | None,
        raw: Raws,
        fmt: Fixed,
        name: str | None = None,
    ) -> None:
        """Count an operator: only quotients and shifts can lose anything."""
        symbol = operator_name(op)
        raw = np.asarray(raw)
        entry = Entry(name or call_site(), symbol, str(fmt), seen=raw.size)
        if symbol == "/" or symbol in SHIFTS:
            left, right = np.broadcast_arrays(np.asarray(a).astype(object), np.asarray(b).astype(object))
            if symbol == "/" and b_fmt is not None:
                masks = _quotient_masks(left, a_fmt, right, b_fmt, raw, fmt)
            else:
                count = np.clip(right if symbol == "<<" else -right, -fmt.width, fmt.width)
                masks = _shift_masks(left, count, raw)  # a shift by more than the width does no more

            def pair(place: tuple[int, ...]) -> tuple[Number, Number]:
                before = int(left[place]) * a_fmt.lsb
                if symbol == "/" and b_fmt is not None:
                    below = int(right[place]) * b_fmt.lsb
                    before = before / below if below else before
                else:
                    before *= Fraction(2) ** int(right[place] if symbol == "<<" else -right[place])
                return before, int(raw[place]) * fmt.lsb

            _fill(entry, masks, pair)
        self._add(entry)

    def exact(self, operation: str, fmt: Fixed, seen: int, name: str | None = None) -> None:
        """Count results in which nothing can be lost."""
        self._add(Entry(name or call_site(), operation, str(fmt), seen=seen))

    @unobserved()
    def product(
        self,
        a: Raws,
        a_fmt: Fixed,
        b: Raws,
        b_fmt: Fixed,
        accumulator: Fixed,
        each_step: bool,
        start: Raws | None = None,
        result: Index | None = None,
        operation: str = "dot",
        name: str | None = None,
    ) -> None:
        """Count the casts of sums of products, (..., rows, terms) by (..., terms, columns), of a result's shape."""
        pairs = ((a[..., :, k, None], b[..., None, k, :]) for k in range(a.shape[-1]))
        shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
        total = np.zeros(shape, np.int64) if start is None else np.broadcast_to(start, shape)
        where = name or call_site()
        self.sums(pairs, a.shape[-1], a_fmt, b_fmt, total, accumulator, each_step, operation, where, result)

    @unobserved()
    def sums(
        self,
        pairs: Iterable[tuple[Raws, Raws]],
        terms: int,
        a_fmt: Fixed,
        b_fmt: Fixed,
        total: Raws,
        accumulator: Fixed,
        each_step: bool,
        operation: str,
        name: str,
        result: Index | None = None,
    ) -> None:
        """Count the casts of sums whose terms are products of pairs, begun at `total`, of a result's shape."""
        shape = total.shape if result is None else result
        frac = max(a_fmt.frac_bits + b_fmt.frac_bits, accumulator.frac_bits)
        up, sum_up = frac - a_fmt.frac_bits - b_fmt.frac_bits, frac - accumulator.frac_bits
        bits = max(a_fmt.magnitude_bits + b_fmt.magnitude_bits + up, accumulator.magnitude_bits + sum_up)
        bits += 1 if each_step else terms.bit_length() + 1
        kind = np.dtype(np.int64 if cast_of(frac, accumulator).fits_int64(bits) else object)
        total = total.astype(kind)
        number = np.asarray(total << sum_up, kind)
        for step, (a, b) in enumerate(pairs):
            number = np.asarray(number + ((a.astype(kind) * b.astype(kind)) << up), kind)
            if each_step:
                self.cast(number.reshape(shape), frac, accumulator, operation, name, step)
                number = np.asarray(_cast(number, frac, accumulator).astype(kind) << sum_up, kind)
        if not each_step:
            self.cast(number.reshape(shape), frac, accumulator, operation, name)

    def _add(self, entry: Entry) -> None:
        for collected in self.reports:
            collected.add(entry)


# --------------------------------------------------------------------------------------------- what was lost


def _cast(number: Raws, frac_bits: int, dst: Fixed) -> Raws:
    low, high = bounds(number)
    return cast_array(number, max(high, -low - 1).bit_length(), cast_of(frac_bits, dst))


def _cast_masks(number: Raws, frac_bits: int, dst: Fixed) -> tuple[dict[str, Mask], Raws]:
    cast = cast_of(frac_bits, dst)
    low, high = bounds(number)
    if not cast.fits_int64(max(high, -low - 1).bit_length()):
        number = number.astype(object)
    rounded = shift_and_round(number, cast)
    dropped = number & ((1 << cast.drop) - 1)
    outside = np.asarray((rounded < cast.low) | (rounded > cast.high), bool)
    # A value that left the range is counted there, and not as rounded as well.
    return _masks(np.asarray(dropped != 0, bool), outside, dst), _cast(number, frac_bits, dst)


def _masks(inexact: Mask, outside: Mask, dst: Fixed) -> dict[str, Mask]:
    none = np.zeros_like(outside)
    wraps = dst.overflow in ("WRAP", "WRAP_SM")
    return {
        "rounded": inexact & ~outside,
        "saturated": none if wraps else outside,
        "wrapped": outside if wraps else none,
    }


def _fixed_masks(values: Any, fmt: Fixed) -> dict[str, Mask]:
    """Cast once more to a format too wide to overflow, and compare."""
    if values.dtype.kind != "f" or fmt.width > INT64_BITS:
        return _cast_masks(_with_sticky_bit(values, fmt), fmt.frac_bits + 3, fmt)[0]
    wide = Fixed(INT64_BITS + 1, INT64_BITS + 1 - fmt.frac_bits, rounding=fmt.rounding, overflow="SAT")
    rounded = quantize(values, wide, nonfinite="saturate")
    cast = cast_of(fmt.frac_bits, fmt)
    outside = np.asarray((rounded < cast.low) | (rounded > cast.high), bool)
    finite = np.where(np.isfinite(values), values, 0).astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        scaled = np.ldexp(finite, fmt.frac_bits)
    inexact = (scaled != np.floor(scaled)) | ((scaled == 0) & (values != 0)) | ~np.isfinite(values)
    return _masks(np.asarray(inexact, bool), outside, fmt)


def _with_sticky_bit(values: Any, fmt: Fixed) -> Raws:
    """Numbers as integers with three bits below the last one of a format; the third tells of all further ones."""
    words = np.empty(values.size, object)
    for i, value in enumerate(values.reshape(-1)):
        if is_special(value):
            words[i] = 1 if value != value else (1 if value > 0 else -1) << (fmt.width + 8)
            continue
        scaled = Fraction(*ratio(value)) * Fraction(2) ** (fmt.frac_bits + 2)
        whole = scaled.__floor__()
        words[i] = whole << 1 | (scaled != whole)
    return words.reshape(values.shape)


def _other_masks(values: Any, fmt: NumberFormat, raw: Raws) -> dict[str, Mask]:
    """Compare with the value of the code; what lies beyond the ends is saturated."""
    before, after = values.astype(np.float64), _decoded(as_integers(raw, "raw"), fmt)
    changed = np.asarray(before != after, bool) & ~(np.isnan(before) & np.asarray(after != after, bool))
    outside = np.isinf(before)
    ends = getattr(fmt, "min", None), getattr(fmt, "max", None)
    if None not in ends:
        outside = outside | (before < float(ends[0])) | (before > float(ends[1]))  # type: ignore[arg-type]
    return {
        "rounded": np.asarray(changed & ~outside, bool),
        "saturated": np.asarray(changed & outside, bool),
        "wrapped": np.zeros(before.shape, bool),
    }


def _decoded(raw: Raws, fmt: NumberFormat) -> npt.NDArray[Any]:
    """Values of codes; Fractions of fixed-point words that float64 may not hold."""
    fixed = getattr(fmt, "fixed", None)
    if fixed is None or fixed.width <= FLOAT_BITS:
        return fmt.decode(raw)
    values = np.empty(raw.size, object)
    values[:] = [int(word) * fixed.lsb for word in raw.reshape(-1)]
    return values.reshape(raw.shape)


def _quotient_masks(a: Raws, a_fmt: Fixed, b: Raws, b_fmt: Fixed, raw: Raws, fmt: Fixed) -> dict[str, Mask]:
    shift = fmt.frac_bits + b_fmt.frac_bits - a_fmt.frac_bits
    up, down = max(shift, 0), max(-shift, 0)
    rest = abs((a << up) - ((raw.astype(object) * b) << down))
    zero = np.asarray(b == 0, bool)
    unit: Any = abs(b)
    wrapped = np.asarray(rest >= unit << down, bool) & ~zero
    none = np.zeros_like(wrapped)
    return {"rounded": np.asarray(rest != 0, bool) & ~wrapped & ~zero, "saturated": none, "wrapped": wrapped}


def _shift_masks(a: Raws, count: Raws, raw: Raws) -> dict[str, Mask]:
    left, right = np.maximum(count, 0), np.maximum(-count, 0)
    after = raw.astype(object)
    none = np.zeros(after.shape, bool)
    return {
        "rounded": np.asarray((after << right != a) & (count < 0), bool),
        "saturated": none,
        "wrapped": np.asarray((a << left != after) & (count > 0), bool),
    }


# --------------------------------------------------------------------------------------------- witnesses


def _fill(entry: Entry, masks: dict[str, Mask], pair: Any, step: int | None = None) -> None:
    """Put counts and first values into an entry."""
    for event in EVENTS:
        mask = masks[event]
        count = int(np.count_nonzero(mask))
        setattr(entry, event, count)
        if count:
            first = int(np.argmax(mask.reshape(-1)))
            place = tuple(int(i) for i in np.unravel_index(first, mask.shape)) if mask.ndim else ()
            before, after = pair(place)
            entry.witnesses[event] = Witness(place, before, after, step)


def _number(value: Any) -> Number:
    if is_special(value) or isinstance(value, float | np.float32 | np.float64):
        return float(value)
    return Fraction(*ratio(value))


def _value(raw: Any, fmt: Fixed | NumberFormat) -> Number:
    if isinstance(fmt, Fixed):
        return int(raw) * fmt.lsb
    value = _decoded(as_integers(raw, "raw"), fmt)[()]
    return value if isinstance(value, Fraction) else float(value)


def _ends(values: Any) -> tuple[Number, Number]:
    if values.dtype.kind == "f":
        known = values[~np.isnan(values)]
        return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    every = [_number(value) for value in values.reshape(-1) if value == value]
    return (min(every), max(every)) if every else (0.0, 0.0)


# --------------------------------------------------------------------------------------------- by explicit use


def _exact_format(a: Fixed | str, b: Fixed | str, terms: int, start: Any) -> Fixed:
    return sum_formats(as_format(a), as_format(b), None, terms, start)[1]


def _observer(report: Report | None) -> Observer | None:
    found = active()
    if report is None:
        return found
    others = () if found is None else tuple(r for r in found.reports if r is not report)
    return Observer((*others, report))


def quantize_reported(
    x: Any,
    fmt: Fixed | str | NumberFormat,
    *,
    nonfinite: NonFinite = "error",
    name: str | None = None,
    report: Report | None = None,
) -> Raws:
    """Do `quantize` and count it, in `report` and in those that are open.

    Parameters:
        x: as in `quantize`.
        fmt: as in `quantize`.
        nonfinite: as in `quantize`.
        name: what the report calls this place; None takes that of `site(...)`, or file and line.
        report: a report to count in besides.

    Example:
        >>> r = Report()
        >>> quantize_reported([0.3, -7.0], Fixed(8, 3), name="input", report=r)
        array([ 9, 32])
        >>> r.total("rounded"), r.total("wrapped")
        (1, 1)
    """
    target = Fixed.parse(fmt) if isinstance(fmt, str) else fmt
    with unobserved():
        raw = quantize(x, target, nonfinite=nonfinite)
    observer = _observer(report)
    if observer is not None:
        observer.quantized(x, target, raw, name=name)
    return raw


def requantize_reported(
    raw: Any, src: Fixed | str, dst: Fixed | str, *, name: str | None = None, report: Report | None = None
) -> Raws:
    """Do `requantize` and count it; see `quantize_reported`.

    Example:
        >>> r = Report()
        >>> requantize_reported([5, 100], Fixed(8, 4), Fixed(4, 3, overflow="SAT"), name="act", report=r)
        array([0, 7])
        >>> print(r.entries[0].witnesses["saturated"])
        x[1] = 6.25 -> 3.5
    """
    source, target = as_format(src, "src"), as_format(dst, "dst")
    with unobserved():
        out = requantize(raw, source, target)
    observer = _observer(report)
    if observer is not None:
        observer.cast(as_integers(raw, "raw"), source.frac_bits, target, name=name)
    return out


def dot_reported(
    a_raw: Any,
    a_fmt: Fixed | str,
    b_raw: Any,
    b_fmt: Fixed | str,
    accumulator: Fixed | str | None = None,
    each_step: bool = True,
    start: Any = None,
    *,
    name: str | None = None,
    report: Report | None = None,
) -> Raws:
    """Do `dot` and count the casts of its sums; see `quantize_reported`.

    Example:
        >>> r, f = Report(), Fixed(8, 8)
        >>> int(dot_reported([100, 100], f, [1, 1], f, Fixed(8, 8, overflow="SAT"), name="acc", report=r))
        127
        >>> print(r.entries[0].seen, r.entries[0].witnesses["saturated"])
        2 x at step 1 = 200.0 -> 127.0
    """
    with unobserved():
        out = dot(a_raw, a_fmt, b_raw, b_fmt, accumulator, each_step, start)
    observer = _observer(report)
    if observer is not None and accumulator is None:
        observer.exact("dot", _exact_format(a_fmt, b_fmt, np.shape(a_raw)[-1], start), out.size, name)
    elif observer is not None:
        a, b = np.broadcast_arrays(as_integers(a_raw, "a_raw"), as_integers(b_raw, "b_raw"))
        pairs = ((a[..., k], b[..., k]) for k in range(a.shape[-1]))
        total = np.broadcast_to(as_integers(0 if start is None else start, "start"), a.shape[:-1])
        formats = as_format(a_fmt), as_format(b_fmt)
        target = as_format(accumulator, "accumulator")
        where = name or call_site()
        observer.sums(pairs, a.shape[-1], *formats, total, target, each_step, "dot", where)
    return out


def matmul_reported(
    a_raw: Any,
    a_fmt: Fixed | str,
    b_raw: Any,
    b_fmt: Fixed | str,
    accumulator: Fixed | str | None = None,
    each_step: bool = True,
    start: Any = None,
    *,
    name: str | None = None,
    report: Report | None = None,
) -> Raws:
    """Do `matmul` and count the casts of its sums; see `quantize_reported`."""
    with unobserved():
        out = matmul(a_raw, a_fmt, b_raw, b_fmt, accumulator, each_step, start)
    observer = _observer(report)
    if observer is not None and accumulator is None:
        observer.exact("matmul", _exact_format(a_fmt, b_fmt, np.shape(a_raw)[-1], start), out.size, name)
    elif observer is not None:
        a, b = as_integers(a_raw, "a_raw"), as_integers(b_raw, "b_raw")
        x, y = a if a.ndim > 1 else a[None], b if b.ndim > 1 else b[:, None]
        begin = None
        if start is not None:
            shape = (*np.broadcast_shapes(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1])
            begin = np.broadcast_to(as_integers(start, "start"), out.shape).reshape(shape)
        formats = as_format(a_fmt), as_format(b_fmt), as_format(accumulator, "accumulator")
        observer.product(
            x, formats[0], y, formats[1], formats[2], each_step, begin, out.shape, "matmul", name
        )
    return out
