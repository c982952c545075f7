"""The checks that a system passes before it runs, and the making of its plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hwmodel.errors import WiringError, unknown
from hwmodel.kernel._buffers import Inbox, Outbox
from hwmodel.kernel._component import BuildContext, CheckReport, Component, State
from hwmodel.kernel._drive import Drive
from hwmodel.kernel._plan import Feed, Node, Plan, Route
from hwmodel.kernel._ports import Link, Port
from hwmodel.kernel._trace import Probe, Recorder
from hwmodel.units import NEVER, format_time


def find_port(components: Mapping[str, Component], ref: Port | str) -> Port:
    """The port named by a full or an unambiguous short name, or the port itself."""
    if isinstance(ref, Port):
        component = components.get(ref.owner)
        if component is None:
            raise WiringError(
                f"port '{ref.path}' belongs to no component of this system; add its component first"
            )
        return component.port(ref.name)
    if not isinstance(ref, str):
        raise WiringError(
            f"{ref!r} is no port; give one, such as core.done, or its name, such as 'core.done'"
        )
    owner, _, name = ref.rpartition(".")
    if owner in components:
        return components[owner].port(name)
    matches = [c.ports[ref] for c in components.values() if ref in c.ports]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise WiringError(
            f"port '{ref}' is ambiguous: {', '.join(sorted(p.path for p in matches))}; write the full name"
        )
    raise unknown("port", ref, (p.path for c in components.values() for p in c.ports.values()))


def find_signal(components: Mapping[str, Component], name: str) -> tuple[Component, str]:
    """The component and its signal named by a full or an unambiguous short name."""
    for path in sorted(components, key=len, reverse=True):
        rest = name.removeprefix(f"{path}.")
        if rest != name and rest in components[path].signals():
            return components[path], rest
    matches = [c for c in components.values() if name in c.signals()]
    if len(matches) == 1:
        return matches[0], name
    if matches:
        full = ", ".join(sorted(f"{c.name}.{name}" for c in matches))
        raise WiringError(f"signal '{name}' is ambiguous: {full}; write the full name")
    raise unknown("signal", name, (f"{c.name}.{s}" for c in components.values() for s in c.signals()))


def lookahead_of(links: Iterable[Link]) -> tuple[int, Link | None]:
    """The smallest latency and its link, or NEVER and None where there are no links."""
    shortest = min(links, key=lambda link: (link.latency, link.name), default=None)
    return (shortest.latency, shortest) if shortest else (NEVER, None)


def check_wiring(
    components: Mapping[str, Component], links: Sequence[Link], drives: Sequence[Drive]
) -> CheckReport:
    """Refuse what cannot run, naming every fault at once; report lookahead and warnings."""
    faults: list[str] = []
    sources: dict[str, list[str]] = {}
    for link in links:
        sources.setdefault(link.target.path, []).append(link.source.path)
    for drive in drives:
        sources.setdefault(drive.port.path, []).append("a stimulus")
    warnings: list[str] = []
    for path in sorted(components):
        component = components[path]
        for port in component.ports.values():
            found = sources.get(port.path, [])
            if port.direction == "in" and port.required and not found:
                faults.append(
                    f"input '{port.path}' is not connected; connect(...) or drive('{port.path}', ...) it, "
                    "with an empty stimulus if it is to stay quiet"
                )
            if len(found) > 1 and port.protocol != "event":
                faults.append(
                    f"input '{port.path}' has {len(found)} sources, {', '.join(found)}; a '{port.protocol}' input takes one: "
                    "put a merger before it"
                )
        warnings += component.check()
    fanout: dict[str, list[str]] = {}
    for link in links:
        if link.source.protocol == "pulse":
            fanout.setdefault(link.source.path, []).append(link.target.path)
    for source, targets in sorted(fanout.items()):
        if len(targets) > 1:
            faults.append(
                f"output '{source}' drives {', '.join(targets)}; a pulse has one target: put a splitter before them"
            )
    if faults:
        raise WiringError("\n".join(faults))
    lines = [
        f"{link.name}: lookahead {format_time(link.latency)}" for link in sorted(links, key=lambda x: x.name)
    ]
    return CheckReport(tuple(lines), lookahead_of(links)[0], tuple(warnings))


def make_plan(
    components: Mapping[str, Component],
    links: Sequence[Link],
    drives: Sequence[Drive],
    watch: Sequence[tuple[Component, str, Probe]],
    seed: int,
    snapshots: Mapping[str, State] | None = None,
) -> Plan:
    """Build every engine, in the order of the paths, and join them."""
    order = {
        name: rank
        for rank, name in enumerate(sorted([x.name for x in links] + [_feed_name(d) for d in drives]))
    }
    numbers = {path: _numbers(component) for path, component in components.items()}
    nodes: dict[str, Node] = {}
    for path in sorted(components):
        component = components[path]
        watched = [(name, probe) for owner, name, probe in watch if owner is component]
        recorder = Recorder(path)
        for name, probe in watched:
            recorder.watch(
                f"{path}.{name}", component.signals()[name], component.signal_width(name), 0, probe.clock
            )
        context = BuildContext(
            path, seed, tuple(name for name, _ in watched), *numbers[path], Inbox(path), Outbox(path), recorder,
            snapshots[path] if snapshots is not None else None,
            frozenset(x.source.name for x in links if x.source.owner == path),
        )  # fmt: skip
        nodes[path] = Node(component, component.build(context), context.inbox, context.outbox, recorder)
    for path, node in nodes.items():
        node.routes = tuple(
            tuple(
                Route(
                    x.name,
                    order[x.name],
                    nodes[x.target.owner],
                    numbers[x.target.owner][0].index(x.target.name),
                    x.latency,
                )
                for x in sorted(links, key=lambda x: x.name)
                if x.source.path == f"{path}.{output}"
            )
            for output in numbers[path][1]
        )
    feeds = [
        Feed(d, nodes[d.port.owner], numbers[d.port.owner][0].index(d.port.name), order[_feed_name(d)])
        for d in sorted(drives, key=_feed_name)
    ]
    return Plan(list(nodes.values()), feeds, lookahead_of(links)[0])


def _feed_name(drive: Drive) -> str:
    return f" -> {drive.port.path}"


def _numbers(component: Component) -> tuple[tuple[str, ...], tuple[str, ...]]:
    ports = component.ports.values()
    return tuple(p.name for p in ports if p.direction == "in"), tuple(
        p.name for p in ports if p.direction == "out"
    )
