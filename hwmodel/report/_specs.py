"""Nested parameters as small tables: short ones in full, long ones folded, like ones side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwmodel.report._facts import Fact, flatten, readable, show

INLINE = 6  # values of a nested part that still stand in the table of the whole
MOST_FACTS = 120  # lines of one table
MOST_LIKE = 60  # lines of a table of like parts
QUANTITY = {"value", "unit", "source"}


@dataclass(frozen=True)
class Like:
    """Parts with the same parameters, one a line."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Part:
    """One level of nested parameters."""

    name: str
    facts: list[Fact] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    like: Like | None = None

    @property
    def count(self) -> int:
        """Number of values in it and below."""
        cells = sum(len(row[1]) for row in self.like.rows) if self.like else 0
        return len(self.facts) + cells + sum(part.count for part in self.parts)

    @property
    def sourced(self) -> int:
        """How many of them name a source."""
        return sum(1 for fact in self.every() if fact.source)

    @property
    def estimates(self) -> int:
        """How many of them are estimates."""
        return sum(1 for fact in self.every() if fact.source.startswith("estimate"))

    def every(self) -> Iterator[Fact]:
        """All facts, those of parts included."""
        yield from self.facts
        for part in self.parts:
            yield from part.every()


def part_of(values: Mapping[str, Any], name: str = "") -> Part:
    """Turn nested values into parts."""
    values = {str(key): _named(value) for key, value in values.items()}
    like = _like(values)
    if like is not None and name:
        return Part(name, like=like)
    short = {key: value for key, value in values.items() if _size(value) <= INLINE}
    parts = [
        part_of(value, readable((key,))[0])
        for key, value in values.items()
        if key not in short and isinstance(value, Mapping)
    ]
    return Part(name, flatten(short, MOST_FACTS), parts)


def _named(value: Any) -> Any:
    """A list of parts by their names, or else by their numbers; a list of names with values as what it is."""
    if not isinstance(value, list | tuple) or not value:
        return value
    if all(isinstance(v, list | tuple) and len(v) == 2 and isinstance(v[0], str) for v in value):
        pairs = dict(value)
        return pairs if len(pairs) == len(value) else value
    if not all(isinstance(v, Mapping) for v in value):
        return value
    names = [str(v.get("name", n)) for n, v in enumerate(value)]
    if len(set(names)) < len(names):
        names = [str(n) for n in range(len(value))]
    return dict(zip(names, value, strict=True))


def _size(value: Any) -> int:
    if not isinstance(value, Mapping) or _quantity(value):
        return 1
    return sum(_size(_named(inner)) for inner in value.values())


def _quantity(value: Any) -> bool:
    return isinstance(value, Mapping) and "value" in value and set(value) <= QUANTITY


def _like(values: Mapping[str, Any]) -> Like | None:
    """A table of parts that have the same plain parameters; None where they differ."""
    parts = list(values.values())
    if not 2 <= len(parts) <= MOST_LIKE or not all(isinstance(part, Mapping) and part for part in parts):
        return None
    columns = list(parts[0])
    if any(list(part) != columns or _quantity(part) for part in parts):
        return None
    if any(isinstance(value, Mapping | list | tuple) for part in parts for value in part.values()):
        return None
    # What no part sets would only widen the table.
    kept = [column for column in columns if any(part[column] not in (None, "") for part in parts)]
    heads = tuple(_head(column) for column in kept)
    rows = tuple((key, tuple(_cell(column, part[column]) for column in kept)) for key, part in values.items())
    return Like(heads, rows)


def _head(column: str) -> str:
    name, unit = readable((column,))
    return f"{name} [{unit}]" if unit else name


def _cell(column: str, value: Any) -> str:
    (fact,) = flatten({column: value}) if isinstance(value, str) and value else (Fact("", show(value)),)
    return f"{fact.value} {fact.unit}".strip()


def sources_of(parts: Sequence[Part]) -> list[tuple[str, int]]:
    """Every source once, with the number of figures that it gave; the most used first."""
    counts: dict[str, int] = {}
    for part in parts:
        for fact in part.every():
            if fact.source:
                counts[fact.source] = counts.get(fact.source, 0) + 1
    return sorted(counts.items(), key=lambda item: -item[1])
