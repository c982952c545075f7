"""The command `hwmodel cachesim`, and functional caches from machine files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hwmodel.cli import main
from hwmodel.cryo.functional import functional_from
from hwmodel.cryo.generators import Stream, generate
from hwmodel.errors import HwmodelError

DIN = "".join(f"{n % 2} {64 * (n % 40):x}\n" for n in range(400))


@pytest.fixture
def din(tmp_path):
    path = tmp_path / "a.din"
    path.write_text(DIN)
    return path


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "a.hwt"
    generate(path, Stream(1 << 16), instructions=3000, seed=1)
    return path


def run(tmp_path, capsys, *words):
    """Run the command; give its exit code, what it printed, and the JSON."""
    out = tmp_path / "out.json"
    code = main(["cachesim", *map(str, words), "--json", str(out)])
    return code, capsys.readouterr(), json.loads(out.read_text()) if out.exists() else None


def config(tmp_path, text):
    path = tmp_path / "machine.toml"
    path.write_text(text)
    return path


def test_a_timed_run_writes_cycles_and_a_stack_that_sums_to_them(tmp_path, capsys, trace):
    code, shown, figures = run(tmp_path, capsys, trace, "--preset", "cryo-ooo")
    assert code == 0
    assert "IPC" in shown.out
    assert figures["instructions"] == 3000
    assert sum(figures["cpi_stack"].values()) == figures["cycles"]
    assert figures["time_fs"] == figures["cycles"] * 250_000
    assert figures["ipc"] == pytest.approx(3000 / figures["cycles"])
    assert {"read_accesses", "read_misses", "write_accesses", "write_misses", "writebacks"} <= set(
        figures["l1d"]
    )


@pytest.mark.parametrize("preset", ["cryo-inorder", "cryo-ooo", "champsim"])
def test_every_preset_runs(tmp_path, capsys, trace, preset):
    assert run(tmp_path, capsys, trace, "--preset", preset)[2]["instructions"] == 3000


def test_a_faster_core_takes_less_time(tmp_path, capsys, trace):
    slow = run(tmp_path, capsys, trace)[2]["time_fs"]
    core = run(tmp_path, capsys, trace, "--core-clock", "100 GHz")[2]["time_fs"]
    whole = run(tmp_path, capsys, trace, "--core-clock", "100 GHz", "--fast-domains", "all")[2]["time_fs"]
    assert whole < core < slow


def test_warm_up_comes_off_the_window(tmp_path, capsys, trace):
    cold = run(tmp_path, capsys, trace, "--start", "1000", "--limit", "500")[2]
    warm = run(tmp_path, capsys, trace, "--warmup", "1000", "--limit", "500")[2]
    assert cold["instructions"] == warm["instructions"] == 500
    assert warm["l1i"]["read_misses"] < cold["l1i"]["read_misses"]


def test_functional_caches_count_as_a_plain_model_does(tmp_path, capsys, din):
    file = config(
        tmp_path,
        'mode = "functional"\n[l1d]\nsize = "1 kB"\nways = 2\nlatency = 4\n[l2]\nsize = "8 kB"\nways = 4\n',
    )
    code, _, figures = run(tmp_path, capsys, din, "--config", file)
    assert code == 0
    sets = [[] for _ in range(8)]
    misses = [0, 0]
    for n in range(400):
        line, write = n % 40, n % 2
        held = sets[line % 8]
        if line in held:
            held.remove(line)
        else:
            misses[write] += 1
        held.insert(0, line)
        del held[2:]
    assert [figures["l1d"]["read_misses"], figures["l1d"]["write_misses"]] == misses
    assert figures["l2"]["read_misses"] == 40
    assert "l3" not in figures
    assert figures["instructions"] == 400


def test_a_functional_file_without_levels_has_those_of_its_preset():
    caches = functional_from({})
    assert {name: spec.ways for name, spec in zip(("l1d", "l2", "l3"), caches.levels, strict=True)} == {
        "l1d": 8,
        "l2": 8,
        "l3": 16,
    }


def test_functional_caches_take_the_policies_of_their_tables():
    a, b, c = 0, 64, 128
    found = {}
    for policy in ("lru", "fifo"):
        caches = functional_from({"l1d": {"size": 128, "ways": 2, "policy": policy}})
        found[policy] = caches.run(np.array([a, b, a, c, a]))["l1d"].read_misses
    assert found == {"lru": 3, "fifo": 4}


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["--preset", "cryo-oo"], 2, "did you mean 'cryo-ooo'"),
        (["--fast-domains", "l1"], 1, "--core-clock"),
        (["--core-clock", "100 GHz", "--fast-domains", "l3"], 2, "l3"),
        (["--core-clock", "fast"], 1, "fast"),
        (["--warmup", "-1"], 1, "warmup=-1"),
        (["--config", "missing.toml"], 1, "missing.toml"),
        (["--format", "dim"], 2, "did you mean 'din'"),
    ],
)
def test_wrong_words_are_refused_by_name(tmp_path, capsys, trace, words, code, part):
    found, shown, figures = run(tmp_path, capsys, trace, *words)
    assert (found, figures) == (code, None)
    assert part in shown.err


@pytest.mark.parametrize(
    "tables",
    [
        {"l2": {"size": 1024, "ways": 2}},
        {"l1d": {"sise": 1}},
        {"l1d": {"size": 1000, "ways": 2}},
        {"l4": {}},
        {"inclusion": "most"},
        {"l1d": {"policy": "mru"}},
    ],
)
def test_wrong_functional_tables_are_refused(tables):
    with pytest.raises(HwmodelError):
        functional_from(tables)


def test_a_damaged_trace_ends_with_a_message(tmp_path, capsys):
    path = tmp_path / "a.hwt"
    path.write_bytes(b"HWTRACE1")
    code, shown, _ = run(tmp_path, capsys, path)
    assert code == 1
    assert "a.hwt" in shown.err


def test_nothing_is_written_where_the_file_cannot_be(tmp_path, capsys, trace):
    code = main(["cachesim", str(trace), "--json", str(tmp_path / "no" / "out.json")])
    assert code == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_json_file_in_no_folder_is_refused_before_the_run(tmp_path, capsys):
    code = main(["cachesim", str(tmp_path / "missing.hwt"), "--json", str(tmp_path / "no" / "out.json")])
    assert code != 0
    assert "cannot be written" in capsys.readouterr().err


def test_a_warm_up_to_the_end_of_the_trace_says_that_nothing_was_timed(tmp_path, capsys, trace):
    code, shown, figures = run(tmp_path, capsys, trace, "--warmup", 5000)
    assert (code, figures["instructions"]) == (0, 0)
    assert "nothing was timed" in shown.out


def test_the_clock_is_printed_as_a_number(tmp_path, capsys, trace):
    _, shown, _ = run(tmp_path, capsys, trace, "--core-clock", "52.6 GHz")
    assert "core at 52.6 GHz" in shown.out


@pytest.mark.parametrize("text", ["[core]\nunits = 3\n", "[core.units]\nmul = 3\n"])
def test_units_that_are_no_table_are_refused(tmp_path, capsys, trace, text):
    code, shown, _ = run(tmp_path, capsys, trace, "--config", config(tmp_path, text))
    assert code != 0
    assert "no table" in shown.err


def test_several_traces_run_on_cores_that_share_the_last_level(tmp_path, capsys, trace):
    other = tmp_path / "b.hwt"
    generate(other, Stream(1 << 14), instructions=1000, seed=2)
    code, shown, figures = run(tmp_path, capsys, trace, other, "--preset", "cryo-inorder")
    assert code == 0
    assert figures["traces"] == ["a.hwt", "b.hwt"]
    assert [core["instructions"] for core in figures["cores"]] == [3000, 1000]
    assert figures["instructions"] == 4000
    assert "core 1, b.hwt" in shown.out


def test_one_trace_runs_on_as_many_cores_as_are_asked_for(tmp_path, capsys, trace):
    words = (trace, "--cores", "2", "--spaces", "shared", "--protocol", "moesi")
    figures = run(tmp_path, capsys, *words)[2]
    assert len(figures["cores"]) == 2
    assert figures["coherence"]["interventions"] > 0


def test_several_cores_are_not_run_without_timing(tmp_path, capsys, din):
    file = config(tmp_path, 'mode = "functional"\n')
    code, shown, _ = run(tmp_path, capsys, din, "--cores", "2", "--config", file)
    assert code == 1
    assert "several cores need a timed mode" in shown.err
