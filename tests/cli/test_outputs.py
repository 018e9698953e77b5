# SPDX-License-Identifier: Apache-2.0
"""What the files hold, and that nothing half-written is ever left under or beside their names."""

import json
import os
import resource
import signal
import subprocess
import time

import pytest
from command import BINARY, WORKLOADS, bouncesim, needs_binary, output, refused, result, rows, unxz
from samples import OPS

pytestmark = needs_binary

NVME = WORKLOADS / "nvme1024.ftrace.xz"


@pytest.fixture
def ops(tmp_path):
    path = tmp_path / "small.ops"
    path.write_text(OPS)
    return path


INT, BOOL, TEXT, LIST = int, bool, str, list
KEYS = {
    "schema": TEXT,
    "version": TEXT,
    "trace": {
        "format": TEXT,
        "records": INT,
        "skipped": dict,
        "unmatched_unmaps": INT,
        "span_ns": INT,
    },
    "config": {
        "kernel": TEXT,
        "engine": TEXT,
        "nslabs": INT,
        "nareas": INT,
        "cpus": INT,
        "start": TEXT,
        "force": BOOL,
        "devices": LIST,
        "inferred": LIST,
    },
    "swiotlb": {
        "nslabs": INT,
        "nareas": INT,
        "used": INT,
        "used_hiwater": INT,
        "transient_nslabs_hiwater": INT,
        "pools": INT,
    },
    "events": {
        "maps": INT,
        "unmaps": INT,
        "syncs": INT,
        "failed_maps": INT,
        "full": INT,
        "full_by_cause": {
            "no_pool": INT,
            "oversize": INT,
            "exhausted": INT,
            "area_limited": INT,
            "fragmented": INT,
            "alignment": INT,
            "atomic_pool": INT,
            "unexplained": INT,
        },
        "lockups": INT,
    },
    "copy": {"bytes_to_device": INT, "bytes_from_device": INT, "calls": INT},
    "fragmentation": {"internal_bytes_hiwater": INT, "external_hiwater": float},
    "recorded": {
        "maps_compared": INT,
        "addresses_equal": INT,
        "full_recorded": INT,
        "full_equal": INT,
    },
}


def check_keys(value, wanted, where="result"):
    if not isinstance(wanted, dict):
        assert type(value) is wanted, where
        return
    assert isinstance(value, dict), where
    for key, kind in wanted.items():
        assert key in value, f"{where}.{key}"
        check_keys(value[key], kind, f"{where}.{key}")


def test_json_has_every_key(ops):
    got = result("run", NVME)
    assert got["schema"] == "bouncesim-run/1"
    check_keys(got, KEYS)
    got = result("run", ops)
    check_keys(got, {key: kind for key, kind in KEYS.items() if key != "recorded"})
    assert "recorded" not in got  # no addresses in it
    listed = [w.split()[0] for w in output("list", "stats").splitlines()[1:]]
    for section, name in (stat.split(".") for stat in listed if not stat.startswith("recorded")):
        parent = got["events"] if section == "full_by_cause" else got
        assert name in parent[section]


def test_numbers_agree_with_each_other():
    got = result("run", NVME)
    events = got["events"]
    assert sum(events["full_by_cause"].values()) == events["full"] <= events["failed_maps"]
    assert events["maps"] == events["unmaps"] + events["failed_maps"]  # all unmapped at the end
    assert got["swiotlb"]["used"] <= got["swiotlb"]["used_hiwater"] <= got["swiotlb"]["nslabs"]
    assert 0 <= got["fragmentation"]["external_hiwater"] <= 1
    table = rows(output("run", NVME, "--mappings", "-"))
    assert len(table) == events["maps"]
    assert sum(row["outcome"] != "ok" for row in table) == events["failed_maps"]
    assert sum(int(row["probes"]) for row in table) == got["search"]["probes"]
    assert sum(int(row["locks"]) for row in table) == got["search"]["locks"]
    assert max(int(row["probes"]) for row in table) == got["search"]["probes_max"]
    fulls = rows(output("run", NVME, "--fulls", "-"))
    assert len(fulls) == events["full"]
    for cause, count in events["full_by_cause"].items():
        assert sum(row["cause"] == cause for row in fulls) == count
    timeline = rows(output("run", NVME, "--timeline", "-"))
    assert len(timeline) <= 2048
    assert max(int(row["used_max"]) for row in timeline) == got["swiotlb"]["used_hiwater"]
    assert sum(int(row["maps"]) for row in timeline) == events["maps"]
    times = [int(row["time_ns"]) for row in timeline]
    assert times == sorted(set(times))
    for cause, count in events["full_by_cause"].items():
        assert sum(int(row[f"full_{cause}"]) for row in timeline) == count
    assert [f"area{n}_used_max" in timeline[0] for n in range(5)] == [True] * 4 + [False]


