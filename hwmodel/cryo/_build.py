"""Turn a configuration into the arrays of the compiled kernels."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from hwmodel.cryo._trace_base import Op
from hwmodel.cryo._translation import Tlb, WalkCache
from hwmodel.cryo.branch import _kernels as b
from hwmodel.cryo.config import Cache, Machine, Unit
from hwmodel.cryo.config import Core as CoreSpec
from hwmodel.cryo.core import _kernels as c
from hwmodel.cryo.stages import _kernels as r
from hwmodel.cryo.words import _kernels as m
from hwmodel.errors import SpecError
from hwmodel.units import Frequency

Words = npt.NDArray[np.int64]

SLOTS = 1 << 12
PAGES = 1 << 18
CALLS = 1024
TABLED = ("tage", "perceptron")
POLICIES = {"lru": m.POLICY_LRU, "fifo": m.POLICY_FIFO, "random": m.POLICY_RANDOM}
ARRAYS = {"plain": m.ARRAY_RANDOM, "destructive": m.ARRAY_DESTRUCTIVE, "shift-register": m.ARRAY_SHIFT}
PREFETCHERS = {"none": m.PREFETCH_NONE, "next_line": m.PREFETCH_NEXT, "stride": m.PREFETCH_STRIDE}


def period(clock: Frequency) -> tuple[int, int]:
    """Return a clock's period as num / den femtoseconds."""
    exact = Fraction(10**15) / clock.hz
    return exact.numerator, exact.denominator


def level_row(machine: Machine, names: list[str], name: str, base: int) -> Words:
    """Return the parameters of one level."""
    cache: Cache = machine.levels[name]
    row = np.zeros(m.L_COLUMNS, np.int64)
    row[m.L_BASE] = base
    row[m.L_SETS] = cache.sets
    row[m.L_WAYS] = cache.ways
    row[m.L_NUM], row[m.L_DEN] = period(cache.clock)
    row[m.L_HIT] = cache.latency
    row[m.L_TAG] = cache.latency if cache.tag_latency is None else cache.tag_latency
    row[m.L_FILL] = cache.fill_latency
    plain = cache.readout == cache.organisation == "plain"
    row[m.L_INTERVAL] = cache.interval if plain else max(1, cache.interval)
    row[m.L_PORTS] = cache.ports
    row[m.L_MSHRS] = cache.mshrs
    deeper = [other for other in names if other[:2] > name[:2]]
    row[m.L_NEXT] = names.index(deeper[0]) if deeper else -1
    row[m.L_BUS_NUM], row[m.L_BUS_DEN] = period(cache.bus.clock)
    row[m.L_BUS_REQUEST] = cache.bus.request
    row[m.L_BUS_ANSWER] = cache.bus.answer
    row[m.L_BUS_HEADER] = cache.bus.header
    row[m.L_BUS_LINE] = cache.bus.line_cycles
    fill = cache.fill_latency * row[m.L_NUM] // row[m.L_DEN]
    row[m.L_REST] = fill + cache.bus.line_cycles * row[m.L_BUS_NUM] // row[m.L_BUS_DEN]
    row[m.L_FLIGHT] = cache.bus.flight
    row[m.L_PREFETCH] = PREFETCHERS[cache.prefetcher]
    row[m.L_DEGREE] = cache.degree
    row[m.L_RESERVE] = cache.reserve
    row[m.L_ON_FETCH] = cache.prefetch_on_fetch
    row[m.L_ON_HIT] = cache.prefetch_on_hit
    row[m.L_POLICY] = POLICIES[cache.policy]
    row[m.L_INCLUSIVE] = machine.inclusion == "inclusive" and name[:2] != "l1"
    row[m.L_ABOVE] = sum(1 << i for i, other in enumerate(names) if other[:2] < name[:2])
    row[m.L_BLOCKS] = cache.blocks
    row[m.L_FILL_HOLDS] = cache.fill_holds
    return row


