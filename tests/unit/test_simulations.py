"""Simulation folders are found, read, loaded, and their parameters checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodel import _simulations
from hwmodel._simulations import Simulation, find, find_all, make_spec, read, search_folders
from hwmodel.errors import SpecError, UnknownNameError
from hwmodel.units import GHz, ps

RUN = """
from dataclasses import dataclass
from typing import Literal
from hwmodel.units import Frequency, Time, TimeLike

@dataclass(frozen=True)
class Spec:
    count: int
    gain: float
    name: str
    fast: bool
    mode: Literal["a", "b"]
    widths: tuple[int, ...]
    pair: tuple[int, float]
    rates: list[float]
    delay: Time
    clock: Frequency
    either: int | str

    def __post_init__(self):
        if self.count < 1:
            raise ValueError(f"count={self.count}: must be at least 1")

def run(spec, context):
    return None
"""

SPEC = """
title = "A simulation for the tests"
source = "none"

[spec]
count = 3
gain = 0.5
name = "plain"
fast = false
mode = "a"
widths = [16, 64]
pair = [1, 2]
rates = [1, 0.5]
delay = "3.5 ps"
clock = "10 GHz"
either = 4
"""

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes a simulation folder that is found."""
    monkeypatch.setenv("HWMODEL_SIMS", str(tmp_path / "sims"))

    def make(name: str = "demo", run: str = RUN, spec: str = SPEC, where: str = "sims") -> Path:
        folder = tmp_path / where / name
        folder.mkdir(parents=True)
        (folder / "run.py").write_text(run)
        (folder / "spec.toml").write_text(spec)
        return folder

    return make


def spec_of(*settings: str) -> Any:
    simulation = find("demo")
    return make_spec(simulation, simulation.load()[0], settings)


def test_named_folder_comes_before_the_projects_own(make: Make) -> None:
    folder = make("xor_network")
    assert find("xor_network").folder == folder


def test_several_folders_may_be_named(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make("one")
    make("two", where="more")
    monkeypatch.setenv("HWMODEL_SIMS", f"{tmp_path / 'sims'}:{tmp_path / 'more'}")
    assert {"one", "two"} <= set(find_all())


def test_folder_sims_of_the_current_folder_is_searched(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("local_one")
    monkeypatch.delenv("HWMODEL_SIMS")
    monkeypatch.chdir(tmp_path)
    assert "local_one" in find_all()


def test_folders_are_listed_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("HWMODEL_SIMS", "sims")
    resolved = [folder.resolve() for folder in search_folders()]
    assert len(resolved) == len(set(resolved))


def test_a_folder_without_run_is_no_simulation(make: Make) -> None:
    (make("half") / "run.py").unlink()
    assert "half" not in find_all()


def test_unknown_name_offers_the_nearest(make: Make) -> None:
    make("demo")
    with pytest.raises(UnknownNameError, match="unknown simulation 'demmo'; did you mean 'demo'"):
        find("demmo")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "not valid TOML"),
        ("source = 'x'", "title = None; write one line"),
        ("title = 3", "title = 3; write one line"),
        ("title = 'a\\nb'\n", None),
        ('title = "a\\nb"', "write one line"),
        ("title = 'a'\nsource = 3", "source = 3; write a text"),
        ("title = 'a'\nspec = 3", "write a table"),
        ("title = 'a'\nspce = 3", "unknown key 'spce'"),
    ],
)
def test_malformed_spec_file_is_refused(make: Make, text: str, message: str | None) -> None:
    folder = make(spec=text)
    if message is None:
        assert read(folder).title == "a\\nb"
    else:
        with pytest.raises(SpecError, match=message) as caught:
            read(folder)
        assert "spec.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("def run(spec, context): ...", "no dataclass 'Spec'"),
        ("class Spec: ...\ndef run(spec, context): ...", "no dataclass 'Spec'"),
        (RUN.split("def run(")[0], "no function 'run'"),
        (RUN.replace("gain: float", "gian: float"), "differ in: gain, gian"),
    ],
)
def test_malformed_code_is_refused(make: Make, run: str, message: str) -> None:
    make(run=run)
    with pytest.raises(SpecError, match=message):
        find("demo").load()


