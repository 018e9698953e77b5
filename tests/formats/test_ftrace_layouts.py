# SPDX-License-Identifier: Apache-2.0
"""The same recording in the layouts that options of tracefs give: the same result."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import WORKLOADS, needs_binary, refused, result, unxz  # noqa: E402

pytestmark = needs_binary

LINE = re.compile(r"^ *(.+)-(\d+) +\[(\d+)\] (\S+) +(\d+)\.(\d{6}): (\w+): (.*)$")


@pytest.fixture(scope="module")
def events():
    text = unxz(WORKLOADS / "nvme1024.ftrace.xz").decode()
    found = [LINE.match(line) for line in text.splitlines() if not line.startswith("#")]
    assert all(found) and len(found) > 1000
    return [match.groups() for match in found]


def classic(events, name="{}"):
    return "# tracer: nop\n#\n" + "".join(
        f"{comm:>16}-{pid:<7} [{cpu}] {flags} {s}.{us}: {name.format(event)}: {args}\n"
        for comm, pid, cpu, flags, s, us, event, args in events
    )


def latency(events, mark=" "):
    first = int(events[0][4]) * 1000000 + int(events[0][5])
    return "# tracer: nop\n#\n# nop latency trace v1.1.5 on 6.12.117\n#\n" + "".join(
        f"{comm:>8.8}-{pid:<7} {int(cpu):3d}{flags} "
        f"{int(s) * 1000000 + int(us) - first:4d}us{mark}: {event}: {args}\n"
        for comm, pid, cpu, flags, s, us, event, args in events
    )


def outcome(path):
    got = result("run", path)
    return got["events"], got["swiotlb"], got["order"]["explained"]


@pytest.fixture(scope="module")
def plain(events, tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "trace.txt"
    path.write_text(classic(events))
    return outcome(path)


@pytest.mark.parametrize(
    "write",
    [
        latency,
        lambda events: latency(events, "+"),
        lambda events: classic(events, "sys:{}"),
        lambda events: classic(events).replace(
            "\n", "\n => dma_map_page_attrs\n => nvme_queue_rq\n"
        ),
    ],
    ids=["latency", "latency marks", "system in front", "stack traces"],
)
def test_same_result(events, plain, tmp_path, write):
    path = tmp_path / "trace.txt"
    path.write_text(write(events))
    assert outcome(path) == plain


def test_a_clock_without_a_unit(events, tmp_path):
    path = tmp_path / "trace.txt"
    path.write_text(re.sub(r" (\d+)\.(\d{6}): ", r" \1\2: ", classic(events)))
    error = refused("run", path)
    assert "clock" in error
