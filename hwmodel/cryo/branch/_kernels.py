"""Branch predictors as functions over flat arrays: direction, target buffer, return stack, indirect targets.

The parameters `B_*` lie from `SHAPE` on and the histories from `SEEN` on; the tables are plain counters, at the
addresses that the header holds. A branch is predicted and the tables learn its outcome at once, in program order.
"""

from __future__ import annotations

from hwmodel.cryo.words._kernels import (
    H_BTB,
    H_CALL_SIZE,
    H_CHOICE,
    H_GLOBAL_TABLE,
    H_INDIRECT,
    H_LOCAL,
    H_LOCAL_HISTORY,
    H_RAS,
    H_TAGGED,
    MEMORY_END,
    table_find,
    table_insert,
)
from hwmodel.kernel.compiled import Ints, jit

SHAPE = MEMORY_END
SEEN = SHAPE + 32
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
B_TYPED = 10  # 1: the target buffer knows the kind of each branch, and what it does not know is not taken
B_BTB_WAYS = 11  # ways of the typed target buffer
B_TABLES = 12  # tables of TAGE or of the perceptron, and their entries as a power of two
B_TABLE_BITS = 13
B_TAG_BITS = 14
B_THRESHOLD = 15  # of the perceptron's training
B_MODULUS = 16  # a bimodal table is indexed modulo this; 0: by the low bits

KIND_TOURNAMENT = 0
KIND_GSHARE = 1
KIND_PERFECT = 2
KIND_NEVER = 3
KIND_BIMODAL = 4
KIND_TAGE = 5
KIND_PERCEPTRON = 6

# state
H_HISTORY = 0
H_TOP = 1  # top of the return stack
H_LOOKUPS = 2
H_CONDITIONAL = 3
H_WRONG_DIRECTION = 4
H_WRONG_TARGET = 5
H_BTB_MISSES = 6
H_COLUMNS = 8
H_LONG = 8  # outcomes of the last 62 conditional branches, and what the allocation of TAGE draws from
H_DRAW = 9
H_DEPTH = 10  # calls on the return stack of the typed target buffer
H_TARGETS = 11  # conditional outcomes that choose an indirect target there

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
def bump(table: Ints, place: int, up: bool, high: int) -> None:
    """Move a saturating counter."""
    if up:
        if table[place] < high:
            table[place] += 1
    elif table[place] > 0:
        table[place] -= 1


@jit
def bimodal(w: Ints, pc: int) -> int:
    """Return the address of a branch's counter in the bimodal table."""
    if w[SHAPE + B_MODULUS] > 0:
        return w[H_GLOBAL_TABLE] + pc % w[SHAPE + B_MODULUS]
    return w[H_GLOBAL_TABLE] + ((pc >> w[SHAPE + B_SHIFT]) & w[SHAPE + B_GLOBAL_TABLE])


@jit
def folded(history: int, length: int, bits: int) -> int:
    """Return the youngest `length` outcomes of a history, folded by exclusive or into a number of `bits` bits."""
    history &= (1 << length) - 1
    result = 0
    while history > 0:
        result ^= history & ((1 << bits) - 1)
        history >>= bits
    return result


@jit
def entry_of(w: Ints, pc: int, table: int) -> int:
    """Return the address of a branch's entry in a table that sees the history."""
    bits = w[SHAPE + B_TABLE_BITS]
    length = w[w[H_TAGGED] + table]
    where = pc >> w[SHAPE + B_SHIFT]
    where ^= (where >> bits) ^ folded(w[SEEN + H_LONG], length, bits) ^ (table << 1)
    return w[H_TAGGED] + 16 + 3 * ((table << bits) + (where & ((1 << bits) - 1)))


