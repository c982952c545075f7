"""Statistics against elephant, antropy, SciPy and statsmodels, and against the figures of a Poisson process.

The golden file holds the series, the values, the call that gave each, and the versions.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from hwmodel.reservoir.stats import (
    ad_exponential,
    autocorrelation,
    cv,
    cv2,
    dfa,
    events_for_cv,
    fano_factor,
    ks_exponential,
    ljung_box,
    lv,
    lvr,
    permutation_entropy,
    rayleigh_depth,
    time_rescaling,
)

SERIES = ("exponential", "gamma", "memory")


@pytest.fixture(scope="module")
def golden_values(request):
    file = request.config.rootpath / "tests" / "golden" / "reservoir" / "statistics.json"
    return json.loads(file.read_text(encoding="utf-8"))


OURS = {
    "cv": lambda x: cv(x).value,
    "cv2": lambda x: cv2(x).value,
    "lv": lambda x: lv(x).value,
    "lvr": lambda x: lvr(x, 0.005).value,
    "fano 1 s": lambda x: fano_factor(np.cumsum(x), 1.0).value,
    "dfa": lambda x: dfa(x).value,
    "permutation entropy 3": lambda x: permutation_entropy(x, 3, 1).value,
    "permutation entropy 5": lambda x: permutation_entropy(x, 5, 2).value,
    "ad": lambda x: ad_exponential(x).value,
    "ks": lambda x: ks_exponential(x).value,
    "ljung-box 20": lambda x: ljung_box(x, 20).value,
    "ljung-box p": lambda x: ljung_box(x, 20).p,
    "acf 1-5": lambda x: autocorrelation(x, 5),
}


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("series", SERIES)
def test_values_equal_those_of_other_packages(golden_values, series, name):
    x = np.array(golden_values["series"][series])
    (expected,) = [v for call, v in golden_values["values"][series].items() if call.startswith(f"{name}: ")]
    np.testing.assert_allclose(OURS[name](x), expected, rtol=1e-9)


@pytest.mark.parametrize("series", SERIES)
def test_lilliefors_p_is_near_that_of_statsmodels(golden_values, series):
    x = np.array(golden_values["series"][series])
    (expected,) = [v for c, v in golden_values["values"][series].items() if c.startswith("lilliefors")]
    found = ks_exponential(x).p
    assert found == pytest.approx(expected, rel=0.1) if expected > 0.0011 else found < 0.0011


@pytest.mark.parametrize("series", SERIES)
def test_time_rescaling_with_known_rate_is_the_ks_test(golden_values, series):
    x = np.array(golden_values["series"][series])
    (expected,) = [v for c, v in golden_values["values"][series].items() if c.startswith("ks known")]
    times = np.cumsum(x)
    found = time_rescaling(times, 10 * times).p
    assert np.log(found) == pytest.approx(np.log(expected), rel=0.03)


@pytest.mark.parametrize(("n", "mean", "sd"), [(4, 0.726, 0.267), (10, 0.875, 0.223), (20, 0.935, 0.182),
                                               (50, 0.972, 0.129), (100, 0.986, 0.095), (1000, 0.999, 0.032)])  # fmt: skip
def test_cv_of_few_poisson_intervals(n, mean, sd):
    draws = np.random.default_rng(n).standard_exponential((40_000_000 // 1000 if n < 1000 else 8000, n))
    found = draws.std(axis=1) / draws.mean(axis=1)
    assert found.mean() == pytest.approx(mean, abs=0.003)
    assert found.std() == pytest.approx(sd, abs=0.003)
    estimate = cv(draws[0])
    assert estimate.null_value == pytest.approx(mean, abs=0.012)
    assert estimate.null_sd == pytest.approx(sd, rel=0.05)
    assert estimate.bias == pytest.approx(estimate.null_value - 1)


@pytest.mark.parametrize(("deviation", "events"), [(0.05, 3135), (0.02, 19_599), (0.01, 78_399)])
def test_events_to_tell_a_cv_from_one(deviation, events):
    assert events_for_cv(deviation) == pytest.approx(events, rel=0.003)


@pytest.mark.parametrize(
    ("events", "seconds", "fixed", "blind"),
    [
        (1000, 0, 0.24, None),
        (1418, 3600, 0.20, 0.28),
        (34_042, 86_400, 0.041, 0.062),
        (60_600, 600, 0.031, 0.042),
        (363_600, 3600, 0.013, 0.018),
    ],
)
def test_depth_of_a_modulation_that_is_found(events, seconds, fixed, blind):
    assert rayleigh_depth(events) == pytest.approx(fixed, rel=0.06)
    if blind:
        assert rayleigh_depth(events, band=9.5, duration=seconds) == pytest.approx(blind, rel=0.06)
