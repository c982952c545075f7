"""Cost of composition: a closed loop of eight components in four domains against the same run apart.

What is counted is processor time of whole runs, the kernel's part included, on either side. Apart, a domain (the event
domain, the SFQ network, the RTL behind it, the core) keeps the links between its own components, gets the messages
that it got in the loop as stimuli, and sends its own through links as in the loop, so that it does the same work. They
lead to a sink and are still under way when the run ends: the sink itself takes no time, and a domain runs in stretches
as long as if it had no links to others, which is the least that it can cost. A second row takes each component for a
domain of its own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

import hwmodel as hw
from hwmodel.kernel import BuildContext, Component, Port, Result, State, profiled
from hwmodel.units import NEVER, Time, fs, us
from sims.neuromorphic_edge.loop import Loop, closed, rate_of

UNTIL = us(600)
TARGETS = (160, 272, 208)
DOMAINS = (("asic", "features", "tuner"), ("sfq",), ("counter", "readout", "taker"), ("core",))
ROUNDS = 15  # the best of few says more about the machine than about the kernel


class Sink(Component):
    """Takes the messages of another component's outputs."""

    def __init__(self, outputs: list[Port]) -> None:
        super().__init__("sink", [Port(p.path.replace(".", "_"), "in", p.protocol, p.width) for p in outputs])

    def build(self, context: BuildContext) -> _SinkEngine:
        """Build the engine, which does nothing with them."""
        return _SinkEngine(context)


class _SinkEngine:
    def __init__(self, context: BuildContext) -> None:
        self._inbox = context.inbox

    def advance(self, t1: int) -> None:
        """Drop the messages with t < t1."""
        self._inbox.take(t1)

    def next_event(self) -> int:
        """Nothing comes from here."""
        return NEVER

    def state(self) -> State:
        """None."""
        return {"nothing": np.zeros(0, np.int64)}

    snapshot = state


def _system() -> hw.System:
    loop = Loop()
    most = int(int(UNTIL) * rate_of(650e6) / 64e9 / loop.stride) + 1
    system = closed(loop, 1, most)
    hold = int(UNTIL) // len(TARGETS)
    system.drive("core.target", at=[fs(k * hold) for k in range(len(TARGETS))], values=list(TARGETS))
    return system


def _run(system: hw.System, watch: list[str] | None = None) -> tuple[float, Result]:
    """Processor seconds of a run and its result; engines are built before, in a run of a femtosecond."""
    system.run(until=fs(1), watch=watch, progress=False)
    begun = time.process_time()
    result = system.run(until=UNTIL, progress=False)
    return time.process_time() - begun, result


def _alone(group: tuple[str, ...], composed: hw.System, result: Result) -> hw.System:
    """A system of some components and a sink, driven by the messages that they had from others in the composed run."""
    components = [c for c in composed.components if c.name in group]
    ports = {port.path: port for c in composed.components for port in c.ports.values()}
    inside, outside, sources = [], {}, {}
    for link in result.manifest["links"]:
        origin, target = (link[end].split(".")[0] in group for end in ("source", "target"))
        if origin and target:
            inside.append(link)
        elif origin:
            outside[link["source"]] = ports[link["source"]]
        elif target:
            sources[link["target"]] = (link["source"], link["latency_fs"])
    system = hw.System(*components, Sink(list(outside.values())), seed=1)
    for link in inside:
        system.connect(link["source"], link["target"], latency=fs(link["latency_fs"]))
    for path in outside:
        system.connect(path, f"sink.{path.replace('.', '_')}", latency=UNTIL)
    for path, (source, latency) in sources.items():
        trace = result[source]
        times = [Time(t) for t in (trace.t + latency).tolist()]
        values = None if ports[path].protocol == "pulse" else trace.value.tolist()
        system.drive(path, at=times, values=values)
    for drive in result.manifest["drives"]:
        if drive["port"].split(".")[0] in group:
            _drive(system, drive["port"])
    return system


def _drive(system: hw.System, path: str) -> None:
    """Give a port the stimulus that it has in the loop."""
    if path == "core.target":
        hold = int(UNTIL) // len(TARGETS)
        system.drive(path, at=[fs(k * hold) for k in range(len(TARGETS))], values=list(TARGETS))
    elif path == "readout.out_ready":
        system.drive(path, at=[fs(0)], values=[1])
    else:
        system.drive(path, at=[], values=[])


def _compare(groups: Sequence[tuple[str, ...]], name: str, against: str, floor: float) -> dict[str, Any]:
    """Time of the composed run over the sum of the groups' times apart, the best of some rounds each."""
    outputs = [p.path for c in _system().components for p in c.ports.values() if p.direction == "out"]
    recorded = _run(_system(), outputs)[1]
    for group in groups:
        watched = [path for path in outputs if path.split(".")[0] in group]
        again = _run(_alone(group, _system(), recorded), watched)[1]
        if any(not np.array_equal(again[path].t, recorded[path].t) for path in watched):
            raise RuntimeError(
                f"{group}: apart it sends other messages than in the loop, so the times say nothing"
            )
    together, apart = [], []
    for _ in range(ROUNDS):
        with profiled() as profile:
            system = _system()
            together.append(_run(system)[0])
        apart.append(sum(_run(_alone(group, _system(), recorded))[0] for group in groups))
    composed, alone = min(together), min(apart)
    return {
        "name": name,
        "ratio": alone / composed,
        "floor": floor,
        "against": against,
        "detail": f"{composed:.2f} s composed, {alone:.2f} s apart ({100 * (composed / alone - 1):+.1f} %); "
        f"{profile.windows:,} windows, {100 * profile.overhead:.1f} % outside of the engines",
    }


def bench_composition() -> dict[str, Any]:
    """The loop over its domains, each run alone; the aim is 15 % more at most."""
    return _compare(
        DOMAINS,
        "closed loop, four domains",
        "the sum of its domains, each run alone on the same messages",
        0.87,
    )


def bench_components() -> dict[str, Any]:
    """The loop over its components, each run alone: what a kernel that cost nothing would still lose to cold caches."""
    return _compare(
        [(name,) for group in DOMAINS for name in group],
        "closed loop, eight components",
        "the sum of its components, each run alone on the same messages",
        0.80,
    )


BENCHES = (bench_composition, bench_components)
