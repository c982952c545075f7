"""Patterns of addresses; each says how many bytes it takes, and what the compiled loop has to know."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from hwmodel.cryo._technology_models import to_bytes
from hwmodel.errors import SpecError

__all__ = ["Chase", "Mix", "Pattern", "Stencil", "Stream", "Stride", "Uniform", "Zipf"]

LINE = 64
MAX_BYTES = 1 << 40
MAX_TABLE = 1 << 24  # entries of a cycle or a permutation, 8 bytes each
MAX_PARTS = 64


def check(owner: object, name: str, value: int, least: int, most: int) -> None:
    """Refuse a number that is not whole, or out of bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise SpecError(f"{owner}: {name}={value!r} is no whole number in {least}..{most}")


@dataclass(frozen=True)
class Shape:
    """What the kernel has to know: columns of its row, entries of a table, and the exponent of a Zipf law."""

    kind: int
    count: int
    step: int
    first: int = 0
    pitch: int = 0
    table: int = 0
    exponent: float = 0.0


class Pattern(ABC):
    """What a series of accesses touches; a size is a number of bytes, or text such as "32 kB"."""

    LINKED: ClassVar[bool] = False
    """Whether a load needs the value of the one before it."""

    @property
    def footprint(self) -> int:
        """Bytes from the first to the last that can be touched."""
        return self._bytes()

    @abstractmethod
    def _bytes(self) -> int:
        """What `footprint` says."""

    @abstractmethod
    def _shape(self) -> Shape:
        """What the compiled loop has to know."""

    def _count(self, size: int | str, element: int, most: int = MAX_BYTES) -> int:
        """Elements of a size, checked."""
        check(type(self).__name__, "element", element, 1, 1 << 20)
        count = to_bytes(size) // element
        if not 1 <= count <= most or count * element > MAX_BYTES:
            raise SpecError(
                f"{type(self).__name__}: size={size!r} holds {count} elements of {element} bytes; 1 to {most} are "
                f"possible, and {MAX_BYTES} bytes"
            )
        return count


@dataclass(frozen=True)
class Stream(Pattern):
    """Several arrays read together from the start to the end, over and over: a[0], b[0], c[0], a[1], ...

    Parameters:
        size: bytes of one array.
        arrays: how many there are, one behind the other.
        element: bytes from one element to the next.

    Example:
        >>> Stream("1 kB", arrays=3).footprint
        3072
    """

    size: int | str = "256 kB"
    arrays: int = 1
    element: int = 8

    def __post_init__(self) -> None:
        check("Stream", "arrays", self.arrays, 1, 256)
        self._count(self.size, self.element)

    def _bytes(self) -> int:
        return self.arrays * to_bytes(self.size)

    def _shape(self) -> Shape:
        count = self._count(self.size, self.element)
        return Shape(0, count, self.element, self.arrays, to_bytes(self.size))


@dataclass(frozen=True)
class Stride(Pattern):
    """Every `stride` bytes through an array, over and over.

    Example:
        >>> Stride("1 kB", 256).footprint
        1024
    """

    size: int | str = "256 kB"
    stride: int = 256

    def __post_init__(self) -> None:
        self._count(self.size, self.stride)

    def _bytes(self) -> int:
        return to_bytes(self.size)

    def _shape(self) -> Shape:
        return Shape(1, self._count(self.size, self.stride), self.stride)


@dataclass(frozen=True)
class Chase(Pattern):
    """Pointers along one random cycle through all lines; each load needs the one before it.

    Example:
        >>> Chase("64 kB").footprint
        65536
    """

    LINKED: ClassVar[bool] = True
    size: int | str = "256 kB"
    line: int = LINE

    def __post_init__(self) -> None:
        self._count(self.size, self.line, MAX_TABLE)

    def _bytes(self) -> int:
        return to_bytes(self.size)

    def _shape(self) -> Shape:
        count = self._count(self.size, self.line, MAX_TABLE)
        return Shape(2, count, self.line, table=count)


@dataclass(frozen=True)
class Uniform(Pattern):
    """Elements drawn at random, all with the same probability.

    Example:
        >>> Uniform("1 MB").footprint
        1048576
    """

    size: int | str = "256 kB"
    element: int = 8

    def __post_init__(self) -> None:
        self._count(self.size, self.element)

    def _bytes(self) -> int:
        return to_bytes(self.size)

    def _shape(self) -> Shape:
        return Shape(3, self._count(self.size, self.element), self.element)


@dataclass(frozen=True)
class Zipf(Pattern):
    """Elements drawn with a probability that falls as rank ** -exponent; ranks lie scattered in memory.

    Parameters:
        size: bytes of the array.
        exponent: 0 is uniform; key-value stores have 0.6 to 1.2 (estimate: the usual span in benchmarks).
        element: bytes of an element.

    Example:
        >>> Zipf("64 kB", exponent=1.0).footprint
        65536
    """

    size: int | str = "256 kB"
    exponent: float = 0.99
    element: int = LINE

    def __post_init__(self) -> None:
        self._count(self.size, self.element, MAX_TABLE)
        if not 0 <= self.exponent <= 10:
            raise SpecError(f"Zipf: exponent={self.exponent} is not in 0..10")

    def _bytes(self) -> int:
        return to_bytes(self.size)

    def _shape(self) -> Shape:
        count = self._count(self.size, self.element, MAX_TABLE)
        return Shape(4, count, self.element, table=count, exponent=float(self.exponent))


@dataclass(frozen=True)
class Stencil(Pattern):
    """Five points around every inner point of a grid, row by row, over and over: above, left, itself, right, below.

    Example:
        >>> Stencil(rows=64, columns=128).footprint
        65536
    """

    rows: int = 128
    columns: int = 256
    element: int = 8

    def __post_init__(self) -> None:
        check("Stencil", "rows", self.rows, 3, 1 << 20)
        check("Stencil", "columns", self.columns, 3, 1 << 20)
        self._count(self.rows * self.columns * self.element, self.element)

    def _bytes(self) -> int:
        return self.rows * self.columns * self.element

    def _shape(self) -> Shape:
        return Shape(5, self.rows * self.columns, self.element, self.columns)


class Mix(Pattern):
    """Several patterns, each in its own memory; every load or store of the body belongs to one of them.

    Parameters:
        parts: pairs of a weight and a pattern; weights are shares of the loads and stores.

    Example:
        >>> Mix((3, Stream("1 kB")), (1, Chase("2 kB"))).footprint
        3072
    """

    def __init__(self, *parts: tuple[float, Pattern]) -> None:
        if not 1 <= len(parts) <= MAX_PARTS:
            raise SpecError(f"Mix: {len(parts)} parts; give 1 to {MAX_PARTS} pairs of a weight and a pattern")
        for weight, pattern in parts:
            if not 0 < weight < float("inf") or isinstance(pattern, Mix):
                raise SpecError(
                    f"Mix: ({weight}, {pattern}): a weight above 0 and a pattern that is no Mix are wanted"
                )
        self.parts = parts

    def __repr__(self) -> str:
        return f"Mix({', '.join(f'({weight}, {pattern})' for weight, pattern in self.parts)})"

    def _bytes(self) -> int:
        return sum(pattern.footprint for _, pattern in self.parts)

    def _shape(self) -> Shape:
        raise SpecError("Mix: it has no order of its own; ask for the addresses of its parts")


def parts_of(pattern: Pattern) -> list[tuple[float, Pattern]]:
    """A pattern as parts with weights."""
    return list(pattern.parts) if isinstance(pattern, Mix) else [(1.0, pattern)]
