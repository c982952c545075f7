"""Branch predictors as functions over flat arrays: direction, target buffer, return stack, indirect targets.

`predictor` is a tuple of arrays (`Predictor`): `shape` holds the parameters `B_*`, `state` the histories, and the
tables are plain counters. A branch is predicted and the tables learn its outcome at once, in program order.
"""

from __future__ import annotations

from hwmodel.cryo.words._kernels import (
    H_BTB,
    H_CHOICE,
    H_GLOBAL_TABLE,
    H_INDIRECT,
    H_LOCAL,
    H_LOCAL_HISTORY,
    H_RAS,
    MEMORY_END,
)
from hwmodel.kernel.compiled import Ints, jit

SHAPE = MEMORY_END
SEEN = SHAPE + 16
BRANCH_END = SEEN + 16

# parameters
B_KIND = 0
B_LOCAL_MASK = 1  # local histories - 1
B_LOCAL_TABLE = 2  # local counters - 1
B_GLOBAL_TABLE = 3  # global counters - 1
B_CHOICE_TABLE = 4
B_COUNTER_MAX = 5
B_BTB_MASK = 6
B_RAS = 7  # entries of the return stack
B_SHIFT = 8  # bits of the program counter that carry nothing
B_INDIRECT_MASK = 9
B_COLUMNS = 10

KIND_TOURNAMENT = 0
KIND_GSHARE = 1
KIND_PERFECT = 2
KIND_NEVER = 3

# state
H_HISTORY = 0
H_TOP = 1  # top of the return stack
H_LOOKUPS = 2
H_CONDITIONAL = 3
H_WRONG_DIRECTION = 4
H_WRONG_TARGET = 5
H_BTB_MISSES = 6
H_COLUMNS = 8

# kinds of branch, as in `hwmodel.cryo.trace.Branch`
NONE = 0
CONDITIONAL = 1
JUMP = 2
INDIRECT_JUMP = 3
CALL = 4
INDIRECT_CALL = 5
RETURN = 6
OTHER = 7

# what a prediction was worth
RIGHT = 0
AT_DECODE = 1  # the decoder puts it right
AT_EXECUTE = 2  # only the branch unit finds out


@jit
def direction(w: Ints, pc: int, conditional: bool, taken: bool) -> bool:
    """Predict a branch's direction and learn from its outcome."""
    high = w[SHAPE + B_COUNTER_MAX]
    middle = high // 2
    history = w[SEEN + H_HISTORY]
    kind = w[SHAPE + B_KIND]
    if kind == KIND_PERFECT:
        return taken
    if kind == KIND_NEVER:
        return not conditional
    outcome = 1 if taken else 0
    if kind == KIND_GSHARE:
        place = ((pc >> w[SHAPE + B_SHIFT]) ^ history) & w[SHAPE + B_GLOBAL_TABLE]
        said = w[w[H_GLOBAL_TABLE] + place] > middle
        if conditional:
            bump(w, w[H_GLOBAL_TABLE] + place, taken, high)
            w[SEEN + H_HISTORY] = (history << 1 | outcome) & w[SHAPE + B_GLOBAL_TABLE]
        return said or not conditional
    # The tournament of the Alpha 21264 as gem5 builds it: every branch moves the global history and counter, only
    # conditional ones have a local history, and the choice learns where the two halves disagree.
    place = history & w[SHAPE + B_GLOBAL_TABLE]
    said_global = w[w[H_GLOBAL_TABLE] + place] > middle
    said = True
    if conditional:
        who = (pc >> w[SHAPE + B_SHIFT]) & w[SHAPE + B_LOCAL_MASK]
        mine = w[w[H_LOCAL_HISTORY] + who] & w[SHAPE + B_LOCAL_TABLE]
        said_local = w[w[H_LOCAL] + mine] > middle
        choice = history & w[SHAPE + B_CHOICE_TABLE]
        said = said_global if w[w[H_CHOICE] + choice] > middle else said_local
        if said_local != said_global:
            bump(w, w[H_CHOICE] + choice, said_global == taken, high)
        bump(w, w[H_LOCAL] + mine, taken, high)
        w[w[H_LOCAL_HISTORY] + who] = (mine << 1 | outcome) & w[SHAPE + B_LOCAL_TABLE]
    bump(w, w[H_GLOBAL_TABLE] + place, taken, high)
    w[SEEN + H_HISTORY] = (history << 1 | outcome) & (w[SHAPE + B_GLOBAL_TABLE] | w[SHAPE + B_CHOICE_TABLE])
    return said


@jit
def bump(table: Ints, place: int, up: bool, high: int) -> None:
    """Move a saturating counter."""
    if up:
        if table[place] < high:
            table[place] += 1
    elif table[place] > 0:
        table[place] -= 1


@jit
def predict(w: Ints, pc: int, branch: int, size: int, taken: bool, target: int) -> int:
    """Predict one executed branch, learn from it, and say whether and where it was mispredicted."""
    w[SEEN + H_LOOKUPS] += 1
    conditional = branch in (CONDITIONAL, OTHER)
    said = direction(w, pc, conditional, taken)
    if conditional:
        w[SEEN + H_CONDITIONAL] += 1
    if w[SHAPE + B_KIND] == KIND_PERFECT:
        return RIGHT
    place = (pc >> w[SHAPE + B_SHIFT]) & w[SHAPE + B_BTB_MASK]
    known = w[w[H_BTB] + 2 * place + 0] == pc
    guess = w[w[H_BTB] + 2 * place + 1] if known else 0
    if branch in (CALL, INDIRECT_CALL):
        top = (w[SEEN + H_TOP] + 1) % w[SHAPE + B_RAS]
        w[SEEN + H_TOP] = top
        w[w[H_RAS] + top] = pc + size
    elif branch == RETURN:
        top = w[SEEN + H_TOP]
        guess = w[w[H_RAS] + top]
        known = True
        w[SEEN + H_TOP] = (top + w[SHAPE + B_RAS] - 1) % w[SHAPE + B_RAS]
    if branch in (INDIRECT_JUMP, INDIRECT_CALL):
        way = ((pc >> w[SHAPE + B_SHIFT]) ^ w[SEEN + H_HISTORY]) & w[SHAPE + B_INDIRECT_MASK]
        if w[w[H_INDIRECT] + 2 * way + 0] == pc:
            known = True
            guess = w[w[H_INDIRECT] + 2 * way + 1]
        if taken:
            w[w[H_INDIRECT] + 2 * way + 0] = pc
            w[w[H_INDIRECT] + 2 * way + 1] = target
    if (
        taken
        and branch != RETURN
        and (w[w[H_BTB] + 2 * place + 0] != pc or w[w[H_BTB] + 2 * place + 1] != target)
    ):
        w[w[H_BTB] + 2 * place + 0] = pc
        w[w[H_BTB] + 2 * place + 1] = target
    if said and not known:
        w[SEEN + H_BTB_MISSES] += 1
        if branch in (JUMP, CALL):
            return AT_DECODE
        if not taken:
            return RIGHT
        w[SEEN + H_WRONG_TARGET] += 1
        return AT_EXECUTE
    if said != taken:
        w[SEEN + H_WRONG_DIRECTION] += 1
        return AT_EXECUTE
    if taken and guess != target:
        w[SEEN + H_WRONG_TARGET] += 1
        return AT_DECODE if branch in (JUMP, CALL) else AT_EXECUTE
    return RIGHT
