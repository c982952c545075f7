"""Cost of the kernel: what a window adds, and that quiet time adds nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import simpy

import hwmodel as hw
from hwmodel import sfq
from hwmodel.units import Time, ms, ns, ps, us

WINDOWS = 40_000

SIMPY_ROUNDS = 20_000


def _ring(name: str) -> sfq.Netlist:
    """A ring oscillator of one pulse with an input and an output: something to do in every window."""
    net = sfq.Netlist(name)
    (start,) = net.inputs("a")
    back = net.feedback("back")
    left, right = net.split(net.jtl(net.merge(start, back, policy="drop")))
    net.close(back, net.jtl(left))
    spare, out = net.split(right)
    net.terminate(spare)
    net.output("q", out)
    return net


def _pair() -> hw.System:
    """Two ring oscillators; a pulse passes between them every now and then, by a divider of time."""
    a, b = _ring("a"), _ring("b")
    system = hw.System(a, b)
    system.drive("a.a", at=ps([5]))
    system.drive("b.a", at=ps([7]))
    return system


def _seconds(action: Callable[[], Any]) -> float:
    """Processor time: other work on the machine counts less in it."""
    begun = time.process_time()
    action()
    return time.process_time() - begun


def window_cost_us() -> float:
    """What one window costs with two engines, both with events in it: run in many windows less run in few."""
    period = Time(20_000)
    until = Time(int(period) * WINDOWS)
    _pair().run(until=ns(1))
    many = min(_seconds(lambda: _pair().run(until=until, window=period, progress=False)) for _ in range(3))
    few = min(_seconds(lambda: _pair().run(until=until, progress=False)) for _ in range(3))
    windows = _pair().run(until=until, window=period, progress=False).manifest["windows"]
    return (many - few) / windows * 1e6


def simpy_message_us() -> float:
    """What one message between two SimPy processes costs: put, get and a timeout."""

    def rally() -> None:
        env = simpy.Environment()
        there, back = simpy.Store(env), simpy.Store(env)

        def one() -> Any:
            for n in range(SIMPY_ROUNDS):
                yield there.put(n)
                yield back.get()
                yield env.timeout(1)

        def two() -> Any:
            while True:
                message = yield there.get()
                yield env.timeout(1)
                yield back.put(message)

        env.process(two())
        env.run(until=env.process(one()))

    return min(_seconds(rally) for _ in range(3)) / (2 * SIMPY_ROUNDS) * 1e6


def bench_window() -> dict[str, Any]:
    """A window of two engines against one message of SimPy in the same run.

    The bound is 3 us a window where SimPy passes 0.18 M messages a second (5.6 us each), so the
    ratio must reach 5.6 / 3.
    """
    own, other = window_cost_us(), simpy_message_us()
    return {
        "name": "kernel window, two engines",
        "ratio": other / own,
        "floor": 1.85,
        "against": "one SimPy message (put, get, timeout)",
        "detail": f"{own:.2f} us a window; SimPy {other:.2f} us a message",
    }


def _sparse(gap: Time, count: int = 300) -> float:
    a = sfq.Netlist("a")
    (i,) = a.inputs("a")
    a.output("q", a.jtl(i))
    b = sfq.Netlist("b")
    (j,) = b.inputs("a")
    b.output("q", b.jtl(j))

    def run() -> None:
        system = hw.System(a, b)
        system.connect(a.q, b.a, latency=ps(20))
        system.drive("a.a", clock=hw.Clock(period=gap), count=count)
        system.run(until=ms(10), window=ps(20), progress=False)

    run()
    return min(_seconds(run) for _ in range(3))


def bench_sparse() -> dict[str, Any]:
    """The same messages 1,000 times further apart must not take longer."""
    dense, sparse = _sparse(ns(1)), _sparse(us(1))
    return {
        "name": "sparse traffic",
        "ratio": dense / sparse,
        "floor": 0.6,
        "against": "the same messages in a thousandth of the time",
        "detail": f"{sparse * 1e3:.1f} ms sparse, {dense * 1e3:.1f} ms dense",
    }


BENCHES = (bench_window, bench_sparse)
