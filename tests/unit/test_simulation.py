"""What a simulation is given: progress and messages that do not get in the way."""

from __future__ import annotations

import dataclasses
import io
import time
from pathlib import Path

import pytest

from hwmodel.simulation import RunContext


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Stands in for the wall clock."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    return RunContext(seed=1, out=tmp_path)


def work(context: RunContext, clock: Clock, seconds: float) -> None:
    with context.progress("seeds", total=10) as done:
        for n in range(10):
            clock.now += seconds / 10
            done(n + 1)


def test_bar_is_silent_where_no_terminal_is(
    context: RunContext, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr("sys.stderr", screen)
    work(context, clock, 60)
    assert screen.getvalue() == ""


def test_bar_is_silent_for_short_work(
    context: RunContext, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    work(context, clock, 1.9)
    assert screen.getvalue() == ""


def test_bar_shows_long_work_on_a_terminal(
    context: RunContext, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    work(context, clock, 60)
    assert "seeds" in screen.getvalue()


def test_bar_is_closed_when_the_work_fails(
    context: RunContext, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    with pytest.raises(ZeroDivisionError), context.progress("seeds", total=2) as done:
        clock.now += 5
        done(1)
        raise ZeroDivisionError
    work(context, clock, 60)  # a bar that is still open would refuse a second one


def test_messages_go_to_standard_error(context: RunContext, capsys: pytest.CaptureFixture[str]) -> None:
    context.say("training")
    assert capsys.readouterr() == ("", "training\n")


def test_context_cannot_be_changed(context: RunContext) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        context.seed = 2  # type: ignore[misc]
