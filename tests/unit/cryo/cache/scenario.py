"""Every compiled loop of the caches once, on a short stream; run with HWMODEL_JIT=0 it is plain Python."""

from __future__ import annotations

import numpy as np

from hwmodel.cryo.cache import (
    CacheSpec,
    CoherentCaches,
    Hierarchy,
    Paging,
    Prefetch,
    TlbSpec,
    reuse_distances,
)

COUNT = 600


def lines():
    """One line of text for each run."""
    rng = np.random.default_rng(7)
    hot, cold = rng.integers(0, 40, COUNT), np.arange(COUNT) % 120
    addresses = np.where(rng.random(COUNT) < 0.6, hot, cold) * 64 + rng.integers(0, 64, COUNT)
    # Some of them far up, where 64 bits end.
    addresses = addresses.astype(np.uint64) + np.where(rng.random(COUNT) < 0.1, 2**63, 0).astype(np.uint64)
    writes = rng.random(COUNT) < 0.3
    pcs = rng.integers(0, 4, COUNT) * 4 + 0x1000
    return [*hierarchies(addresses, writes, pcs), *others(addresses, writes, rng)]


def hierarchies(addresses, writes, pcs):
    """One to three levels of every kind."""
    small, large = CacheSpec(512, 2), CacheSpec(2048, 4)
    runs = [
        *(([small, large], {"inclusion": name}) for name in ("nine", "inclusive", "exclusive")),
        *(
            ([CacheSpec(512, 4, policy=name), large], {"classify": True})
            for name in ("lru", "fifo", "random", "plru", "srrip", "brrip", "drrip")
        ),
        *(
            ([CacheSpec(512, 4, prefetch=Prefetch(name, 2))], {})
            for name in ("next_line", "stride", "stream")
        ),
        ([CacheSpec(512, 4, prefetch=Prefetch("best_offset", delay=2)), large], {"inclusion": "inclusive"}),
        ([CacheSpec(512, 2, line=64, sector=16, write="through"), large], {"inclusion": "inclusive"}),
        ([CacheSpec(512, 2, allocate=False, victim_lines=3), large], {}),
        ([small, large], {"paging": Paging(TlbSpec(4), TlbSpec(2), TlbSpec(8, 2))}),
        ([small, large], {"instruction": small}),
        ([small, large], {"instruction": small, "inclusion": "inclusive"}),
    ]
    fetch = (np.arange(COUNT) % 3 == 0) & ~writes
    for levels, more in runs:
        caches = Hierarchy(levels, **more)
        caches.run_chunk(addresses, writes, pcs, fetch=fetch)
        caches.flush()
        yield f"{caches.stats()} {caches.tlb_stats()} {caches.memory_stats()}"
    best = Hierarchy([small, CacheSpec(1024, 4, policy="opt"), large])
    yield f"{best.run((addresses, writes))} {best.memory_stats()}"


def others(addresses, writes, rng):
    """Coherence and reuse distances."""
    cores = rng.integers(0, 3, COUNT)
    for private in ([CacheSpec(256, 2)], [CacheSpec(128, 2), CacheSpec(512, 2)]):
        for protocol in ("mesi", "moesi"):
            for inclusion in ("nine", "inclusive"):
                caches = CoherentCaches(3, private, CacheSpec(1024, 4), protocol, inclusion=inclusion)
                caches.run_chunk(cores, addresses, writes)
                yield f"{caches.stats()} {caches.coherence_stats()} {sorted(caches.states().items())}"
    for sample in (1.0, 0.3):
        found = reuse_distances(addresses, sample=sample)
        yield f"{found.counts.tolist()} {found.cold}"


if __name__ == "__main__":
    print("\n".join(lines()))
