# SPDX-License-Identifier: Apache-2.0
"""The command on every public report of the corpus. BOUNCESIM names the binary to test."""

import gzip
import json
import lzma
import os
import random
import re
import subprocess
from pathlib import Path

import pytest

BINARY = os.environ.get("BOUNCESIM")
pytestmark = pytest.mark.skipif(not BINARY, reason="BOUNCESIM does not name the binary")

MESSAGE = re.compile(r"\(sz: (\d+) bytes\)(?:, total (\d+) \(slots\), used (\d+))?")


def corpus():
    path = Path(__file__).with_name("full-lines.tsv")
    rows = [r for r in path.read_text().splitlines() if not r.startswith("#")]
    return [tuple(row.split("\t")[:2]) for row in rows[1:]]


CORPUS = corpus()

DECORATIONS = [
    "",
    "[ {t}.123456] ",
    "[ {t}.123456][  T77] ",
    "[Fri Nov 22 10:00:00 2024] ",
    "Nov 22 10:00:00 host kernel: ",
    "Nov 22 10:00:00 host kernel: [ {t}.123456] ",
    "2024-11-22T10:00:00.123456+01:00 host kernel: ",
    "Fri Nov 22 10:00:00 2024 kern.warn kernel: [ {t}.12] ",
    "kern  :warn  : [ {t}.123456] ",
    "<4>[ {t}.123456] ",
    "\x1b[32m[ {t}.123456] \x1b[0m\x1b[33m",
    "\x00\xff#\x01 ",
    "> > [ {t}.1] ",
]


def run(*args, stdin=None):
    if isinstance(stdin, str):
        stdin = stdin.encode("latin-1")
    # a pipe even when nothing is sent: the tests must not read the terminal
    done = subprocess.run([BINARY, "explain", *args], input=stdin or b"", capture_output=True)
    return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


def answers(*args, stdin=None):
    status, out, err = run("--json", "-", *args, stdin=stdin)
    assert status == 0, err
    result = json.loads(out)
    assert result["schema"] == "bouncesim-explain/1"
    return result


