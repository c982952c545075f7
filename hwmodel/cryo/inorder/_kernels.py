"""The in-order core: one pass over the trace, each instruction's stages as cycle numbers.

A core of four stages: lines are fetched one at a time; the second stage cuts them into instructions and predicts
branches; decode packs the instructions anew; execute issues them in order to functional units and commits them in
order. Operands are not waited for where the result is due before the unit needs it: an instruction may enter its
unit early, and what it waits for then is its turn to commit. A unit whose oldest instruction waits stands still.

A memory operation leaves its unit when everything it depends on has committed, goes through a queue of one request,
and shares the cache port with the stores that leave the store buffer.

All of it depends on older instructions only, so that one pass in program order finds every cycle exactly.
"""

from __future__ import annotations

from hwmodel.cryo.branch._kernels import RIGHT, predict
from hwmodel.cryo.core._kernels import (
    CPI_BASE,
    CPI_BRANCH,
    CPI_DEPENDENCE,
    CPI_FETCH,
    CPI_L1,
    CPI_QUEUE,
    CPI_SERIAL,
    CPI_UNIT,
    OP_SYSTEM,
)
from hwmodel.cryo.stages._kernels import (
    CLASS,
    CLASS_LOAD,
    CLASS_STORE,
    DECODE_POP,
    F_NEXT,
    I_COMMIT,
    I_DECODE,
    I_DECODE_BUFFER,
    I_DECODE_ISSUE,
    I_FETCH,
    I_FETCH_DECODE,
    I_ISSUE,
    I_ISSUE_BUFFER,
    I_LINE_SHIFT,
    I_MEMORY,
    I_REDIRECT,
    I_TRANSFERS,
    ISSUE_POP,
    K_ASSUMED,
    K_COUNT,
    K_EARLY,
    K_FIRST,
    K_INTERVAL,
    K_LATENCY,
    K_SIMPLE,
    MEMORY_COMMIT,
    NEVER,
    PARAMETERS,
    PIPE,
    PIPE_WORDS,
    R_ASK,
    R_AWAY,
    R_BARRIER,
    R_BRANCHES,
    R_COMMIT,
    R_COMMITTED,
    R_COMMITTED_MEMORY,
    R_DECODE,
    R_DECODE_GROUP,
    R_DECODED,
    R_FETCH,
    R_FETCH_GROUP,
    R_FETCHED,
    R_FILLED,
    R_FRONT,
    R_INSIDE,
    R_INSTRUCTIONS,
    R_ISSUE,
    R_ISSUED,
    R_ISSUED_MEMORY,
    R_LEFT,
    R_LINE,
    R_LINE_READY,
    R_MISPREDICTED,
    R_OPEN,
    R_OPEN_COMMIT,
    R_OPEN_PC,
    R_OPEN_SIZE,
    R_OPEN_TAKEN,
    R_OPERATIONS,
    R_STORE_COMMIT,
    R_STORES,
    RESULT,
    RING,
    RUN,
    SETTLED,
    STACK,
    STORE,
    W_ADDRESS,
    W_ANSWER,
    W_COMMIT,
    W_END,
    W_PC,
    drain,
    drain_through,
    fetch_line,
    load_value,
    pipe_front,
    pipe_push,
    pipe_room,
    port_free,
    room_for_store,
    translated,
    wrong_path,
)
from hwmodel.cryo.words._kernels import PAGE, PAGE_FULL, PATH, TLB_DATA
from hwmodel.kernel.compiled import Ints, bare, jit