def test_columns():
    header = output("run", NVME, "--mappings", "-").split("\n")[0]
    wanted = "id,time_ns,cpu,device,orig_addr,size,dir,tlb_addr,slots,probes,locks,outcome"
    assert header == wanted
    ids = [int(row["id"]) for row in rows(output("run", NVME, "--mappings", "-"))]
    assert len(set(ids)) == len(ids)


def test_fulls_describe_the_pool(ops):
    table = rows(output("run", ops, "--fulls", "-"))
    assert [int(row["id"]) for row in table] == [12, 13, 14, 15]
    for row in table:
        assert int(row["slots_needed"]) == 40 and int(row["alloc_size"]) == 81920
        assert int(row["nslabs"]) == 512 and int(row["used"]) == 480 and int(row["free"]) == 32
        assert int(row["largest_run"]) == 8 and row["cause"] == "exhausted"


def test_a_directory_of_results(ops, tmp_path):
    folder = tmp_path / "a" / "b"
    text = output("run", ops, "--out", folder)
    assert str(folder) in text
    names = ["exposure.csv", "fulls.csv", "lifetimes.csv", "mappings.csv", "result.json",
             "timeline.csv"]  # fmt: skip
    assert sorted(p.name for p in folder.iterdir()) == names
    wanted = result("run", ops, "--exposure", tmp_path / "exposure.csv")
    assert json.loads((folder / "result.json").read_text()) == wanted
    assert (folder / "mappings.csv").read_text() == output("run", ops, "--mappings", "-")
    assert (folder / "timeline.csv").read_text() == output("run", ops, "--timeline", "-")
    assert (folder / "fulls.csv").read_text() == output("run", ops, "--fulls", "-")
    assert (folder / "exposure.csv").read_text() == output("run", ops, "--exposure", "-")
    output("run", ops, "--out", folder, "--quiet")  # again, over the old ones
    assert sorted(p.name for p in folder.iterdir()) == names


def test_lifetimes(tmp_path):
    trace = tmp_path / "few.csv"
    rows = [(0, "map", 1), (0, "map", 2), (5, "unmap", 1), (1000, "map", 1), (2000, "unmap", 1),
            (2000, "map", 3), (3010, "unmap", 3), (9000, "unmap", 2), (9000, "map", 4)]  # fmt: skip
    trace.write_text("time_ns,op,id,size,dir\n" + "".join(
        f"{at},{op},{number},{4096 if op == 'map' else ''},{'to_device' if op == 'map' else ''}\n"
        for at, op, number in rows))  # fmt: skip
    text = output("run", trace, "--swiotlb", "512,force", "--lifetimes", "-")
    # Steps of an eighth of a power of two; what stays mapped has no lifetime.
    assert text == "at_least_ns,below_ns,maps\n5,6,1\n960,1024,2\n8192,9216,1\n"


def test_an_old_result_stays_when_the_new_one_fails(ops, tmp_path):
    old = tmp_path / "r.json"
    old.write_text("old")
    bad = tmp_path / "bad.ops"
    bad.write_text(OPS + "M 99 0 0\n")
    refused("run", bad, "--json", old, words=["bad.ops:19: "])
    assert old.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.ops", "r.json", "small.ops"]


OUTPUTS = ["--json", "--mappings", "--timeline", "--fulls", "--exposure"]