@jit
def tag_of(w: Ints, pc: int, table: int) -> int:
    """Return the tag that a branch's entry in a table of TAGE must have; it is never 0."""
    bits = w[SHAPE + B_TAG_BITS]
    length = w[w[H_TAGGED] + table]
    tag = (pc >> w[SHAPE + B_SHIFT]) ^ folded(w[SEEN + H_LONG], length, bits)
    tag ^= folded(w[SEEN + H_LONG], length, bits - 1) << 1
    return (tag & ((1 << bits) - 1)) + 1


@jit
def tage(w: Ints, pc: int, taken: bool) -> bool:
    """Predict by the table with the longest history that knows the branch, and learn.

    TAGE of Seznec and Michaud (2006): entries of tag, 3-bit counter and usefulness; a wrong prediction takes an entry
    in a table of longer history. Below the tables lies a bimodal one.
    """
    tables = w[SHAPE + B_TABLES]
    base = bimodal(w, pc)
    high = w[SHAPE + B_COUNTER_MAX]
    provider = -1
    other = -1
    for table in range(tables - 1, -1, -1):
        if w[entry_of(w, pc, table)] == tag_of(w, pc, table):
            if provider < 0:
                provider = table
            else:
                other = table
                break
    spare = w[base] > high // 2
    if other >= 0:
        spare = w[entry_of(w, pc, other) + 1] > 3
    said = spare
    if provider >= 0:
        at = entry_of(w, pc, provider)
        said = w[at + 1] > 3
        # An entry that is new and undecided is not trusted yet.
        if w[at + 2] == 0 and 3 <= w[at + 1] <= 4:
            said = spare
        if (w[at + 1] > 3) != spare:
            bump(w, at + 2, (w[at + 1] > 3) == taken, 3)
        bump(w, at + 1, taken, 7)
    else:
        bump(w, base, taken, high)
    if said != taken and provider < tables - 1:
        # One of the tables with longer history takes the branch; the nearer ones twice as often as the next.
        w[SEEN + H_DRAW] = (w[SEEN + H_DRAW] * 5 + 1) & 0xFFFF
        start = provider + 1
        if start < tables - 1 and w[SEEN + H_DRAW] & 0xC000 == 0:
            start += 1
        done = False
        for table in range(start, tables):
            at = entry_of(w, pc, table)
            if w[at + 2] == 0:
                w[at] = tag_of(w, pc, table)
                w[at + 1] = 4 if taken else 3
                done = True
                break
        if not done:
            for table in range(start, tables):
                bump(w, entry_of(w, pc, table) + 2, False, 3)
    return said


@jit
def perceptron(w: Ints, pc: int, taken: bool) -> bool:
    """Predict by the sum of weights, one of each table, that are chosen by branch and history; learn.

    The hashed perceptron of Tarjan and Skadron (2005): it learns where it was wrong or the sum was small.
    """
    total = w[bimodal(w, pc)] - 128
    for table in range(w[SHAPE + B_TABLES]):
        total += w[entry_of(w, pc, table)]
    said = total >= 0
    if said != taken or abs(total) <= w[SHAPE + B_THRESHOLD]:
        bump(w, bimodal(w, pc), taken, 255)
        for table in range(w[SHAPE + B_TABLES]):
            at = entry_of(w, pc, table)
            if taken:
                w[at] = min(127, w[at] + 1)
            else:
                w[at] = max(-128, w[at] - 1)
    return said


