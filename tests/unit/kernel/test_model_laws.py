"""Laws of models in random graphs: they are the engines written by hand and the processes that do the same."""

# ruff: noqa: RUF012 - a model copies its fields for every run

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

import hwmodel as hw
from hwmodel.kernel import ProcessContext, stream_key
from hwmodel.units import Time, fs
from tests.kernel.models import Plan, plans


class Gossip(hw.Model):
    """What `Relay` of the kernel's tests does with an engine of its own."""

    records = {"log": "event"}
    delay: int
    local: int
    digest: int
    seen: int = 0

    def start(self):
        if self.local:
            self.wake(self.tick, at=Time(self.local))

    def receive(self, port, value):
        number = int(port[1:])
        self.fold(10 * number + 1, value)
        outs = sum(p.direction == "out" for p in self.ports.values())
        self.send(f"o{(value + number) % outs}", (value * 31 + self.digest) % 10007, after=Time(self.delay))

    def tick(self):
        self.fold(5, 0)
        self.wake(self.tick, after=Time(self.local))

    def fold(self, kind, value):
        self.digest = (self.digest * 1_000_003 + int(self.now) * 7 + kind + value) % (2**61 - 1)
        self.seen += 1
        self.record("log", value)


def as_process(relay, seed: int) -> hw.Process:
    """The same behaviour as a generator; it has one input and no events of its own."""
    outs = [p.name for p in relay.ports.values() if p.direction == "out"]

    def body(ctx: ProcessContext):
        digest = stream_key(seed, relay.name) % 1000
        while True:
            value = (yield ctx.receive("i0")).value
            digest = (digest * 1_000_003 + int(ctx.now) * 7 + 1 + value) % (2**61 - 1)
            ctx.record("log", value)
            ctx.send(outs[value % len(outs)], (value * 31 + digest) % 10007, after=Time(relay.delay))

    return hw.Process(relay.name, body, inputs=["i0"], outputs=outs, signals={"log": "event"})


def as_model(relay, seed: int) -> Gossip:
    ports = relay.ports.values()
    return Gossip(
        relay.name,
        inputs=[p for p in ports if p.direction == "in"],
        outputs=[p for p in ports if p.direction == "out"],
        delay=relay.delay,
        local=relay.local,
        digest=stream_key(seed, relay.name) % 1000,
    )


def one_input(relay, seed: int) -> Gossip:
    """A model to which all links go through one input."""
    given = as_model(relay, seed)
    outputs = [p for p in given.ports.values() if p.direction == "out"]
    return Gossip(relay.name, inputs=["i0"], outputs=outputs, delay=relay.delay, local=0, digest=given.digest)


def rebuilt(plan: Plan, change, order=None) -> hw.System:
    """The plan's system with other components in place of its relays."""
    old = plan.build(order)
    new = hw.System(*(change(part, plan.seed) for part in old._components.values()), seed=plan.seed)
    for link in old._links:
        target = new._components[link.target.owner]
        port = link.target.name if link.target.name in target.ports else "i0"
        new.connect(link.source.path, target.port(port), Time(link.latency))
    new.drive("r0.i0", at=[Time(t) for t in plan.drives], values=list(range(len(plan.drives))))
    return new


def logs(plan: Plan, change, **run):
    names = [f"r{n}.log" for n in range(len(plan.relays))]
    result = rebuilt(plan, change).run(until=fs(150), watch=names, **run)
    return [(t.t.tolist(), t.value.tolist()) for t in (result[name] for name in names)], result


@settings(max_examples=40)
@given(plans(), st.data())
def test_the_fingerprint_depends_on_neither_window_nor_runner_nor_order(plan: Plan, data) -> None:
    names = [f"r{n}.log" for n in range(len(plan.relays))]
    order = data.draw(st.permutations(range(len(plan.relays))))
    window = fs(data.draw(st.integers(1, plan.lookahead)))
    plain = rebuilt(plan, as_model).run(until=fs(150), watch=names)
    for system, how in (
        (rebuilt(plan, as_model), {"window": window}),
        (rebuilt(plan, as_model), {"runner": "simpy"}),
        (rebuilt(plan, as_model, order), {}),
    ):
        assert system.run(until=fs(150), watch=names, **how).fingerprint == plain.fingerprint


@settings(max_examples=40)
@given(plans())
def test_it_is_called_as_an_engine_written_by_hand_runs(plan: Plan) -> None:
    got = logs(plan, as_model)[0]
    for n, found in enumerate(got):
        trace = plan.build().run(until=fs(150), watch=[f"r{n}.i0"])[f"r{n}.i0"]
        assert found == (trace.t.tolist(), trace.value.tolist())


@settings(max_examples=25)
@given(plans())
def test_it_is_the_same_thing_as_a_process(plan: Plan) -> None:
    quiet = Plan(tuple((delay, 0) for delay, _ in plan.relays), plan.links, plan.drives, plan.seed)
    assert logs(quiet, one_input)[0] == logs(quiet, as_process)[0]


@settings(max_examples=25)
@given(plans(), st.integers(0, 150))
def test_any_graph_resumes_to_the_same_fingerprint(tmp_path_factory, plan: Plan, middle: int) -> None:
    file = tmp_path_factory.mktemp("model") / "c"
    names = [f"r{n}.log" for n in range(len(plan.relays))]
    first = rebuilt(plan, as_model)
    first.run(until=fs(middle), watch=names)
    first.checkpoint(file)
    resumed = rebuilt(plan, as_model).resume(file).run(until=fs(150))
    assert resumed.fingerprint == logs(plan, as_model)[1].fingerprint
