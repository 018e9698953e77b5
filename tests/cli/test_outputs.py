# SPDX-License-Identifier: Apache-2.0
"""What the files hold, and what else happens to a folder of them."""

import json
import os

from command import WORKLOADS, needs_binary, output, refused, result, rows

pytestmark = needs_binary

NVME = WORKLOADS / "nvme1024.ftrace.xz"

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


def test_one_file_for_two_outputs_is_refused(ops, tmp_path):
    refused("run", ops, "--json", tmp_path / "x", "--mappings", tmp_path / "x")
    assert [p.name for p in tmp_path.iterdir()] == ["small.ops"]


def test_devices_are_written_in_place(ops):
    assert output("run", ops, "--json", "/dev/null", "--quiet") == ""
    assert os.path.exists("/dev/null") and not os.path.isfile("/dev/null")


def test_other_files_in_a_directory_stay(ops, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "notes").write_text("mine")
    output("run", ops, "--out", folder, "--quiet")
    output("sweep", ops, "--out", folder, "--sizes", "512", "--quiet")
    assert (folder / "notes").read_text() == "mine"
    assert {"result.json", "sweep.json", "sweep.csv"} <= {p.name for p in folder.iterdir()}
    assert not [p.name for p in folder.iterdir() if "tmp" in p.name]


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
