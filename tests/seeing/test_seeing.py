# SPDX-License-Identifier: Apache-2.0
"""--trace-out and --vcd: what they draw is what the run counted."""

import gzip
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import WORKLOADS, bouncesim, needs_binary, output, refused, result  # noqa: E402
from watched import Dump, Trace  # noqa: E402

pytestmark = needs_binary

MAPPINGS = (WORKLOADS / "nvme1024.ftrace.xz", "--engine", "systemc")
REQUESTS = (*MAPPINGS, "--only", "block", "--swiotlb", "1024,force", "--cpus", "4")
GUEST = (*REQUESTS, "--coco", "sev-snp", "--memory", "1G")
WAYS = {"mappings": MAPPINGS, "requests": REQUESTS, "guest": GUEST}


@pytest.fixture(autouse=True)
def systemc():
    if b"no SystemC" in bouncesim("list", "costs").stdout:
        pytest.skip("this build has no SystemC")


@pytest.fixture(scope="module", params=WAYS)
def run(request, tmp_path_factory):
    """Trace, dump, result and summary of one run."""
    if b"no SystemC" in bouncesim("list", "costs").stdout:
        pytest.skip("this build has no SystemC")
    folder = tmp_path_factory.mktemp(request.param)
    files = [folder / name for name in ("t.json", "d.vcd", "r.json")]
    summary = output("run", *WAYS[request.param], "--trace-out", files[0], "--vcd", files[1],
                     "--json", files[2])
    assert sorted(folder.iterdir()) == sorted(files)
    return (Trace(files[0].read_text()), Dump(files[1].read_text()),
            json.loads(files[2].read_text()), summary)


def identifier(name):
    return "".join(c if c.isalnum() and c.isascii() else "_" for c in name)


def devices(trace):
    return {name[len("device "):]: name for name in trace.processes.values()
            if name.startswith("device ")}


def test_slices_nest_and_locks_and_links_hold_one_at_a_time(run):
    trace, _, _, _ = run
    trace.check_nesting()
    trace.check_flat("area locks")
    for process in devices(trace).values():
        trace.check_flat(process)
    assert {name for process, name in trace.slices if process == "CPUs"} >= {"CPU 0", "CPU 1"}


def test_calls_are_those_of_the_run(run):
    trace, _, seen, summary = run
    calls = [e for track, slices in trace.slices.items() if track[0] == "CPUs"
             for _, _, e in slices]
    names = [e["name"] for e in calls]
    # A list is one map with as many calls here as it has entries that were tried.
    assert names.count("map") >= seen["events"]["maps"] - seen["events"]["failed_maps"]
    assert names.count("map: no room") == seen["events"]["failed_maps"] > 0
    assert names.count("copy") == seen["timing"]["copies_hot"] + seen["timing"]["copies_cold"]
    assert names.count("lock wait") == seen["timing"]["lock_waits"]
    assert f"Trace events: {len(trace.events):,} in " in summary


def test_full_events_are_instants_with_their_cause(run):
    trace, dump, seen, _ = run
    causes = {name: count for name, count in seen["events"]["full_by_cause"].items() if count}
    found = [event["name"] for _, event in trace.instants]
    assert {name: found.count("full: " + name) for name in causes} == causes
    assert len(found) == seen["events"]["full"] == len(dump.signals["pool.full"]) > 0
    assert dump.kinds["pool.full"] == "event"


def test_counters_are_those_of_the_run(run):
    trace, dump, seen, _ = run
    pool = seen["swiotlb"]
    for values in (trace.counters["pool", "used slots"], dump.signals["pool.used"]):
        assert max(value for _, value in values) == pool["used_hiwater"]
        assert values[-1][1] == pool["used"]
    for values in (trace.counters["pool", "high-water slots"], dump.signals["pool.hiwater"]):
        assert values[-1][1] == pool["used_hiwater"]
    areas = [values for (_, name), values in trace.counters.items() if name.startswith("area ")]
    assert len(areas) == pool["nareas"]
    assert sum(values[-1][1] for values in areas) == pool["used"]
    size = pool["nslabs"] // pool["nareas"]
    for area in range(pool["nareas"]):
        used = dict(dump.signals[f"area{area}.used"])
        assert {at: size - value for at, value in used.items()} == dict(
            dump.signals[f"area{area}.free"])
        assert dump.signals[f"area{area}.locked"][-1][1] == 0


