"""The words of a machine: where each part lies, clock edges, tables of slots, and pages.

A machine is one flat int64 array `w`, because each further array would cost every call of a kernel some 60 ns. Parts
of fixed size come first, at the addresses named here (and by the branch predictor and the cores behind
`MEMORY_END`); parts whose size depends on the machine follow, at the addresses that the header holds:

* the lines of all cache levels: `line * 8 + flags`, most recently used first within a set, or -1; at the distance
  `w[H_READY]` behind each the time at which it arrived;
* slot rings: `cycle * 64 + users` for ports, buses and units (see `full`);
* the page table, prefetcher tables and branch-predictor tables.

All times are femtoseconds.
"""

from __future__ import annotations

from hwmodel.kernel.compiled import Ints, inlined, jit

# ------------------------------------------------------------------------------------------ layout of the words
H_READY = 0  # distance from a line's tag to its arrival time
H_SLOT = 1
H_SLOT_MASK = 2
H_SLOT_LAST = 3  # number of the DRAM's ring
H_PAGE = 4
H_STRIDE = 5
H_BTB = 6
H_LOCAL_HISTORY = 7
H_LOCAL = 8
H_GLOBAL_TABLE = 9
H_CHOICE = 10
H_RAS = 11
H_INDIRECT = 12
H_USER_SLOTS = 13  # first slot ring of the core
H_TAGGED = 14  # tables of the TAGE and perceptron predictors
H_CALL_SIZE = 15  # sizes of call instructions
H_MICRO_OPS = 16  # windows of the decoded-instruction buffer
H_SHARED = (
    40  # distance from a core's words to those of the memory that several cores share, 0: it has its own
)
H_CORE = 41  # number of the core among them
H_COHERENCE = 42  # in the words of a shared memory: what it knows of its cores (see `owners`)
H_PORTS = 63  # words of the mapped ports, 0: there are none

MAX_LEVELS = 68  # three for each of 16 cores, and the one that they share behind four times their number
MAX_MSHRS = 64
MAX_BANKS = 64
MAX_BUFFER = 64
MAX_RANKS = 8
MAX_READS = 32  # reads and writes that wait at the memory controller
MAX_WRITES = 64
BANK_WORDS = 6
RANK_WORDS = 8
READ_WORDS = 8
LEVEL = 64
STATE = LEVEL + MAX_LEVELS * 32
COUNT = STATE + MAX_LEVELS * 8
MSHR = COUNT + MAX_LEVELS * 16
PATH = MSHR + MAX_LEVELS * MAX_MSHRS
PENDING = PATH + 32
PREFETCH_QUEUE = 32  # prefetches of a level that wait
QUEUES = PENDING + 72
QUEUE_WORDS = 4 + PREFETCH_QUEUE * 3
DRAM = QUEUES + MAX_LEVELS * QUEUE_WORDS
DRAMS = DRAM + 32
CHANNEL = DRAMS + 16  # the memory controller
CHANNEL_WORDS = 16 + MAX_RANKS * RANK_WORDS + MAX_BANKS * BANK_WORDS + (MAX_READS + MAX_WRITES) * READ_WORDS
AHEAD = CHANNEL + CHANNEL_WORDS  # its copy, on which it looks ahead
HISTOGRAM = AHEAD + CHANNEL_WORDS
PAGE = HISTOGRAM + MAX_LEVELS * 64
PAGE_NEAR = PAGE + 16
NEAR_PAGES = 64
TLB = PAGE_NEAR + 2 * NEAR_PAGES
WALK = TLB + 3 * 16
MORE = WALK + 64
BUFFER = MORE + MAX_LEVELS * 16
MEMORY_END = BUFFER + MAX_LEVELS * MAX_BUFFER

LINE_BITS = 6
NEVER = 1 << 62  # a time to which others can still be added

