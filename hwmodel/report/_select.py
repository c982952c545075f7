"""Which traces of a result a picture or a file shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hwmodel.errors import ResultError

if TYPE_CHECKING:
    from hwmodel.kernel import Result, Trace


def select_traces(result: Result, signals: Iterable[str] | str | None) -> list[Trace]:
    """Give the named traces in the order asked for, or all in the result's order.

    Raises:
        UnknownNameError: the result holds no trace of such a name.
        ResultError: a trace is not in time order.
    """
    if signals is None:
        traces = list(result.traces.values())
    else:
        names = [signals] if isinstance(signals, str) else list(signals)
        traces = list({trace.name: trace for trace in (result[name] for name in names)}.values())
    for trace in traces:
        if len(trace.t) > 1 and bool((trace.t[1:] < trace.t[:-1]).any()):
            raise ResultError(
                f"trace '{trace.name}' is not in time order; sort its times before reporting it"
            )
    return traces
