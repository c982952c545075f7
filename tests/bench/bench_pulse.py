"""The compiled pulse engine against the plain Python one, same pulses, in one run."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hwmodel import sfq
from hwmodel.kernel import BuildContext, Inbox, Outbox, Recorder
from hwmodel.units import Time, fs, ns, ps

SEED = 7
REPEATS = 3


def jtl_chain(stages: int) -> sfq.Netlist:
    """A chain of JTLs."""
    net = sfq.Netlist("chain")
    net.output("q", net.jtl(net.input("a"), stages=stages))
    return net


def random_netlist(cells: int) -> sfq.Netlist:
    """Random logic of library cells; every clocked cell takes the clock from a splitter tree."""
    rng = random.Random(SEED)
    net = sfq.Netlist("random", auto_split=True, policy="drop")
    wires = [net.input(f"in{n}") for n in range(96)]
    clock = net.input("clk")
    kinds = ["jtl", "jtl", "split", "merge", "dff", "and2", "or2", "xor", "not", "ndro", "buff"]
    for _ in range(cells * 3 // 4):  # the splitters of the clock are the rest
        cell = net.library[rng.choice(kinds)]
        if len(wires) < 80:
            wires += [net.jtl(half) for half in net.split(wires.pop(0))]
        # Mostly recent wires, so that the logic is deep; each is used up once.
        ends = {
            port: clock if port == cell.clock else wires.pop(rng.randrange(len(wires) - 64, len(wires)))
            for port in cell.inputs
        }
        made = net.add(cell, **ends)
        wires += made if isinstance(made, tuple) else (made,)
    for n, wire in enumerate(wires):
        net.output(f"q{n}", wire)
    return net


def run_compiled(
    net: sfq.Netlist, stimulus: Mapping[str, Any], until: Time
) -> tuple[dict[str, list[int]], float, int]:
    """Output pulses, seconds of the run itself, and arrivals."""
    outputs = tuple(port.name for port in net.ports.values() if port.direction == "out")
    inputs = tuple(port.name for port in net.ports.values() if port.direction == "in")
    recorder = Recorder(net.name)
    for name in outputs:
        recorder.watch(name, "pulse")
    context = BuildContext(
        net.name, SEED, outputs, inputs, outputs, Inbox(net.name), Outbox(net.name), recorder
    )
    engine = net.build(context)
    rows = [
        (int(t), link, seq, inputs.index(port), 0)
        for link, port in enumerate(sorted(stimulus))
        for seq, t in enumerate(stimulus[port])
    ]
    context.inbox.push(np.array(sorted(rows), np.int64))
    begun = time.process_time()
    engine.advance(int(until))
    seconds = time.process_time() - begun
    traces = {
        name: trace.t.tolist() for name, trace in zip(outputs, recorder.traces(int(until)), strict=True)
    }
    return traces, seconds, int(net.stats(engine, int(until))["pulses"])


def compare(
    name: str, net: sfq.Netlist, stimulus: Mapping[str, Any], until: Time, floor: float
) -> dict[str, Any]:
    """Ratio of the two engines on one netlist, best of a few runs each, and that the pulses are the same."""
    run_compiled(net, {port: times[:1] for port, times in stimulus.items()}, until)  # compile and warm up
    runs = [run_compiled(net, stimulus, until) for _ in range(REPEATS)]
    traces, seconds, pulses = min(runs, key=lambda run: run[1])
    outputs = list(traces)
    slow = []
    for _ in range(2):
        begun = time.process_time()
        expected = sfq.simulate_reference(net, stimulus, until, SEED, watch=outputs)
        slow.append(time.process_time() - begun)
    assert traces == dict(expected), f"{name}: the two engines give different pulses"
    assert pulses == expected.pulses, f"{name}: {pulses} arrivals, the reference has {expected.pulses}"
    return {
        "name": name,
        "ratio": min(slow) / seconds,
        "floor": floor,
        "against": "plain Python pulse engine",
        "detail": f"{pulses:,} pulses: {pulses / seconds / 1e6:.1f} M/s against {pulses / min(slow) / 1e6:.2f} M/s",
    }


def jtl_chain_of_1000() -> dict[str, Any]:
    """1000 stages, 1000 pulses."""
    return compare(
        "pulse engine, JTL chain 1000 x 1000", jtl_chain(1000), {"a": ps(range(0, 20_000, 20))}, ns(30), 15
    )


def random_10000_cells() -> dict[str, Any]:
    """10,000 random cells, clocked at 10 GHz."""
    net = random_netlist(10_000)
    rng = random.Random(SEED)
    stimulus = {
        port.name: fs(sorted(rng.sample(range(0, 6_000_000), 60)))
        for port in net.ports.values()
        if port.direction == "in" and port.name != "clk"
    }
    stimulus["clk"] = ps(range(50, 6_000, 100))
    return compare("pulse engine, random netlist of 10,000 cells", net, stimulus, ns(7), 10)


BENCHES: tuple[Callable[[], dict[str, Any]], ...] = (jtl_chain_of_1000, random_10000_cells)


if __name__ == "__main__":
    for bench in BENCHES:
        print(bench())