def more_row(cache: Cache) -> Words:
    """Return the parameters of one level that few machines have."""
    row = np.zeros(m.E_COLUMNS, np.int64)
    tag = cache.latency if cache.tag_latency is None else cache.tag_latency
    row[m.E_STORE] = cache.latency if cache.store_latency is None else cache.store_latency
    row[m.E_PREFETCH] = tag if cache.prefetch_latency is None else cache.prefetch_latency
    row[m.E_OWNER] = cache.ownership
    row[m.E_EARLY] = cache.cut_through
    row[m.E_BUFFER] = cache.write_buffer
    row[m.E_THROUGH] = cache.write == "through"
    row[m.E_ALLOCATE] = cache.allocate
    row[m.E_ARRAY] = ARRAYS[cache.organisation if cache.readout == "plain" else cache.readout]
    row[m.E_RESTORE] = cache.busy_after_read
    row[m.E_LOOP] = cache.loop
    row[m.E_SHIFT_NUM], row[m.E_SHIFT_DEN] = period(cache.shift_clock or cache.clock)
    return row


def fill_memory(w: Words, machine: Machine, lines: int) -> None:
    """Write the parameters of a machine's hierarchy into its words."""
    names = list(machine.levels)
    base = lines
    for k, name in enumerate(names):
        row = level_row(machine, names, name, base)
        w[m.LEVEL + 32 * k : m.LEVEL + 32 * k + len(row)] = row
        row = more_row(machine.levels[name])
        w[m.MORE + 16 * k : m.MORE + 16 * k + len(row)] = row
        w[m.STATE + 8 * k + m.S_RANDOM] = 0x2545F4914F6CDD1D + k
        base += machine.levels[name].sets * machine.levels[name].ways
    d = machine.dram
    values = {
        m.D_CONTROLLER: d.controller,
        m.D_RCD: d.rcd,
        m.D_CL: d.cl,
        m.D_RP: d.rp,
        m.D_RAS: d.ras,
        m.D_BURST: d.burst,
        m.D_BANKS: d.banks,
        m.D_ROW_LINES: d.row // 64,
        m.D_REFI: d.refi,
        m.D_RFC: d.rfc,
        m.D_WR: d.wr,
        m.D_TURN: d.turn,
        m.D_HIGH: d.high,
        m.D_LOW: d.low,
        m.D_MAX_ROW: d.max_row,
        m.D_CWL: d.cwl,
        m.D_RRD: d.rrd,
        m.D_CLOCK: d.clock,
        m.D_HOLDS: d.holds,
        m.D_SPREAD: d.spread,
        m.D_CLOSES: d.refresh_closes,
        m.D_LEVELS: len(names),
        m.D_RANKS: d.ranks,
        m.D_CS: d.cs,
        m.D_RTP: d.rtp,
        m.D_WTR: d.wtr,
        m.D_FAW: d.faw,
    }
    for column, value in values.items():
        w[m.DRAM + column] = value
    w[m.CHANNEL + m.X_EVENT] = m.NEVER
    for number in range(d.banks):
        w[m.CHANNEL + m.X_BANKS + m.BANK_WORDS * number + m.B_ROW] = -1
    for number in range(d.ranks):
        window = m.CHANNEL + m.X_RANKS + m.RANK_WORDS * number + m.K_WINDOW
        w[window : window + 4] = -d.faw
    w[m.PAGE + m.PAGE_MASK] = PAGES - 1
    w[m.PAGE + m.PAGE_ON] = machine.first_touch
    w[m.PAGE + m.PAGE_SHUFFLE] = machine.shuffle_pages
    w[m.PAGE_NEAR : m.PAGE_NEAR + 2 * m.NEAR_PAGES] = -1


def fill_predictor(w: Words, core: CoreSpec) -> None:
    """Write the parameters of a core's branch predictor."""
    kinds = {
        "tournament": b.KIND_TOURNAMENT,
        "gshare": b.KIND_GSHARE,
        "perfect": b.KIND_PERFECT,
        "not_taken": b.KIND_NEVER,
        "bimodal": b.KIND_BIMODAL,
        "tage": b.KIND_TAGE,
        "perceptron": b.KIND_PERCEPTRON,
    }
    values = {
        b.B_KIND: kinds[core.predictor],
        b.B_LOCAL_MASK: core.local_histories - 1,
        b.B_LOCAL_TABLE: core.local_table - 1,
        b.B_GLOBAL_TABLE: core.global_table - 1,
        b.B_CHOICE_TABLE: core.choice_table - 1,
        b.B_COUNTER_MAX: (1 << core.counter_bits) - 1,
        b.B_BTB_MASK: core.btb - 1,
        b.B_RAS: core.ras,
        b.B_SHIFT: core.pc_shift,
        b.B_INDIRECT_MASK: core.indirect - 1,
        b.B_TYPED: core.typed_btb,
        b.B_BTB_WAYS: core.btb_ways,
        b.B_TABLES: core.tables,
        b.B_TABLE_BITS: core.table_bits,
        b.B_TAG_BITS: core.tag_bits,
        b.B_THRESHOLD: core.threshold,
        b.B_MODULUS: core.bimodal_modulus,
    }
    for column, value in values.items():
        w[b.SHAPE + column] = value
    short, steps = core.shortest_history, max(1, core.tables - 1)
    for table in range(core.tables):
        length = short * (core.longest_history / short) ** (table / steps)
        w[w[m.H_TAGGED] + table] = round(length)
    if core.predictor == "perceptron":
        w[w[m.H_GLOBAL_TABLE] : w[m.H_GLOBAL_TABLE] + core.global_table] = 128
    w[w[m.H_CALL_SIZE] : w[m.H_CALL_SIZE] + CALLS] = 4


