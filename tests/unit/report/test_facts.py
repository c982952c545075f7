"""Names and numbers of reports in readable form."""

import math

import pytest

from hwmodel.report._facts import Fact, flatten, readable, show


@pytest.mark.parametrize(
    ("path", "name", "unit"),
    [
        (("margin_percent",), "Margin", "%"),
        (("energy_aj_per_inference",), "Energy per inference", "aJ"),
        (("levels", "rate", "output_rate", "01"), "Levels › rate › output rate › 01", ""),
        (("jj_count",), "JJ count", ""),
        (("static_power_w",), "Static power", "W"),
        (("w",), "W", ""),
        (("s_box",), "S box", ""),
        (("core.l1.hit_rate",), "core.l1 › hit rate", ""),
        (("n_as_given",), "N as given", ""),
    ],
)
def test_names_and_units(path, name, unit):
    assert readable(path) == (name, unit)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (True, "yes"), (False, "no"), (7, "7"), (1234567, "1\u202f234\u202f567"), (0.0, "0"),
        (1 / 3, "0.333333"), (-2.5, "−2.5"), (math.nan, "undefined"), (math.inf, "∞"), ([], "none"),
        ([1, 2.5], "1, 2.5"), (list(range(20)), "0, 1, 2, … (20 values)"), ("<b>", "<b>"),
    ],
)  # fmt: skip
def test_values(value, text):
    assert show(value) == text


def test_quantity_carries_its_unit_and_source():
    facts = flatten({"cell": {"delay": {"value": 3.5, "unit": "ps", "source": "table 2"}}})
    assert facts == [Fact("Cell › delay", "3.5", "ps", "table 2", numeric=True)]


def test_long_tables_end_with_the_count():
    facts = flatten({f"k{i}": i for i in range(10)}, most=4)
    assert [fact.name for fact in facts] == ["K0", "K1", "K2", "K3", "and 6 more"]


@pytest.mark.parametrize(
    ("key", "value", "text", "unit"),
    [
        ("power_w", 6.1698e-06, "6.1698", "µW"),
        ("power_w", -2e-3, "−2", "mW"),
        ("power_w", 0.0, "0", "W"),
        ("power_w", 0.5, "0.5", "W"),
        ("energy_j", 3e-20, "0.03", "aJ"),
        ("energy_aj", 1e-6, "1e−06", "aJ"),
    ],
)
def test_small_values_of_plain_units_get_a_prefix(key, value, text, unit):
    (fact,) = flatten({key: value})
    assert (fact.value, fact.unit) == (text, unit)
