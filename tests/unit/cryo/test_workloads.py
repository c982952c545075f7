"""The workloads: right results, bounds of their parameters, building and tracing."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from hwmodel.cli import main
from hwmodel.cryo import workloads
from hwmodel.cryo.trace import Trace
from hwmodel.cryo.trace_formats import trace_facts
from hwmodel.cryo.workloads import COMPILERS, WORKLOADS, build, table, trace
from hwmodel.errors import SpecError, ToolError, UnknownNameError
from tests.unit.cryo import workload_oracles as oracle

SMALL = {
    "bfs": {"scale": 7, "sources": 1},
    "pr": {"scale": 7, "iterations": 2},
    "cc": {"scale": 7, "repeats": 1},
    "sssp": {"scale": 7, "sources": 1},
    "tc": {"scale": 7, "repeats": 1},
    "cg": {"rows": 200, "iterations": 2},
    "is": {"keys": 1024, "range": 256, "iterations": 2},
    "ft": {"log_side": 3, "iterations": 1},
    "mg": {"log_side": 3, "iterations": 1},
    "stream": {"elements": 512, "passes": 1},
    "chase": {"lines": 128, "steps": 300},
    "matmul": {"side": 20, "block": 8, "repeats": 1},
}
GRAPHS = [(8, 4, "kronecker"), (8, 3, "uniform"), (5, 1, "uniform"), (9, 8, "kronecker")]


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """Programs of tests stay out of the user's cache."""
    kept = tmp_path_factory.mktemp("programs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workloads, "cached_folder", lambda _: kept)
        yield kept


def need(isa):
    names = (COMPILERS[isa], "gcc") if isa == "x86-64" else (COMPILERS[isa],)
    if not any(map(shutil.which, names)):
        pytest.skip(f"no compiler for {isa} is installed (Debian: {workloads.PACKAGES[isa]})")
    if isa == "x86-64" and workloads.os.uname().machine != "x86_64":
        pytest.skip("this machine does not run x86-64 programs")


def run(name, **parameters):
    """What a workload prints, by name: a list of values."""
    need("x86-64")
    program = build(name, "x86-64", **parameters)
    done = subprocess.run([str(program)], capture_output=True, text=True, check=True)
    found: dict[str, list[float]] = {}
    for line in done.stdout.splitlines():
        key, value = line.split()
        found.setdefault(key, []).append(float(value) if "." in value or "e" in value else int(value))
    return found


def near(expected):
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


# ---------------------------------------------------------------------------------------------- results


@pytest.mark.parametrize(("scale", "degree", "graph"), GRAPHS)
def test_breadth_first_search_finds_the_least_number_of_edges(scale, degree, graph):
    matrix = oracle.adjacency(scale, degree, graph)
    roots = oracle.sources(matrix, 3)
    found = run("bfs", scale=scale, degree=degree, graph=graph, sources=3)
    assert found["edges"] == [matrix.sum()]
    assert found["columns"] == [oracle.weighted(np.nonzero(matrix)[1])]
    assert found["reached"] == [(oracle.depths(matrix, root) >= 0).sum() for root in roots]
    assert found["depths"] == [oracle.weighted(oracle.depths(matrix, roots[-1]))]


@pytest.mark.parametrize(("scale", "degree", "graph"), GRAPHS)
def test_shortest_paths_are_those_of_bellman_and_ford(scale, degree, graph):
    matrix = oracle.adjacency(scale, degree, graph)
    root = oracle.sources(matrix, 2)[-1]
    expected = oracle.weighted(oracle.distances(matrix, root))
    for delta in (1, 32, 256):
        found = run("sssp", scale=scale, degree=degree, graph=graph, sources=2, delta=delta)
        assert found["distances"] == [expected]


@pytest.mark.parametrize(("scale", "degree", "graph"), GRAPHS)
def test_components_are_named_by_their_least_node(scale, degree, graph):
    expected = oracle.weighted(oracle.components(oracle.adjacency(scale, degree, graph)))
    assert run("cc", scale=scale, degree=degree, graph=graph, repeats=2)["labels"] == [expected]


@pytest.mark.parametrize(("scale", "degree", "graph"), GRAPHS)
def test_triangles_are_the_trace_of_the_cube(scale, degree, graph):
    expected = oracle.triangles(oracle.adjacency(scale, degree, graph))
    assert run("tc", scale=scale, degree=degree, graph=graph, repeats=2)["triangles"] == [expected]


@pytest.mark.parametrize(("scale", "degree", "graph"), GRAPHS)
def test_ranks_are_those_of_the_power_iteration(scale, degree, graph):
    expected = oracle.ranks(oracle.adjacency(scale, degree, graph), 4)
    found = run("pr", scale=scale, degree=degree, graph=graph, iterations=4)
    assert found["ranks"] == [near(oracle.weighted(expected))]


def test_a_kronecker_graph_has_hubs_and_a_uniform_one_has_none():
    most = {graph: oracle.adjacency(10, 8, graph).sum(0).max() for graph in ("uniform", "kronecker")}
    assert most["uniform"] < 40 < 100 < most["kronecker"]


def test_conjugate_gradients_solve_the_equations():
    solution = np.linalg.solve(oracle.sparse_matrix(300, 5), np.ones(300))
    found = run("cg", rows=300, pairs=5, iterations=20)
    assert found["solution"] == [near(oracle.weighted(solution))]
    assert found["residual"][0] < 1e-20


def test_conjugate_gradients_end_where_nothing_is_left():
    solution = np.linalg.solve(oracle.sparse_matrix(16, 64), np.ones(16))
    found = run("cg", rows=16, pairs=64, iterations=100)
    assert found["solution"] == [near(oracle.weighted(solution))]


@pytest.mark.parametrize(("keys", "limit", "turns"), [(1024, 256, 3), (2000, 2, 1), (1024, 100_000, 5)])
def test_keys_are_sorted(keys, limit, turns):
    expected = oracle.keys(keys, limit, turns)
    found = run("is", keys=keys, range=limit, iterations=turns)
    assert found == {
        "keys": [oracle.weighted(expected)],
        "sorted": [oracle.weighted(np.sort(expected))],
    }


@pytest.mark.parametrize("log_side", [1, 3, 4])
def test_heat_flows_as_fourier_says(log_side):
    found = run("ft", log_side=log_side, iterations=3)
    assert [complex(*pair) for pair in zip(found["re"], found["im"], strict=True)] == [
        near(value) for value in oracle.heat(log_side, 3)
    ]


@pytest.mark.parametrize("log_side", [2, 4, 5])
def test_multigrid_converges_to_the_solution_of_the_differences(log_side):
    expected = oracle.potential(log_side).ravel()
    found = run("mg", log_side=log_side, iterations=40)
    assert found["residual"][0] < 1e-10
    assert found["solution"] == [pytest.approx(oracle.weighted(expected), rel=1e-7, abs=1e-6)]


def test_a_cycle_of_multigrid_takes_away_most_of_the_rest():
    rests = [run("mg", log_side=5, iterations=k)["residual"][0] for k in (2, 3, 4)]
    assert rests[1] < 0.5 * rests[0]
    assert rests[2] < 0.5 * rests[1]


def test_stream_computes_what_its_loops_say():
    a = np.arange(1500.0) % 1000
    for _ in range(2):
        c = a.copy()
        b = 0.5 * c
        c = a + b
        a = b + 0.5 * c
    found = run("stream", elements=1500, passes=2)
    assert found == {key: [near(oracle.weighted(value))] for key, value in {"a": a, "b": b, "c": c}.items()}


@pytest.mark.parametrize(("lines", "steps", "chains"), [(16, 5, 1), (128, 1000, 1), (100, 77, 3), (64, 9, 8)])
def test_a_chase_goes_once_around_all_lines(lines, steps, chains):
    expected = oracle.chase_ends(lines, steps, chains)
    assert run("chase", lines=lines, steps=steps, chains=chains)["ends"] == [expected]


@pytest.mark.parametrize(("side", "block"), [(20, 0), (20, 1), (20, 8), (17, 64), (2, 0)])
def test_a_product_is_that_of_numpy(side, block):
    a, b = (oracle.reals(stream, np.arange(side**2)).reshape(side, side) - 0.5 for stream in (1, 2))
    found = run("matmul", side=side, block=block, repeats=2)
    assert found["product"] == [near(oracle.weighted(a @ b))]


# ---------------------------------------------------------------------------------------------- parameters


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'bfs'"):
        build("bsf")
    with pytest.raises(UnknownNameError, match="did you mean 'scale'"):
        build("bfs", scal=3)
    with pytest.raises(UnknownNameError, match="riscv64"):
        build("bfs", "riscv")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [3, 23, "twelve", "", 5.5])