@jit
def direction_more(w: Ints, kind: int, pc: int, conditional: bool, taken: bool) -> bool:
    """Predict by one of the predictors that look at conditional branches only."""
    if not conditional:
        return True
    if kind == KIND_BIMODAL:
        said = w[bimodal(w, pc)] > w[SHAPE + B_COUNTER_MAX] // 2
        bump(w, bimodal(w, pc), taken, w[SHAPE + B_COUNTER_MAX])
        return said
    said = tage(w, pc, taken) if kind == KIND_TAGE else perceptron(w, pc, taken)
    outcome = 1 if taken else 0
    w[SEEN + H_LONG] = (w[SEEN + H_LONG] << 1 | outcome) & ((1 << 62) - 1)
    return said


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
    if kind >= KIND_BIMODAL:
        return direction_more(w, kind, pc, conditional, taken)
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
def predict_typed(w: Ints, pc: int, branch: int, taken: bool, target: int) -> int:
    """Predict by a target buffer that keeps each branch's kind, as ChampSim's basic one does.

    A branch that the buffer does not know is taken for none: no target, and taken only if the direction says so. What
    the buffer knows to be unconditional is taken. Returns go to the call on top of the stack and a size that is
    learnt; indirect targets are chosen by the outcomes of conditional branches.
    """
    conditional = branch in (CONDITIONAL, OTHER)
    key = pc >> 2
    ways = w[SHAPE + B_BTB_WAYS]
    first = w[H_BTB] + 2 * ways * (key & w[SHAPE + B_BTB_MASK])
    at = table_find(w, first, ways, key)
    kind = w[at + 1] & 7 if at >= 0 else NONE
    guess = w[at + 1] >> 3 if at >= 0 else 0
    depth = w[SEEN + H_DEPTH]
    size = w[SHAPE + B_RAS]
    call = w[w[H_RAS] + (w[SEEN + H_TOP] % size)]
    learnt = w[H_CALL_SIZE] + (call & 1023)
    way = w[H_INDIRECT] + 2 * ((key ^ w[SEEN + H_TARGETS]) & w[SHAPE + B_INDIRECT_MASK])
    if kind == RETURN:
        guess = call + w[learnt] if depth > 0 else 0
    elif kind in (INDIRECT_JUMP, INDIRECT_CALL):
        guess = w[way + 1]
    # A branch that is always taken has its direction from the buffer alone.
    said = direction(w, pc, True, taken) if conditional else kind != NONE
    said = said or kind not in (NONE, CONDITIONAL, OTHER)
    if not said:
        guess = 0
    wrong = guess != (target if taken else 0) or (conditional and said != taken)
    if branch in (CALL, INDIRECT_CALL):
        w[SEEN + H_TOP] = (w[SEEN + H_TOP] + 1) % size
        w[w[H_RAS] + w[SEEN + H_TOP]] = pc
        w[SEEN + H_DEPTH] = min(size, depth + 1)
    elif branch == RETURN and depth > 0:
        w[SEEN + H_TOP] = (w[SEEN + H_TOP] + size - 1) % size
        w[SEEN + H_DEPTH] = depth - 1
        if abs(target - call) <= 10:
            w[learnt] = abs(target - call)
    if branch in (INDIRECT_JUMP, INDIRECT_CALL):
        w[way + 1] = target
    if branch == CONDITIONAL:
        w[SEEN + H_TARGETS] = (w[SEEN + H_TARGETS] << 1 | (1 if taken else 0)) & w[SHAPE + B_INDIRECT_MASK]
    if taken:
        if at >= 0:
            w[at + 1] = target << 3 | branch
        else:
            table_insert(w, first, ways, key, target << 3 | branch)
    if not wrong:
        return RIGHT
    if conditional and said != taken:
        w[SEEN + H_WRONG_DIRECTION] += 1
        return AT_EXECUTE
    w[SEEN + H_WRONG_TARGET] += 1
    return AT_DECODE if branch in (JUMP, CALL) or conditional else AT_EXECUTE


@jit
def predict(w: Ints, pc: int, branch: int, size: int, taken: bool, target: int) -> int:
    """Predict one executed branch, learn from it, and say whether and where it was mispredicted."""
    w[SEEN + H_LOOKUPS] += 1
    conditional = branch in (CONDITIONAL, OTHER)
    if conditional:
        w[SEEN + H_CONDITIONAL] += 1
    said = taken
    if w[SHAPE + B_TYPED] == 0:
        said = direction(w, pc, conditional, taken)
    if w[SHAPE + B_KIND] == KIND_PERFECT:
        return RIGHT
    if w[SHAPE + B_TYPED]:
        return predict_typed(w, pc, branch, taken, target)
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
