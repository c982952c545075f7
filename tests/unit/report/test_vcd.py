"""VCD files: what is written is what another reader reads."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vcd.reader import TokenKind, tokenize

from hwmodel.errors import OutputError, ResultError
from hwmodel.report import _vcd, write_vcd


def read(path):
    """Changes and initial values by full name, as pyvcd's reader sees them."""
    scopes, names, now, dumping = [], {}, 0, False
    changes, initial, header = {}, {}, {}
    with path.open("rb") as file:
        for token in tokenize(file):
            kind = token.kind
            if kind is TokenKind.SCOPE:
                scopes.append(token.scope.ident)
            elif kind is TokenKind.UPSCOPE:
                scopes.pop()
            elif kind is TokenKind.VAR:
                name = ".".join([*scopes, token.var.ref_str])
                names[token.var.id_code] = name
                changes[name] = []
                header[name] = (str(token.var.type_), token.var.size)
            elif kind is TokenKind.TIMESCALE:
                header["timescale"] = str(token.timescale)
            elif kind is TokenKind.COMMENT:
                header["comment"] = token.comment
            elif kind is TokenKind.CHANGE_TIME:
                assert token.time_change >= now
                now = token.time_change
            elif kind is TokenKind.DUMPVARS:
                dumping = True
            elif kind is TokenKind.END:
                dumping = False
            elif kind in (TokenKind.CHANGE_SCALAR, TokenKind.CHANGE_VECTOR):
                change = token.scalar_change if kind is TokenKind.CHANGE_SCALAR else token.vector_change
                value = int(change.value) if str(change.value).isdigit() else change.value
                if dumping:
                    initial[names[change.id_code]] = value
                else:
                    changes[names[change.id_code]].append((now, value))
    return changes, initial, header, now


times = st.lists(st.integers(0, 2**50), max_size=30).map(sorted)


@settings(deadline=None, max_examples=60)
@given(pulses=st.lists(times, min_size=1, max_size=4), block=st.sampled_from([1, 3, 1 << 17]))
def test_pulses_read_back_at_the_same_times(tmp_path_factory, trace, result, pulses, block):
    path = tmp_path_factory.mktemp("vcd") / "w.vcd"
    run = result(*(trace(f"net.s{i}", "pulse", t) for i, t in enumerate(pulses)), until=2**50)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_vcd, "BLOCK", block)
        write_vcd(run, path)
    changes, _, _, end = read(path)
    assert changes == {f"net.s{i}": [(x, 1) for x in t] for i, t in enumerate(pulses)}
    assert end == 2**50


@settings(deadline=None, max_examples=60)
@given(t=times, data=st.data(), width=st.integers(1, 64), kind=st.sampled_from(["level", "event"]))
def test_values_read_back_in_twos_complement(tmp_path_factory, trace, result, t, data, width, kind):
    bits = 64 if kind == "event" else width
    low, high = -(2 ** (bits - 1)), min(2**bits, 2**63) - 1
    value = data.draw(st.lists(st.integers(low, high), min_size=len(t), max_size=len(t)))
    path = tmp_path_factory.mktemp("vcd") / "w.vcd"
    write_vcd(result(trace("a.b", kind, t, value, width), until=2**50), path)
    changes, _, _, _ = read(path)
    assert changes["a.b"] == [(x, v % 2**bits) for x, v in zip(t, value, strict=True)]


def test_toggle_changes_the_wire_at_each_pulse(tmp_path, trace, result):
    write_vcd(result(trace("n.q", t=[5, 9, 12])), tmp_path / "w.vcd", pulse="toggle")
    changes, initial, _, _ = read(tmp_path / "w.vcd")
    assert initial["n.q"] == 0
    assert changes["n.q"] == [(5, 1), (9, 0), (12, 1)]


def test_types_widths_and_timescale(tmp_path, trace, result):
    run = result(
        trace("n.p"), trace("n.bit", "level"), trace("n.bus", "level", width=12), trace("n.e", "event")
    )
    write_vcd(run, tmp_path / "w.vcd")
    _, _, header, _ = read(tmp_path / "w.vcd")
    assert header["timescale"] == "1 fs"
    assert header["n.p"] == ("event", 1)
    assert header["n.bit"] == ("wire", 1)
    assert header["n.bus"] == ("wire", 12)
    assert header["n.e"] == ("integer", 64)