def test_a_value_out_of_its_bounds_is_refused(value):
    with pytest.raises(SpecError, match=r"scale=.* is not in 4\.\.22"):
        WORKLOADS["bfs"].values(scale=value)


def test_more_data_than_fits_is_refused():
    with pytest.raises(SpecError, match="make it smaller"):
        WORKLOADS["bfs"].values(scale=22, degree=64)


def test_words_stand_for_numbers():
    assert WORKLOADS["bfs"].values(graph="uniform")["graph"] == 0
    assert "graph=uniform" in WORKLOADS["bfs"].describe(WORKLOADS["bfs"].values(graph="uniform"))


def test_every_workload_has_a_source_and_no_source_is_left_over():
    assert {file.stem for file in workloads.SOURCES.glob("*.c")} == set(WORKLOADS)
    assert set(SMALL) == set(WORKLOADS)


def test_the_table_names_every_workload():
    assert [line.split(" | ")[0] for line in table().splitlines()[2:]] == [f"| {name}" for name in WORKLOADS]


# ---------------------------------------------------------------------------------------------- building


def test_a_program_is_built_once(monkeypatch):
    need("x86-64")
    first = build("chase", "x86-64", lines=99)
    monkeypatch.setattr(workloads, "_compile", lambda *_: pytest.fail("it was compiled again"))
    assert build("chase", "x86-64", lines=99) == first


