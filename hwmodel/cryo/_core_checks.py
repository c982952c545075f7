"""What a core's settings may be; refused at the door, so that no table of the kernels is indexed beyond its end."""

from __future__ import annotations

from typing import Any

from hwmodel.errors import SpecError, unknown

PREDICTORS = ("bimodal", "gshare", "not_taken", "perceptron", "perfect", "tage", "tournament")
LIMITS = {
    "tables": (1, 16),
    "table_bits": (4, 16),
    "tag_bits": (2, 20),
    "shortest_history": (1, 62),
    "longest_history": (1, 62),
    "threshold": (0, 10_000),
    "btb_ways": (1, 64),
    "skid": (1, 1024),
    "stack_pointer": (0, 64),
    "load_delay": (0, 1024),
    "store_delay": (0, 1024),
    "results": (0, 63),
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
    "micro_op_bytes",
    "micro_op_sets",
)


def check_core(core: Any) -> None:
    """Refuse settings that no core has.

    Raises:
        UnknownNameError: a predictor that does not exist.
        SpecError: a number outside its range, or a table whose size is no power of two.
    """
    if core.predictor not in PREDICTORS:
        raise unknown("predictor", str(core.predictor), PREDICTORS)
    for name, (low, high) in LIMITS.items():
        value = getattr(core, name)
        if not low <= value <= high:
            raise SpecError(f"Core({name}={value}): give {low} to {high}")
    for name in POWERS:
        value = getattr(core, name)
        if value < 0 or value & (value - 1) or (value == 0 and name != "micro_op_sets"):
            raise SpecError(f"Core({name}={value}): give a power of two")
    if core.longest_history < core.shortest_history:
        raise SpecError(
            f"Core(longest_history={core.longest_history}) is shorter than shortest_history={core.shortest_history}"
        )
    if not 0 <= core.bimodal_modulus <= core.global_table:
        raise SpecError(
            f"Core(bimodal_modulus={core.bimodal_modulus}): give 0 to the size of the table, {core.global_table}"
        )
