"""What a core's settings may be; refused at the door, so that no table of the kernels is indexed beyond its end."""

from __future__ import annotations

from dataclasses import fields
from numbers import Integral
from typing import Any

from hwmodel.cryo._trace_base import Op
from hwmodel.errors import SpecError, unknown
from hwmodel.units import Frequency

KINDS = ("inorder", "ooo")
PREDICTORS = ("bimodal", "gshare", "not_taken", "perceptron", "perfect", "tage", "tournament")
MAX_RING = 1024  # entries of every queue of an out-of-order core
MOST = 63  # users of a cycle that a word of a slot ring counts
DELAY = 1024
MOST_ENTRIES = 1 << 24  # of a predictor's table
LIMITS = {
    **dict.fromkeys(("fetch", "decode", "rename", "dispatch", "issue", "commit"), (1, MOST)),
    **dict.fromkeys(("load_ports", "store_ports"), (1, MOST)),
    **dict.fromkeys(("rob", "iq", "lq", "sq", "int_regs", "fp_regs", "fetch_queue", "skid"), (1, MAX_RING)),
    **dict.fromkeys(("fetch_to_decode", "decode_to_rename", "rename_to_dispatch"), (0, DELAY)),
    **dict.fromkeys(("issue_to_execute", "complete_to_commit", "decode_to_issue"), (0, DELAY)),
    **dict.fromkeys(("redirect", "redirect_decode", "forward", "free_delay"), (0, DELAY)),
    **dict.fromkeys(("load_delay", "store_delay", "squash"), (0, DELAY)),
    "fetch_line": (4, 64),
    "check_shift": (0, 12),
    "clear_period": (0, 1 << 40),
    "counter_bits": (1, 16),
    "ras": (1, MAX_RING),
    "pc_shift": (0, 16),
    "tables": (1, 16),
    "table_bits": (4, 16),
    "tag_bits": (2, 20),
    "shortest_history": (1, 62),
    "longest_history": (1, 62),
    "threshold": (0, 10_000),
    "btb_ways": (1, 64),
    "stack_pointer": (0, 64),
    "results": (0, MOST),
    "micro_op_ways": (1, 64),
    "micro_op_bytes": (4, 4096),
}
POWERS = (
    "local_histories",
    "local_table",
    "global_table",
    "choice_table",
    "btb",
    "indirect",
    "fetch_line",
    "micro_op_bytes",
    "micro_op_sets",
)
UNITS = (*(op.name.lower() for op in Op), "load", "store")
UNIT_LIMITS = {
    "latency": (1, 10_000),
    "interval": (1, 1024),
    "count": (0, MOST),
    "early": (0, 254),
    "assumed": (0, 254),
}


def check_core(core: Any) -> None:
    """Refuse settings that no core has.

    Raises:
        UnknownNameError: a kind of core, a predictor or an operation class that does not exist.
        SpecError: what is no whole number, a number outside its range, or a table whose size is no power of two.
    """
    if core.kind not in KINDS:
        raise unknown("kind of core", str(core.kind), KINDS)
    if core.predictor not in PREDICTORS:
        raise unknown("predictor", str(core.predictor), PREDICTORS)
    if not isinstance(core.clock, Frequency):
        raise SpecError(f"Core(clock={core.clock!r}): give a frequency, such as GHz(4)")
    for field in fields(core):
        check_type("Core", field.name, str(field.type), getattr(core, field.name))
    for name, (low, high) in LIMITS.items():
        value = getattr(core, name)
        if not low <= value <= high:
            raise SpecError(f"Core({name}={value}): give {low} to {high}")
    for name in POWERS:
        value = getattr(core, name)
        if not 0 <= value <= MOST_ENTRIES or value & (value - 1) or (value == 0 and name != "micro_op_sets"):
            raise SpecError(f"Core({name}={value}): give a power of two, up to {MOST_ENTRIES}")
    if core.longest_history < core.shortest_history:
        raise SpecError(
            f"Core(longest_history={core.longest_history}) is shorter than shortest_history={core.shortest_history}"
        )
    if not 0 <= core.bimodal_modulus <= core.global_table:
        raise SpecError(
            f"Core(bimodal_modulus={core.bimodal_modulus}): give 0 to the size of the table, {core.global_table}"
        )
    check_units(core)


def check_type(part: str, name: str, kind: str, value: object) -> None:
    """Refuse a number that is not whole, and a switch that is neither on nor off."""
    if kind == "bool" and not isinstance(value, bool):
        raise SpecError(f"{part}({name}={value!r}): give True or False")
    if kind == "int" and (isinstance(value, bool) or not isinstance(value, Integral)):
        raise SpecError(f"{part}({name}={value!r}): give a whole number")


def check_units(core: Any) -> None:
    """Refuse functional units that no core has, or not this kind of core."""
    if not isinstance(core.units, dict):
        raise SpecError(f"Core(units={core.units!r}): give a dict, operation class -> Unit")
    for name, unit in core.units.items():
        if name not in UNITS:
            raise unknown("operation class of Core(units)", str(name), UNITS)
        if not all(hasattr(unit, column) for column in (*UNIT_LIMITS, "pool")):
            raise SpecError(f"Core(units['{name}']={unit!r}): give a Unit")
        for column, (low, high) in UNIT_LIMITS.items():
            value = getattr(unit, column)
            check_type(f"Core(units['{name}'])", column, "int", value)
            if not low <= value <= high:
                raise SpecError(f"Core(units['{name}']={unit}): give a {column} of {low} to {high}")
        if unit.pool and (unit.pool not in UNITS or getattr(core.units.get(unit.pool), "pool", "")):
            raise SpecError(
                f"Core(units['{name}']={unit}): '{unit.pool}' has no units of its own; name one that has"
            )
        if core.kind == "ooo" and (unit.pool or unit.early or unit.assumed or name in ("load", "store")):
            raise SpecError(
                f"Core(units['{name}']={unit}): an out-of-order core has no pools, no early entry and no units of loads"
                " and stores; leave them out"
            )
