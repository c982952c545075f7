"""The compiled loop of the pulse engine: take the earliest pulse, check hold times, move the cell, send pulses.

Everything but pulses in flight and messages lies in one flat int64 array, `memory`; each further array would cost
every call some 60 ns. Its parts, in order:

* the header: addresses of the other parts, and what the loop reports;
* read-only tables: one row a pin, then per-kind, instance and input rows; addresses in them are places in `memory`.
  A pin's number is its place in the canonical order and the key of its events, so that pulses of one femtosecond
  go by cell name and then by input order;
* the state: one block an instance (state, draws so far, then deadline and hold number of each input, pin and wire
  delay of each output, how often each transition was taken), and the violation counters;
* the log of the first violations;
* the record of watched signals, emptied after every call.
"""

from __future__ import annotations

from hwmodel.kernel.compiled import (
    CAPACITY,
    FAR,
    NEAR,
    NOW,
    Ints,
    U,
    jit,
    queue_drop,
    queue_first,
    queue_peek,
    queue_push,
    random_bits,
)

NEVER = 2**63 - 1

ROW = 8  # words of a pin, instance, input or transition row

# header: addresses and sizes
P_INPUTS = 0  # the input rows
P_RESERVE = 1  # most pulses that one pulse can cause
P_LOG = 2  # the log
P_LOG_ROWS = 3
P_RECORDS = 4  # the record: (time, slot) pairs
P_RECORD_ROWS = 5

# header: what the loop reports
M_STATUS = 8  # 0: nothing to look after; else the sum of the flags below and a reason to stop
M_HEAD = 9  # inbox rows taken
M_SENT = 10  # outbox rows valid
M_RECORDED = 11  # record rows valid
M_PULSES = 12  # pulses that arrived anywhere
M_VIOLATIONS = 13
M_LOST = 14  # pulses lost to violations
M_PIN = 15  # pin of the violation that stopped the run
M_TIME = 16  # and its time, fs

PINS = 24  # address of the first pin row

# pin row
PIN_BASE = 0  # address of the instance's block; -1: not a cell
PIN_HOLD = 1  # address of this input's deadline
PIN_STEPS = 2  # address of the transition rows of this kind and input, one a state
PIN_PORT = 3  # number of the output port; -1: none
PIN_SLOT = 4  # record slot; -1: not watched
PIN_INSTANCE = 5  # address of the instance row

# instance row
I_POLICY = 0
I_STREAM = 1  # key of the instance's random stream, 64 bits
I_CHANCE = 2  # probability of firing times 2**53, rounded up
I_COUNTERS = 3  # address of (number, worst shortfall in fs) of each hold of the cell

# input row
IN_PIN = 0
IN_DELAY = 1  # fs
IN_SLOT = 2  # record slot; -1: not watched

# transition row
S_NEXT = 0
S_FIRES = 1  # address of (place of the output in the block, delay) pairs
S_FIRES_END = 2
S_HOLDS = 3  # address of (deadline's place in the instance, hold time, hold number) triples
S_HOLDS_END = 4
S_ELSE = 5  # address of the pairs used where the draw says no; 0: not drawn
S_ELSE_END = 6
S_COUNT = 7  # place of the counter in the instance; the next word counts where the draw said no

# memory[M_STATUS]: why the loop stopped early, and what there is to collect
DONE, QUEUE_SHORT, OUTBOX_SHORT, RECORDS_SHORT, STOPPED, REASONS = 0, 1, 2, 3, 4, 7
SENT, RECORDED, VIOLATED = 8, 16, 32

# policies, in the order of POLICIES
ERROR, WARN, DROP, METASTABLE = 0, 1, 2, 3

LOG_WORDS = 5  # t, pin, hold number, shortfall, 1 if the pulse was lost

# columns of inbox rows
T, PORT = 0, 3


