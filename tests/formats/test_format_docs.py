# SPDX-License-Identifier: Apache-2.0
"""The pages on formats name every format there is, and what they show works when it is pasted."""

import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import bouncesim, needs_binary, output, result  # noqa: E402

pytestmark = needs_binary
DOCS = Path(__file__).resolve().parents[2] / "docs" / "formats"


def test_every_format_has_its_row():
    page = (DOCS / "README.md").read_text()
    listed = re.findall(r"^  (\S+)  +\S", output("list", "formats"), re.MULTILINE)
    rows = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert len(listed) > 20
    assert set(listed) <= set(rows), set(listed) - set(rows)


def test_list_for_scripts():
    lists = result("list")
    assert lists.pop("schema") == "bouncesim-list/1"
    assert set(lists) == {"kernels", "formats", "stats", "costs", "devices", "iommu"}
    for name, rows in lists.items():
        printed = output("list", name)
        assert len({row["name"] for row in rows}) == len(rows)
        assert all(row["name"] in printed and row["summary"] in printed for row in rows)
    assert list(result("list", "formats")) == ["schema", "formats"]
    # Every name is explained somewhere.
    files = [DOCS.parents[1] / "README.md", *DOCS.parent.rglob("*.md")]
    pages = "".join(page.read_text() for page in files)
    for name in "kernels", "formats", "devices", "costs", "iommu":
        names = [row["name"].split("[")[0] for row in lists[name]]  # optional words in brackets
        missing = [n for n in names if not re.search(rf"(?<![\w-]){re.escape(n)}(?![\w-])", pages)]
        assert not missing, (name, missing)


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


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def test_what_the_scripts_of_the_csv_page_write(tmp_path):
    page = (DOCS / "csv.md").read_text()
    (tmp_path / "io.log").write_text(blocks(page, "text")[0])
    subprocess.run(["sh", "-c", blocks(page, "sh")[0]], cwd=tmp_path, check=True)
    subprocess.run([sys.executable, "-c", blocks(page, "python")[0]], cwd=tmp_path, check=True)
    requests = result("run", tmp_path / "requests.csv")["trace"]["requests"]
    assert (requests["count"], requests["reads"], requests["bytes"]) == (2, 1, 73728)
    assert requests["service_time_assumed"] is False
    got = result("run", tmp_path / "mappings.csv", "--swiotlb", "1024,4")
    assert got["events"]["maps"] == got["events"]["unmaps"] == 2000
    assert got["trace"]["unmatched_unmaps"] == got["swiotlb"]["used"] == 0
    assert bouncesim("lint", tmp_path / "mappings.csv").returncode == 0