def test_what_devices_have_is_counted_up_and_down(run):
    trace, dump, seen, _ = run
    for name, process in devices(trace).items():
        for counter, signal in (("in flight", "in_flight"), ("waiting for room", "waiting")):
            values = trace.counters[process, counter]
            drawn = dump.signals[f"device.{identifier(name)}.{signal}"]
            assert [v for _, v in drawn[1:]] == [v for _, v in values]
            assert all(value >= 0 for _, value in values)
        assert trace.counters[process, "in flight"][-1][1] == len(
            [e for _, _, e in trace.spans[process, "device"] if "at the end" in e["name"]])
    if "platform" in seen:
        most = max(v for process in devices(trace).values()
                   for _, v in trace.counters[process, "in flight"])
        assert most == seen["platform"]["inflight_hiwater"]
        waited = sum(len(trace.spans[p, "waiting"]) for p in devices(trace).values())
        assert waited == seen["platform"]["held"] > 0


def test_a_window_holds_what_the_whole_has_there(tmp_path):
    whole = Trace(output("run", *MAPPINGS, "--trace-out", "-"))
    times = sorted(at for values in whole.slices.values() for at, _, _ in values)
    begin, end = times[len(times) // 3], times[len(times) // 2]
    window = ("--trace-from", f"{begin}ns", "--trace-to", end)
    files = tmp_path / "t.json.gz", tmp_path / "d.vcd"
    said = output("run", *MAPPINGS, "--trace-out", files[0], "--vcd", files[1], *window)
    part = Trace(gzip.decompress(files[0].read_bytes()).decode())
    part.check_nesting()
    assert f"Trace events: {len(part.events):,} in {files[0]}, from " in said
    assert f" to {end / 1e9!r} s." in said or "e-" in repr(end / 1e9)  # as given, not rounded
    for track, slices in whole.slices.items():
        assert [s[:2] for s in slices if s[0] < end and s[1] >= begin and
                (track[0] != "CPUs" or s[2]["name"] in ("map", "unmap"))] == [
            s[:2] for s in part.slices[track]
            if track[0] != "CPUs" or s[2]["name"] in ("map", "unmap")]
    used = whole.counters["pool", "used slots"]
    before = [value for at, value in used if at < begin][-1]
    inside = [(at, value) for at, value in used if begin <= at < end]
    assert part.counters["pool", "used slots"][0] == (begin, before)
    assert part.counters["pool", "used slots"][1:] == inside
    dump = Dump(files[1].read_text())
    assert dump.signals["pool.used"] == [(begin, before), *inside]
    assert (dump.begin, dump.end) == (begin, end)


def test_signals_are_chosen_by_pattern(tmp_path):
    file = tmp_path / "d.vcd"
    output("run", *MAPPINGS, "--vcd", file, "--vcd-signals", "pool.u*,area?.locked,device.*.dma")
    names = set(Dump(file.read_text()).signals)
    assert "pool.used" in names and "area0.locked" in names
    assert all(name == "pool.used" or name.endswith((".locked", ".dma")) for name in names)
    assert len([name for name in names if name.endswith(".dma")]) >= 1


def test_names_of_devices_are_escaped(tmp_path):
    """A device's name is the trace's text; two names may be one in a VCD."""
    names = ['a"b"\\c', "a'b'/c", "a.b-c", "a:b/c"]
    trace = tmp_path / "t.csv"
    with trace.open("w") as out:
        out.write("time_ns,op,id,device,cpu,size,dir,orig_addr\n")
        for i, name in enumerate(names):
            quoted = '"' + name.replace('"', '""') + '"'
            out.write(f"{i + 1}000,map,{i},{quoted},0,4096,to_device,{i + 1}000\n")
    files = tmp_path / "t.json", tmp_path / "d.vcd", tmp_path / "r.json"
    output("run", trace, "--engine", "systemc", "--swiotlb", "512,force", "--cpus", "1",
           "--trace-out", files[0], "--vcd", files[1], "--json", files[2])
    seen = Trace(files[0].read_text(encoding="ascii"))
    config = json.loads(files[2].read_text())["config"]
    assert sorted(devices(seen)) == sorted(device["name"] for device in config["devices"])
    flying = [v for (_, name), v in seen.counters.items() if name == "in flight"]
    assert [[value for _, value in values] for values in flying] == [[1]] * 4
    drawn = Dump(files[1].read_text(encoding="ascii")).signals
    assert len([name for name in drawn if name.endswith(".in_flight")]) == 4


def test_growing_pools():
    grown = ("--kernel", "linux-6.12-dynamic", "--swiotlb", "256,1,force")
    seen = result("run", *MAPPINGS, *grown)
    trace = Trace(output("run", *MAPPINGS, *grown, "--trace-out", "-"))
    assert trace.counters["pool", "slots"][-1][1] == seen["swiotlb"]["nslabs"] > 256
    assert max(value for _, value in trace.counters["pool", "transient slots"]) > 0


def test_nothing_changes_by_being_watched(tmp_path):
    for way in (MAPPINGS, REQUESTS):
        plain = result("run", *way)
        files = ("--trace-out", tmp_path / "t.json", "--vcd", tmp_path / "d.vcd")
        assert result("run", *way, *files) == plain


def test_the_same_run_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        output("run", *REQUESTS, "--trace-out", tmp_path / f"{name}.json.gz", "--vcd",
               tmp_path / f"{name}.vcd")
    for suffix in (".json.gz", ".vcd"):
        first, second = (tmp_path / f"{name}{suffix}" for name in "ab")
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("options, words", [
    (("--trace-out", "x.json"), ("--trace-out", "--engine systemc")),
    (("--vcd", "x.vcd"), ("--vcd", "--engine systemc")),
    (("--engine", "systemc", "--trace-out", "-", "--json", "-"), ("only one output",)),
    (("--engine", "systemc", "--trace-out", "-", "--vcd", "-"), ("only one output",)),
    (("--engine", "systemc", "--trace-out", ""), ("is empty",)),
    (("--engine", "systemc", "--trace-from", "1s"), ("--trace-from", "--trace-out")),
    (("--engine", "systemc", "--vcd-signals", "*"), ("--vcd-signals", "--vcd")),
    (("--engine", "systemc", "--vcd", "x", "--vcd-signals", "pool.usd"), ("pool.usd",)),
    (("--engine", "systemc", "--vcd", "x", "--vcd-signals", ","), ("--vcd-signals",)),
    (("--engine", "systemc", "--vcd", "x", "--trace-from", "2s", "--trace-to", "1s"),
     ("--trace-to", "after")),
    (("--engine", "systemc", "--vcd", "x", "--trace-from", "soon"), ("--trace-from soon",)),
])
def test_wrong_use_is_refused(options, words, tmp_path):
    refused("run", WORKLOADS / "nvme1024.ftrace.xz", *options, words=words, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["t.json", "t.json.gz"])
def test_a_run_that_stands_still_shows_what_led_there(tmp_path, name):
    """All of the pool is taken before: nothing is ever mapped, and the watchdog ends the run."""
    done = bouncesim("run", *REQUESTS, "--held-slots", "1024", "--trace-out", tmp_path / name,
                     "--vcd", tmp_path / "d.vcd", "--json", tmp_path / "r.json")
    error = done.stderr.decode()
    assert done.returncode == 1 and done.stdout == b""
    assert error.startswith("bouncesim: no progress since 0 us")
    assert "up to then: Trace events: " in error and f" in {tmp_path / name}" in error
    assert f"changes in {tmp_path / 'd.vcd'}" in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.vcd", name]  # no result
    data = (tmp_path / name).read_bytes()
    trace = Trace((gzip.decompress(data) if name.endswith(".gz") else data).decode())
    trace.check_nesting()
    waits = [span for p in devices(trace).values() for span in trace.spans[p, "waiting"]]
    assert waits and all(end > begin for begin, end, _ in waits)
    full = [event for _, event in trace.instants if event["name"].startswith("full: ")]
    drawn = Dump((tmp_path / "d.vcd").read_text()).signals
    assert len(full) == len(drawn["pool.full"]) > 0
    assert drawn["pool.used"][-1][1] == 1024
