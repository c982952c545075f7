"""Arrays of fixed-point numbers that work with NumPy: operators, broadcasting, slices, functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.mixins import NDArrayOperatorsMixin

from hwmodel.errors import FormatError
from hwmodel.fixedpoint import _array_operands as operands
from hwmodel.fixedpoint._arith import COMPARISONS, SHIFTS, arithmetic
from hwmodel.fixedpoint._cast import requantize
from hwmodel.fixedpoint._dot import accumulator_format, matmul
from hwmodel.fixedpoint._float import dequantize, quantize
from hwmodel.fixedpoint._format import Fixed, NonFinite
from hwmodel.fixedpoint._raw import Raws, as_format, as_raw
from hwmodel.fixedpoint._report import active, unobserved

Index = Any
Axis = int | tuple[int, ...] | None

OPERATORS: dict[str, str] = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "negative": "neg",
    "bitwise_and": "&",
    "bitwise_or": "|",
    "bitwise_xor": "^",
    "invert": "~",
    "left_shift": "<<",
    "right_shift": ">>",
    "equal": "==",
    "not_equal": "!=",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
}


class FixedArray(NDArrayOperatorsMixin):
    """An array of raws with their format; operators give the result types of ap_fixed.

    Arrays cannot be changed. A slice, a transposed or reshaped array shares memory with its source; `raw` is
    read-only. `x += y` makes a new array in the format of `x`, as an assignment in C++ casts to the type on its left.

    Operands may be other `FixedArray` and whole numbers, which stand for themselves in the least `ap_int` or `ap_uint`
    that holds them. Floats and NumPy arrays have no format and are refused, but compare exactly.

    Parameters:
        raw: integers of any shape; they are copied.
        fmt: their format, or its text.
        shape: shape to bring them to; None keeps theirs.

    Source: AMD ap_types headers, ap_fixed_base.h, for the types of results.

    Raises:
        FormatError: where a raw is no integer or does not fit the format.

    Example:
        >>> x = FixedArray([10, -48], Fixed(8, 3))
        >>> print(x * x + 1)
        [1.09765625 3.25      ] ap_fixed<17,7>
        >>> x[0] / x[1], x > 0
        (FixedArray(-6, Fixed(14, 9)), array([ True, False]))
        >>> x + 0.1
        Traceback (most recent call last):
            ...
        hwmodel.errors.FormatError: '+' with the float 0.1: it has no format; write FixedArray.from_float(0.1, fmt) ...
    """

    _raw: Raws
    _fmt: Fixed
    __slots__ = ("_fmt", "_raw")
    __hash__ = None  # type: ignore[assignment]  # == gives an array

    def __init__(self, raw: Any, fmt: Fixed | str, shape: tuple[int, ...] | None = None) -> None:
        self._fmt = as_format(fmt)
        given = raw._raw if isinstance(raw, FixedArray) else raw
        array = np.array(as_raw(given, self._fmt), self._fmt.dtype, copy=True)
        self._raw = array if shape is None else array.reshape(shape)
        self._raw.flags.writeable = False

    @classmethod
    def from_float(cls, x: Any, fmt: Fixed | str, *, nonfinite: NonFinite = "error") -> FixedArray:
        """Cast numbers to a format, as `quantize` does.

        Example:
            >>> FixedArray.from_float([0.3, -1.5], "ap_fixed<8,3,AP_RND,AP_SAT>")
            FixedArray([10, -48], Fixed(8, 3, rounding='RND', overflow='SAT'))
        """
        if isinstance(x, FixedArray):
            return x.astype(fmt)
        target, observer = as_format(fmt), active()
        if observer is None:
            return cls._wrap(quantize(x, target, nonfinite=nonfinite), target)
        with unobserved():
            raw = quantize(x, target, nonfinite=nonfinite)
        observer.quantized(x, target, raw)
        return cls._wrap(raw, target)

    @classmethod
    def _wrap(cls, raw: Any, fmt: Fixed) -> FixedArray:
        """Take raws that are known to fit, without a copy."""
        array = object.__new__(cls)
        array._fmt = fmt
        array._raw = np.asarray(raw, fmt.dtype).view()
        array._raw.flags.writeable = False
        return array

    def __reduce__(self) -> tuple[Any, ...]:
        return FixedArray, (np.array(self._raw), self._fmt)

    # ----------------------------------------------------------------------------------------- what it is

    @property
    def raw(self) -> Raws:
        """The raws, read-only."""
        return self._raw

    @property
    def fmt(self) -> Fixed:
        """The format."""
        return self._fmt

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self._raw.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._raw.ndim

    @property
    def size(self) -> int:
        """Number of values."""
        return self._raw.size

    @property
    def T(self) -> FixedArray:  # noqa: N802  # the name that NumPy gave it
        """The axes in reverse order."""
        return self._wrap(self._raw.T, self._fmt)

    def __len__(self) -> int:
        return len(self._raw)

    def __iter__(self) -> Iterator[FixedArray]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Index) -> FixedArray:
        return self._wrap(self._raw[index], self._fmt)

    def __setitem__(self, index: Index, value: Any) -> None:
        raise FormatError("a FixedArray cannot be changed; make a new one with np.where or np.concatenate")

    def __repr__(self) -> str:
        """The call that makes this array; a summary above NumPy's print threshold."""
        if self.size > np.get_printoptions()["threshold"]:
            return f"<FixedArray of shape {self.shape} in {self._fmt}>"
        lost = f", shape={self.shape}" if self.size == 0 and self.ndim > 1 else ""
        return f"FixedArray({[] if lost else self._raw.tolist()}, {self._fmt!r}{lost})"

    def __str__(self) -> str:
        """The values and the format."""
        try:
            values = self.to_float()
        except FormatError:
            text = np.array2string(self.to_fractions(), formatter={"all": str})
        else:
            text = str(values)
        return f"{text} {self._fmt}"

    def __format__(self, spec: str) -> str:
        return format(float(self), spec) if spec else str(self)

    # ----------------------------------------------------------------------------------------- conversions

    def astype(self, fmt: Fixed | str) -> FixedArray:
        """Cast to another format, as an assignment of ap_fixed does.

        Example:
            >>> FixedArray([5, 100], Fixed(8, 4)).astype(Fixed(4, 3, rounding="RND", overflow="SAT"))
            FixedArray([1, 7], Fixed(4, 3, rounding='RND', overflow='SAT'))
        """
        target, observer = as_format(fmt), active()
        if observer is None:
            return self._wrap(requantize(self._raw, self._fmt, target), target)
        with unobserved():
            raw = requantize(self._raw, self._fmt, target)
        observer.cast(self._raw, self._fmt.frac_bits, target)
        return self._wrap(raw, target)

    def to_float(self, exact: bool = True) -> npt.NDArray[np.float64]:
        """Give the values as float64; `exact=False` allows the nearest float.

        Raises:
            FormatError: where float64 does not hold a value.
        """
        return dequantize(self._raw, self._fmt, exact=exact)

    def to_fractions(self) -> npt.NDArray[Any]:
        """Give the values as an object array of exact Fractions."""
        out = np.empty(self.size, object)
        out[:] = [int(raw) * self._fmt.lsb for raw in self._raw.reshape(-1)]
        return out.reshape(self.shape)

    def tolist(self) -> Any:
        """Give the values as nested lists of floats."""
        return self.to_float().tolist()

    def item(self) -> Fraction:
        """Give the only value, exactly.

        Raises:
            FormatError: for an array of more or fewer values.
        """
        if self.size != 1:
            raise FormatError(f"an array of shape {self.shape} is no single value; index it first")
        return int(self._raw.reshape(-1)[0]) * self._fmt.lsb

    def __float__(self) -> float:
        self.item()
        return float(self.to_float().reshape(-1)[0])

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Values as floats, or in another dtype that holds every one of them."""
        if copy is False:
            raise ValueError(
                "the values of a FixedArray are made on request; leave copy=False out, or take x.raw"
            )
        wanted = np.dtype(np.float64 if dtype is None else dtype)
        if wanted == np.float64:
            return self.to_float()
        exact = self.to_fractions()
        if wanted.kind == "O":
            return exact
        with np.errstate(over="ignore", invalid="ignore"):
            try:
                converted = exact.astype(wanted)
                same = all(_exactly(c) == e for c, e in zip(converted.flat, exact.flat, strict=True))
            except (OverflowError, TypeError, ValueError):
                same = False
        if not same:
            raise FormatError(
                f"{wanted} does not hold every value of this {self._fmt} array; take float64 or object"
            )
        return converted

    # ----------------------------------------------------------------------------------------- NumPy protocol

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        if kwargs.pop("out", None) is not None:
            raise FormatError(
                f"np.{name}: a FixedArray cannot be changed, so out= is refused; assign the result"
            )
        if method == "reduce" and name in ("add", "maximum", "minimum"):
            return reduced({"add": "sum", "maximum": "max", "minimum": "min"}[name])(
                *inputs, **({"axis": 0} if len(inputs) < 2 else {}) | kwargs
            )
        if method != "__call__" or kwargs:
            more = f".{method}" if method != "__call__" else f"({', '.join(f'{k}=' for k in kwargs)})"
            raise FormatError(f"np.{name}{more} is not defined for FixedArray; np.asarray(x) gives floats")
        if name in OPERATORS:
            return _operate(OPERATORS[name], *inputs)
        found = UFUNCS.get(name)
        if found is None:
            raise FormatError(
                f"np.{name} is not defined for FixedArray, as ap_fixed has no type for its result; use "
                "np.asarray(x) for floats, and FixedArray.from_float to come back"
            )
        return found(*inputs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from hwmodel.fixedpoint._array_functions import call_function

        return call_function(func, args, kwargs)

    def __iadd__(self, other: Any) -> FixedArray:
        return self._assigned("+", other)

    def __isub__(self, other: Any) -> FixedArray:
        return self._assigned("-", other)

    def __imul__(self, other: Any) -> FixedArray:
        return self._assigned("*", other)

    def __itruediv__(self, other: Any) -> FixedArray:
        return self._assigned("/", other)

    def __iand__(self, other: Any) -> FixedArray:
        return self._assigned("&", other)

    def __ior__(self, other: Any) -> FixedArray:
        return self._assigned("|", other)

    def __ixor__(self, other: Any) -> FixedArray:
        return self._assigned("^", other)

    def __ilshift__(self, other: Any) -> FixedArray:
        return self._assigned("<<", other)

    def __irshift__(self, other: Any) -> FixedArray:
        return self._assigned(">>", other)

    def _assigned(self, symbol: str, other: Any) -> FixedArray:
        result: FixedArray = _operate(symbol, self, other)
        return result.astype(self._fmt)

    # ----------------------------------------------------------------------------------------- reductions, products

    def sum(self, axis: Axis = None, keepdims: bool = False) -> FixedArray:
        """Add up along axes, in a format that holds every sum exactly.

        Example:
            >>> FixedArray([100, 100, 100], Fixed(8, 3)).sum()
            FixedArray(300, Fixed(10, 5))
        """
        axes = range(self.ndim) if axis is None else normalize_axis_tuple(axis, self.ndim)
        terms = prod(self.shape[i] for i in axes)
        more = max(terms - 1, 0).bit_length()
        fmt = Fixed(self._fmt.width + more, self._fmt.int_bits + more, self._fmt.signed)
        return self._wrap(
            self._raw.astype(fmt.dtype).sum(axis, keepdims=keepdims), fmt if more else self._fmt
        )

    def max(self, axis: Axis = None, keepdims: bool = False) -> FixedArray:
        """Give the greatest values along axes."""
        return self._wrap(self._raw.max(axis, keepdims=keepdims), self._fmt)

    def min(self, axis: Axis = None, keepdims: bool = False) -> FixedArray:
        """Give the least values along axes."""
        return self._wrap(self._raw.min(axis, keepdims=keepdims), self._fmt)

    def dot(
        self, other: FixedArray, accumulator: Fixed | str | None = None, each_step: bool = True
    ) -> FixedArray:
        """Multiply as `@` does, with the casts of a hardware accumulator.

        Parameters:
            other: the factor on the right.
            accumulator: format of the sums; None takes one in which nothing is lost, as `@` does.
            each_step: as in `hwmodel.fixedpoint.dot`: cast after each term, or once at the end.

        Example:
            >>> a, b = FixedArray([100, 100, -100], "ap_fixed<8,8>"), FixedArray([1, 1, 1], "ap_fixed<8,8>")
            >>> a @ b, a.dot(b, "ap_fixed<8,8,AP_TRN,AP_SAT>")
            (FixedArray(100, Fixed(17, 17)), FixedArray(27, Fixed(8, 8, overflow='SAT')))
        """
        if not isinstance(other, FixedArray):
            raise operands.refusal("@", other)
        if not self.ndim or not other.ndim:
            raise FormatError(
                f"'@' of shapes {self.shape} and {other.shape}: both need an axis; write * for scalars"
            )
        a, b = (self._raw, self._fmt), (other._raw, other._fmt)
        if accumulator is None:
            target = accumulator_format(self._fmt, other._fmt, max(self.shape[-1], 1))
        else:
            target = as_format(accumulator, "accumulator")
        observer = active()
        with unobserved():
            raw = matmul(*a, *b, target, each_step)
        if observer is not None and accumulator is None:
            observer.exact("@", target, raw.size)
        elif observer is not None:
            x = self._raw if self.ndim > 1 else self._raw[None]
            y = other._raw if other.ndim > 1 else other._raw[:, None]
            observer.product(x, self._fmt, y, other._fmt, target, each_step, result=raw.shape)
        return self._wrap(raw, target)

    def clip(self, least: Any = None, greatest: Any = None) -> FixedArray:
        """Limit the values, in this format; the limits are numbers on its grid, or arrays, which may widen it."""
        return _clip(self, least, greatest)

    def reshape(self, *shape: Any) -> FixedArray:
        """Give the same values in another shape."""
        return self._wrap(self._raw.reshape(*shape), self._fmt)

    def ravel(self) -> FixedArray:
        """Give the values along one axis."""
        return self._wrap(self._raw.ravel(), self._fmt)

    def transpose(self, *axes: Any) -> FixedArray:
        """Give the axes in another order."""
        return self._wrap(self._raw.transpose(*axes), self._fmt)


# --------------------------------------------------------------------------------------------- operators


def _operate(symbol: str, *inputs: Any) -> Any:
    """Apply an operator of ap_fixed."""
    if symbol in COMPARISONS:
        return operands.compare(symbol, *(_bare(x) for x in inputs))
    a: Any
    b: Any
    if symbol in SHIFTS:
        number, count = inputs
        if not isinstance(number, FixedArray):
            raise FormatError(
                f"'{symbol}' of {number!r} by a FixedArray: shift a FixedArray by whole numbers"
            )
        a, b = (number._raw, number._fmt), operands.shift_count(symbol, _bare(count))
    else:
        pairs = [operands.operand(symbol, _bare(x)) for x in inputs]
        a, b = pairs[0], pairs[1] if len(pairs) > 1 else (None, None)
    observer = active()
    if observer is None:
        return FixedArray._wrap(*arithmetic(symbol, *a, *b))
    with unobserved():
        raw, fmt = arithmetic(symbol, *a, *b)
    observer.arithmetic(symbol, a[0], a[1], b[0], b[1], raw, fmt)
    return FixedArray._wrap(raw, fmt)


def _exactly(number: Any) -> Any:
    """A NumPy scalar as a Python number of the same value: long doubles have none, but as a quotient."""
    if isinstance(number, np.longdouble):
        return Fraction(*number.as_integer_ratio())
    return number.item()


def reduced(name: str) -> Callable[..., FixedArray]:
    """Give the function that a reduction of NumPy is on this class; it takes an axis and keepdims."""

    def reduction(x: Any, axis: Axis = None, keepdims: bool = False, **further: Any) -> FixedArray:
        given = [key for key, value in further.items() if value is not None]
        if not isinstance(x, FixedArray):
            raise operands.refusal(name, x)
        if given:
            raise FormatError(f"np.{name} of a FixedArray takes axis and keepdims, not {', '.join(given)}=")
        found: FixedArray = getattr(x, name)(axis, keepdims)
        return found

    return reduction


def _bare(x: Any) -> Any:
    """Give the raws and format of an array; leave others as they are."""
    return operands.Pair(x._raw, x._fmt) if isinstance(x, FixedArray) else x


def _absolute(x: FixedArray) -> FixedArray:
    """The magnitude of the least number needs all bits, unsigned."""
    fmt = Fixed(x.fmt.width, x.fmt.int_bits, signed=False)
    raw = x.raw.astype(object) if fmt.dtype == object else x.raw
    return FixedArray._wrap(abs(raw), fmt) if x.fmt.signed else x


def _extreme(choose: Callable[..., Any]) -> Callable[[Any, Any], FixedArray]:
    def chosen(a: Any, b: Any) -> FixedArray:
        raws, fmt = operands.join(choose.__name__, [_bare(a), _bare(b)])
        return FixedArray._wrap(choose(*raws), fmt)

    return chosen


def _clip(x: FixedArray, least: Any, greatest: Any) -> FixedArray:
    maximum, minimum = UFUNCS["maximum"], UFUNCS["minimum"]
    for limit, function, outside in ((least, maximum, x.fmt.min), (greatest, minimum, x.fmt.max)):
        if isinstance(limit, FixedArray) or limit is not None and operands.limits(limit, x.fmt, outside):
            x = function(x, limit)
    return x


def _product(a: Any, b: Any) -> FixedArray:
    if not isinstance(a, FixedArray):
        raise operands.refusal("@", a)
    return a.dot(b)


UFUNCS: dict[str, Callable[..., Any]] = {
    "absolute": _absolute,
    "positive": lambda x: x,
    "square": lambda x: _operate("*", x, x),
    "maximum": _extreme(np.maximum),
    "minimum": _extreme(np.minimum),
    "matmul": _product,
}