@pytest.mark.parametrize("option", OUTPUTS)
def test_unwritable_outputs(ops, tmp_path, option):
    inside = tmp_path / "inside"
    inside.mkdir()
    missing = tmp_path / "missing" / "file"
    refused("run", ops, option, missing, status=1, words=[str(missing)])
    refused("run", ops, option, inside, status=1, words=["directory"])
    refused("run", ops, option, ops / "file", status=1, words=["file"])
    refused("run", ops, option, "/dev/full", status=1, words=["/dev/full", "space"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["inside", "small.ops"]
    assert list(inside.iterdir()) == []


def test_one_bad_output_takes_the_others_with_it(ops, tmp_path):
    good = tmp_path / "good"
    good.mkdir()
    for bad in OUTPUTS:
        args = [a for o in OUTPUTS if o != bad for a in (o, good / o.strip("-"))]
        refused("run", ops, *args, bad, tmp_path / "missing/x", status=1)
        assert list(good.iterdir()) == [], bad


def test_unwritable_directories(ops, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    refused("run", ops, "--out", file, status=1, words=["file"])
    refused("run", ops, "--out", file / "below", status=1, words=["below"])
    refused("sweep", ops, "--out", file / "below", status=1, words=["below"])
    bad = tmp_path / "bad.ops"
    bad.write_text(OPS + "rubbish\n")
    refused("run", bad, "--out", tmp_path / "x/y/z", words=["bad.ops:19: "])
    assert not (tmp_path / "x").exists()
    existing = tmp_path / "existing"
    existing.mkdir()
    (existing / "mine").write_text("")
    refused("run", bad, "--out", existing)
    assert [p.name for p in existing.iterdir()] == ["mine"]


def test_full_or_closed_standard_output(ops):
    for args in (
        ["run", ops],
        ["run", ops, "--mappings", "-"],
        ["run", ops, "--json", "-"],
        ["sweep", ops],
        ["list"],
        ["--help"],
        ["run", "--help"],
    ):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([BINARY, *map(str, args)], stdout=full, stderr=subprocess.PIPE)
        assert done.returncode == 1, args
        assert done.stderr.startswith(b"bouncesim: standard output: cannot write")
        assert done.stderr.count(b"\n") == 1
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [BINARY, "run", NVME, "--mappings", "-"], stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1


def test_one_file_for_two_outputs_is_refused(ops, tmp_path):
    refused("run", ops, "--json", tmp_path / "x", "--mappings", tmp_path / "x")
    assert [p.name for p in tmp_path.iterdir()] == ["small.ops"]


def test_devices_are_written_in_place(ops):
    assert output("run", ops, "--json", "/dev/null", "--quiet") == ""
    assert os.path.exists("/dev/null") and not os.path.isfile("/dev/null")


def start_long_run(folder, feed=True):
    """A run on a pipe that has read much of a trace and has not seen its end."""
    args = ["run", "-", "--out", folder / "out", "--quiet"]
    process = subprocess.Popen(
        [BINARY, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
    )
    text = unxz(NVME)
    text = text[: text.rfind(b"\n") + 1]
    process.stdin.write(text)  # far more than is read ahead: it was taken when this returns
    process.stdin.flush()
    return process, text


def wait_for_file(folder, process):
    for _ in range(3000):
        if (folder / "out").exists() and any((folder / "out").iterdir()):
            return
        assert process.poll() is None
        time.sleep(0.01)
    raise AssertionError("no temporary file came up")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_leave_nothing_behind(tmp_path, number):
    process, text = start_long_run(tmp_path)
    try:
        while not (tmp_path / "out").exists():
            process.stdin.write(text)
        wait_for_file(tmp_path, process)
        process.send_signal(number)
        try:
            for _ in range(1000):
                process.stdin.write(text)
            raise AssertionError("it goes on reading")
        except BrokenPipeError:
            pass
        try:
            process.stdin.close()
        except BrokenPipeError:
            pass
        error = process.stderr.read()
        assert process.wait(timeout=60) == 1
    finally:
        process.kill()
        process.stdout.close()
        process.stderr.close()
    assert error == b"bouncesim: interrupted\n"
    assert list(tmp_path.iterdir()) == []


def test_a_signal_ends_a_wait_for_input(tmp_path):
    process, text = start_long_run(tmp_path)
    try:
        while not (tmp_path / "out").exists():
            process.stdin.write(text)
        wait_for_file(tmp_path, process)
        time.sleep(0.3)  # until it waits
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 1
    finally:
        process.kill()
        process.wait()
        for pipe in process.stdin, process.stdout, process.stderr:
            try:
                pipe.close()
            except BrokenPipeError:
                pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["sweep", "convert"])
def test_a_signal_ends_other_commands_too(tmp_path, command):
    """They wait for a pipe that gives nothing, or not enough to begin with."""
    out = ["--out", tmp_path / "out"] if command == "sweep" else [tmp_path / "t.bnc"]
    for sent in b"", unxz(NVME)[:100000]:
        process = subprocess.Popen(
            [BINARY, command, "-", *map(str, out)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            process.stdin.write(sent)
            process.stdin.flush()
            time.sleep(0.3)  # until it waits
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 1
            assert process.stderr.read() == b"bouncesim: interrupted\n"
        finally:
            process.kill()
            process.wait()
            for pipe in process.stdin, process.stdout, process.stderr:
                pipe.close()
        assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up(ops, tmp_path):
    """A limit on the size of files stands for it: writing fails in the middle of one."""

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

    old = tmp_path / "out"
    old.mkdir()
    (old / "notes").write_text("mine")
    (old / "result.json").write_text("old")
    result_file = tmp_path / "r.json"
    output("run", ops, "--json", result_file, "--quiet")
    for args in (
        ["run", NVME, "--out", old],
        ["run", NVME, "--out", tmp_path / "new"],
        ["run", NVME, "--mappings", tmp_path / "m.csv"],
        ["convert", NVME, tmp_path / "t.bnc"],
        ["convert", NVME, tmp_path / "t.csv"],
        ["convert", NVME, tmp_path / "t.csv.gz"],
        ["convert", NVME, tmp_path / "t.ops"],
        ["sweep", NVME, "--out", tmp_path / "new", "--sizes", "128..32768", "--areas", "1,2,4"],
    ):
        done = subprocess.run(
            [BINARY, *map(str, args)], capture_output=True, preexec_fn=limited, timeout=60
        )
        assert done.returncode == 1, (args, done.stderr)
        assert done.stderr.startswith(b"bouncesim: ") and done.stderr.count(b"\n") == 1, args
        assert b"File too large" in done.stderr, (args, done.stderr)
        names = sorted(p.name for p in tmp_path.iterdir())
        assert names == ["out", "r.json", "small.ops"], args
        assert sorted(p.name for p in old.iterdir()) == ["notes", "result.json"], args
    assert (old / "result.json").read_text() == "old" and (old / "notes").read_text() == "mine"


def test_other_files_in_a_directory_stay(ops, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "notes").write_text("mine")
    output("run", ops, "--out", folder, "--quiet")
    output("sweep", ops, "--out", folder, "--sizes", "512", "--quiet")
    assert (folder / "notes").read_text() == "mine"
    assert {"result.json", "sweep.json", "sweep.csv"} <= {p.name for p in folder.iterdir()}
    assert not [p.name for p in folder.iterdir() if "tmp" in p.name]


def test_compare_with_an_output_that_cannot_be_written(ops, tmp_path):
    one = tmp_path / "one.json"
    output("run", ops, "--json", one, "--quiet")
    for target in tmp_path / "missing/x", tmp_path, "/dev/full":
        refused("compare", one, one, "--json", target, status=1, words=[str(target)])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.json", "small.ops"]


# ---- several files ----


def test_several_traces_are_one_recording(ops, tmp_path):
    """Text goes on in the next file; what begins anew there is another boot of the same machine."""
    text = unxz(NVME).decode().splitlines(keepends=True)
    one, two = tmp_path / "1.txt", tmp_path / "2.txt"
    one.write_text("".join(text[:5000]))
    two.write_text("".join(text[5000:]))
    whole, parts = result("run", NVME), result("run", one, two)
    assert parts["trace"].pop("files") == [str(one), str(two)]
    whole["trace"].pop("files")
    assert parts == whole
    twice = result("run", NVME, NVME)
    assert twice["trace"]["time_steps_back"] == 1
    assert twice["events"]["maps"] == 2 * whole["events"]["maps"]
    refused("run", ops, ops, words=["small.ops:1: ", "once"])
    other = tmp_path / "o.csv"
    other.write_text("time_ns,op,size\n1,read,512\n")
    refused("run", NVME, other, words=["o.csv:1: "])
    assert result("run", other, other)["trace"]["requests"]["count"] == 2
    native = tmp_path / "t.bnc"
    output("convert", NVME, native, "--quiet")
    refused("run", native, native, words=["t.bnc: byte", "one native file"])
    output("convert", one, two, tmp_path / "both.bnc", "--quiet")
    both = result("run", tmp_path / "both.bnc")
    assert both["events"] == whole["events"] and both["recorded"] == whole["recorded"]


def test_a_trace_may_come_from_a_pipe(ops):
    text = ops.read_bytes()
    assert result("run", "-", stdin=text)["events"] == result("run", ops)["events"]
    assert "standard input" in output("run", "-", stdin=text)
    packed = NVME.read_bytes()
    assert result("run", "-", stdin=packed)["recorded"]["addresses_equal"] >= 2000
    refused("run", "-", ops, stdin=text, words=["standard input"])
    refused("run", "-", stdin=b"", words=["standard input", "empty"])
    refused("run", "-", stdin=text + b"x\n", words=["standard input:19: "])


def test_compare(ops, tmp_path):
    small, large = tmp_path / "small.json", tmp_path / "large.json"
    output("run", ops, "--json", small, "--quiet")
    output("run", ops, "--swiotlb", "4096,1", "--json", large, "--quiet")
    assert "no difference" in output("compare", small, small)
    # More room is used where there is more, and nothing else gets worse.
    text = output("compare", small, large, "--threshold", "swiotlb.used_hiwater=100")
    assert "events.full" in text and "0 worse" in text
    text = output("compare", large, small, status=3)
    assert "worse" in text and "events.full" in text
    assert output("compare", large, small, "--quiet", status=3) == ""
    got = json.loads(output("compare", large, small, "--json", "-", status=3))
    assert got["schema"] == "bouncesim-compare/1"
    worse = {d["metric"] for d in got["differences"] if d["worse"]}
    assert got["worse"] == len(worse)
    assert {"events.full", "events.failed_maps", "full_by_cause.exhausted"} <= worse
    by_metric = {d["metric"]: d for d in got["differences"]}
    assert (by_metric["events.full"]["a"], by_metric["events.full"]["b"]) == (0, 4)
    assert not by_metric["swiotlb.nslabs"]["worse"]
    # --json with a file besides the table
    output("compare", large, small, "--json", tmp_path / "d.json", status=3)
    assert json.loads((tmp_path / "d.json").read_text()) == got


def test_compare_with_thresholds(ops, tmp_path):
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    output("run", ops, "--swiotlb", "256,1", "--json", a, "--quiet")
    output("run", ops, "--swiotlb", "128,1", "--json", b, "--quiet")
    failed = ["events.full", "events.failed_maps", "full_by_cause.exhausted"]  # 10 -> 13
    assert bouncesim("compare", a, b).returncode == 3

    def status(percent):
        limits = [x for m in failed for x in ("--threshold", f"{m}={percent}")]
        return bouncesim("compare", a, b, *limits).returncode

    assert [status(p) for p in (29, 30, 31, 300)] == [3, 0, 0, 0]
    fewer = bouncesim("compare", b, a, "--threshold", "swiotlb.used_hiwater=1000")
    assert fewer.returncode == 0  # fewer failures are no regression
    for wrong in "events.full", "events.full=", "events.full=-1", "events.full=x", "nonsense=1":
        refused("compare", a, b, "--threshold", wrong, words=["threshold"])


def test_compare_directories(ops, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    output("run", ops, "--swiotlb", "4096,1", "--out", one, "--quiet")
    output("run", ops, "--out", two, "--quiet")
    assert bouncesim("compare", one, one).returncode == 0
    assert bouncesim("compare", one, two).returncode == 3
    output("sweep", ops, "--out", one, "--sizes", "512,1024", "--quiet")
    refused("compare", one, two, words=["sweep.json"])
    output("sweep", ops, "--out", two, "--sizes", "512,1024", "--quiet")
    assert "3 results compared" in output("compare", one, two, status=3)
    assert "2 results" in output("compare", one / "sweep.json", two / "sweep.json")
    refused("compare", one, two / "result.json", words=["directory"])
    refused("compare", one / "result.json", two / "sweep.json", words=["sweep"])


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"schema": 1}', '{"schema": "bouncesim-run/2"}', "\0" * 100,
     '{"schema": "bouncesim-sweep/1"}', '{"schema": "bouncesim-sweep/1", "points": [1]}',
     "[" * 100000],
    ids=lambda text: text[:30].replace("\0", "0"),
)
def test_compare_refuses_what_is_no_result(ops, tmp_path, text):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    output("run", ops, "--json", good, "--quiet")
    bad.write_text(text)
    refused("compare", good, bad, words=["bad.json"])
    refused("compare", bad, good, words=["bad.json"])


def test_compare_refuses_wrong_arguments(tmp_path, ops):
    refused("compare")
    refused("compare", ops)
    refused("compare", ops, ops, ops)
    refused("compare", tmp_path / "none", ops, words=["none"])
    refused("compare", tmp_path, tmp_path, words=["result.json"])


def test_a_second_pass_leaves_nothing_of_the_first_on_standard_output(tmp_path):
    """The last record contradicts the pool that the first ones told: the trace is read again."""
    trace = tmp_path / "t.csv"
    with trace.open("w") as out:
        out.write("time_ns,op,id,device,cpu,size,dir,orig_addr,tlb_addr\n")
        for i in range(150000):
            where = f"{0x1000000 + i * 4096:x},{0x70000000 + i % 100 * 4096:x}"
            for step, op in enumerate(("map", "unmap")):
                out.write(f"{i * 2000 + step * 1000},{op},{i},d,0,4096,to_device,{where}\n")
        out.write(f"{10**9},map,{10**6},d,0,4096,to_device,5000000,78000000\n")
    written = rows(output("run", trace, "--mappings", "-"))
    assert len(written) == 150001 and written[0]["id"] == "0"