# ---------------------------------------------------------------------------------------- columns of a level
L_BASE = 0  # first place of this level in `tag` and `ready`
L_SETS = 1  # a power of two
L_WAYS = 2
L_NUM = 3  # period of the level's clock: num / den femtoseconds
L_DEN = 4
L_HIT = 5  # cycles from request to data
L_TAG = 6  # cycles after which a miss goes down
L_FILL = 7  # cycles from the arrival of a line to its answer
L_INTERVAL = 8  # cycles between two accesses of one port; 0: no limit
L_PORTS = 9
L_MSHRS = 10
L_NEXT = 11  # level below; DRAM is -1
L_BUS_NUM = 12  # clock of the bus to the level below
L_BUS_DEN = 13
L_BUS_REQUEST = 14  # bus cycles of a request on its way down
L_BUS_ANSWER = 15  # bus cycles of an answer on its way up
L_BUS_LINE = 16  # bus cycles in which a line's data passes

L_PREFETCH = 17  # kind of prefetcher, PREFETCH_*
L_DEGREE = 18
L_RESERVE = 19  # miss registers that prefetches leave free
L_ON_FETCH = 21  # 1 if instruction fetches train the prefetcher
L_POLICY = 22  # POLICY_*
L_INCLUSIVE = 23  # 1: a line that leaves this level leaves the levels above
L_ABOVE = 24  # bit mask of levels above
L_FLIGHT = 25  # femtoseconds of flight, one way, on the link to the level below
L_BLOCKS = 26  # 1: a level without a free miss register turns every request away, as gem5's caches do
L_BUS_HEADER = 28  # bus cycles that every packet occupies besides its data
L_ON_HIT = 27  # 1: the first use of a prefetched line trains the prefetcher too
L_REST = 29  # femtoseconds from the arrival of a line's first word to that of its last at the requester
L_FILL_HOLDS = 30  # 1: a miss register is held until the line is filled
L_COLUMNS = 31

# further columns of a level, in `MORE`: what few machines have
E_STORE = 0  # cycles from a store that hits to its answer
E_PREFETCH = 1  # cycles after which a prefetch of the level's own goes down
E_OWNER = 2  # 1: a dirty line moves up with its data, and a clean one that leaves is announced below
E_EARLY = (
    3  # 1: a request is looked up below when it enters the bus, and its header's time is paid afterwards
)
E_BUFFER = 4  # entries of the write buffer; 0: no limit
E_THROUGH = 5  # 1: stores go to the level below at once
E_ALLOCATE = 6  # 1: a store that misses brings its line
E_ARRAY = 7  # ARRAY_*
E_RESTORE = 8  # cycles for which an array is busy after a read, its latency included
E_LOOP = 9  # words of a loop of a shift register
E_SHIFT_NUM = 10  # period of the shift clock
E_SHIFT_DEN = 11
E_HELD = 12  # state: entries of the write buffer that are taken
E_FIRST = 13  # state: which entry is the oldest
E_COLUMNS = 14

ARRAY_RANDOM = 0
ARRAY_DESTRUCTIVE = 1
ARRAY_SHIFT = 2

PREFETCH_NONE = 0
PREFETCH_NEXT = 1
PREFETCH_STRIDE = 2

POLICY_LRU = 0
POLICY_FIFO = 1
POLICY_RANDOM = 2

# ---------------------------------------------------------------------------------- state and statistics of a level
S_BLOCK_FROM = 0  # the last interval in which the level turned requests away
S_BLOCK_TO = 1
S_RANDOM = 3
S_LATENCY = 4  # the read latency counted last, and its bin: most reads take as long as the one before
S_BIN = 5

N_READS = 0
N_READ_MISSES = 1
N_WRITES = 2
N_WRITE_MISSES = 3
N_WRITEBACKS = 4
N_MERGED = 5  # misses on a line that was already on its way
N_PREFETCHES = 6  # sent by this level
N_PREFETCH_REQUESTS = 7  # prefetches of the level above that came here
N_PREFETCH_MISSES = 8
N_PREFETCH_USEFUL = 9
N_BLOCKED = 10  # femtoseconds that requests waited for a miss register
N_PORT = 11  # femtoseconds that requests waited for a port
N_LATENCY = 12  # sum of read latencies, femtoseconds

