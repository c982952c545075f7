"""The out-of-order core: one pass over the trace, each instruction's stages as cycle numbers.

The model is instruction-window centric: it walks the trace in program order and works out when each instruction
is fetched, decoded, renamed, dispatched, issued, executed and committed.
"""

from __future__ import annotations

from hwmodel.cryo.branch._kernels import (
    INDIRECT_JUMP,
    RETURN,
    predict,
)
from hwmodel.cryo.core._kernels import (
    C_BY_ADDRESS,
    C_CHAIN,
    C_CHECK_SHIFT,
    C_CLEAR,
    C_COMMIT,
    C_COMPLETE_COMMIT,
    C_DECODE,
    C_DECODE_RENAME,
    C_DEPENDENCE,
    C_DISPATCH,
    C_FETCH_DECODE,
    C_FORWARD,
    C_ISSUE_EXECUTE,
    C_LATE_RENAME,
    C_LOAD_DELAY,
    C_LOAD_PORTS,
    C_LOADS_LEAVE,
    C_POSTED,
    C_QUEUE_HOLDS,
    C_RENAME,
    C_RENAME_DISPATCH,
    C_RESULTS,
    C_SET_SHIFT,
    C_SKID,
    C_SQ,
    C_STORE_DELAY,
    C_STORE_PORTS,
    C_UNIFIED,
    C_UOP_SETS,
    CAUSE,
    COMMITTED,
    CORE,
    CPI_BASE,
    CPI_DEPENDENCE,
    CPI_L1,
    CPI_ORDER,
    CPI_QUEUE,
    CPI_SERIAL,
    CPI_UNIT,
    DECODED,
    FP_FREE,
    INT_FREE,
    KNOWN,
    LOAD_FREE,
    NOW,
    OP_SYSTEM,
    POINTER,
    REGISTER,
    RENAMED,
    RETRIES,
    RING,
    RING_RESULTS,
    S_BARRIER,
    S_COMMIT,
    S_DECODE,
    S_DISPATCH,
    S_FETCH,
    S_FORWARDED,
    S_FP,
    S_FRONT,
    S_INSTRUCTIONS,
    S_INT,
    S_LINE,
    S_LOADS,
    S_MEMORY_OPS,
    S_OPEN,
    S_OPEN_DECODE,
    S_OPEN_DISPATCH,
    S_OPEN_EXECUTE,
    S_OPEN_HIT,
    S_OPEN_PC,
    S_OPEN_SIZE,
    S_OPEN_TAKEN,
    S_RENAME,
    S_STORE_DONE,
    S_STORE_SENT,
    S_STORES,
    S_UOP_HIT,
    S_VIOLATIONS,
    S_WARM,
    S_WARM_PC,
    S_WARM_SIZE,
    S_WARM_TAKEN,
    SETS,
    SETS_AT,
    STACK,
    STORE,
    STORE_FREE,
    U_LATENCY,
    UNIT,
    W_ADDRESS,
    W_DONE,
    W_EXECUTE,
    W_PC,
    W_SENT,
    W_SIZE,
    ask,
    book,
    book_unit,
    close_branch,
    enter_window,
    fetch_one,
    in_order,
    leave_queue,
    ready_of,
    sets_of,
    squash,
    take_registers,
    unite,
)
from hwmodel.cryo.shared._kernels import touch
from hwmodel.cryo.stages._kernels import R_LINE, R_OPEN, RUN
from hwmodel.cryo.tlb._kernels import touch_page
from hwmodel.cryo.uops._kernels import fetch_decoded, load_by_address
from hwmodel.cryo.words._kernels import (
    K_ON,
    PAGE,
    PAGE_FULL,
    PATH,
    READ,
    TLB_DATA,
    TLB_FETCH,
    WALK,
    WRITE,
    physical,
)
from hwmodel.kernel.compiled import Ints, bare, inlined, jit


