"""The ladder: planted causes are found on their rung, and nothing is found where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from hwmodel.errors import SpecError, StimulusError, UnknownNameError
from hwmodel.reservoir.null import RUNGS, Chain, explain, simulate

PLANTED = {
    "ideal": Chain(12.0),
    "uart": Chain(100.0, baud=115_200.0),
    "host tick": Chain(100.0, tick=0.01),
    "network batching": Chain(12.0, stalls=0.05, stall=1.0),
    "closed-loop dead time": Chain(12.0, dead=0.016, dead_tail=0.01),
    "reboots": Chain(1.0, reboot_every=200.0, reboot_for=20.0),
    "frequency mixing": Chain(1.0, factors=(0.5, 1.5), dwell=100.0),
}


@pytest.fixture(autouse=True)
def few_replicates_of_the_form(monkeypatch):
    """The test of the dead time's form takes most of the time, and no p of a rung depends on it."""
    monkeypatch.setattr("hwmodel.reservoir.null._ladder.FORM_REPLICATES", 19)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_cause_is_found_on_its_rung(name):
    chain = PLANTED[name]
    ladder = explain(simulate(chain, 2000, 11), baud=chain.baud or None, replicates=99, alpha=0.011)
    assert ladder.explained_by == name
    assert [rung.name for rung in ladder.rungs] == list(RUNGS)


def test_duplicates_are_explained_by_their_labels():
    rng = np.random.default_rng(1)
    plain = np.cumsum(rng.exponential(0.1, 2000))
    again = rng.random(2000) < 0.1
    times = np.concatenate([plain, plain[again] + rng.exponential(0.002, int(again.sum()))])
    order = np.argsort(times)
    marks = np.concatenate([np.zeros(2000, bool), np.ones(int(again.sum()), bool)])[order]
    assert explain(times[order], replicates=99, alpha=0.011).explained_by != "ideal"
    assert explain(times[order], duplicate=marks, replicates=99, alpha=0.011).explained_by == "jobs"


def test_what_is_beyond_all_causes_is_not_explained():
    rng = np.random.default_rng(2)
    x = np.exp(2 * np.convolve(rng.normal(size=2004), np.ones(5) / 5**0.5, "valid"))
    assert explain(np.cumsum(x), replicates=99, alpha=0.011).explained_by is None


def test_rates_do_not_matter():
    times = simulate(Chain(1.0), 500, 3)
    first, second = (
        explain(times, replicates=99, alpha=0.02),
        explain(1024 * times, replicates=99, alpha=0.02),
    )
    assert [rung.p for rung in first.rungs] == [rung.p for rung in second.rungs]


def test_seeds_fix_everything():
    times = simulate(Chain(12.0, dead=0.02), 400, 3)
    first, second = (explain(times, replicates=99, alpha=0.02, seed=5).as_dict() for _ in range(2))
    assert first == second


def test_parameters_are_told_in_seconds():
    times = simulate(Chain(12.0, dead=0.05), 3000, 4)
    ladder = explain(times, replicates=99, alpha=0.011)
    found = ladder.as_dict()["closed-loop dead time"]["parameters"]
    assert found["dead"] == pytest.approx(0.05, abs=0.003)
    assert found["rate"] == pytest.approx(12.0, rel=0.1)
    assert ladder.dead_time.fixed == pytest.approx(found["dead"])


def alarms(seeds, events):
    return sum(
        explain(
            simulate(Chain(1.0), events, [seed, 9]), replicates=99, alpha=0.05, seed=seed, highest="ideal"
        ).explained_by
        is None
        for seed in seeds
    )


def test_alarms_over_a_few_seeds():
    assert alarms(range(40), 150) <= 9  # binomial(40, 0.05) exceeds 9 with 1e-5


@pytest.mark.slow
def test_alarms_over_200_seeds():
    assert alarms(range(200), 300) <= 21  # binomial(200, 0.05) exceeds 21 with 1e-3


@pytest.mark.slow
def test_a_fitted_rung_is_seldom_rejected_on_its_own_simulations():
    chain = Chain(12.0, dead=0.016, dead_tail=0.01)
    found = [
        explain(
            simulate(chain, 400, [seed, 3]),
            replicates=99, alpha=0.05, seed=seed, highest="closed-loop dead time",
        )
        for seed in range(40)
    ]  # fmt: skip
    rejected = sum(ladder.explained_by is None for ladder in found)
    assert rejected <= 7  # binomial(40, 0.05) exceeds 7 with 1e-3


def test_rungs_do_not_depend_on_how_far_one_climbs():
    times = simulate(Chain(12.0, stalls=0.1, stall=1.0), 200, 3)
    options = {"replicates": 99, "alpha": 0.05, "seed": 2}
    whole = explain(times, **options).as_dict()
    part = explain(times, **options, highest="network batching").as_dict()
    assert list(part) == list(RUNGS[:5])
    assert part == {name: whole[name] for name in part}
    with pytest.raises(UnknownNameError, match="rung"):
        explain(times, **options, highest="roof")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replicates": 10}, "replicates=10"),
        ({"alpha": 0.0}, "alpha=0"),
        ({"alpha": 0.001}, "take more replicates"),
    ],
)
def test_parameters_out_of_range_are_refused(options, message):
    with pytest.raises(SpecError, match=message):
        explain(np.arange(200.0) ** 1.01, **{"replicates": 99, **options})


@pytest.mark.parametrize(
    ("times", "options", "message"),
    [
        (np.arange(50.0), {}, "50 values"),
        (np.zeros(200), {}, "all times are equal"),
        (np.arange(200.0), {"jobs": [1, 2]}, "jobs has shape"),
        (np.arange(200.0), {"duplicate": [True]}, "duplicate has shape"),
    ],
)
def test_bad_data_are_refused(times, options, message):
    with pytest.raises(StimulusError, match=message):
        explain(times, alpha=0.05, **options)


@pytest.mark.parametrize("times", [np.repeat(np.arange(30.0), 10), np.repeat([0.0, 1e6], 200)])
def test_times_of_which_most_are_ties_are_compared(times):
    assert explain(times, replicates=99, alpha=0.05, highest="reboots").explained_by is None