DIRTY = 1
PREFETCHED = 2
# A store has to ask for the line: the level below holds it dirty (ownership), or other cores may hold it too.
SHARED = 4

# ------------------------------------------------------------------------------------------------------- DRAM
D_CONTROLLER = 0  # femtoseconds of the controller, both ways together
D_RCD = 1
D_CL = 2
D_RP = 3
D_RAS = 4
D_BURST = 5
D_BANKS = 6  # banks of all ranks
D_ROW_LINES = 7  # lines a row
D_REFI = 8  # 0: no refresh
D_RFC = 9
D_WR = 10
D_TURN = 11  # bus turnaround, write to read and back, together
D_HIGH = 12  # writes at which the controller starts to drain
D_LOW = 13  # writes that it leaves
D_MAX_ROW = 14  # accesses after which an open row is closed; 0: never
D_CWL = 15
D_RRD = 16
D_CLOCK = 17  # femtoseconds of the controller's clock, at whose edges a read begins; 0: at any time
D_HOLDS = 18  # 1: a bank takes its next access when the last has left the data bus
D_SPREAD = 19  # 1: neighbouring lines lie in other banks, whose numbers are mixed with the row
D_CLOSES = 20  # 1: a refresh closes all rows
D_LEVELS = 21  # levels of caches before it

D_RANKS = 22
D_CS = 23  # bus time lost between ranks
D_RTP = 24  # read to precharge
D_WTR = 25  # the part of `turn` that is lost from a write to a read
D_FAW = 26  # time in which a rank opens four rows at most

# Words of the memory controller: its own, those of ranks and banks, and its queues.
X_EVENT = 0  # when it decides next
X_BURST = 1  # when the data bus takes the next command
X_DECIDE = 2  # when it is time to decide what that is
X_WRITING = 3  # 1: the bus writes
X_NEXT = 4  # what it does from the next decision on
X_SERVED = 5  # requests since it was turned
X_READS = 6
X_WRITES = 7
X_EPOCH = 8  # refreshes that were
X_FILTER = 9  # a bit for each line that may wait to be written
X_RANKS = 16
X_BANKS = X_RANKS + MAX_RANKS * RANK_WORDS
X_READ = X_BANKS + MAX_BANKS * BANK_WORDS
X_WRITE = X_READ + MAX_READS * READ_WORDS

K_READ = 0  # earliest read of a rank
K_WRITE = 1
K_ACTIVE = 2  # earliest activation
K_PLACE = 3  # the oldest of its last four activations
K_WINDOW = 4

B_ROW = 0  # open row, -1: closed
B_COLUMN = 1  # earliest column command
B_PRECHARGE = 2  # earliest precharge
B_HITS = 3  # accesses since the row was opened
B_ACTIVE = 4  # earliest activation
B_EPOCH = 5  # refresh after which the row was opened

R_LINE = 0
R_TIME = 1  # when it comes
R_BANK = 2
R_ROW = 3
R_READY = 4  # when its line leaves the controller, as was promised
R_PLAN = 5  # the same, by the look ahead
R_INDEX = 6  # its place in the queue when the copy was made
R_HIT = 7  # 1: it finds its row open, by the look ahead

# statistics of the memory, kept in `drams`
M_READS = 0
M_WRITES = 1
M_ROW_HITS = 2
M_WRITES_WAITING = 3  # of a controller whose banks hold their access
M_BUSY = 4  # femtoseconds of bus time
M_LAST_ACTIVE = 5

# kinds of request
READ = 0
WRITE = 1
FETCH = 2
PREFETCH = 3

# slot rings: level k's ports are ring 3k, its bus down 3k + 1, its bus up 3k + 2; the last one is the DRAM's data bus

# header of `pending`: how many levels have prefetches that wait, before when none of them goes, and the levels
P_LEVELS = 0
P_NEXT = 1
P_LEVEL = 2

# A level's queue of prefetches, a ring: its first entry, how many, a bit for each line that may be among them; entries.
Q_FIRST = 0
Q_COUNT = 1
Q_LINES = 2
Q_ENTRIES = 4
Q_LINE = 0
Q_TIME = 1  # from when it may go
Q_PC = 2

