"""Machines of other simulators, as configurations of this model."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hwmodel.cryo._translation import Tlb, Translation, WalkCache
from hwmodel.cryo.config import Bus, Cache, Core, Dram, Machine
from hwmodel.units import Frequency, GHz, kB, ns, ps

__all__ = ["champsim"]

# ChampSim's controller runs at 625 ps, its data bus moves a line in four of these. A refresh takes
# sqrt(8 bit x 2 GiB) x tRAS and closes all rows.
CHAMPSIM_DRAM = Dram(
    "ChampSim DDR-3200, 8 groups of 4 banks",
    controller=ps(250),
    rcd=ps(15000),
    cl=ps(15000),
    rp=ps(15000),
    ras=0,
    burst=ps(2500),
    banks=32,
    row=8192,
    refi=ps(3906250),
    rfc=ns(130),
    turn=ps(65000),
    high=56,
    low=48,
    max_row=0,
    clock=ps(625),
    holds=True,
    spread=True,
    refresh_closes=True,
)

CHAMPSIM_TRANSLATION = Translation(
    data=Tlb(16, 4),
    fetch=Tlb(16, 4),
    shared=Tlb(128, 12, latency=8),
    depth=5,
    caches=(WalkCache(5, 1, 2), WalkCache(4, 1, 4), WalkCache(3, 2, 4), WalkCache(2, 4, 8)),
    start=7,
    end=6,
    fault=400,
)


def champsim_caches(clock: Frequency, shared: Frequency) -> dict[str, Cache]:
    """Return ChampSim's default caches.

    ChampSim halves a cache's latency into the check of its tags and the fill (L1D 2 + 3, L1I 2 + 2, L2 5 + 5, LLC
    10 + 10 cycles); the core and the LLC see an answer in the cycle after it was given.
    """
    return {
        "l1i": Cache(kB(32), 8, clock, 3, Bus(clock, 1, 0, 1, 0), 2, 3, mshrs=8, fill_holds=True),
        "l1d": Cache(kB(48), 12, clock, 3, Bus(clock, 1, 0, 1, 0), 2, 4, mshrs=16, fill_holds=True),
        "l2": Cache(
            kB(512), 8, clock, 5, Bus(shared, 0, 1, 1, 0), 5, 5, interval=1, mshrs=32, fill_holds=True
        ),
        "l3": Cache(
            kB(2048), 16, shared, 10, Bus(shared, 0, 0, 1, 0), 10, 10, interval=1, mshrs=64, fill_holds=True
        ),
    }


def champsim_core(clock: Frequency) -> Core:
    """Return ChampSim's default core."""
    return Core(
        "ooo",
        clock,
        fetch=6,
        decode=5,
        rename=6,
        dispatch=63,
        issue=4,
        commit=5,
        fetch_queue=96,
        skid=32,
        rob=352,
        iq=128,
        lq=128,
        sq=72,
        int_regs=128,
        load_ports=2,
        store_ports=1,
        fetch_to_decode=3,
        decode_to_rename=1,
        rename_to_dispatch=1,
        issue_to_execute=1,
        complete_to_commit=2,
        redirect=2,
        redirect_decode=1,
        squash=0,
        store_sets=False,
        free_delay=0,
        late_rename=True,
        unified_regs=True,
        stack_pointer=6,
        branch_chain=True,
        load_delay=1,
        store_delay=0,
        posted_stores=True,
        forward_by_address=True,
        merge_loads=True,
        results=4,
        queue_holds_memory=False,
        loads_leave_early=True,
        micro_op_sets=32,
        micro_op_ways=8,
        micro_op_bytes=16,
        predictor="bimodal",
        global_table=16384,
        counter_bits=2,
        bimodal_modulus=16381,
        typed_btb=True,
        btb=1024,
        btb_ways=8,
        ras=64,
        indirect=4096,
        pc_shift=0,
    )


def champsim(core_clock: Frequency = GHz(4), shared_clock: Frequency = GHz(4)) -> Machine:
    """Return the machine of ChampSim's default configuration.

    Parameters:
        core_clock: clock of the core, its TLBs and its private caches.
        shared_clock: clock of the last-level cache.

    Six instructions wide in front, four at execution; a window of 352, of which 128 may wait; 128 registers for
    everything; loads that look up stores by their exact address; one latency for all operations.

    Source: ChampSim 2ff25011, `champsim_config.json` and the members of `src/` that use it.

    Example:
        >>> machine = champsim()
        >>> machine.core.rob, machine.l2.sets, machine.translation.shared.entries
        (352, 1024, 1536)
    """
    core = champsim_core(core_clock)
    # A walk's fault is a time in ChampSim; it is given in the core's cycles here.
    cycles = int(400 * Fraction(core_clock.hz) / Fraction(GHz(4).hz))
    caches = champsim_caches(core_clock, shared_clock)
    return Machine(
        core,
        caches["l1i"],
        caches["l1d"],
        caches["l2"],
        caches["l3"],
        CHAMPSIM_DRAM,
        translation=replace(CHAMPSIM_TRANSLATION, fault=cycles),
        shuffle_pages=True,
    )
