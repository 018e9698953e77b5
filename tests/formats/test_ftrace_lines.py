# SPDX-License-Identifier: Apache-2.0
"""The layouts of a line of ftrace text."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import needs_binary, output, result, rows  # noqa: E402
from samples import HEADER, bounced, mapped, unmapped  # noqa: E402

pytestmark = needs_binary
HERE = Path(__file__).resolve().parent


def read(name, *args):
    return result("run", HERE / f"{name}.txt", *args)


def mappings(name, *args):
    return rows(output("run", HERE / f"{name}.txt", "--mappings", "-", *args))


@pytest.mark.parametrize("path", sorted(HERE.glob("*.txt")), ids=lambda path: path.stem)
def test_every_fixture_is_read_whole(path):
    got = result("run", path)
    form = "perf" if path.stem.startswith("perf") else "ftrace"
    assert got["trace"]["format"] == form
    assert got["trace"]["skipped"]["malformed"] == 0
    assert got["trace"]["unmatched_unmaps"] == got["trace"]["implied_unmaps"] == 0
    assert got["trace"]["time_steps_back"] == 0
    assert got["events"]["maps"] == path.read_text().count("swiotlb_bounced: ")
    assert got["recorded"]["addresses_equal"] == got["recorded"]["maps_compared"]
    assert got == result("run", path, "--format", form)


def test_trace_pipe():
    got = read("trace_pipe", "--cpus", "4", "--swiotlb", "1024")
    assert got["trace"]["records"] == 4
    assert got["trace"]["skipped"]["other_events"] == 1
    assert got["trace"]["lost_events"] == 3
    assert got["events"]["maps"] == got["events"]["unmaps"] == 1
    assert got["trace"]["first_ns"] == 12345678000
    assert got["trace"]["span_ns"] == 34000
    assert got["config"]["force"] is True
    row = mappings("trace_pipe")[0]
    assert (row["cpu"], row["dir"], row["size"]) == ("2", "FROM_DEVICE", "4096")
    assert (row["orig_addr"], row["tlb_addr"]) == ("1b37000", "7b180000")
    assert read("trace_pipe")["config"]["cpus"] == 3  # the highest seen


def test_trace_cmd_report():
    got = read("trace_cmd_report")
    assert got["config"]["cpus"] == 4
    assert got["trace"]["records"] == 4
    assert got["trace"]["skipped"]["other_events"] == 1
    assert got["events"]["maps"] == got["events"]["unmaps"] == 1
    assert mappings("trace_cmd_report")[0]["dir"] == "TO_DEVICE"


def test_trace_cmd_loss_marker():
    assert read("trace_cmd_report")["trace"]["lost_events"] == 20


def test_header():
    got = read("tgid")
    assert got["config"]["cpus"] == 8 and got["config"]["nareas"] == 8
    assert got["trace"]["lost_events"] == 10  # written, not kept
    assert mappings("tgid")[0]["cpu"] == "5"
    assert mappings("tgid")[0]["dir"] == "BIDIRECTIONAL"
    assert got["copy"] == {"bytes_to_device": 4096, "bytes_from_device": 4096, "calls": 2}


def test_odd_command_names():
    table = mappings("odd_commands")
    assert [row["cpu"] for row in table] == ["0"] * 4
    assert [row["tlb_addr"] for row in table] == ["7b100000", "7b100800", "7b101000", "7b101800"]
    assert read("odd_commands")["swiotlb"]["used"] == 4


def test_names_of_6_18():
    got = read("linux_6_18")
    assert got["events"]["maps"] == got["events"]["unmaps"] == 1
    assert got["recorded"]["addresses_equal"] == 1


def test_clocks_and_flags():
    table = mappings("clocks")
    assert [int(row["time_ns"]) for row in table] == [0, 502]
    got = read("clocks")
    assert got["trace"]["span_ns"] == 2000001000 - 1
    assert got["trace"]["timed"] is True
    assert got["events"]["unmaps"] == 2
    assert got["config"]["cpus"] == 1


@pytest.mark.parametrize(
    "flags", [".....", "d.h3.", "dNsBX", "....", "d..1", "", "D.Zff", "-----", "db.2.1"], ids=repr
)
def test_flags(tmp_path, flags):
    path = tmp_path / "t"
    text = HEADER + bounced(1, 0x1000, 4096) + mapped(1, 0x1000, 0x7B100000, 4096)
    path.write_text(text.replace("[000] .....", f"[000] {flags}"))
    assert result("run", path)["recorded"]["addresses_equal"] == 1


def test_directions_and_attributes(tmp_path):
    path = tmp_path / "t"
    text, time = HEADER, 1.0
    for i, (dir, attrs) in enumerate(
        [
            ("TO_DEVICE", ""),
            ("FROM_DEVICE", ""),
            ("BIDIRECTIONAL", ""),
            ("FROM_DEVICE", "SKIP_CPU_SYNC"),
            ("FROM_DEVICE", "WEAK_ORDERING|SKIP_CPU_SYNC|NO_WARN"),
            ("FROM_DEVICE", "NO_WARN"),
        ]
    ):
        orig, tlb = 0x10000 * (i + 1), 0x7B100000 + 0x1000 * i
        text += bounced(time, orig, 4096)
        text += mapped(time, orig, tlb, 4096, dir=dir, attrs=attrs)
        text += unmapped(time + 1, tlb, 4096, dir=dir, attrs=attrs)
    path.write_text(text)
    got = result("run", path)
    assert got["events"]["unmaps"] == 6
    assert got["copy"]["bytes_to_device"] == 6 * 4096  # every map
    assert got["copy"]["bytes_from_device"] == 3 * 4096


def test_masks_of_devices(tmp_path):
    path = tmp_path / "t"
    text = HEADER
    for i, (dev, mask) in enumerate([("virtio0", "ffffffff"), ("a-b_c:d.e@f", "f" * 16)]):
        orig, tlb = 0x100010000 * (i + 1), 0x7B100000 + 0x1000 * i
        text += bounced(1, orig, 4096, dev=dev, mask=mask, how="NORMAL")
        text += mapped(1, orig, tlb, 4096, dev=dev)
    path.write_text(text)
    got = result("run", path)
    assert [(d["name"], d["dma_mask"]) for d in got["config"]["devices"]] == [
        ("virtio0", "ffffffff"),
        ("a-b_c:d.e@f", "f" * 16),
    ]
    assert got["config"]["force"] is False
    assert got["events"]["maps"] == 2  # the second one too: the kernel had its reasons


def test_loss_marker_without_a_number(tmp_path):
    path = tmp_path / "t"
    event = bounced(1, 0x1000, 4096) + mapped(1, 0x1000, 0x7B100000, 4096)
    path.write_text(HEADER + "CPU:0 [LOST EVENTS]\n" + event + "CPU:1 [LOST 7 EVENTS]\n")
    got = result("run", path)
    assert got["trace"]["lost_events"] == 8
    assert got["events"]["maps"] == 1