def fill_translation(w: Words, machine: Machine, start: int) -> None:
    """Write the parameters of a machine's TLBs and walker, whose tables begin at `start`."""
    spec = machine.translation
    if spec is None:
        return
    rows = [(m.TLB + 16 * place, tlb) for place, tlb in enumerate((spec.data, spec.fetch, spec.shared))]
    tables: list[tuple[int, Tlb | WalkCache]] = [
        *rows,
        *((m.WALK + m.K_CACHE + 4 * cache.level, cache) for cache in spec.caches),
    ]
    for row, table in tables:
        w[row : row + 3] = start, table.sets, table.ways
        w[start : start + 2 * table.sets * table.ways] = -1
        start += 2 * table.sets * table.ways
    for row, tlb in rows:
        w[row + m.T_EXTRA] = tlb.latency
    num, den = period(machine.core.clock)
    values = {
        m.K_ON: 1,
        m.K_SHIFT: spec.page.bit_length() - 1,
        m.K_NUM: num,
        m.K_DEN: den,
        m.K_START: spec.start,
        m.K_END: spec.end,
        m.K_FAULT: spec.fault * num // den,
        m.K_LEVEL: list(machine.levels).index("l1d"),
        m.K_DEPTH: spec.depth,
    }
    for column, value in values.items():
        w[m.WALK + column] = value


def translation_words(machine: Machine) -> int:
    """Return how many words the tables of a machine's TLBs and walker take."""
    spec = machine.translation
    if spec is None:
        return 0
    tables: list[Tlb | WalkCache] = [spec.data, spec.fetch, spec.shared, *spec.caches]
    return sum(2 * table.sets * table.ways for table in tables)


def window_columns(spec: CoreSpec) -> dict[int, int]:
    """Return the parameters of an out-of-order core that say which rules its window follows."""
    return {
        c.C_SKID: spec.skid,
        c.C_LATE_RENAME: spec.late_rename,
        c.C_UNIFIED: spec.unified_regs,
        c.C_CHAIN: spec.branch_chain,
        c.C_LOAD_DELAY: spec.load_delay,
        c.C_STORE_DELAY: spec.store_delay,
        c.C_POSTED: spec.posted_stores,
        c.C_BY_ADDRESS: spec.forward_by_address,
        c.C_MERGE: spec.merge_loads,
        c.C_RESULTS: spec.results,
        c.C_QUEUE_HOLDS: spec.queue_holds_memory,
        c.C_LOADS_LEAVE: spec.loads_leave_early,
        c.C_UOP_SETS: spec.micro_op_sets,
        c.C_UOP_WAYS: spec.micro_op_ways,
        c.C_UOP_SHIFT: spec.micro_op_bytes.bit_length() - 1,
        c.C_UOP_ASK: 2,
        c.C_UOP_DECODE: 1,
    }


