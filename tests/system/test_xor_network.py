"""The XOR simulation as a user runs it: two levels that agree, a wide margin, files, and clear refusals."""

import json
import math
import tomllib

import numpy as np
import pytest

from hwmodel.cli import main
from hwmodel.kernel import Result
from hwmodel.sfq import write_stimulus_csv
from hwmodel.units import fs

LABELS = ("00", "01", "10", "11")
QUICK = ["--set", "repeats=4", "--set", "windows=[16,64]", "--set", "steps=150"]


def run(out, *arguments, seed=1):
    assert main(["run", "xor_network", "--seed", str(seed), "--out", str(out), *arguments]) == 0
    return json.loads((out / "metrics.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("xor") / "out"


@pytest.fixture(scope="module")
def metrics(out):
    return run(out)


def expectations(project):
    table = tomllib.loads((project / "sims" / "xor_network" / "expected.toml").read_text(encoding="utf-8"))
    return table["metric"]


def test_figures_are_those_expected(metrics, project):
    wrong = []
    for item in expectations(project):
        value = metrics
        for key in item["path"].split("."):
            value = value[key]
        if not abs(value - item["value"]) <= item["tolerance"]:
            wrong.append(f"{item['path']} = {value}, expected {item['value']} +- {item['tolerance']}")
    assert not wrong


def test_both_levels_agree_within_three_sigma(metrics):
    rate, pulse = (metrics["levels"][level]["output_rate"] for level in ("rate", "pulse"))
    for label in LABELS:
        assert abs(rate[label] - pulse[label]) < 3 * metrics["levels"]["pulse"]["sem"][label]


@pytest.mark.parametrize("seed", [2, 3])
def test_both_levels_agree_at_other_seeds(tmp_path, seed):
    found = run(tmp_path / "out", "--set", "repeats=12", seed=seed)
    # Four inputs and several seeds: four sigma keeps a chance alarm under one in a thousand.
    assert all(abs(found["agreement_sigma"][label]) < 4 for label in LABELS)


def test_standard_error_is_not_below_the_binomial_one(metrics):
    slots = metrics["spec"]["slots"] / 4
    for label in LABELS:
        p = metrics["levels"]["pulse"]["output_rate"][label]
        assert metrics["levels"]["pulse"]["sem"][label] >= 0.999 * math.sqrt(p * (1 - p) / slots)


@pytest.mark.parametrize("window", ["64", "256", "1024"])
def test_margin_is_wide_from_64_slots_on(metrics, window):
    margin = metrics["margins"][window]
    assert margin["percent"]["low"] > 75
    assert margin["sigma"]["low"] > 10
    assert margin["worst_window_percent"] > 30


def test_intervals_enclose_their_values(metrics):
    for margin in metrics["margins"].values():
        for part in (margin["percent"], margin["sigma"]):
            assert part["low"] <= part["value"] <= part["high"]


def test_errors_fall_with_the_window_as_predicted(metrics):
    found = metrics["error_probability"]
    assert set(found) >= {"16", "64", "256", "1024"}
    for item in found.values():
        # The interval is that of 95 %; its half width is two standard deviations, so this is about four.
        half = (item["high"] - item["low"]) / 2
        assert item["low"] - half <= item["predicted"] <= item["high"] + half
    assert found["1"]["value"] > found["4"]["value"] > found["16"]["value"]


def test_energy_adds_up(metrics):
    parts = metrics["energy_aj"]
    assert metrics["energy_aj_per_inference"] == pytest.approx(sum(parts.values()))
    # 64 slots of 100 ps at the static power.
    static = metrics["static_power_w"] * 6.4e-9 * 1e18
    assert parts["static"] + parts["static_weights"] == pytest.approx(static)


def test_more_temperature_means_less_margin(metrics):
    margins = list(metrics["margin_percent_by_temperature"].values())
    assert margins == sorted(margins, reverse=True)
    assert margins[-1] < 60


def test_trained_currents_are_on_the_grid(metrics):
    currents = np.array(list(metrics["training"]["currents_ua"].values()))
    np.testing.assert_allclose(currents / 0.5, np.rint(currents / 0.5))


def test_files_are_there_and_small(metrics, out):
    names = {path.name for path in out.iterdir()}
    wanted = {"result.npz", "manifest.json", "metrics.json", "waves.vcd", "report.html", "waves.svg"}
    pictures = {
        f"{name}.{kind}"
        for name in ("output_rates", "error_probability", "firing_curve")
        for kind in ("png", "svg")
    }
    assert wanted | pictures <= names
    assert sum(path.stat().st_size for path in out.iterdir()) < 5_000_000


def test_waveforms_show_inputs_neurons_and_clock(metrics, out):
    result = Result.load(out)
    assert [name.split(".")[-1] for name in result.traces] == ["a", "b", "clk", "h1", "h2", "out"]
    assert len(result["clk"]) == 32


def test_the_seed_decides_everything(tmp_path):
    first, again, other = (
        run(tmp_path / name, *QUICK, seed=seed) for name, seed in (("1", 5), ("2", 5), ("3", 6))
    )
    assert first == again
    assert first["levels"]["pulse"] != other["levels"]["pulse"]


def test_runner_does_not_matter(tmp_path):
    loop = run(tmp_path / "loop", *QUICK)
    simpy = run(tmp_path / "simpy", *QUICK, "--runner", "simpy", "--window", "3 ns")
    assert loop == simpy


@pytest.mark.parametrize(
    "settings", [["fan_in=staggered"], ["comparator=josim_10thz"], ["hidden=4"], ["period='30 ps'"]]
)
def test_variants_compute_xor(tmp_path, settings):
    found = run(tmp_path / "out", *QUICK, *(word for text in settings for word in ("--set", text)))
    assert found["margin_percent"] > 50
    assert all(abs(found["agreement_sigma"][label]) < 4 for label in LABELS)


def test_staggered_pulses_never_merge(tmp_path):
    assert run(tmp_path / "out", *QUICK, "--set", "fan_in=staggered")["merged_pulses_per_slot"] == 0


def stimulus(path, order, slots=64, period=100_000):
    random = np.random.default_rng(0)
    times = {"a": [], "b": []}
    for block, label in enumerate(order):
        for name, bit in zip("ab", label, strict=True):
            hit = np.flatnonzero(random.random(slots) < (0.95 if bit == "1" else 0.05))
            # Anywhere in the slot: the circuit takes it with the next clock pulse.
            times[name] += (((block * slots + hit) * period) + random.integers(0, period, len(hit))).tolist()
    times["b"].append((len(order) * slots - 1) * period + period - 1)  # so that the last window is whole
    write_stimulus_csv(path, {name: fs(np.unique(values)) for name, values in times.items()})
    return path


def test_a_csv_file_can_drive_the_inputs(tmp_path):
    path = stimulus(tmp_path / "in.csv", ["00", "01", "10", "11", "01"])
    found = run(tmp_path / "out", *QUICK, "--set", f"stimulus='{path}'")
    assert found["margin_percent"] > 60
    assert found["spec"]["slots"] == 4 * 5 * 64
    assert all(abs(found["agreement_sigma"][label]) < 4 for label in LABELS)


def test_a_file_without_ones_has_no_margin(tmp_path):
    path = stimulus(tmp_path / "in.csv", ["00", "11"])
    found = run(tmp_path / "out", *QUICK, "--set", f"stimulus='{path}'")
    assert found["margin_percent"] is None
    assert found["levels"]["pulse"]["output_rate"]["01"] is None
    assert found["levels"]["pulse"]["output_rate"]["11"] < 0.3


def test_its_own_waveforms_can_drive_it(tmp_path, out, metrics):
    found = run(
        tmp_path / "out",
        "--set",
        "repeats=4",
        "--set",
        "windows=[8]",
        "--set",
        "window=8",
        "--set",
        f"stimulus='{out / 'waves.vcd'}'",
    )
    assert found["spec"]["slots"] == 4 * 32


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        ("window=32", "window=32 is not among windows"),
        ("windows=[64,16]", "that rise"),
        ("windows=[16,24,64]", "16 does not divide 24"),
        ("windows=[]", "that rise"),
        ("repeats=1", "at least 2 runs"),
        ("rate_zero=0.99", "rate_zero=0.99"),
        ("rate_one=1.5", "from 0 to 1"),
        ("comparator=josim", "did you mean 'josim_1thz'"),
        ("temperature_k=0.0", "greater than 0"),
        ("resolution_ua=0.0", "resolution_ua=0.0"),
        ("resolution_ua=60.0", "no multiple between"),
        ("period='20 ps'", "use 23.9 ps or more"),
        ("period=20", "no unit"),
        ("hidden=0", "0 must be a whole number"),
        ("fan_in=sideways", "choose from"),
        ("stimulus=none.csv", "no such file"),
        ("windw=64", "did you mean 'window'"),
    ],
)
def test_malformed_parameters_are_refused_and_nothing_is_written(tmp_path, capsys, setting, match):
    out = tmp_path / "out"
    assert main(["run", "xor_network", "--out", str(out), "--set", setting]) == 2
    assert match in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a [ps],b [ps]\n100,200\n", "shorter than one window"),
        ("a [ps],c [ps]\n100,200\n", "unknown signal"),
        ("a [ps],b [ps]\n100,x\n", "x"),
        ("", "empty"),
    ],
)
def test_malformed_stimulus_files_are_refused(tmp_path, capsys, text, match):
    path = tmp_path / "in.csv"
    path.write_text(text, encoding="utf-8")
    out = tmp_path / "out"
    assert main(["run", "xor_network", "--out", str(out), "--set", f"stimulus='{path}'"]) != 0
    assert match in capsys.readouterr().err
    assert not out.exists()