def test_other_parameters_make_another_program():
    need("x86-64")
    assert build("chase", "x86-64", lines=99) != build("chase", "x86-64", lines=98)


@pytest.mark.parametrize(("isa", "package"), [("riscv64", "gcc-riscv64-linux-gnu"), ("x86-64", "gcc")])
def test_a_missing_compiler_is_told_with_its_package(isa, package, monkeypatch):
    monkeypatch.setattr(workloads.shutil, "which", lambda _: None)
    with pytest.raises(ToolError, match=f"apt-get install {package}"):
        build("chase", isa)


def test_a_compiler_that_fails_leaves_no_program(monkeypatch, tmp_path):
    need("x86-64")
    monkeypatch.setattr(workloads, "cached_folder", lambda _: tmp_path)
    monkeypatch.setattr(workloads, "OPTIONS", ("-no-such-option",))
    with pytest.raises(ToolError, match="could not compile workload chase"):
        build("chase", "x86-64")
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


# ---------------------------------------------------------------------------------------------- tracing


def need_recorder():
    need("riscv64")
    if not shutil.which("qemu-riscv64"):
        pytest.skip("qemu-riscv64 is not installed (Debian: qemu-user)")


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_region_touches_no_more_data_than_is_said(name, tmp_path):
    need_recorder()
    meta = trace(name, tmp_path / "a.hwt", **SMALL[name])
    values = WORKLOADS[name].values(**SMALL[name])
    said = WORKLOADS[name].footprint(values)
    with Trace.open(tmp_path / "a.hwt") as found:
        facts = trace_facts(found)
    assert meta["source"] == f"{name} {WORKLOADS[name].describe(values)}"
    assert (meta["status"], meta["regions"], meta["isa"]) == (0, 1, "riscv64")
    arrays, stack = 8, 4  # an array may begin and end within a line
    assert 0.4 * said <= 64 * facts.data_lines <= said + 64 * (2 * arrays + stack)


def test_a_region_leaves_out_the_making_of_the_input(tmp_path):
    need_recorder()
    meta = trace("chase", tmp_path / "a.hwt", lines=1000, steps=200)
    assert meta["operands"] == 200
    assert meta["instructions"] < 200 * 8 < meta["executed"]


def test_a_workload_is_traced_for_x86_64_too(tmp_path):
    need("x86-64")
    pytest.importorskip("capstone", reason="capstone is not installed (extra trace)")
    if not shutil.which("qemu-x86_64"):
        pytest.skip("qemu-x86_64 is not installed (Debian: qemu-user)")
    meta = trace("chase", tmp_path / "a.hwt", "x86-64", lines=64, steps=50)
    assert (meta["isa"], meta["operands"]) == ("x86-64", 50)


def test_a_trace_can_be_cut(tmp_path):
    need_recorder()
    assert trace("stream", tmp_path / "a.hwt", instructions=500)["instructions"] == 500


def test_the_same_workload_gives_the_same_trace(tmp_path):
    need_recorder()
    for name in ("a.hwt", "b.hwt"):
        trace("sssp", tmp_path / name, **SMALL["sssp"])
    assert (tmp_path / "a.hwt").read_bytes() == (tmp_path / "b.hwt").read_bytes()


# ---------------------------------------------------------------------------------------------- commands


def test_the_command_traces_a_workload(tmp_path, capsys):
    need_recorder()
    out = tmp_path / "a.hwt"
    words = ["trace", "workload", "chase", "--out", str(out), "--set", "steps=10", "--set", "lines=64"]
    assert main(words) == 0
    assert "10 memory operands (chase lines=64 steps=10 chains=1 seed=1)" in capsys.readouterr().out
    assert out.is_file()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--set", "steps"], 1, "KEY=VALUE"),
        (["--set", "=3"], 1, "KEY=VALUE"),
        (["--set", "out=3"], 1, "KEY=VALUE"),
        (["--set", "stps=3"], 2, "did you mean 'steps'"),
        (["--set", "steps=0"], 1, "in 1..100000000"),
    ],
)
def test_the_command_refuses_what_is_no_parameter(words, code, said, tmp_path, capsys):
    assert main(["trace", "workload", "chase", "--out", str(tmp_path / "a.hwt"), *words]) == code
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_command_lists_workloads_and_parameters(capsys):
    assert main(["trace", "workloads"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in WORKLOADS)
    assert "graph=kronecker" in shown
