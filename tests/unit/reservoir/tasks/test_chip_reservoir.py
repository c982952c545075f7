"""A chip and a system as reservoirs."""

import numpy as np
import pytest

import hwmodel as hw
from hwmodel.errors import SpecError, UnknownNameError
from hwmodel.reservoir.chip import ChipModel
from hwmodel.reservoir.tasks import ChipReservoir, SystemReservoir, evaluate, memory_capacity, narma
from hwmodel.units import ms, ns, s


def chip(**options):
    return ChipReservoir(lambda: ChipModel(pll=False, count=False), **options)


def test_a_modulated_clock_holds_what_shot_noise_leaves():
    made = chip()
    signal = (0.2 * made.events) ** 2 / 3
    theory = signal / (signal + made.events)
    assert memory_capacity(made, 9000, 20).total == pytest.approx(theory, abs=0.02)


def test_it_has_no_memory():
    found = memory_capacity(chip(), 3000, 20)
    assert {lag for ((lag, _),) in found.values} == {0}


def test_a_job_that_carries_the_input_carries_nothing():
    assert memory_capacity(chip(modulate="job", step=ms(200)), 2000, 20).total == 0.0


def test_the_ideal_chip_answers_no_voltage():
    assert memory_capacity(chip(modulate="voltage", depth=0.1), 2000, 10).total == 0.0


def test_counts_are_the_results_of_each_step():
    u = np.array([0.5, -0.5, 0.0, 1.0])
    rows = chip(features=("count", "invalid", "first", "last")).run(u)
    assert np.all(rows[:, 0] == np.rint(rows[:, 0]))
    assert not rows[:, 1].any()
    assert np.all((rows[:, 2] >= 0) & (rows[:, 2] <= rows[:, 3]) & (rows[:, 3] < 1))


def test_a_run_begins_anew():
    u = np.random.default_rng(0).uniform(-1, 1, 30)
    made = chip()
    assert np.array_equal(made.run(u), made.run(u))


def test_its_event_rate_is_that_of_the_poisson_control():
    made = chip()
    assert made.run(np.zeros(200))[:, 0].mean() == pytest.approx(made.events, rel=0.03)


def test_on_narma_it_is_not_useful():
    assert not evaluate(chip(step=ms(500)), narma(10, 1500)).useful


def test_an_input_that_would_stop_it_is_refused():
    with pytest.raises(SpecError, match="would stop the chip"):
        chip(depth=0.5).run(np.array([2.0]))


def test_a_run_beyond_the_longest_time_is_refused():
    with pytest.raises(SpecError, match="shorter steps"):
        chip(step=s(5000)).run(np.zeros(2))


@pytest.mark.parametrize("options", [{"depth": 1.0}, {"features": ()}, {"job_steps": 0}])
def test_what_does_not_fit_is_refused(options):
    with pytest.raises(SpecError):
        chip(**options)


@pytest.mark.parametrize("options", [{"modulate": "heat"}, {"features": ("colour",)}])
def test_an_unknown_name_is_refused(options):
    with pytest.raises(UnknownNameError):
        chip(**options)


def delayed():
    def late(ctx):
        while True:
            message = yield ctx.receive("u")
            yield ctx.timeout(ns(3))
            for _ in range(max(0, message.value)):
                ctx.send("q", message.value)

    return hw.System(hw.Process("late", late, inputs=["u"], outputs=["q"]))


def test_messages_of_a_system_are_counted_in_parts():
    made = SystemReservoir(delayed, "late.u", ["late.q"], ns(8), gain=1.0, parts=2)
    assert np.array_equal(made.run(np.array([2.0, 0.0, 3.0])), [[2, 0], [0, 0], [3, 0]])


def test_last_values_of_a_system_are_held():
    made = SystemReservoir(delayed, "late.u", ["late.q"], ns(8), gain=1.0, reads="values")
    assert np.array_equal(made.run(np.array([2.0, 0.0, 3.0]))[:, 0], [2, 2, 3])


@pytest.mark.parametrize("options", [{"parts": 3}, {"reads": "none"}, {"watch": []}])
def test_a_system_that_cannot_be_read_is_refused(options):
    with pytest.raises(SpecError):
        SystemReservoir(**{"build": delayed, "port": "late.u", "watch": ["late.q"], "step": ns(8), **options})