@inlined
def older_store(w: Ints, address: int, size: int, execute: int) -> int:
    """Return the youngest older store that a load at `execute` has to know about, or -1.

    It is one that overlaps the load's bytes and has not left for the cache.
    """
    stores = w[NOW + S_STORES]
    for n in range(stores - 1, max(-1, stores - 1 - w[CORE + C_SQ]), -1):
        place = n & (RING - 1)
        if w[STORE + place * 8 + W_SENT] <= execute:
            return -1
        if (
            w[STORE + place * 8 + W_ADDRESS] < address + size
            and address < w[STORE + place * 8 + W_ADDRESS] + w[STORE + place * 8 + W_SIZE]
        ):
            return n
    return -1


@inlined
def violating_store(w: Ints, address: int, size: int, execute: int) -> int:
    """Return the store that executes first of those older ones which a load at `execute` overtook, or -1."""
    shift = w[CORE + C_CHECK_SHIFT]
    low = address >> shift
    high = (address + size - 1) >> shift
    stores = w[NOW + S_STORES]
    found = -1
    when = 0
    for n in range(stores - 1, max(-1, stores - 1 - w[CORE + C_SQ]), -1):
        place = n & (RING - 1)
        if w[STORE + place * 8 + W_SENT] <= execute:
            break
        if w[STORE + place * 8 + W_EXECUTE] > execute and (
            found < 0 or w[STORE + place * 8 + W_EXECUTE] < when
        ):
            first = w[STORE + place * 8 + W_ADDRESS] >> shift
            last = (w[STORE + place * 8 + W_ADDRESS] + w[STORE + place * 8 + W_SIZE] - 1) >> shift
            if first <= high and low <= last:
                found = n
                when = w[STORE + place * 8 + W_EXECUTE]
    return found


@jit
def load_data(w: Ints, pc: int, address: int, size: int, execute: int, level: int) -> int:
    """Return the cycle in which a load that executes at `execute` has its data, or -(store + 1) if it has to be redone."""
    cycle = execute + w[CORE + C_LOAD_DELAY]
    if w[CORE + C_DEPENDENCE] == KNOWN:
        # It waits for the stores whose bytes it reads, and for no others.
        wrong = violating_store(w, address, size, cycle)
        while wrong >= 0:
            cycle = w[STORE + (wrong & (RING - 1)) * 8 + W_EXECUTE]
            wrong = violating_store(w, address, size, cycle)
    cycle = book(w, 1, cycle, w[CORE + C_LOAD_PORTS])
    wrong = violating_store(w, address, size, cycle)
    older = older_store(w, address, size, cycle)
    place = older & (RING - 1)
    if older >= 0 and w[STORE + (place) * 8 + W_EXECUTE] <= cycle:
        inside = (
            w[STORE + (place) * 8 + W_ADDRESS] <= address
            and address + size <= w[STORE + (place) * 8 + W_ADDRESS] + w[STORE + (place) * 8 + W_SIZE]
        )
        if inside:
            w[NOW + S_FORWARDED] += 1
            w[PATH + 15] = 0
            done = cycle + w[CORE + C_FORWARD]
            if wrong >= 0:
                return -(wrong + 1)
            return done
        cycle = max(cycle, w[STORE + (place) * 8 + W_SENT] + 1)
    done = ask(w, TLB_DATA, level, address, address, cycle, READ, pc)
    if wrong >= 0:
        return -(wrong + 1)
    return done