def test_code_may_import_its_neighbours(make: Make) -> None:
    folder = make(run="from .helper import Spec, run\n")
    (folder / "helper.py").write_text(RUN)
    assert spec_of().count == 3


def test_defaults_come_from_the_file_with_the_types_of_the_spec(make: Make) -> None:
    make()
    spec = spec_of()
    assert (spec.count, spec.gain, spec.name, spec.fast, spec.mode) == (3, 0.5, "plain", False, "a")
    assert (spec.widths, spec.pair, spec.rates) == ((16, 64), (1, 2.0), [1.0, 0.5])
    assert (spec.delay, spec.clock, spec.either) == (ps(3.5), GHz(10), 4)


@pytest.mark.parametrize(
    ("setting", "field", "value"),
    [
        ("count=7", "count", 7),
        (" count = 7", "count", 7),
        ("gain=2", "gain", 2.0),
        ("gain=1e-3", "gain", 1e-3),
        ("name=5", "name", "5"),
        ("name=a=b", "name", "a=b"),
        ("name='quoted'", "name", "quoted"),
        ("name=", "name", ""),
        ("fast=true", "fast", True),
        ("mode=b", "mode", "b"),
        ("widths=[1, 2, 3]", "widths", (1, 2, 3)),
        ("delay=20 ps", "delay", ps(20)),
        ("delay='20 ps'", "delay", ps(20)),
        ("clock=52.6 GHz", "clock", GHz(52.6)),
        ("either=word", "either", "word"),
    ],
)
def test_setting_replaces_a_default(make: Make, setting: str, field: str, value: object) -> None:
    make()
    got = getattr(spec_of(setting), field)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("count=1.5", "count=1.5: expected int, got float"),
        ("count=true", "expected int, got bool"),
        ("count=many", "expected int, got str"),
        ("count=3\nfast=true", "expected int, got str"),
        ("gain=high", "expected float, got str"),
        ("fast=1", "expected bool, got int"),
        ("mode=c", "choose from 'a', 'b'"),
        ("widths=16", "expected a list"),
        ("widths=[1, 'x']", "expected int, got str"),
        ("pair=[1]", "expected 2 values, got 1"),
        ("either=[1]", "expected int | str"),
        ("count=0", "count=0: must be at least 1"),
        ("count", "no '='; write --set key=value"),
        ("=3", "no '='"),
    ],
)
def test_setting_of_the_wrong_kind_is_refused(make: Make, setting: str, message: str) -> None:
    make()
    with pytest.raises(SpecError) as caught:
        spec_of(setting)
    assert message in str(caught.value)


def test_bare_number_for_a_time_is_refused(make: Make) -> None:
    make()
    with pytest.raises(TypeError, match="delay=5"):
        spec_of("delay=5")


def test_unknown_parameter_offers_the_nearest(make: Make) -> None:
    make()
    with pytest.raises(UnknownNameError, match="unknown parameter of demo 'cuont'; did you mean 'count'"):
        spec_of("cuont=3")


def test_spec_may_make_itself_from_a_table(make: Make) -> None:
    text = RUN.replace(
        "def run(", "@classmethod\n    def from_dict(cls, table):\n        return dict(table)\n\ndef run(", 1
    )
    make(run=text.replace("\n@classmethod", "\n    @classmethod"))
    assert spec_of("count=9")["count"] == 9


@given(st.one_of(st.integers(-(2**62), 2**62), st.floats(allow_nan=False), st.text(), st.booleans()))
def test_toml_literals_come_back(value: object) -> None:
    text = json.dumps(value) if not isinstance(value, float) else repr(value)
    if isinstance(value, str):
        text = (
            '"' + "".join(f"\\U{ord(c):08x}" if not 0xD800 <= ord(c) < 0xE000 else "x" for c in value) + '"'
        )
        value = "".join(c if not 0xD800 <= ord(c) < 0xE000 else "x" for c in value)
    assert _simulations._parse(text, type(value)) == value


def test_a_simulation_shows_its_fields(make: Make) -> None:
    folder = make()
    assert find("demo") == Simulation(
        "demo", folder, "A simulation for the tests", "none", find("demo").parameters
    )