@jit
def run(
    memory: Ints,
    queue: Ints,
    inbox: Ints,
    outbox: Ints,
    t1: int,
    head: int,
    tail: int,
    sent: int,
) -> int:
    """Run every pulse with t < t1 and return the time of the next one in flight.

    `inbox`, shape (n, 5), is valid from row `head` to `tail`; `outbox`, shape (n, 3), up to row `sent`. Stops early,
    with the reason in memory[M_STATUS], where an array has no room for the next pulse or a violation stops the run;
    that pulse is then still to come.
    """
    status = DONE
    sent_before = sent
    violations = memory[M_VIOLATIONS]
    pulses = 0
    inputs = memory[P_INPUTS]
    most_waiting = queue[CAPACITY] - memory[P_RESERVE]
    most_sent = outbox.shape[0] - 1
    record = memory[P_RECORDS]
    last_record = record + 2 * memory[P_RECORD_ROWS] - 4
    message = NEVER
    if head < tail:
        message = inbox[head, T]
    while True:
        at = queue_first(queue)
        t = NEVER
        if at != 0:
            t = queue[U(at)]
        delivered = message <= t  # messages go before local events of the same femtosecond
        if delivered:
            t = message
        if t >= t1:
            break
        if queue[NEAR] + queue[FAR] > most_waiting:
            status = QUEUE_SHORT
            break
        if record > last_record:
            status = RECORDS_SHORT
            break
        if sent > most_sent:
            status = OUTBOX_SHORT
            break
        entered = -1
        if delivered:
            queue[NOW] = t  # keeps the ring abreast while only messages come
            row = inputs + ROW * inbox[head, PORT]
            pin = memory[U(row + IN_PIN)]
            entered = memory[U(row + IN_SLOT)]
            delay = memory[U(row + IN_DELAY)]
            if delay > 0:
                queue_push(queue, t + delay, pin, 0)
                if entered >= 0:
                    memory[U(record)] = t
                    memory[U(record + 1)] = entered
                    record += 2
                head += 1
                message = NEVER
                if head < tail:
                    message = inbox[head, T]
                continue
        else:
            pin = queue[U(at + 1)]
        row = ROW * pin + PINS
        base = memory[U(row + PIN_BASE)]
        processed = base >= 0
        if processed:
            hold = memory[U(row + PIN_HOLD)]
            if t < memory[U(hold)]:
                instance = memory[U(row + PIN_INSTANCE)]
                if memory[U(instance)] == ERROR:
                    status = STOPPED
                    memory[M_PIN] = pin
                    memory[M_TIME] = t
                    break
                processed = violate(memory, instance, base, hold, t, pin)
        if delivered:
            head += 1
            message = NEVER
            if head < tail:
                message = inbox[head, T]
            if entered >= 0:
                memory[U(record)] = t
                memory[U(record + 1)] = entered
                record += 2
        else:
            queue_drop(queue, at)
        pulses += 1
        slot = memory[U(row + PIN_SLOT)]
        if slot >= 0:
            memory[U(record)] = t
            memory[U(record + 1)] = slot
            record += 2
        if processed:
            step = memory[U(row + PIN_STEPS)] + ROW * memory[U(base)]
            memory[U(base)] = memory[U(step)]
            i = memory[U(step + S_HOLDS)]
            end = memory[U(step + S_HOLDS_END)]
            while i < end:
                hold = base + memory[U(i)]
                until = t + memory[U(i + 1)]
                if until > memory[U(hold)]:
                    memory[U(hold)] = until
                    memory[U(hold + 1)] = memory[U(i + 2)]
                i += 3
            i = memory[U(step + S_FIRES)]
            end = memory[U(step + S_FIRES_END)]
            count = base + memory[U(step + S_COUNT)]
            if memory[U(step + S_ELSE)] != 0:
                instance = memory[U(row + PIN_INSTANCE)]
                draw = random_bits(memory[U(instance + I_STREAM)], memory[U(base + 1)])
                memory[U(base + 1)] += 1
                if draw >= memory[U(instance + I_CHANCE)]:
                    i = memory[U(step + S_ELSE)]
                    end = memory[U(step + S_ELSE_END)]
                    count += 1
            memory[U(count)] += 1
            while i < end:
                net = base + memory[U(i)]
                queue_push(queue, t + memory[U(i + 1)] + memory[U(net + 1)], memory[U(net)], 0)
                i += 2
        elif base < 0:
            port = memory[U(row + PIN_PORT)]
            if port >= 0:
                outbox[sent, 0] = t
                outbox[sent, 1] = port
                outbox[sent, 2] = 0
                sent += 1
    if sent > sent_before:
        status += SENT
    recorded = (record - memory[P_RECORDS]) >> 1
    if recorded > 0:
        status += RECORDED
    if memory[M_VIOLATIONS] > violations:
        status += VIOLATED
    memory[M_STATUS] = status
    memory[M_HEAD] = head
    memory[M_SENT] = sent
    memory[M_RECORDED] = recorded
    memory[M_PULSES] += pulses
    return queue_peek(queue)


@jit
def violate(memory: Ints, instance: int, base: int, hold: int, t: int, pin: int) -> bool:
    """Count a pulse inside a hold time and return whether the cell still takes it."""
    policy = memory[U(instance)]
    lost = policy == DROP
    if policy == METASTABLE:
        lost = random_bits(memory[U(instance + I_STREAM)], memory[U(base + 1)]) < 4503599627370496
        memory[U(base + 1)] += 1
    number = memory[U(hold + 1)]
    short = memory[U(hold)] - t
    counter = memory[U(instance + I_COUNTERS)] + 2 * number
    memory[U(counter)] += 1
    if short > memory[U(counter + 1)]:
        memory[U(counter + 1)] = short
    logged = memory[M_VIOLATIONS]
    if logged < memory[P_LOG_ROWS]:
        at = memory[P_LOG] + LOG_WORDS * logged
        memory[U(at)] = t
        memory[U(at + 1)] = pin
        memory[U(at + 2)] = number
        memory[U(at + 3)] = short
        memory[U(at + 4)] = 1 if lost else 0
    memory[M_VIOLATIONS] += 1
    if lost:
        memory[M_LOST] += 1
    return not lost