@jit
def run_ooo(
    words: Ints,
    pcs: Ints,
    facts: Ints,
    sources: Ints,
    destinations: Ints,
    ids: Ints,
    addresses: Ints,
    data_level: int,
    fetch_level: int,
) -> int:
    """Run the instructions of one chunk; return how many of its addresses were used, or -1 where pages ran out.

    `facts` has one row a static instruction: size, op, branch, loads, stores, load size, store size, flags,
    destinations among the integer and the floating-point registers.
    """
    w = bare(words)
    fact = bare(facts)
    reads = bare(sources)
    writes = bare(destinations)
    numbers = bare(ids)
    operands = bare(addresses)
    columns = facts.shape[1]
    read_columns = sources.shape[1]
    write_columns = destinations.shape[1]
    used = 0
    skid = w[CORE + C_SKID]
    late_rename = w[CORE + C_LATE_RENAME]
    for i in range(ids.shape[0]):
        static = numbers[i] & 0x7FFFFFFF
        facts_at = static * columns
        pc = pcs[static]
        if w[NOW + S_OPEN]:
            close_branch(w, pc)
        number = w[NOW + S_INSTRUCTIONS]
        op = fact[facts_at + 1]
        branch = fact[facts_at + 2]
        loads = fact[facts_at + 3]
        stores = fact[facts_at + 4]
        flags = fact[facts_at + 7]
        ints = fact[facts_at + 8]
        fps = fact[facts_at + 9]
        serial = flags & 3 or op == OP_SYSTEM
        if branch and w[CORE + C_CHAIN]:
            ints += 1
        if w[CORE + C_UNIFIED]:
            ints += fps
            fps = 0
        key = (pc >> w[CORE + C_SET_SHIFT]) & (SETS - 1)
        tries = 0
        while True:
            if w[CORE + C_UOP_SETS]:
                decode = fetch_decoded(w, pc, fetch_level)
                fetched = w[NOW + S_FETCH]
            else:
                fetched = fetch_one(w, pc, fetch_level)
                decode = fetched + w[CORE + C_FETCH_DECODE]
            if number >= skid:
                decode = max(decode, w[RENAMED + ((number - skid) & (RING - 1))])
            decode = in_order(w, S_DECODE, decode, w[CORE + C_DECODE])
            w[DECODED + (number & (RING - 1))] = decode
            wanted = decode + w[CORE + C_DECODE_RENAME]
            rename = enter_window(w, number, loads, stores, wanted)
            if not late_rename:
                rename = take_registers(w, ints, fps, rename)
            rename = in_order(w, S_RENAME, rename, w[CORE + C_RENAME])
            w[RENAMED + (number & (RING - 1))] = rename
            dispatch = max(rename + w[CORE + C_RENAME_DISPATCH], w[NOW + S_BARRIER])
            if late_rename:
                dispatch = take_registers(w, ints, fps, dispatch)
            if serial:
                dispatch = max(dispatch, w[NOW + S_COMMIT] + 1)
            dispatch = in_order(w, S_DISPATCH, dispatch, w[CORE + C_DISPATCH])
            late = ready_of(w, reads, static * read_columns, read_columns)
            issue = max(dispatch, w[REGISTER + late])
            cause = CPI_DEPENDENCE
            if issue > dispatch:
                cause = w[CAUSE + late]
            if branch and w[CORE + C_CHAIN] and branch != INDIRECT_JUMP and branch != RETURN:
                issue = max(issue, w[REGISTER + POINTER])
            if w[CORE + C_DEPENDENCE] and (loads or stores) and sets_of(w, key) >= 0:
                last = w[SETS_AT + sets_of(w, key) * 2 + 1]
                if last >= 0 and last > w[NOW + S_STORES] - 1 - w[CORE + C_SQ]:
                    before = w[STORE + (last & (RING - 1)) * 8 + W_EXECUTE]
                    if before - w[CORE + C_ISSUE_EXECUTE] > dispatch and before > issue:
                        issue = before
                        cause = CPI_ORDER
            wants = issue
            issue = book_unit(w, op, issue)
            if issue > wants:
                cause = CPI_UNIT
            execute = issue + w[CORE + C_ISSUE_EXECUTE]
            latency = w[UNIT + op * 4 + U_LATENCY]
            complete = execute + latency - 1
            ready = issue + latency
            depth = -1
            wrong = -1
            if loads:
                size = max(1, fact[facts_at + 5])
                for n in range(loads):
                    if w[CORE + C_BY_ADDRESS]:
                        done = load_by_address(w, pc, operands[used + n], execute, rename, data_level)
                    else:
                        done = load_data(w, pc, operands[used + n], size, execute, data_level)
                    if done < 0:
                        if tries < RETRIES and not serial:
                            wrong = -done - 1
                            break
                        done = w[STORE + ((-done - 1) & (RING - 1)) * 8 + W_EXECUTE] + 1
                    depth = max(depth, w[PATH + 15])
                    complete = max(complete, done)
                    ready = max(ready, done + latency - 1 if op else done)
            if wrong < 0:
                break
            tries += 1
            w[NOW + S_VIOLATIONS] += 1
            place = wrong & (RING - 1)
            if w[CORE + C_DEPENDENCE]:
                unite(w, key, (w[STORE + (place) * 8 + W_PC] >> w[CORE + C_SET_SHIFT]) & (SETS - 1), pc)
            squash(w, w[STORE + (place) * 8 + W_EXECUTE], dispatch, CPI_ORDER)
        if stores and w[CORE + C_BY_ADDRESS]:
            # Stores have their data in program order.
            w[NOW + S_STORE_DONE] = max(w[NOW + S_STORE_DONE], execute)
            complete = max(complete, w[NOW + S_STORE_DONE])
        if w[CORE + C_RESULTS]:
            end = book(w, RING_RESULTS, complete + 1, w[CORE + C_RESULTS])
            ready += end - complete - 1
            complete = end - 1
        # ------------------------------------------------------------------ commit, and what the gap is laid to
        before = w[NOW + S_COMMIT]
        commit = in_order(w, S_COMMIT, complete + w[CORE + C_COMPLETE_COMMIT], w[CORE + C_COMMIT])
        gap = commit - before
        if gap > 0:
            w[STACK + CPI_BASE] += 1
            if gap > 1:
                # The gap goes to what took most of it: the way to the window, the wait there, or the execution.
                front = dispatch - before
                waited = issue - max(dispatch, before)
                took = complete - max(execute, before)
                booked = cause
                if serial:
                    booked = CPI_SERIAL
                elif took >= waited and took >= front:
                    booked = CPI_L1 + min(depth, 3) if depth >= 0 else CPI_DEPENDENCE
                elif front > waited:
                    booked = w[NOW + S_FRONT]
                    if rename > wanted:
                        booked = CPI_QUEUE
                    elif booked == CPI_BASE:
                        booked = CPI_DEPENDENCE
                w[STACK + booked] += gap - 1
        w[NOW + S_FRONT] = CPI_BASE if fetched + 8 < commit else w[NOW + S_FRONT]
        w[COMMITTED + (number & (RING - 1))] = commit
        for _ in range(loads):
            free = commit + 1
            if w[CORE + C_LOADS_LEAVE]:
                free = max(complete + 1, w[LOAD_FREE + ((w[NOW + S_LOADS] - 1) & (RING - 1))])
            w[LOAD_FREE + (w[NOW + S_LOADS] & (RING - 1))] = free
            w[NOW + S_LOADS] += 1
        for n in range(stores):
            address = operands[used + loads + n]
            sent = max(commit + w[CORE + C_STORE_DELAY], w[NOW + S_STORE_SENT])
            sent = book(w, 2, sent, w[CORE + C_STORE_PORTS])
            w[NOW + S_STORE_SENT] = sent
            done = ask(w, TLB_DATA, data_level, address, address, sent, WRITE, pc)
            if w[CORE + C_POSTED]:
                done = sent - 1
            place = w[NOW + S_STORES] & (RING - 1)
            w[STORE + (place) * 8 + W_ADDRESS] = address
            w[STORE + (place) * 8 + W_SIZE] = max(1, fact[facts_at + 6])
            w[STORE + (place) * 8 + W_EXECUTE] = execute
            w[STORE + (place) * 8 + W_SENT] = sent
            w[STORE + (place) * 8 + W_PC] = pc
            w[STORE + (place) * 8 + W_DONE] = complete
            w[STORE_FREE + place] = max(done + 1, w[STORE_FREE + ((w[NOW + S_STORES] - 1) & (RING - 1))])
            if w[CORE + C_DEPENDENCE] and sets_of(w, key) >= 0:
                w[SETS_AT + sets_of(w, key) * 2 + 1] = w[NOW + S_STORES]
            w[NOW + S_STORES] += 1
        if loads or stores:
            w[NOW + S_MEMORY_OPS] += loads + stores
            if w[CORE + C_CLEAR] > 0 and w[NOW + S_MEMORY_OPS] > w[CORE + C_CLEAR]:
                w[NOW + S_MEMORY_OPS] = 0
                words[SETS_AT : SETS_AT + 2 * SETS] = -1
        release = complete if (loads or stores) and w[CORE + C_QUEUE_HOLDS] else issue
        leave_queue(w, release)
        # Whoever waits for the result waits for what this instruction waited for, if that was the longer part.
        why = CPI_DEPENDENCE
        if depth >= 0:
            why = CPI_L1 + min(depth, 3)
        if issue - dispatch > complete - execute:
            why = cause
        for d in range(static * write_columns, (static + 1) * write_columns):
            register = writes[d]
            if register:
                w[REGISTER + register] = ready
                w[CAUSE + register] = why
                if 32 < register <= 64 and w[CORE + C_UNIFIED] == 0:
                    w[FP_FREE + (w[NOW + S_FP] & (RING - 1))] = commit
                    w[NOW + S_FP] += 1
                else:
                    w[INT_FREE + (w[NOW + S_INT] & (RING - 1))] = commit
                    w[NOW + S_INT] += 1
        if branch and w[CORE + C_CHAIN]:
            w[REGISTER + POINTER] = ready
            w[INT_FREE + (w[NOW + S_INT] & (RING - 1))] = commit
            w[NOW + S_INT] += 1
        if serial:
            w[NOW + S_BARRIER] = max(w[NOW + S_BARRIER], commit + 1)
        if branch:
            w[NOW + S_OPEN] = branch
            w[NOW + S_OPEN_PC] = pc
            w[NOW + S_OPEN_SIZE] = fact[facts_at + 0]
            w[NOW + S_OPEN_TAKEN] = numbers[i] >> 31
            w[NOW + S_OPEN_EXECUTE] = complete if loads or w[CORE + C_CHAIN] else execute
            w[NOW + S_OPEN_HIT] = w[NOW + S_UOP_HIT]
            w[NOW + S_OPEN_DISPATCH] = dispatch
            w[NOW + S_OPEN_DECODE] = decode
        used += loads + stores
        w[NOW + S_INSTRUCTIONS] += 1
        if w[PAGE + PAGE_FULL]:
            return -1
    return used