PAGE_BITS = 12
REGION_BITS = 9  # pages of a region that lies together in memory, as a power of two: 2 MiB
SPACE_SHIFT = 58  # place of the address space in an address
PAGE_NEXT = 0  # header of `page`: pages given out
PAGE_MASK = 1  # table size - 1
PAGE_ON = 2  # 0: physical = virtual
PAGE_SHUFFLE = 3  # 1: frames are given out in a shuffled order
PAGE_FULL = 5  # set when the table overflowed
PAGE_SPACE = 6  # number of the address space to which virtual addresses belong

# columns of a TLB: rows of two words a page, its number and the time from which its translation is known
T_BASE = 0
T_SETS = 1
T_WAYS = 2
T_EXTRA = 3  # cycles that a hit in this TLB costs the access
T_ACCESSES = 4
T_MISSES = 5
T_MERGED = 6  # misses on a page whose walk was under way
T_COLUMNS = 7

TLB_DATA = 0
TLB_FETCH = 1
TLB_SHARED = 2

K_ON = 0  # 1: addresses are translated
K_SHIFT = 1  # bits of an address within a page
K_NUM = 2  # clock of the walker
K_DEN = 3
K_START = 4  # cycles from the access that missed to the first step of the walk
K_END = 5  # and from the last step's data to the access
K_FAULT = 6  # femtoseconds of a minor fault: a page touched for the first time
K_LEVEL = 7  # cache level to which the walker sends its steps
K_DEPTH = 8  # levels of the page table
K_WALKS = 9
K_STEPS = 10
K_FAULTS = 11
K_TIME = 12  # femtoseconds of all walks
K_CACHE = 16  # for each level of the table: place, sets and ways of the cache of walks that begin there

STRIDE_ENTRIES = 64
STRIDE_WAYS = 4
STRIDE_SETS = 16
STRIDE_WORDS = (STRIDE_ENTRIES + 1) * 5


@inlined
def edge(t: int, num: int, den: int) -> int:
    """Return the number of the first clock edge at or after t."""
    if den == 1:
        return (t + num - 1) // num
    return (t * den + num - 1) // num


@inlined
def time_of(cycle: int, num: int, den: int) -> int:
    """Return the time of a clock edge, by its number."""
    if den == 1:
        return cycle * num
    return cycle * num // den


@inlined
def after(t: int, cycles: int, num: int, den: int) -> int:
    """Return the time of the edge `cycles` after the first edge at or after t."""
    return time_of(edge(t, num, den) + cycles, num, den)


@inlined
def full(w: Ints, base: int, cycle: int, width: int) -> bool:
    """Say whether a cycle of the slot ring at `base` has as many users as it takes.

    A ring holds one word `cycle * 64 + users` for each cycle modulo its size. A word of another cycle counts as
    free: an older one is over, a later one is met only where times are further apart than the ring is long.
    """
    word = w[base + (cycle & w[H_SLOT_MASK])]
    return word >> 6 == cycle and word & 63 >= width


@inlined
def add_user(w: Ints, base: int, cycle: int) -> None:
    """Count one more user of a cycle."""
    place = base + (cycle & w[H_SLOT_MASK])
    if w[place] >> 6 == cycle:
        w[place] += 1
    else:
        w[place] = cycle << 6 | 1


@inlined
def drop_user(w: Ints, base: int, cycle: int) -> None:
    """Give back a cycle of the slot ring at `base`."""
    place = base + (cycle & w[H_SLOT_MASK])
    if w[place] >> 6 == cycle and w[place] & 63:
        w[place] -= 1


@inlined
def ring_at(w: Ints, ring: int) -> int:
    """Return the first word of a slot ring."""
    return w[H_SLOT] + ring * (w[H_SLOT_MASK] + 1)


@inlined
def take_one(w: Ints, base: int, cycle: int, width: int) -> int:
    """Book the first cycle at or after `cycle` that has room in the slot ring at `base`, and return it."""
    mask = w[H_SLOT_MASK]
    while True:
        place = base + (cycle & mask)
        word = w[place]
        if word >> 6 != cycle:
            w[place] = cycle << 6 | 1
            return cycle
        if word & 63 < width:
            w[place] = word + 1
            return cycle
        cycle += 1


