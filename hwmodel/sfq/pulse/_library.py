"""Libraries of cells: the built-in `rsfq`, and those that a user registers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar, overload

from hwmodel.errors import SpecError, unknown
from hwmodel.sfq.pulse._cell import Cell, Hold, Transition
from hwmodel.sfq.pulse.timing import BIAS_VOLTAGE, CELLS, LIBRARY, CellRow, source_of
from hwmodel.units import ps

_T = TypeVar("_T")

# RSFQlib writes mitll_XOR for the folder and THmitll_XOR for the circuit; its netlists carry these names.
_PREFIXES: Final = ("thmitll_", "mitll_")


def _key(name: str) -> str:
    key = name.lower()
    for prefix in _PREFIXES:
        key = key.removeprefix(prefix)
    return key


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _require_cell(library: str, cell: object) -> None:
    if not isinstance(cell, Cell):
        raise SpecError(f"library {library!r}: {cell!r} is not a Cell; make one with Cell.define(...)")


class Library(Mapping[str, Cell]):
    """Cells by name; it never changes. Case does not matter, and RSFQlib's own names are understood.

    Parameters:
        name: what `library()` knows it by.
        cells: the cells; two names that differ only in case are refused.
        source: where the cells come from.

    Raises:
        SpecError: two cells of one name, or something that is not a `Cell`.
        UnknownNameError: on look-up of a cell that is not there; it names the nearest one.

    Example:
        >>> rsfq = library("rsfq")
        >>> rsfq["xor"] is rsfq["THmitll_XOR"]
        True
        >>> rsfq["xorr"]
        Traceback (most recent call last):
        ...
        hwmodel.errors.UnknownNameError: unknown cell of library 'rsfq' 'xorr'; did you mean 'xor'? Known: ...
    """

    __slots__ = ("_cells", "name", "source")

    def __init__(self, name: str, cells: Iterable[Cell], source: str = "") -> None:
        if not _is_text(name):
            raise SpecError(f"library name={name!r} must be text that is not empty, such as 'my_cells'")
        self.name = name
        self.source = source
        self._cells: dict[str, Cell] = {}
        for cell in cells:
            _require_cell(name, cell)
            key = _key(cell.name)
            if key in self._cells:
                raise SpecError(
                    f"library {name!r}: cells {self._cells[key].name!r} and {cell.name!r} share one name; "
                    "rename one with cell.replace(name=...)"
                )
            self._cells[key] = cell

    def __getitem__(self, name: str) -> Cell:
        cell = self._cells.get(_key(str(name)))
        if cell is None:
            raise unknown(f"cell of library {self.name!r}", str(name), self)
        return cell

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _key(name) in self._cells

    @overload
    def get(self, name: str, /) -> Cell | None: ...
    @overload
    def get(self, name: str, /, default: Cell | _T) -> Cell | _T: ...
    def get(self, name: str, /, default: Any = None) -> Any:
        """The cell of that name, or `default`."""
        return self._cells.get(_key(name), default)

    def __iter__(self) -> Iterator[str]:
        return (cell.name for cell in self._cells.values())

    def __len__(self) -> int:
        return len(self._cells)

    def __repr__(self) -> str:
        return f"<Library {self.name!r}: {len(self)} cells: {', '.join(self)}>"

    def with_cells(self, *cells: Cell, name: str | None = None, source: str | None = None) -> Library:
        """A new library: these cells, and those of the old one whose names they do not take.

        Example:
            >>> slow = library("rsfq")["jtl"].with_delays(1.1)
            >>> library("rsfq").with_cells(slow, name="slow")["jtl"].step("0", "a").fires["q"]
            ps(3.85)
        """
        own = Library(name or self.name, cells)
        kept = [cell for key, cell in self._cells.items() if key not in own._cells]
        return Library(name or self.name, [*kept, *cells], self.source if source is None else source)

    def table(self) -> str:
        """One Markdown row a cell, for documentation."""
        lines = [
            "| cell | inputs | outputs | states | JJ | sum of Ic, uA | bias, uA | static power, nW |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {cell.name} | {' '.join(cell.inputs)} | {' '.join(cell.outputs)} | {len(cell.states)} "
            f"| {cell.jj} | {cell.total_ic_ua:g} | {cell.bias_ua:g} | {cell.static_power_nw:.0f} |"
            for cell in self.values()
        ]
        return "\n".join(lines)


def _from_row(name: str, row: CellRow) -> Cell:
    states: dict[str, None] = {}
    for step in row.steps:
        states.setdefault(step.state)
    return Cell(
        name=name,
        inputs=tuple(row.inputs.split()),
        outputs=tuple(row.outputs.split()),
        states=tuple(states),
        transitions={
            (step.state, step.port): Transition(
                step.next,
                {output: ps(delay) for output, delay in step.delay_ps.items()},
                switched_ic_ua=step.switched_ic_ua,
            )
            for step in row.steps
        },
        holds=tuple(Hold(state, first, second, ps(time)) for state, first, second, time in row.holds),
        jj=row.jj,
        total_ic_ua=row.total_ic_ua,
        bias_ua=row.bias_ua,
        bias_mv=BIAS_VOLTAGE.value,
        source=source_of(name),
        clock=row.clock,
    )


_registry: dict[str, Library] = {}


def library(name: str = "rsfq") -> Library:
    """The library of that name: `rsfq`, or one that was registered.

    Raises:
        UnknownNameError: there is none of that name; it names the nearest one.

    Example:
        >>> library("rsfq")["xor"].jj
        11
    """
    if name == "rsfq" and name not in _registry:
        _registry[name] = Library(name, (_from_row(cell, row) for cell, row in CELLS.items()), LIBRARY)
    if name not in _registry:
        raise unknown("library", str(name), {"rsfq", *_registry})
    return _registry[name]


def register_library(new: Library, replace: bool = False) -> Library:
    """Make a library of one's own known to `library()` by its name, for this process.

    Parameters:
        new: the library.
        replace: True: it may take the place of an older one of that name; `rsfq` itself stays.

    Raises:
        SpecError: the name is taken.

    Example:
        >>> mine = library("rsfq").with_cells(library("rsfq")["jtl"].with_delays(2), name="rsfq_slow")
        >>> _ = register_library(mine, replace=True)
        >>> library("rsfq_slow")["jtl"].step("0", "a").fires["q"]
        ps(7)
    """
    if not isinstance(new, Library):
        raise SpecError(f"register_library({new!r}): not a Library; write Library('my_cells', [cell, ...])")
    if new.name == "rsfq":
        raise SpecError("register_library: 'rsfq' is the built-in library; give yours another name")
    if new.name in _registry and not replace:
        raise SpecError(f"register_library: {new.name!r} is taken; give another name or replace=True")
    _registry[new.name] = new
    return new