@jit
def run_inorder(
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

    `facts` has one row a static instruction: size, op, branch, loads, stores, load size, store size, flags.
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
    fetch_width = w[PARAMETERS + I_FETCH]
    decode_width = w[PARAMETERS + I_DECODE]
    issue_width = w[PARAMETERS + I_ISSUE]
    commit_width = w[PARAMETERS + I_COMMIT]
    memory_width = w[PARAMETERS + I_MEMORY]
    to_decode = w[PARAMETERS + I_FETCH_DECODE]
    to_issue = w[PARAMETERS + I_DECODE_ISSUE]
    decode_buffer = w[PARAMETERS + I_DECODE_BUFFER]
    issue_buffer = w[PARAMETERS + I_ISSUE_BUFFER]
    shift = w[PARAMETERS + I_LINE_SHIFT]
    line = w[RUN + R_LINE]
    line_ready = w[RUN + R_LINE_READY]
    ask = w[RUN + R_ASK]
    away = w[RUN + R_AWAY]
    fetch = w[RUN + R_FETCH]
    fetched = w[RUN + R_FETCHED]
    fetch_group = w[RUN + R_FETCH_GROUP]
    decode = w[RUN + R_DECODE]
    decoded = w[RUN + R_DECODED]
    decode_group = w[RUN + R_DECODE_GROUP]
    issue = w[RUN + R_ISSUE]
    issued = w[RUN + R_ISSUED]
    issued_memory = w[RUN + R_ISSUED_MEMORY]
    commit = w[RUN + R_COMMIT]
    committed = w[RUN + R_COMMITTED]
    committed_memory = w[RUN + R_COMMITTED_MEMORY]
    front_cause = w[RUN + R_FRONT]
    filled = w[RUN + R_FILLED]
    open_kind = w[RUN + R_OPEN]
    open_pc = w[RUN + R_OPEN_PC]
    open_size = w[RUN + R_OPEN_SIZE]
    open_taken = w[RUN + R_OPEN_TAKEN]
    open_commit = w[RUN + R_OPEN_COMMIT]
    base = 0
    used = 0
    for i in range(ids.shape[0]):
        static = numbers[i] & 0x7FFFFFFF
        facts_at = static * columns
        reads_at = static * read_columns
        pc = pcs[static]
        # --------------------------------------------------------- the branch before, now that its target is known
        if open_kind:
            verdict = predict(w, open_pc, open_kind, open_size, open_taken != 0, pc)
            open_kind = 0
            w[RUN + R_BRANCHES] += 1
            if verdict != RIGHT:
                w[RUN + R_MISPREDICTED] += 1
                redirect = open_commit + w[PARAMETERS + I_REDIRECT]
                ask = wrong_path(w, fetch_level, open_pc, open_size, open_taken, fetch, redirect)
                away = 1
                front_cause = CPI_BRANCH
            elif open_taken:
                ask = fetch
                away = 1
                front_cause = CPI_FETCH
        # ------------------------------------------------------------------------------------------------- fetch
        size = fact[facts_at + 0]
        if away or pc >> shift != line:
            if not away:
                ask = fetch
                front_cause = CPI_FETCH
            away = 0
            line = pc >> shift
            line_ready = fetch_line(w, fetch_level, line, ask, pc) + 1
        if size and (pc + size - 1) >> shift != line:
            # The rest lies in the next line, which is asked for once this one is used up.
            ask = fetch
            if fetched >= fetch_width or line_ready > fetch:
                ask = max(
                    fetch + 1, line_ready, w[DECODE_POP + ((fetch_group + 1 - decode_buffer) & (RING - 1))]
                )
            line += 1
            line_ready = fetch_line(w, fetch_level, line, ask, pc) + 1
            front_cause = CPI_FETCH
        if fetched >= fetch_width or line_ready > fetch:
            fetch_group += 1
            fetched = 0
            fetch = max(fetch + 1, line_ready, w[DECODE_POP + ((fetch_group - decode_buffer) & (RING - 1))])
        fetched += 1
        # ------------------------------------------------------------------------------------------------ decode
        if decoded >= decode_width or fetch + to_decode > decode:
            decode_group += 1
            decoded = 0
            decode = max(
                decode + 1, fetch + to_decode, w[ISSUE_POP + ((decode_group - issue_buffer) & (RING - 1))]
            )
        decoded += 1
        w[DECODE_POP + (fetch_group & (RING - 1))] = decode
        # ------------------------------------------------------------------------------------------------- issue
        op = fact[facts_at + 1]
        loads = fact[facts_at + 3]
        stores = fact[facts_at + 4]
        flags = fact[facts_at + 7]
        row = op
        if loads:
            row = CLASS_LOAD
        elif stores:
            row = CLASS_STORE
        row = CLASS + row * 8
        cause = CPI_DEPENDENCE
        cycle = issue
        if issued >= issue_width or issued_memory >= memory_width:
            cycle += 1
        if decode + to_issue > cycle:
            cycle = decode + to_issue
            cause = front_cause
        due = 0
        for s in range(reads_at, reads_at + read_columns):
            register = reads[s]
            if register == 0:
                break
            due = max(due, w[RESULT + register])
        due -= w[row + K_EARLY]
        if due > cycle:
            cycle = due
            cause = CPI_DEPENDENCE
        free_of_cost = flags & 2 and not loads and not stores
        unit = PIPE + w[row + K_FIRST] * PIPE_WORDS
        simple = w[row + K_SIMPLE]
        front = cycle + 1
        if free_of_cost:
            cause = CPI_SERIAL
        else:
            room = w[unit + F_NEXT] if simple else pipe_room(w, unit, cycle)
            other = unit
            for _ in range(1, w[row + K_COUNT]):
                if room <= cycle:
                    break
                other += PIPE_WORDS
                at = w[other + F_NEXT] if simple else pipe_room(w, other, cycle)
                if at < room:
                    room = at
                    unit = other
            if room > cycle:
                cycle = room
                cause = CPI_UNIT
            front = cycle + 1
            if not simple:
                front = pipe_front(w, unit, cycle, w[row + K_LATENCY])
        if cycle > issue:
            issue = cycle
            issued = 0
            issued_memory = 0
        issued += 1
        w[ISSUE_POP + (decode_group & (RING - 1))] = cycle
        # ------------------------------------------------------------------------------------ execute and commit
        before = commit
        done = front
        memory = loads + stores
        left = front
        if memory:
            issued_memory += 1
            settled = 0
            for s in range(reads_at, reads_at + read_columns):
                register = reads[s]
                if register == 0:
                    break
                settled = max(settled, w[SETTLED + register])
            enter = max(front, w[RUN + R_LEFT], w[RUN + R_BARRIER])
            inside = settled
            if settled == 2 * filled:
                # An answer took the commit behind the one that was waited for, and with it the rest of the cycle.
                settled += 1
            settled = (settled + 1) >> 1
            if settled > enter:
                enter = settled
                cause = CPI_DEPENDENCE
            if flags & 1:
                enter = max(enter, commit)
            if w[RUN + R_INSIDE] == 2 * enter and filled == enter:
                # The operation before it went and committed between the two commits of this cycle.
                enter += 1
            w[RUN + R_INSIDE] = inside
            if commit_width == 1:
                # The one commit of a cycle, where it is that of an answer, leaves no time to send another request.
                last = w[RUN + R_OPERATIONS]
                for n in range(max(0, last - w[PARAMETERS + I_TRANSFERS]), last):
                    if w[MEMORY_COMMIT + (n & (RING - 1))] == enter:
                        enter += 1
            w[RUN + R_LEFT] = enter
            left = enter
            done = enter
            depth = 0
            for n in range(loads):
                value = load_value(
                    w, data_level, operands[used + n], max(1, fact[facts_at + 5]), w[RUN + R_LEFT], pc
                )
                depth = max(depth, w[PATH + 15])
                done = max(done, value)
            if done > front and loads:
                cause = CPI_L1 + min(depth, 3)
            if stores:
                moved = max(done, w[RUN + R_LEFT])
                for n in range(stores):
                    moved = translated(w, TLB_DATA, operands[used + loads + n], moved)
                transfers = w[RUN + R_OPERATIONS] - w[PARAMETERS + I_TRANSFERS]
                if transfers >= 0 and w[MEMORY_COMMIT + (transfers & (RING - 1))] > moved:
                    moved = w[MEMORY_COMMIT + (transfers & (RING - 1))] + 1
                w[RUN + R_LEFT] = moved
                room = room_for_store(w, data_level)
                done = moved
                if room > done:
                    done = room
                    cause = CPI_QUEUE
            left = enter
        if done > commit:
            commit = done
            committed = 0
            committed_memory = 0
        elif committed >= commit_width or (memory and committed_memory >= memory_width):
            commit += 1
            committed = 0
            committed_memory = 0
        settles = commit
        if not free_of_cost:
            committed += 1
            if committed >= commit_width:
                settles = commit + 1
            if simple:
                w[unit + F_NEXT] = commit
            else:
                pipe_push(w, unit, cycle, front, left if memory else commit, w[row + K_INTERVAL])
        if memory:
            committed_memory += 1
            if committed >= commit_width:
                filled = commit
            w[MEMORY_COMMIT + (w[RUN + R_OPERATIONS] & (RING - 1))] = commit
            w[RUN + R_OPERATIONS] += 1
            for n in range(stores):
                at = STORE + 8 * (w[RUN + R_STORES] & (RING - 1))
                w[at + W_ADDRESS] = operands[used + loads + n]
                w[at + W_END] = operands[used + loads + n] + max(1, fact[facts_at + 6])
                w[at + W_COMMIT] = commit
                w[at + W_ANSWER] = NEVER
                w[at + W_PC] = pc
                w[RUN + R_STORES] += 1
                w[RUN + R_STORE_COMMIT] = settles
                if w[at + W_ADDRESS] < 0:
                    # A doorbell: whoever waits for it must not wait for the next instruction.
                    drain_through(w, data_level, w[RUN + R_STORES] - 1)
                if n + 1 < stores:
                    room = room_for_store(w, data_level)
                    if room > commit:
                        commit = room
                        committed = 1
                        committed_memory = 1
                        settles = commit
            used += memory
            if w[PAGE + PAGE_FULL]:
                return -1
        # ------------------------------------------------------------------------------- what the gap is laid to
        if commit > before:
            base += 1
            w[STACK + cause] += commit - before - 1
        # ----------------------------------------------------------------------------------------------- results
        due = cycle + w[row + K_LATENCY] + w[row + K_ASSUMED]
        if memory and op:
            due += w[CLASS + op * 8 + K_LATENCY]
        for d in range(static * write_columns, (static + 1) * write_columns):
            register = writes[d]
            if register == 0:
                break
            w[RESULT + register] = due
            w[SETTLED + register] = commit + settles
        if fact[facts_at + 2]:
            open_kind = fact[facts_at + 2]
            open_pc = pc
            open_size = size
            open_taken = numbers[i] >> 31
            open_commit = commit
        elif flags & 2:
            if op == OP_SYSTEM:
                # What follows is fetched anew.
                ask = commit + w[PARAMETERS + I_REDIRECT]
                away = 1
                front_cause = CPI_SERIAL
            drain(w, data_level, NEVER)
            w[RUN + R_BARRIER] = max(commit, port_free(w)) + 1
    w[STACK + CPI_BASE] += base
    w[RUN + R_INSTRUCTIONS] += ids.shape[0]
    w[RUN + R_LINE] = line
    w[RUN + R_LINE_READY] = line_ready
    w[RUN + R_ASK] = ask
    w[RUN + R_AWAY] = away
    w[RUN + R_FETCH] = fetch
    w[RUN + R_FETCHED] = fetched
    w[RUN + R_FETCH_GROUP] = fetch_group
    w[RUN + R_DECODE] = decode
    w[RUN + R_DECODED] = decoded
    w[RUN + R_DECODE_GROUP] = decode_group
    w[RUN + R_ISSUE] = issue
    w[RUN + R_ISSUED] = issued
    w[RUN + R_ISSUED_MEMORY] = issued_memory
    w[RUN + R_COMMIT] = commit
    w[RUN + R_COMMITTED] = committed
    w[RUN + R_COMMITTED_MEMORY] = committed_memory
    w[RUN + R_FRONT] = front_cause
    w[RUN + R_FILLED] = filled
    w[RUN + R_OPEN] = open_kind
    w[RUN + R_OPEN_PC] = open_pc
    w[RUN + R_OPEN_SIZE] = open_size
    w[RUN + R_OPEN_TAKEN] = open_taken
    w[RUN + R_OPEN_COMMIT] = open_commit
    return used