def fill_core(w: Words, spec: CoreSpec) -> None:
    """Write the parameters of an out-of-order core."""
    w[c.CORE + c.C_NUM], w[c.CORE + c.C_DEN] = period(spec.clock)
    columns = {
        c.C_FETCH: spec.fetch,
        c.C_DECODE: spec.decode,
        c.C_RENAME: spec.rename,
        c.C_DISPATCH: spec.dispatch,
        c.C_ISSUE: spec.issue,
        c.C_COMMIT: spec.commit,
        c.C_FETCH_QUEUE: spec.fetch_queue,
        c.C_ROB: spec.rob,
        c.C_IQ: spec.iq,
        c.C_LQ: spec.lq,
        c.C_SQ: spec.sq,
        c.C_INT_REGS: spec.int_regs,
        c.C_FP_REGS: spec.fp_regs,
        c.C_LOAD_PORTS: spec.load_ports,
        c.C_STORE_PORTS: spec.store_ports,
        c.C_FETCH_DECODE: spec.fetch_to_decode,
        c.C_DECODE_RENAME: spec.decode_to_rename,
        c.C_RENAME_DISPATCH: spec.rename_to_dispatch,
        c.C_ISSUE_EXECUTE: spec.issue_to_execute,
        c.C_COMPLETE_COMMIT: spec.complete_to_commit,
        c.C_REDIRECT: spec.redirect,
        c.C_REDIRECT_DECODE: spec.redirect_decode,
        c.C_SQUASH: spec.squash,
        c.C_FETCH_SHIFT: spec.fetch_line.bit_length() - 1,
        c.C_DEPENDENCE: c.KNOWN if spec.known_order else spec.store_sets,
        c.C_CHECK_SHIFT: 0 if spec.known_order else spec.check_shift,
        c.C_CLEAR: spec.clear_period,
        c.C_FORWARD: spec.forward,
        c.C_TAKEN_STOPS: spec.taken_stops,
        c.C_FREE_DELAY: spec.free_delay,
        c.C_LINE_AHEAD: spec.line_ahead,
        c.C_SET_SHIFT: spec.pc_shift,
        **window_columns(spec),
    }
    for column, value in columns.items():
        w[c.CORE + column] = value
    for op in Op:
        row = spec.units.get(op.name.lower(), Unit())
        # As many units as instructions can be issued in a cycle are no limit; the kernel asks less then.
        count = 0 if row.interval == 1 and row.count >= spec.issue else row.count
        w[c.UNIT + 4 * op : c.UNIT + 4 * op + 4] = row.latency, row.interval, count, 3 + op
    w[c.NOW + c.S_LINE] = -1
    w[c.CAUSE : c.CAUSE + 128] = c.CPI_DEPENDENCE
    w[c.STORE : c.STORE + 8 * c.RING] = -1
    w[c.SETS_AT : c.SETS_AT + 2 * c.SETS] = -1
    w[c.MERGE : c.MERGE + 256] = -1


def check_inorder(spec: CoreSpec) -> None:
    """Refuse an in-order core with more of anything than the kernel's rings hold."""
    widths = ("fetch", "decode", "issue", "commit", "memory_width", "memory_accesses", "transfers")
    for name in (*widths, "decode_buffer", "issue_buffer", "sq"):
        value = getattr(spec, name)
        if not 1 <= value < r.RING:
            raise SpecError(f"Core({name}={value}): an in-order core takes 1 to {r.RING - 1}")
    if spec.fetch_line not in (4, 8, 16, 32, 64):
        raise SpecError(f"Core(fetch_line={spec.fetch_line}): give 4, 8, 16, 32 or 64 bytes")
    for name, unit in spec.units.items():
        if not 1 <= unit.latency <= r.MAX_LATENCY or unit.interval < 1:
            raise SpecError(
                f"Core(units['{name}']={unit}): give a latency of 1 to {r.MAX_LATENCY} cycles and an interval of 1 or more"
            )
        if unit.pool and spec.units.get(unit.pool, Unit()).pool:
            raise SpecError(
                f"Core(units['{name}']={unit}): '{unit.pool}' has no units of its own; name one that has"
            )
    if sum(max(1, unit.count) for unit in spec.units.values() if not unit.pool) > r.MAX_UNITS - r.CLASSES:
        raise SpecError(f"Core(units): an in-order core takes at most {r.MAX_UNITS - r.CLASSES} units in all")