@jit
def close_warm(w: Ints, target: int) -> None:
    """Show the branch that was warmed last to the predictor, now that its target is known."""
    kind = w[NOW + S_WARM]
    w[NOW + S_WARM] = 0
    predict(w, w[NOW + S_WARM_PC], kind, w[NOW + S_WARM_SIZE], w[NOW + S_WARM_TAKEN] != 0, target)


@jit
def warm(
    words: Ints, pcs: Ints, facts: Ints, ids: Ints, addresses: Ints, data_level: int, fetch_level: int
) -> int:
    """Show a chunk to caches, pages and predictor without any timing; return the addresses used.

    Prefetchers stay untrained: what they would have fetched in time cannot be known without times.
    """
    w = bare(words)
    used = 0
    line = -1
    translated = w[WALK + K_ON]
    # The fetch buffer and the branch that the timed run before left behind; what follows it is known now.
    w[NOW + S_LINE] = -1
    w[RUN + R_LINE] = -1
    if w[NOW + S_OPEN]:
        words[NOW + S_WARM : NOW + S_WARM + 4] = words[NOW + S_OPEN : NOW + S_OPEN + 4]
        w[NOW + S_OPEN] = 0
    if w[RUN + R_OPEN]:
        words[NOW + S_WARM : NOW + S_WARM + 4] = words[RUN + R_OPEN : RUN + R_OPEN + 4]
        w[RUN + R_OPEN] = 0
    for i in range(ids.shape[0]):
        static = ids[i] & 0x7FFFFFFF
        pc = pcs[static]
        if w[NOW + S_WARM]:
            close_warm(w, pc)
        if pc >> 6 != line:
            line = pc >> 6
            if translated:
                touch_page(w, TLB_FETCH, pc)
            touch(w, fetch_level, physical(w, pc) >> 6, False)
        for n in range(facts[static, 3] + facts[static, 4]):
            if translated:
                touch_page(w, TLB_DATA, addresses[used + n])
            address = physical(w, addresses[used + n])
            touch(w, data_level, address >> 6, n >= facts[static, 3])
        used += facts[static, 3] + facts[static, 4]
        if facts[static, 2]:
            w[NOW + S_WARM] = facts[static, 2]
            w[NOW + S_WARM_PC] = pc
            w[NOW + S_WARM_SIZE] = facts[static, 0]
            w[NOW + S_WARM_TAKEN] = ids[i] >> 31
        if w[PAGE + PAGE_FULL]:
            return -1
    return used
