"""The workloads: what each of them stresses, its parameters, and how much data its region touches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from hwmodel.errors import SpecError, unknown

__all__ = ["WORKLOADS", "Parameter", "Workload"]

MAX_FOOTPRINT = 1 << 28  # the building of a graph needs twice as much again, and a RISC-V program has 2 GB
Values = Mapping[str, int]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a workload.

    Parameters:
        default: value where none is given.
        least, most: bounds of a value.
        text: what it is.
        words: words that may stand for values.

    Example:
        >>> graph = Parameter(1, 0, 1, "kind of graph", {"uniform": 0, "kronecker": 1})
        >>> graph.read("graph", "uniform"), graph.show(1)
        (0, 'kronecker')
    """

    default: int
    least: int
    most: int
    text: str
    words: Mapping[str, int] = field(default_factory=dict)

    def read(self, name: str, value: int | str) -> int:
        """Return a value as a number.

        Raises:
            SpecError: it is no whole number, or out of bounds.
        """
        if isinstance(value, str) and value in self.words:
            return self.words[value]
        try:
            number = int(value)
        except ValueError:
            number = self.least - 1
        if isinstance(value, float) or not self.least <= number <= self.most:
            raise SpecError(f"parameter {name}={value} is not {self.range}; it is the {self.text}")
        return number

    @property
    def range(self) -> str:
        """The values that are allowed, in words."""
        return " or ".join(self.words) or f"in {self.least}..{self.most}"

    def show(self, value: int) -> str:
        """Write a value as people do."""
        return next((word for word, number in self.words.items() if number == value), str(value))


@dataclass(frozen=True)
class Workload:
    """A program of the package that can be built and traced.

    Parameters:
        name: its name, and that of its source.
        title: what it does.
        stresses: what of a machine it shows.
        parameters: by name.
        bytes_touched: bytes of data that its region touches at most, stack and library apart.

    Example:
        >>> WORKLOADS["chase"].footprint(WORKLOADS["chase"].values(lines=1024))
        65536
    """

    name: str
    title: str
    stresses: str
    parameters: Mapping[str, Parameter]
    bytes_touched: Callable[[Values], int]

    def values(self, **given: int | str) -> dict[str, int]:
        """Return the value of every parameter, checked.

        Raises:
            UnknownNameError: a parameter that the workload has not.
            SpecError: a value out of its bounds, or more data than fits.
        """
        for name in given:
            if name not in self.parameters:
                raise unknown(f"parameter of workload {self.name}", name, self.parameters)
        values = {
            name: parameter.read(name, given.get(name, parameter.default))
            for name, parameter in self.parameters.items()
        }
        if self.bytes_touched(values) > MAX_FOOTPRINT:
            raise SpecError(
                f"workload {self.name} with {self.describe(values)} touches {self.bytes_touched(values)} bytes, more "
                f"than {MAX_FOOTPRINT}; make it smaller"
            )
        return values

    def footprint(self, values: Values | None = None) -> int:
        """Return the bytes of data that the region touches at most; None: with the defaults."""
        return self.bytes_touched(self.values() if values is None else values)

    def describe(self, values: Values | None = None) -> str:
        """Write parameters as `key=value`, in order; None: the defaults."""
        values = self.values() if values is None else values
        return " ".join(f"{name}={self.parameters[name].show(value)}" for name, value in values.items())


SEED = Parameter(1, 0, 2**31 - 1, "seed of the input")
GRAPH = {
    "scale": Parameter(12, 4, 22, "logarithm of the number of nodes to the base 2"),
    "degree": Parameter(8, 1, 64, "edges a node, before loops and double ones are removed"),
    "graph": Parameter(1, 0, 1, "kind of graph", {"uniform": 0, "kronecker": 1}),
}
SOURCES = Parameter(4, 1, 64, "number of starting nodes, one after the other")
REPEATS = Parameter(2, 1, 1000, "number of times that the work is done")


def _graph(words_a_node: int, words_an_edge: int) -> Callable[[Values], int]:
    """Bytes of a graph kernel; every edge stands twice, at one node and at the other."""
    return lambda v: (4 * words_a_node + 8 * words_an_edge * v["degree"]) << v["scale"]


def _iterations(default: int, most: int = 100) -> Parameter:
    return Parameter(default, 1, most, "number of iterations")