def fill_inorder(w: Words, spec: CoreSpec) -> None:
    """Write the parameters of an in-order core."""
    check_inorder(spec)
    at = r.PARAMETERS
    w[at + r.I_NUM], w[at + r.I_DEN] = period(spec.clock)
    w[c.CORE + c.C_NUM], w[c.CORE + c.C_DEN] = period(spec.clock)
    columns = {
        r.I_FETCH: spec.fetch,
        r.I_DECODE: spec.decode,
        r.I_ISSUE: spec.issue,
        r.I_COMMIT: spec.commit,
        r.I_MEMORY: spec.memory_width,
        r.I_FETCH_DECODE: spec.fetch_to_decode,
        r.I_DECODE_ISSUE: spec.decode_to_issue,
        r.I_REDIRECT: spec.redirect,
        r.I_DECODE_BUFFER: spec.decode_buffer,
        r.I_ISSUE_BUFFER: spec.issue_buffer,
        r.I_LINE_SHIFT: spec.fetch_line.bit_length() - 1,
        r.I_ACCESSES: spec.memory_accesses,
        r.I_STORES: spec.sq,
        r.I_TRANSFERS: spec.transfers,
    }
    for column, value in columns.items():
        w[at + column] = value
    names = [op.name.lower() for op in Op] + ["load", "store"]
    first: dict[str, int] = {}
    for name in names:
        if not spec.units.get(name, Unit()).pool:
            first[name] = sum(max(1, spec.units.get(other, Unit()).count) for other in first)
    for place, name in enumerate(names):
        row = spec.units.get(name, Unit())
        pool = row.pool or name
        count = max(1, spec.units.get(pool, Unit()).count)
        base = r.CLASS + 8 * place
        simple = all(
            (u.latency, u.interval) == (1, 1)
            for other in names
            if ((u := spec.units.get(other, Unit())).pool or other) == pool
        )
        w[base : base + 7] = row.latency, row.interval, first[pool], count, row.early, row.assumed, simple
        for unit in range(first[pool], first[pool] + count):
            mask = r.PIPE + unit * r.PIPE_WORDS + r.F_MASK
            w[mask] = max(w[mask], (1 << (row.latency + 1).bit_length()) - 1)
    w[r.RUN + r.R_LINE] = -1
    w[r.RUN + r.R_PAGE] = -1


def build(machine: Machine) -> Words:
    """Return the words of a machine, everything empty.

    The parts of fixed size come first, at the addresses that the kernels name; then those whose size depends on the
    machine, at the addresses that the header holds.
    """
    core = machine.core
    lines = sum(cache.sets * cache.ways for cache in machine.levels.values())
    rings = 3 * len(machine.levels) + 1
    sizes = {
        None: r.INORDER_END,
        "lines": lines,
        m.H_READY: lines,
        m.H_SLOT: SLOTS * (rings + 5 + c.OPS),
        m.H_PAGE: 2 * PAGES,
        m.H_STRIDE: 4 * m.STRIDE_WORDS,
        m.H_BTB: 2 * core.btb * core.btb_ways,
        m.H_LOCAL_HISTORY: core.local_histories,
        m.H_LOCAL: core.local_table,
        m.H_GLOBAL_TABLE: core.global_table,
        m.H_CHOICE: core.choice_table,
        m.H_RAS: core.ras,
        m.H_INDIRECT: 2 * core.indirect,
        m.H_MICRO_OPS: 2 * core.micro_op_sets * core.micro_op_ways,
        m.H_TAGGED: 16 + (3 * core.tables << core.table_bits if core.predictor in TABLED else 0),
        m.H_CALL_SIZE: CALLS,
        "translation": translation_words(machine),
    }
    at: dict[int | str | None, int] = {}
    end = 0
    for part, size in sizes.items():
        at[part] = end
        end += size
    w = np.zeros(end, np.int64)
    for part, start in at.items():
        if isinstance(part, int):
            w[part] = start
    w[m.H_READY] -= at["lines"]  # an arrival time lies this far behind its tag
    w[at["lines"] : at["lines"] + lines] = -1
    w[at[m.H_SLOT] : at[m.H_PAGE]] = -1
    w[at[m.H_BTB] : at[m.H_LOCAL_HISTORY]] = -1
    w[at[m.H_INDIRECT] : at[m.H_TAGGED]] = -1
    w[m.H_SLOT_MASK] = SLOTS - 1
    w[m.H_SLOT_LAST] = rings - 1
    w[m.H_USER_SLOTS] = rings
    fill_memory(w, machine, at["lines"])
    fill_translation(w, machine, at["translation"])
    fill_predictor(w, core)
    if core.kind == "inorder":
        fill_inorder(w, core)
    else:
        fill_core(w, core)
    return w
