"""What all layers share: the type of a tensor, the base class, and bounds of what a sum can reach."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, fields
from fractions import Fraction
from math import prod
from typing import Any, ClassVar, NoReturn

import numpy as np

from hwmodel.errors import FormatError, SpecError, WiringError
from hwmodel.fixedpoint._cast import cast_array, cast_of
from hwmodel.fixedpoint._format import INT64_WIDTH, Fixed
from hwmodel.fixedpoint._raw import Raws, as_format, as_integers, as_raw

INPUT = "input"  # the name by which layers read the input of their graph
MAX_NAME = 200

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_name(name: Any, what: str) -> str:
    """Refuse a name that could be no identifier in Python, C++ and Verilog alike."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise SpecError(
            f"{what} {name!r} is no usable name; begin with a letter and use letters, digits and _, "
            f"at most {MAX_NAME} of them"
        )
    return name


@dataclass(frozen=True)
class TensorType:
    """Shape and format of what flows between layers.

    Parameters:
        shape: sizes without the batch: (features,), (channels, length) or (channels, height, width).
        fmt: format of each element.

    Raises:
        FormatError: where a size is not a whole number above 0.

    Example:
        >>> print(TensorType((3, 32, 32), Fixed(8, 1)))
        3x32x32 ap_fixed<8,1>
    """

    shape: tuple[int, ...]
    fmt: Fixed

    def __post_init__(self) -> None:
        """Bring both to their canonical form."""
        given: Any = self.shape
        sizes = (given,) if isinstance(given, int | np.integer) else tuple(given)
        if not sizes or any(
            isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1 for n in sizes
        ):
            raise FormatError(f"shape {given!r} is none; give whole sizes above 0, such as (3, 32, 32)")
        object.__setattr__(self, "shape", tuple(int(n) for n in sizes))
        object.__setattr__(self, "fmt", as_format(self.fmt))

    def __str__(self) -> str:
        """Sizes, then the format."""
        return f"{'x'.join(map(str, self.shape))} {self.fmt}"

    @property
    def size(self) -> int:
        """Elements of one tensor."""
        return prod(self.shape)


Types = tuple[TensorType, ...]


@dataclass(frozen=True, eq=False)
class Bound:
    """The least and the greatest number that a sum can reach, with inputs that reach them.

    Parameters:
        low, high: raws with `frac_bits` fractional bits.
        frac_bits: as said.
        low_input, high_input: raw inputs of the layer, without batch, that give `low` and `high` in at least one
            output element; one array for each input of the layer.
    """

    low: int
    high: int
    frac_bits: int
    low_input: tuple[Raws, ...] = ()
    high_input: tuple[Raws, ...] = ()

    @property
    def fmt(self) -> Fixed:
        """The narrowest format that holds every number from `low` to `high` exactly.

        Example:
            >>> Bound(-9, 20, 4).fmt
            Fixed(6, 2)
        """
        signed = self.low < 0
        width = max(self.magnitude_bits + signed, 1)
        return Fixed(width, width - self.frac_bits, signed)

    @property
    def magnitude_bits(self) -> int:
        """The m for which all lies in -2**m .. 2**m - 1."""
        return max(self.high, -self.low - 1, 0).bit_length()

    def fits(self, fmt: Fixed) -> bool:
        """Tell whether a format's range holds both ends; its last bit may still be too coarse."""
        unit = Fraction(2) ** -self.frac_bits
        return fmt.min <= self.low * unit and self.high * unit <= fmt.max


def cast_bounded(number: Raws, bound: Bound, fmt: Fixed) -> Raws:
    """Cast numbers known to lie within a bound to a format."""
    return cast_array(number, bound.magnitude_bits, cast_of(bound.frac_bits, fmt))


def container(raw: Raws, bits: int) -> Raws:
    """Give the numbers in int64 where `bits` bits suffice, else as Python ints."""
    return raw.astype(object) if bits > INT64_WIDTH and raw.dtype != object else raw


