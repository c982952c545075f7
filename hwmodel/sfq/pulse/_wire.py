"""Wires and cell instances of a netlist, and where in the user's source they were made."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwmodel.sfq.pulse._cell import Cell, Policy
    from hwmodel.sfq.pulse._netlist import Netlist

_PACKAGE = str(Path(__file__).parents[2]) + os.sep
_SIMULATIONS = _PACKAGE + "_sims" + os.sep  # carried in the package when installed, yet written by users
_DIGITS = re.compile(r"(\d+)")


def user_place() -> str:
    """Return "file:line" of the innermost caller outside this package: where the user erred, not where we noticed."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _is_ours(file: str) -> bool:
    return file.startswith(_PACKAGE) and not file.startswith(_SIMULATIONS)


def natural_key(path: str) -> tuple[tuple[Any, ...], str]:
    """Sort key of a path: numbers by value, so that `jtl[9]` goes before `jtl[10]`.

    Example:
        >>> sorted(["jtl[10]", "jtl[9]", "dff"], key=natural_key)
        ['dff', 'jtl[9]', 'jtl[10]']
    """
    parts = _DIGITS.split(path)
    # The text itself comes last, for names that differ only in leading zeros.
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), path


class Use:
    """One end of a wire: input number `index` of a cell, a further piece of wire, an output port, or nothing."""

    __slots__ = ("child", "index", "instance", "place", "port")

    def __init__(
        self,
        place: str,
        instance: Instance | None = None,
        index: int = 0,
        child: Wire | None = None,
        port: str = "",
    ) -> None:
        self.place = place
        self.instance = instance
        self.index = index
        self.child = child
        self.port = port

    @property
    def text(self) -> str:
        """What the wire ends at, for messages."""
        if self.instance is not None:
            return f"{self.instance.name}.{self.instance.cell.inputs[self.index]}"
        if self.child is not None:
            return self.child.text
        return f"output port {self.port}" if self.port else "a terminator"


class Wire:
    """One piece of wire, from a cell output or an input port to exactly one end.

    Made by the netlist; `text` names it.
    """

    __slots__ = ("delay", "label", "netlist", "output", "parent", "place", "source", "uses")

    def __init__(
        self,
        netlist: Netlist,
        place: str,
        source: Instance | str | None = None,
        output: str = "",
        parent: Wire | None = None,
        delay: int = 0,
        label: str = "",
    ) -> None:
        self.netlist = netlist
        self.place = place
        self.source = source  # a cell, the name of an input port, or None for a later piece or a feedback
        self.output = output  # which output of the cell
        self.parent = parent  # the piece before this one
        self.delay = delay  # of this piece alone, fs
        self.label = label
        self.uses: list[Use] = []

    @property
    def text(self) -> str:
        """Name of the wire for messages: its label, else what drives it."""
        if self.label:
            return self.label
        if self.parent is not None:
            return self.parent.text
        if isinstance(self.source, Instance):
            return f"{self.source.name}.{self.output}"
        return self.source or "a feedback wire"

    def __repr__(self) -> str:
        return f"<Wire {self.text} of netlist '{self.netlist.name}'>"


class Instance:
    """One cell of a netlist."""

    __slots__ = ("cell", "inputs", "name", "outputs", "place", "policy", "probability")

    def __init__(
        self,
        name: str,
        cell: Cell,
        place: str,
        probability: float | None = None,
        policy: Policy | None = None,
    ) -> None:
        self.name = name
        self.cell = cell
        self.place = place
        self.probability = probability
        self.policy = policy
        self.inputs: tuple[Wire, ...] = ()
        self.outputs: tuple[Wire, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.cell.name} {self.name}>"
