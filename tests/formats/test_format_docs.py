# SPDX-License-Identifier: Apache-2.0
"""The pages on formats name every format there is, and what they show works when it is pasted."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import needs_binary, output, result  # noqa: E402

pytestmark = needs_binary
DOCS = Path(__file__).resolve().parents[2] / "docs" / "formats"


def test_every_format_has_its_row():
    page = (DOCS / "README.md").read_text()
    listed = re.findall(r"^  (\S+)  +\S", output("list", "formats"), re.MULTILINE)
    rows = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert len(listed) > 20
    assert set(listed) <= set(rows), set(listed) - set(rows)


def test_links_lead_somewhere():
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists() or target == "csv.md", (page, target)


def test_what_the_bpftrace_program_prints(tmp_path):
    """The program's own formats, filled in as bpftrace would."""
    program = (DOCS / "bpftrace.md").read_text()
    header, issue, complete = re.findall(r'printf\("([^"]+)\\n"', program)
    dev, sector = 259 << 20, 2048
    key = dev * 34359738368 + sector

    def row(layout, *values):
        return re.sub("%ll?u|%u|%s", "{}", layout).format(*values) + "\n"

    path = tmp_path / "block.csv"
    path.write_text(
        header + "\n"
        + row(issue, 1000, "write", key, dev >> 20, dev & 1048575, 3, 8192, sector * 512)
        + row(complete, 51000, key, 1)
    )  # fmt: skip
    got = result("run", path)
    assert got["trace"]["format"] == "csv"
    assert got["config"]["devices"][0]["name"] == "259:0"
    requests = got["trace"]["requests"]
    assert (requests["count"], requests["writes"], requests["bytes"]) == (1, 1, 8192)
    assert requests["service_time_assumed"] is False
    assert got["trace"]["unmatched_unmaps"] == requests["outstanding"] == 0