@dataclass(frozen=True, eq=False)
class Layer:
    """Base of all layers: a named operation on raws, with exact results.

    Parameters:
        name: unique in its graph; letters, digits and _.
        inputs: names of the layers that it reads, or "input"; `sequential` fills it in.
    """

    name: str
    inputs: tuple[str, ...] = ()

    # Inputs wanted: least and greatest number.
    arity: ClassVar[tuple[int, int]] = (1, 1)

    def __post_init__(self) -> None:
        """Check what every layer has."""
        check_name(self.name, f"{self.kind} layer")
        if self.name == INPUT:
            raise WiringError(
                f"a layer is named '{INPUT}', which stands for the input of the graph; rename it"
            )
        names = (self.inputs,) if isinstance(self.inputs, str) else tuple(self.inputs)
        object.__setattr__(self, "inputs", names)

    @property
    def kind(self) -> str:
        """The name of the class."""
        return type(self).__name__

    def output_type(self, *inputs: TensorType) -> TensorType:
        """Give the type of the result.

        Parameters:
            inputs: types of the inputs, in their order.

        Raises:
            FormatError: where they do not fit the layer.
        """
        raise TypeError(f"{self.kind} gives no output_type; a layer must define it")

    def apply(self, raws: tuple[Raws, ...], types: Types) -> Raws:
        """Evaluate raws that are known to fit their types; `evaluate` checks them first."""
        raise TypeError(f"{self.kind} gives no apply; a layer must define it")

    def evaluate(self, *raw: Any, types: tuple[TensorType, ...]) -> Raws:
        """Evaluate the layer on raws.

        Parameters:
            raw: one array for each input, shape (batch, ...).
            types: the type of each input.

        Returns:
            Raws of shape (batch, ...), every one exact.

        Raises:
            FormatError: where shapes, formats or raws do not fit.
        """
        types = tuple(types)
        self.output_type(*types)
        if len(raw) != len(types):
            self.refuse(f"{len(raw)} arrays stand beside {len(types)} types; give one array for each input")
        arrays = tuple(
            as_batch(r, t, f"layer '{self.name}', input {k}")
            for k, (r, t) in enumerate(zip(raw, types, strict=True))
        )
        if len({len(a) for a in arrays}) > 1:
            self.refuse(f"batches of {[len(a) for a in arrays]} tensors; give all inputs the same batch")
        return self.apply(arrays, types)

    def accumulator_bound(self, types: tuple[TensorType, ...]) -> Bound | None:
        """Give the least and the greatest sum that any input can cause; None of a layer that adds nothing."""
        return None

    def warnings(self, types: tuple[TensorType, ...]) -> list[str]:
        """Tell what is legal here and yet seldom meant."""
        return []

    @property
    def parameters(self) -> int:
        """Numbers that the layer carries."""
        return sum(v.size for f in fields(self) if isinstance(v := getattr(self, f.name), np.ndarray))

    def macs(self, types: tuple[TensorType, ...]) -> int:
        """Multiply-accumulates for one tensor."""
        return 0

    def describe(self) -> dict[str, Any]:
        """Give a JSON-able description, with arrays as shape and SHA-256."""
        shown: dict[str, Any] = {"kind": self.kind}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, np.ndarray):
                shown[f.name] = {"shape": list(value.shape), "sha256": digest(value)}
            elif isinstance(value, Fixed):
                shown[f.name] = str(value)
            else:
                shown[f.name] = list(value) if isinstance(value, tuple) else value
        return shown

    def refuse(self, why: str) -> NoReturn:
        """Raise the FormatError of this layer."""
        raise FormatError(f"layer '{self.name}' ({self.kind}): {why}")

    def one(self, types: tuple[TensorType, ...]) -> TensorType:
        """Give the type of the only input, or refuse another number of them."""
        self.check_arity(len(types))
        return types[0]

    def check_arity(self, given: int) -> None:
        """Refuse a wrong number of inputs."""
        low, high = self.arity
        if not low <= given <= high:
            wanted = f"{low}" if low == high else f"{low} or more"
            self.refuse(f"{given} inputs, wanted {wanted}; correct `inputs`")

    def set_format(self, field: str, *, optional: bool = False) -> None:
        """Bring a format field to `Fixed`."""
        value = getattr(self, field)
        if value is None and optional:
            return
        if value is None:
            self.refuse(f"{field} is missing; give a format such as Fixed(8, 1)")
        object.__setattr__(self, field, as_format(value, f"{field} of layer '{self.name}'"))

    def set_raws(self, field: str, fmt: Fixed, *ndim: int) -> None:
        """Bring a field to a read-only array of raws that fit a format."""
        array = as_integers(getattr(self, field), f"{field} of layer '{self.name}'")
        raws = np.array(as_raw(array, fmt, f"{field} of layer '{self.name}'"), copy=True)
        if raws.ndim not in ndim:
            self.refuse(f"{field} has shape {raws.shape}, wanted {' or '.join(map(str, ndim))} dimensions")
        if raws.size == 0:
            self.refuse(f"{field} is empty, shape {raws.shape}; give at least one number")
        raws.flags.writeable = False
        object.__setattr__(self, field, raws)

    def sizes(self, field: str, count: int, least: int) -> tuple[int, ...]:
        """Give a field of one whole number or of `count` of them as a tuple."""
        value: Any = getattr(self, field)
        many = (value,) * count if isinstance(value, int | np.integer) else tuple(value)
        whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= least for n in many)
        if len(many) != count or not whole:
            self.refuse(f"{field}={value!r}; give a whole number >= {least}, or {count} of them")
        return tuple(int(n) for n in many)


def digest(raw: Raws) -> str:
    """SHA-256 of an array's numbers, the same on every machine."""
    if raw.dtype == object:
        content = ",".join(str(int(r)) for r in raw.reshape(-1)).encode()
    else:
        content = np.ascontiguousarray(raw, "<i8").tobytes()
    return hashlib.sha256(content).hexdigest()


def as_batch(raw: Any, kind: TensorType, what: str) -> Raws:
    """Give raws of shape (batch, ...) in the container of their format.

    Raises:
        FormatError: naming what is wrong.
    """
    array = as_raw(raw, kind.fmt, what)
    if array.ndim != len(kind.shape) + 1 or array.shape[1:] != kind.shape:
        sizes = ", ".join(map(str, kind.shape))
        raise FormatError(f"{what} has shape {array.shape}, wanted (batch, {sizes})")
    return array


def channelwise(values: Raws, shape: tuple[int, ...]) -> Raws:
    """Shape one number for each channel so that it broadcasts over (batch, ...)."""
    return values.reshape((1, -1) + (1,) * (len(shape) - 1)) if values.ndim else values


def union(*bounds: Bound) -> Bound:
    """The bound of numbers that obey one of several; all must have the same fractional bits."""
    low, high = min(bounds, key=lambda b: b.low), max(bounds, key=lambda b: b.high)
    return Bound(low.low, high.high, low.frac_bits, low.low_input, high.high_input)
