"""State of a `Model`: the annotated fields of its class, and how their values are saved."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections import deque
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwmodel.errors import CheckpointError, QueueOverflowError, SpecError
from hwmodel.kernel._component import jsonable
from hwmodel.units import Time

MOST_ITEMS = 1 << 20
"""Bound on the items of one field: a queue that only grows is a fault of the model."""

SCALARS = frozenset({int, float, bool, str, type(None), Time})
"""Types that need no further look."""

REQUIRED = object()
"""Stands for the value of a field that has none in its class."""

_QUEUES = (list, tuple, deque, dict)
_NUMBERS = "biufc"  # kinds of NumPy types that hold numbers
_CLASSVAR = re.compile(r"(\w+\.)*ClassVar\b")
_NO_JSON = "gFDG"  # NumPy's complex numbers and long doubles
_SHOWN = 256  # items of an array that a manifest shows
_HINT = (
    "a field holds numbers, times, text, None, NumPy arrays, or lists, tuples, deques and dicts of them; "
    "what never changes belongs into spec="
)


def fields_of(kind: type, roots: tuple[type, ...]) -> dict[str, Any]:
    """Fields of a class and of those it derives from, up to `roots`: name to value, or REQUIRED.

    Raises:
        SpecError: a mutable attribute without an annotation, which all instances would share.
    """
    found: dict[str, Any] = {}
    for owner in reversed(kind.__mro__):
        if owner in roots or owner is object:
            continue
        notes = inspect.get_annotations(owner)
        for name, note in notes.items():
            if not _CLASSVAR.match(str(note)):
                found[name] = vars(owner).get(name, REQUIRED)
        for name, value in vars(owner).items():
            if name in notes or name.isupper() or any(hasattr(root, name) for root in roots):
                continue
            if isinstance(value, list | dict | set | deque | bytearray | np.ndarray) and name[:2] != "__":
                raise SpecError(
                    f"{owner.__name__}.{name} would be shared by all instances; declare it as state, "
                    f"'{name}: {type(value).__name__} = ...', or write it in capitals if it never changes"
                )
    return found


def check_value(value: object, what: str) -> None:
    """Refuse at once what no field can hold, or more of it than the checked bound."""
    if type(value) in SCALARS:
        return
    if isinstance(value, _QUEUES):
        if len(value) > MOST_ITEMS:
            raise QueueOverflowError(
                f"{what} holds {len(value)} items, its bound is {MOST_ITEMS}; take items out, or refuse more"
            )
        return
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in _NUMBERS:
        if value.size > MOST_ITEMS:
            raise SpecError(f"{what} is an array of {value.size} items; a field holds at most {MOST_ITEMS}")
        if isinstance(value, np.ndarray) and value.ndim == 0:  # which would come back as a number
            raise SpecError(f"{what} is an array without a dimension; give it shape (1,), or use a number")
        return
    raise SpecError(f"{what} is a {type(value).__name__}, which cannot be saved; {_HINT}")


def check_spec(spec: object, what: str) -> None:
    """Require a frozen dataclass: several runs share it."""
    if spec is None:
        return
    frozen = is_dataclass(spec) and not isinstance(spec, type) and type(spec).__dataclass_params__.frozen  # type: ignore[attr-defined]
    if not frozen:
        raise SpecError(
            f"{what}: spec={spec!r} is no frozen dataclass; write @dataclass(frozen=True) before its class"
        )
    assert is_dataclass(spec)
    for field in fields(spec):
        if isinstance(getattr(spec, field.name), list | dict | set | deque | bytearray):
            raise SpecError(f"{what}: spec.{field.name} could be changed by a run; make it a tuple")


def shown(value: Any) -> Any:
    """A first value as a manifest holds it; large arrays as a digest."""
    if isinstance(value, np.ndarray) and value.size > _SHOWN:
        digest = hashlib.blake2b(np.ascontiguousarray(value).tobytes(), digest_size=16).hexdigest()
        return f"{value.dtype} {value.shape} {digest}"
    return jsonable(value)


def encode(value: object, what: str) -> npt.NDArray[Any]:
    """An array that holds a value, from which `decode` makes it again, type included.

    NumPy's values stand for themselves, all others as JSON text.

    Raises:
        CheckpointError: the value, or an item of it, cannot be saved.
    """
    if isinstance(value, np.ndarray | np.generic):
        return np.array(value)
    return text(_plain(value, what, 0))


def text(value: object) -> npt.NDArray[Any]:
    """JSON as an array that a checkpoint can hold."""
    return np.array(json.dumps(value))


def decode(array: npt.NDArray[Any]) -> Any:
    """The value that `encode` was given."""
    if array.dtype.kind == "U":
        return _value(json.loads(str(array)))
    return array.copy() if array.ndim else array[()]


def _plain(value: object, what: str, depth: int) -> Any:
    if depth > 20:
        raise CheckpointError(f"{what} is nested more than 20 deep, and cannot be saved; {_HINT}")
    if type(value) is Time:
        return {"time": int(value)}
    if type(value) in SCALARS:
        return value
    if isinstance(value, np.generic) and value.dtype.kind in _NUMBERS and value.dtype.char not in _NO_JSON:
        return {"number": [value.dtype.str, value.item()]}
    if type(value) is dict:  # a Counter or defaultdict would come back as a plain one
        items: Any = list(value.items())
    elif type(value) in (list, tuple, deque):
        items = value
    else:
        raise CheckpointError(f"{what} holds a {type(value).__name__}, which cannot be saved; {_HINT}")
    plain = [_plain(item, what, depth + 1) for item in items]
    if isinstance(value, deque):
        return {"deque": [plain, value.maxlen]}
    return plain if type(value) is list else {"tuple" if type(value) is tuple else "dict": plain}


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_value(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    ((kind, given),) = plain.items()
    if kind == "time":
        return Time(given)
    if kind == "number":
        return np.array(given[1], given[0])[()]
    if kind == "deque":
        return deque(_value(given[0]), maxlen=given[1])
    return tuple(_value(given)) if kind == "tuple" else dict(_value(given))