@jit
def take_slot(w: Ints, ring: int, cycle: int, width: int, length: int) -> int:
    """Book `length` cycles in a row, the first at or after `cycle` that all have room; return where they begin."""
    base = ring_at(w, ring)
    if length == 1:
        return take_one(w, base, cycle, width)
    i = 0
    while i < length:
        if full(w, base, cycle + i, width):
            cycle += i + 1
            i = 0
        else:
            i += 1
    for i in range(length):
        add_user(w, base, cycle + i)
    return cycle


@jit
def physical(w: Ints, address: int) -> int:
    """Return the physical address; memory is given out in the order of the first touch.

    A region of 2 MiB is given as a whole, as the loader of a simulated process lays a program out: its pages keep
    their order. Shuffled or walked pages get their frames one by one. A negative address is that of a mapped port,
    which has no page.
    """
    if w[PAGE + PAGE_ON] == 0 or address < 0:
        return address ^ (w[PAGE + PAGE_SPACE] << SPACE_SHIFT)
    number = address >> PAGE_BITS
    # The pages used last lie in a small table of their own, which stays in the processor's first cache.
    near = PAGE_NEAR + 2 * (number & (NEAR_PAGES - 1))
    if w[near] == number:
        return (w[near + 1] << PAGE_BITS) | (address & 4095)
    mask = w[PAGE + PAGE_MASK]
    page = number
    together = 0 if w[PAGE + PAGE_SHUFFLE] or w[WALK + K_ON] else REGION_BITS
    number >>= together
    # Spaces begin far apart in the table, so that pages of the same number do not crowd each other out.
    place = ((number ^ (number >> 15)) + w[PAGE + PAGE_SPACE] * 16411) & mask
    key = number ^ (w[PAGE + PAGE_SPACE] << (SPACE_SHIFT - PAGE_BITS))
    while True:
        at = w[H_PAGE] + 2 * place
        if w[at + 1] == 0:
            if w[PAGE + PAGE_NEXT] * 2 > mask:
                w[PAGE + PAGE_FULL] = 1
                return address
            w[PAGE + PAGE_NEXT] += 1
            w[at] = key
            w[at + 1] = w[PAGE + PAGE_NEXT]
            break
        if w[at] == key:
            break
        place = (place + 1) & mask
    frame = w[at + 1]
    if w[PAGE + PAGE_SHUFFLE]:
        frame = shuffled(frame)
    frame = (frame << together) | (page & ((1 << together) - 1))
    w[near] = page
    w[near + 1] = frame
    return (frame << PAGE_BITS) | (address & 4095)


@jit
def shuffled(number: int) -> int:
    """Return another number below 2**22 for a number below 2**22; no two give the same.

    Example: neighbouring pages lie far apart in a shuffled memory of 16 GiB.
    """
    for _ in range(3):
        number = (number * 0x2C1B3C6D + 0x1B873593) & 0x3FFFFF
        number ^= number >> 11
        number ^= (number << 7) & 0x3FFFFF
    return number


@jit
def table_find(w: Ints, first: int, ways: int, key: int) -> int:
    """Return the place of a key in a set of two-word rows, which becomes its most recently used, or -1."""
    for place in range(first, first + 2 * ways, 2):
        if w[place] == key:
            value = w[place + 1]
            while place > first:
                w[place] = w[place - 2]
                w[place + 1] = w[place - 1]
                place -= 2
            w[first] = key
            w[first + 1] = value
            return first
    return -1


@jit
def table_insert(w: Ints, first: int, ways: int, key: int, value: int) -> None:
    """Put a key in front of a set of two-word rows; the least recently used one leaves."""
    place = first + 2 * ways - 2
    while place > first:
        w[place] = w[place - 2]
        w[place + 1] = w[place - 1]
        place -= 2
    w[first] = key
    w[first + 1] = value
