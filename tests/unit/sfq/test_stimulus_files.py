"""Pulse times from CSV and VCD files, and what is refused with file, line, value and remedy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vcd import VCDWriter

from hwmodel import sfq
from hwmodel.errors import BareNumberError, StimulusError, UnknownNameError
from hwmodel.kernel import System
from hwmodel.units import fs, ns, ps


@pytest.fixture
def write(tmp_path):
    def write_file(text, name="pulses.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write_file


def lists(stimulus):
    return {name: times.tolist() for name, times in stimulus.items()}


# ------------------------------------------------------------------------------------------ CSV


def test_one_column_a_wire(write):
    path = write("a [ps], b [fs] ,clk [ns]\n# a remark\n5,7,1\n105.5,,2\n\n,,3e0\n")
    assert lists(sfq.read_stimulus(path)) == {
        "a": [5_000, 105_500],
        "b": [7],
        "clk": [10**6, 2 * 10**6, 3 * 10**6],
    }


def test_one_row_a_pulse(write):
    path = write("signal,time [ps]\r\na,5\r\nb,1\r\na,0.25e2\r\n")
    assert lists(sfq.read_stimulus(path)) == {"a": [5_000, 25_000], "b": [1_000]}


def test_wire_without_pulses_and_byte_order_mark(write):
    assert lists(sfq.read_stimulus(write(b"\xef\xbb\xbfa [ps],b [ps]\n1,\n"))) == {"a": [1_000], "b": []}


def test_only_the_signals_asked_for(write):
    path = write("a [ps],b [ps]\n1,2\n")
    assert lists(sfq.read_stimulus(path, signals=["b"])) == {"b": [2_000]}
    with pytest.raises(UnknownNameError, match=r"unknown signal of .*pulses\.csv 'bb'; did you mean 'b'"):
        sfq.read_stimulus(path, signals=["bb"])


TIMES = st.lists(st.integers(0, 9 * 10**18), unique=True, max_size=20).map(sorted)


@given(
    stimulus=st.dictionaries(st.sampled_from(["a", "b.c[3]", "clk"]), TIMES, min_size=1),
    unit=st.sampled_from(["fs", "ps", "s"]),
)
def test_written_times_are_read_back_exactly(tmp_path_factory, stimulus, unit):
    path = tmp_path_factory.mktemp("csv") / "pulses.csv"
    sfq.write_stimulus_csv(path, {name: fs(times) for name, times in stimulus.items()}, unit)
    assert lists(sfq.read_stimulus(path)) == stimulus


def test_written_file_reads_well(tmp_path):
    path = tmp_path / "pulses.csv"
    sfq.write_stimulus_csv(path, {"a": ps([5, 105.25]), "b": ps([7])})
    assert path.read_text() == "a [ps],b [ps]\n5,7\n105.25,\n"
    with pytest.raises(StimulusError, match="'a,b' cannot be a CSV head"):
        sfq.write_stimulus_csv(path, {"a,b": ps([5])})
    with pytest.raises(BareNumberError):
        sfq.write_stimulus_csv(path, {"a": ps([5])}, unit="lightyear")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a\n5\n", 1, r"column head 'a' names no unit; write 'a \[ps\]'"),
        ("5\n6\n", 1, "names no unit"),
        ("a [parsec]\n5\n", 1, "unknown unit 'parsec'; use fs, ps"),
        ("a []\n5\n", 1, "unknown unit ''"),
        ("a [ps],a [ps]\n5,6\n", 1, "2 columns are named 'a'; rename or join"),
        ("a [ps]\n5\n4\n", 3, "'a' has a pulse at 4 ps after a later one; sort"),
        ("a [ps]\n\n5\n5.000\n", 4, r"'a' has two pulses at 5.000 ps; leave out one"),
        ("a [ps]\nfive\n", 2, "'a': 'five' is not a number; give a time in ps"),
        ("a [ps]\nnan\n", 2, "'nan' is not a number"),
        ("a [ps]\n1/3\n", 2, "'1/3' is not a number"),
        ("a [ps]\n0.0001\n", 2, "0.0001 ps is 0.1 fs, not a whole number of femtoseconds; round it"),
        ("a [ps]\n-5\n", 2, "pulse at -5 ps; times must not be negative"),
        ("a [s]\n9300\n", 2, "9300 s, beyond the 9,223 s"),
        ("a [ps],b [ps]\n1,2,3\n", 2, "3 values in a file of 2 columns"),
        ("signal,time\na,5\n", 1, "names no unit"),
        ("signal,time [ps]\na\n", 2, "'a' is not 'signal,time'"),
        ("signal,time [ps]\n,5\n", 2, "is not 'signal,time'"),
        ("signal,time [ps]\na,\n", 2, "'' is not a number"),
        ('a [ps]\n"5\n', 2, "not CSV"),
        (b"a [ps]\n5\n\xff\n", 3, "byte 0xff is not UTF-8"),
    ],
)
def test_malformed_csv_is_refused_at_its_line(write, text, line, message):
    path = write(text)
    with pytest.raises(StimulusError, match=rf"pulses.csv:{line}: .*{message}"):
        sfq.read_stimulus(path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("empty.csv", "", "the file is empty"),
        ("blank.vcd", " \n \n", "the file is empty"),
        ("remarks.csv", "# nothing\n", "only comments"),
        ("pulses.txt", "a [ps]\n5\n", "unknown kind of file '.txt'; give a .csv or .vcd"),
    ],
)
def test_useless_files_are_refused(write, name, text, message):
    with pytest.raises(StimulusError, match=message):
        sfq.read_stimulus(write(text, name))


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(StimulusError, match=r"nowhere\.csv: cannot be read"):
        sfq.read_stimulus(tmp_path / "nowhere.csv")


# ------------------------------------------------------------------------------------------ VCD

HEAD = "$timescale 10 fs $end\n$scope module top $end\n{}$upscope $end\n$enddefinitions $end\n"
WIRES = HEAD.format("$var event 1 ! e $end\n$var wire 1 # w $end\n")


def test_events_and_rising_edges_are_pulses(write):
    path = write(WIRES + "$dumpvars\n1#\n$end\n#3\n1!\n0#\n#70\n1!\n1#\n#71\nx#\n#80\n1#\n", "waves.vcd")
    assert lists(sfq.read_stimulus(path)) == {"e": [30, 700], "w": [700, 800]}


def test_both_edges_are_pulses_of_a_toggle_coded_wire(write):
    path = write(WIRES + "#0\n$dumpvars\n1#\n$end\n#3\n0#\n#70\n1#\n", "waves.vcd")
    assert lists(sfq.read_stimulus(path, toggle=True, signals=["w"])) == {"w": [30, 700]}


def test_repeated_level_is_no_edge(write):
    assert lists(sfq.read_stimulus(write(WIRES + "#1\n1#\n#2\n1#\n", "waves.vcd")))["w"] == [10]


def test_same_name_in_two_scopes_takes_the_path(write):
    scopes = "".join(f"$scope module {s} $end\n$var wire 1 {s} a $end\n$upscope $end\n" for s in "xy")
    path = write(f"$timescale 1 ps $end\n{scopes}$enddefinitions $end\n#5\n1x\n#6\n1y\n", "waves.vcd")
    assert lists(sfq.read_stimulus(path)) == {"x.a": [5_000], "y.a": [6_000]}


def test_file_of_another_writer(tmp_path):
    path = tmp_path / "waves.vcd"
    with path.open("w") as file, VCDWriter(file, timescale="1 ps", date="today") as writer:
        pulse = writer.register_var("top", "a", "event")
        level = writer.register_var("top", "b", "wire", size=1, init=0)
        for t in (5, 105):
            writer.change(pulse, t, True)
            writer.change(level, t + 1, 1)
            writer.change(level, t + 3, 0)
    assert lists(sfq.read_stimulus(path)) == {"a": [5_000, 105_000], "b": [6_000, 106_000]}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (WIRES + "#5\n1!", 8, "truncated: its last line has no end"),
        ("$timescale 1 ps $end\n$scope module top $end\n", 3, r"truncated: \$enddefinitions is missing"),
        ("$var wire 1 ! a $end\n$enddefinitions $end\n#5\n1!\n", 2, r"no \$timescale; add one"),
        (WIRES + "#5\n1!\n#4\n1!\n", 9, "time #4 after #5; times must not fall"),
        (WIRES + "#5\n1!\n1!\n", 9, "'e' has two pulses at #5"),
        (WIRES + "#5\n1?\n", 8, "undeclared variable"),
        (
            HEAD.format("$var wire 8 ! bus $end\n"),
            5,
            r"'bus' is a wire of 8 bits, a pulse wire has 1; .*signals=",
        ),
        (HEAD.format(""), 4, "no variables"),
        (WIRES + "garbage\n", 7, "not VCD"),
        (WIRES + "#99999999999999999999\n1!\n", 8, "beyond the 9,223 s"),
    ],
)
def test_malformed_vcd_is_refused_at_its_line(write, text, line, message):
    path = write(text, "waves.vcd")
    with pytest.raises(StimulusError, match=rf"waves.vcd:{line}: .*{message}"):
        sfq.read_stimulus(path)


def test_vector_that_is_not_asked_for_does_not_matter(write):
    text = HEAD.format("$var wire 8 ! bus $end\n$var wire 1 # w $end\n") + "#1\nb101 !\n1#\n"
    assert lists(sfq.read_stimulus(write(text, "waves.vcd"), signals=["w"])) == {"w": [10]}


# ------------------------------------------------------------------------------------------ in a run


@pytest.mark.kernels
def test_file_drives_a_netlist(write):
    net = sfq.Netlist("net")
    net.output("q", net.merge(*net.inputs("a", "b")))
    system = System(net)
    for name, times in sfq.read_stimulus(write("a [ps],b [ps]\n5,50\n100,\n")).items():
        system.drive(name, at=times)
    assert len(system.run(until=ns(1), watch=["q"])["q"]) == 3