_LIST = (
    Workload(
        "bfs",
        "breadth-first search",
        "branches that are hard to predict, random loads of one word",
        {**GRAPH, "sources": SOURCES, "seed": SEED},
        _graph(3, 1),
    ),
    Workload(
        "pr",
        "PageRank, pulling",
        "gathers from a small array along a large one; floating-point additions in a row",
        {**GRAPH, "iterations": _iterations(5), "seed": SEED},
        _graph(7, 1),
    ),
    Workload(
        "cc",
        "connected components after Shiloach and Vishkin",
        "gathers through two levels of pointers, rare stores",
        {**GRAPH, "repeats": REPEATS, "seed": SEED},
        _graph(2, 1),
    ),
    Workload(
        "sssp",
        "shortest paths by delta-stepping",
        "linked lists, stores that later loads need, branches on data",
        {**GRAPH, "sources": SOURCES, "delta": Parameter(32, 1, 256, "width of a bucket"), "seed": SEED},
        _graph(4, 2),
    ),
    Workload(
        "tc",
        "triangle counting by merging lists",
        "short loops, unpredictable branches, good locality",
        {**GRAPH, "repeats": REPEATS, "seed": SEED},
        _graph(1, 1),
    ),
    Workload(
        "cg",
        "conjugate gradients on a random sparse matrix",
        "streams with gathers, multiply-adds in a row",
        {
            "rows": Parameter(2000, 16, 1 << 20, "rows of the matrix"),
            "pairs": Parameter(6, 1, 64, "entries drawn for a row; each stands in two rows"),
            "iterations": _iterations(12),
            "seed": SEED,
        },
        lambda v: 12 * v["rows"] * (2 * v["pairs"] + 1) + 36 * v["rows"] + 4,
    ),
    Workload(
        "is",
        "integer sort by counting",
        "random increments (load, add, store to the same address), streams",
        {
            "keys": Parameter(1 << 16, 1024, 1 << 24, "number of keys"),
            "range": Parameter(1 << 13, 2, 1 << 24, "number of different keys"),
            "iterations": _iterations(3),
            "seed": SEED,
        },
        lambda v: 8 * v["keys"] + 4 * (v["range"] + 1),
    ),
    Workload(
        "ft",
        "three-dimensional Fourier transforms",
        "strides of powers of two, floating-point multiplications",
        {
            "log_side": Parameter(4, 1, 7, "logarithm of the points a side to the base 2"),
            "iterations": _iterations(2),
            "seed": SEED,
        },
        lambda v: (40 << (3 * v["log_side"])) + (36 << v["log_side"]),
    ),
    Workload(
        "mg",
        "multigrid for Poisson's equation",
        "stencils over grids from large to tiny, streams that are read together",
        {
            "log_side": Parameter(5, 2, 7, "logarithm of the points a side to the base 2"),
            "iterations": _iterations(2),
            "seed": SEED,
        },
        lambda v: 30 << (3 * v["log_side"]),
    ),
    Workload(
        "stream",
        "copy, scale, add, triad",
        "bandwidth of the level that holds three arrays",
        {
            "elements": Parameter(1 << 15, 64, 1 << 23, "numbers of 8 bytes in an array"),
            "passes": Parameter(3, 1, 1000, "number of passes"),
        },
        lambda v: 24 * v["elements"],
    ),
    Workload(
        "chase",
        "pointer chase around a random cycle",
        "latency of the level that holds the lines, divided by the number of chains",
        {
            "lines": Parameter(1 << 13, 16, 1 << 22, "cache lines of 64 bytes in the cycle"),
            "steps": Parameter(100_000, 1, 10**8, "steps of a chain"),
            "chains": Parameter(1, 1, 8, "chains that are followed at the same time"),
            "seed": SEED,
        },
        lambda v: 64 * v["lines"],
    ),
    Workload(
        "matmul",
        "product of square matrices",
        "floating-point units and issue width; without blocks also strides",
        {
            "side": Parameter(64, 2, 2048, "rows and columns"),
            "block": Parameter(16, 0, 2048, "rows and columns of a block; 0: three plain loops"),
            "repeats": REPEATS,
            "seed": SEED,
        },
        lambda v: 24 * v["side"] ** 2,
    ),
)

WORKLOADS: Mapping[str, Workload] = MappingProxyType({workload.name: workload for workload in _LIST})
"""The workloads by name."""