def test_initial_values(tmp_path, trace, result):
    run = result(
        trace("n.bit", "level", initial=1),
        trace("n.bus", "level", width=4, initial=-1),
        trace("n.e", "event"),
    )
    write_vcd(run, tmp_path / "w.vcd")
    _, initial, _, _ = read(tmp_path / "w.vcd")
    assert initial == {"n.bit": 1, "n.bus": 15, "n.e": "x"}


def test_comment_names_the_run_and_its_fingerprint(tmp_path, trace, result):
    write_vcd(result(trace("n.q"), fingerprint="abc123", name="xor"), tmp_path / "w.vcd")
    assert read(tmp_path / "w.vcd")[2]["comment"] == "xor; fingerprint abc123"


def test_equal_runs_give_equal_files(tmp_path, trace, result):
    for name in ("one.vcd", "two.vcd"):
        write_vcd(result(trace("n.q", t=[1, 2])), tmp_path / name)
    assert (tmp_path / "one.vcd").read_bytes() == (tmp_path / "two.vcd").read_bytes()


def test_hostile_names_and_titles_stay_readable(tmp_path, trace, result):
    names = ["a b.c d", "a_b.c_d", "lone", "x..y", "$end.$end", "ä.\n", "chip[3].core[0].q[7]"]
    run = result(*(trace(name, t=[i]) for i, name in enumerate(names)), name="evil $end $var\nx")
    write_vcd(run, tmp_path / "w.vcd")
    changes, _, _, _ = read(tmp_path / "w.vcd")
    assert sorted(t for rows in changes.values() for t, _ in rows) == list(range(len(names)))
    assert changes["a_b.c_d"] == [(0, 1)]
    assert changes["a_b.c_d_2"] == [(1, 1)]
    assert changes["top.lone"] == [(2, 1)]
    assert changes["chip[3].core[0].q[7]"] == [(6, 1)]


def test_chosen_signals_by_short_name(tmp_path, trace, result):
    write_vcd(result(trace("n.a", t=[1]), trace("n.b", t=[2])), tmp_path / "w.vcd", signals=["b"])
    assert set(read(tmp_path / "w.vcd")[0]) == {"n.b"}


def test_empty_result_is_a_valid_file(tmp_path, result):
    write_vcd(result(until=10), tmp_path / "w.vcd")
    changes, _, _, end = read(tmp_path / "w.vcd")
    assert (changes, end) == ({}, 10)


def test_save_file_lists_every_signal(tmp_path, trace, result):
    write_vcd(result(trace("n.a"), trace("m.b", "level", width=8)), tmp_path / "w.vcd")
    lines = (tmp_path / "w.gtkw").read_text().splitlines()
    assert '[dumpfile] "w.vcd"' in lines
    assert [line for line in lines if re.fullmatch(r"[a-z]\.[a-z]", line)] == ["n.a", "m.b"]


def test_value_too_large_for_its_width_is_refused(tmp_path, trace, result):
    with pytest.raises(ResultError, match=r"'n\.bus' holds 16, which does not fit its 4 bits"):
        write_vcd(result(trace("n.bus", "level", [1], [16], width=4)), tmp_path / "w.vcd")
    assert list(tmp_path.iterdir()) == []


def test_times_out_of_order_are_refused(tmp_path, trace, result):
    with pytest.raises(ResultError, match=r"'n\.a' is not in time order"):
        write_vcd(result(trace("n.a", t=[2, 1])), tmp_path / "w.vcd")


def test_unknown_pulse_style_is_refused(tmp_path, trace, result):
    with pytest.raises(ResultError, match="choose 'event' or 'toggle'"):
        write_vcd(result(trace("n.a")), tmp_path / "w.vcd", pulse="blip")


def test_missing_folder_is_named(tmp_path, result):
    with pytest.raises(OutputError, match="make the folder first"):
        write_vcd(result(), tmp_path / "none" / "w.vcd")


def test_uneven_traces_give_blocks_of_bounded_size(trace, monkeypatch):
    monkeypatch.setattr(_vcd, "BLOCK", 100)
    t = [np.arange(5000), *(np.array([i * 40]) for i in range(30))]
    variables = [
        _vcd._Variable(trace(f"s{i}", t=x), ("top", f"s{i}"), "event", f"i{i}") for i, x in enumerate(t)
    ]
    sizes = [len(block[0]) for block in _vcd._blocks(variables)]
    assert sum(sizes) == 5030
    assert max(sizes) <= 300