def check(row, line, cause):
    size, total, used = MESSAGE.search(line).groups()
    assert row["cause"] == cause
    assert row["device"] == line.split(": swiotlb")[0]
    assert row["size"] == int(size)
    assert row["slots_needed"] == -(-int(size) // 2048)
    assert row["slots_total"] == (None if total is None else int(total))
    assert row["slots_used"] == (None if used is None else int(used))
    assert row["slots_free"] == (None if total is None else int(total) - int(used))
    assert row["why"] and row["helps"] and row["does_not_help"]
    assert isinstance(row["may_be"], list)


def test_corpus_is_there():
    assert len(CORPUS) == 60


@pytest.mark.parametrize("line,cause", CORPUS)
def test_one_line(line, cause):
    result = answers(line)
    assert len(result["lines"]) == 1
    check(result["lines"][0], line, cause)
    assert result["lines"][0]["number"] == 1
    assert result["lines"][0]["line"] == line


@pytest.mark.parametrize("seed", range(5))
def test_whole_log(tmp_path, seed):
    rng = random.Random(seed)
    text, expected, number, suppressed = "", [], 0, 0
    for line, cause in rng.sample(CORPUS, len(CORPUS)):
        for _ in range(rng.randrange(3)):
            text += "[  1.0] usb 1-1: new high-speed USB device\n"
            number += 1
        if rng.random() < 0.3:
            count = rng.randrange(1, 30000)
            text += f"[  1.0] swiotlb_tbl_map_single: {count} callbacks suppressed\n"
            suppressed += count
            number += 1
        decoration = rng.choice(DECORATIONS).format(t=rng.randrange(100000))
        text += decoration + line + rng.choice(["\n", "\r\n", "  \n"])
        number += 1
        expected.append((number, line, cause))
    log = tmp_path / "kern.log"
    log.write_bytes(text.encode("latin-1"))
    for result in answers(str(log)), answers("-", stdin=text), answers(stdin=text):
        assert len(result["lines"]) == len(expected)
        for row, (number, line, cause) in zip(result["lines"], expected):
            check(row, line, cause)
            assert row["number"] == number
        summary = result["summary"]
        assert summary["events"] == len(expected)
        assert summary["suppressed"] == suppressed
        assert sum(summary["by_cause"].values()) == len(expected)
        assert sum(g["count"] for g in summary["groups"]) == len(expected)


def test_compressed_files(tmp_path):
    text = (CORPUS[0][0] + "\n").encode()
    (tmp_path / "a.gz").write_bytes(gzip.compress(text))
    (tmp_path / "b.xz").write_bytes(lzma.compress(text))
    result = answers(str(tmp_path / "a.gz"), str(tmp_path / "b.xz"))
    assert [row["cause"] for row in result["lines"]] == [CORPUS[0][1]] * 2
    (tmp_path / "c.gz").write_bytes(gzip.compress(text)[:-12])
    status, _, err = run(str(tmp_path / "c.gz"))
    assert status == 2 and "c.gz" in err and err.count("\n") == 1


def full(device, size, used):
    return (
        f"{device}: swiotlb buffer is full (sz: {size} bytes), total 32768 (slots), "
        f"used {used} (slots)"
    )


def test_boot_messages_are_used():
    line = full("virtio_ccw 0.0.0000", 262144, used=28249)
    log = (
        "software IO TLB: area num 4.\n"
        "software IO TLB: mapped [mem 0x00000000dc000000-0x00000000e0000000] (64MB)\n" + line
    )
    row = answers(stdin=log)["lines"][0]
    assert "4 of 8192 slots" in row["why"]
    assert "area_limited" in row["ruled_out"]
    assert "area_limited" in answers("--areas", "64", line)["lines"][0]["may_be"]


def test_min_align_mask_and_granule():
    line = full("nvme 0000:00:01.0", 262144, used=128)
    assert answers(line)["lines"][0]["may_be"] == ["alignment"]
    row = answers("--min-align-mask", "0xfff", line)["lines"][0]
    assert row["cause"] == "oversize" and "258048" in row["why"]
    assert answers("--granule", "64K", line)["lines"][0]["may_be"] == ["alignment"]


def test_leak_is_a_maybe():
    lines = "".join(
        full("rtl8192ee 0000:05:00.0", 4000, used=32767 if i < 4 else 32768) + "\n"
        for i in range(12)
    )
    result = answers(stdin=lines)
    assert result["summary"]["used_never_fell"] is True
    assert "leak" in result["lines"][0]["may_be"]
    _, out, _ = run(stdin=lines)
    assert "may be a leak" in out


@pytest.mark.parametrize(
    "args,stdin,words",
    [
        (["--json", "-"], "nothing here\n", "swiotlb buffer is full"),
        ([], "", "swiotlb buffer is full"),
        ([], "\x00\xff" * 100000, "swiotlb buffer is full"),
        ([], "swiotlb_tbl_map_single: 9 callbacks suppressed\n", "9 suppressed"),
        ([], "swiotlb buffer is full (sz: %zd bytes)\n", "without the numbers"),
        (["no-such-file"], "", "no-such-file"),
        (["/"], "", "directory"),
        (["--areas", "0", "-"], "", "areas"),
        (["--areas", "-1", "-"], "", "-1"),
        (["--min-align-mask", "0x1000", "-"], "", "min_align_mask"),
        (["--min-align-mask", "xyz", "-"], "", "xyz"),
        (["--granule", "3", "-"], "", "granule"),
        (["--slot-size", "99999999999999999999", "-"], "", "99999"),
        (["--nonsense", "-"], "", "nonsense"),
    ],
    ids=lambda value: None if isinstance(value, list) else str(len(value)),
)
def test_refusals(args, stdin, words):
    status, out, err = run(*args, stdin=stdin)
    assert status == 2
    assert out == ""
    assert err.startswith("bouncesim: ") and err.count("\n") == 1
    assert words in err


def test_refused_input_leaves_no_file(tmp_path):
    path = tmp_path / "out.json"
    assert run("--json", str(path), stdin="nothing\n")[0] == 2
    assert list(tmp_path.iterdir()) == []
    assert run("--json", str(path), "--quiet", CORPUS[0][0]) == (0, "", "")
    assert json.loads(path.read_text())["summary"]["events"] == 1


def test_long_lines_are_cut_and_said():
    text = "x" * 3_000_000 + CORPUS[0][0] + "\n" + CORPUS[1][0] + "\n"
    result = answers(stdin=text)
    assert result["summary"]["lines_cut"] == 1
    assert [row["number"] for row in result["lines"]] == [2]
    assert "longer than 64 KiB" in run(stdin=text)[1]


def test_many_kinds_stay_bounded():
    text = "".join(
        f"dev{i} 1: swiotlb buffer is full (sz: 4096 bytes), total 8 (slots), used 8 (slots)\n"
        for i in range(2000)
    )
    summary = answers(stdin=text)["summary"]
    assert summary["events"] == 2000
    assert len(summary["groups"]) + summary["events_in_no_group"] == 2000


def test_answer_starts_with_the_cause():
    for line, cause in CORPUS:
        status, out, _ = run(line)
        assert status == 0 and out.splitlines()[0].endswith(f"[{cause}]")
        assert max(map(len, out.splitlines())) <= 100


def test_help():
    status, out, _ = run("--help")
    assert status == 0 and "LINE|FILE|-" in out



def test_with_a_recording():
    """The cause of failures of that size and device, from a replay."""
    data = Path(__file__).resolve().parents[1] / "data"
    line = "nvme 0000:00:02.0: swiotlb buffer is full (sz: {} bytes), total 512 (slots), used {}"

    def with_(size, trace):
        status, out, _ = run(line.format(size, 300), "--recording", trace, "--json", "-")
        assert status == 0
        return json.loads(out)

    got = with_(258048, data / "nvme512.ftrace.xz")
    causes = got["lines"][0]["recorded_causes"]
    assert causes["exhausted"] > causes["area_limited"] > causes["fragmented"] > 0
    assert got["summary"]["groups"][0]["recorded_causes"] == causes
    assert with_(3, data / "nvme512.ftrace.xz")["lines"][0]["recorded_causes"] is None
    _, out, _ = run(line.format(258048, 300), "--recording", data / "nvme512.ftrace.xz")
    assert f"failures of that size: {causes['exhausted']} exhausted" in " ".join(out.split())
    _, out, _ = run(line.format(258048, 300), "--recording", data / "vblk4096.ftrace.xz")
    assert "no map failed in" in out
    status, _, error = run(line.format(4096, 300), "--recording", Path(__file__))
    assert status == 2 and "test_explain.py" in error
