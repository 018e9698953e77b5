# SPDX-License-Identifier: Apache-2.0
"""Input that is not what it should be: one line that says where and why, nothing left behind."""

import bz2
import gzip
import lzma
import random
import shutil
import subprocess

import pytest
from command import WORKLOADS, needs_binary, output, refused, result, unxz
from samples import HEADER, OPS, bounced, ftrace, line, mapped, unmapped

pytestmark = needs_binary

FTRACE = ftrace()
OUTPUTS = ["--json", "r.json", "--mappings", "m.csv", "--timeline", "t.csv", "--fulls", "f.csv"]


def refuse_bytes(tmp_path, content, words=(), name="input", options=()):
    """The refusal of a file with that content; no output may be there afterwards."""
    folder = tmp_path / "work"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    error = refused("run", name, *OUTPUTS, *options, cwd=folder, words=[name, *words])
    assert [p.name for p in folder.iterdir()] == [name]
    assert all(c.isprintable() or c == "\n" for c in error), error
    sweep = refused("sweep", name, "--out", "o", *options, cwd=folder, words=words)
    assert [p.name for p in folder.iterdir()] == [name]
    assert sweep.split(": ", 2)[2] == error.split(": ", 2)[2]
    return error


def test_no_file_at_all(tmp_path):
    refused("run", tmp_path / "none", words=["none", "No such file"])
    refused("run", tmp_path, words=["directory"])
    refused("run", "", words=["is empty"])
    refused("run", tmp_path / "none", "--out", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content,words",
    [
        (b"", ["empty"]),
        (b"\n", []),
        (b"\n" * 100000, []),
        (b" ", []),
        (b"\0", []),
        (b"PERFILE2" + bytes(range(256)) * 10, ["perf script"]),
        (b"\x17\x08\x44tracing6\0" + bytes(500), ["trace-cmd report"]),
        (b"\x7fELF" + bytes(5000), ["binary"]),
        (random.Random(1).randbytes(100000), []),
        (b"Dear reader,\nthis is a letter.\n", ["list formats"]),
        (("ä" * 1000 + "\n").encode() * 10, []),
        (b"x" * 300 * 1024, []),
        (HEADER.encode(), ["no events"]),
        ((HEADER + line(1, "sched_switch: prev_comm=a prev_pid=1 ==> next_comm=b")).encode(),
         ["1 events", "dma:*"]),
        (b"P 512 4 1 7bc00000\n", []),
        (b"P 512 4 1 7bc00000\nD 0 0 ffffffff ffffffff\n", []),
    ],
    ids=range(16),
)
def test_not_a_trace(tmp_path, content, words):
    refuse_bytes(tmp_path, content, words)


def bad_ops(changed):
    return (OPS + changed + "\n").encode()


@pytest.mark.parametrize(
    "text",
    [
        "M",
        "M 99",
        "M 99 0 0 100000000 4096 0",
        "M 99 0 0 100000000 4096 0 3",
        "M 99 0 0 100000000 0 0 1",
        "M 99 0 0 100000000 -1 0 1",
        "M 99 9999 0 100000000 4096 0 1",
        "M 99 0 5000 100000000 4096 0 1",
        "M 99 0 0 1000000000000000000 4096 0 1",
        "M 99 0 0 100000000 99999999999999999999 0 1",
        "M 99 0 0 100000000 4096 1000 1",
        "M 99 0 0 xyz 4096 0 1",
        "M 99 0 0 100000000 4096 0 1 and more",
        "M 3 0 0 100000000 4096 0 1",
        "A 99 0 0",
        "A 99 0 0 0",
        "U",
        "U x",
        "U 1 2",
        "S 1 0 10",
        "S 1 0 10 X",
        "W 1",
        "P 512 4 1 7bc00000",
        "D 0 fff0 ffffffff ffffffff",
        "D 0 0 3ff ffffffff",
        "Z 1",
        "m 99 0 0 100000000 4096 0 1",
        "M 99 0 0 100000000 4096 0 1\0",
        "\0",
        "M 99 0 0 1\x1b[31m0 4096 0 1",
    ],
    ids=lambda text: text.replace("\0", "<0>").replace("\x1b", "<esc>")[:40],
)
def test_malformed_operations(tmp_path, text):
    refuse_bytes(tmp_path, bad_ops(text), ["input:19: "])


def test_operations_before_the_pool(tmp_path):
    text = "\n".join(OPS.split("\n")[1:]).encode()
    refuse_bytes(tmp_path, text, options=["--format", "ops"], words=["input:1: "])
    refuse_bytes(tmp_path, b"P 0 4 1 7bc00000\n" + text, ["input:1: "])
    refuse_bytes(tmp_path, b"P 512 0 1 7bc00000\n" + text, ["input:1: "])
    refuse_bytes(tmp_path, b"P 512 4 9999 7bc00000\n" + text, ["input:1: "])
    path = tmp_path / "inside-a-page"
    path.write_bytes(b"P 512 4 1 7bc00800\n" + text)
    refused("run", path, words=["7bc00800", "page-aligned"])


GOOD = bounced(9, 0x5000, 4096) + mapped(9, 0x5000, 0x7B110000, 4096)


@pytest.mark.parametrize(
    "old,new",
    [
        ("dma_mask=ffffffffffffffff ", ""),
        ("dma_mask=ffffffffffffffff ", "dma_mask=xyz "),
        ("dma_mask=ffffffffffffffff ", "dma_mask=10000000000000000 "),
        ("dev_addr=5000", "dev_addr="),
        ("dev_addr=5000 ", ""),
        ("size=4096 FORCE", "size=4096"),
        ("size=4096 FORCE", "size=0 FORCE"),
        ("size=4096 FORCE", "size=-4096 FORCE"),
        ("size=4096 FORCE", "size=99999999999999999999 FORCE"),
        ("size=4096 FORCE", "FORCE"),
        ("dev_name: 0000:00:02.0", "dev_name:"),
        ("dir=FROM_DEVICE", "dir=SIDEWAYS"),
        ("dir=FROM_DEVICE ", ""),
        ("phys_addr=5000 ", ""),
        ("phys_addr=5000", "phys_addr=\0"),
        ("dma_addr=7b110000", "dma_addr="),
        (" attrs=", ""),
        ("[000]", "[8192]"),
        ("[000]", "[0x0]"),
        ("[000]", "000"),
        ("9.000000:", "9.0000000000:"),
        ("9.000000:", "9:"),
        ("9.000000:", "99999999999999999999.000000:"),
    ],
    ids=lambda text: text.replace("\0", "<0>"),
)
def test_malformed_events(tmp_path, old, new):
    assert old in GOOD
    text = FTRACE + GOOD.replace(old, new)
    number = FTRACE.count("\n") + (1 if old in GOOD.split("\n")[0] else 2)
    error = refuse_bytes(tmp_path, text.encode(), [f"input:{number}: "])
    assert "--skip-malformed" in error


@pytest.mark.parametrize("new", ["7b11\x0000", "7b11zz00", "7b110000,", "7b11-0000"], ids=repr)
def test_rubbish_behind_a_number(tmp_path, new):
    text = FTRACE + GOOD.replace("dma_addr=7b110000", "dma_addr=" + new)
    refuse_bytes(tmp_path, text.encode(), ["input:38: "])


@pytest.mark.parametrize("what", ["bounced", "mapped", "unmapped"])
def test_a_line_cut_at_the_end_of_the_file(tmp_path, what):
    last = {
        "bounced": bounced(9, 0x5000, 4096),
        "mapped": mapped(9, 0x5000, 0x7B110000, 4096),
        "unmapped": unmapped(9, 0x7B100000, 4096),
    }[what]
    first, path = last.index("["), tmp_path / "whole"
    for cut in range(first, len(last) - len("attrs=\n"), 7):
        path.write_text(FTRACE + last[:cut])
        trace = result("run", path)["trace"]
        assert trace["skipped"]["cut_records"] == 1 and trace["skipped"]["malformed"] == 0
        whole = FTRACE.count("\n") - HEADER.count("\n")
        assert whole <= trace["records"] <= whole + 1  # an event it was, as far as one can see
    # Nothing is missing but the newline.
    path.write_text((FTRACE + last).rstrip("\n"))
    records = result("run", path)["trace"]["records"]
    assert records == FTRACE.count("\n") - HEADER.count("\n") + 1


def test_a_line_cut_in_the_middle_of_the_file(tmp_path):
    lines = FTRACE.split("\n")
    for number in 14, 15, 30:  # a swiotlb_bounced, a map, an unmap
        whole = lines[number - 1]
        for cut in range(whole.index("["), len(whole) - len("attrs=") - 1, 9):
            text = "\n".join(lines[: number - 1] + [whole[:cut]] + lines[number:])
            refuse_bytes(tmp_path, text.encode(), [f"input:{number}: "])


def test_a_lost_newline_does_not_mix_two_events(tmp_path):
    lines = FTRACE.split("\n")
    path = tmp_path / "glued"
    for number in 13, 14, 30:  # a swiotlb_bounced, a map, an unmap
        whole = lines[number - 1]
        # Cut before the end of the event's name it could be a long command name.
        name = whole.index(": ") + 2
        for cut in range(whole.index(": ", name) + 2, len(whole), 9):
            both = whole[:cut] + lines[number]
            path.write_text("\n".join(lines[: number - 1] + [both] + lines[number + 1 :]))
            refused("run", path, words=[f"glued:{number}: "])


def test_long_lines(tmp_path):
    refuse_bytes(tmp_path, (FTRACE + "x" * 300 * 1024 + "\n").encode(), ["input:37: "])
    refuse_bytes(tmp_path, (OPS + "M " + "9" * 300 * 1024 + "\n").encode(), ["input:19: "])
    # Long, but still a line: a command name cannot be, a comment can.
    path = tmp_path / "comment"
    path.write_text(FTRACE + "#" * 200 * 1024 + "\n")
    assert result("run", path)["events"]["maps"] == 8


def test_carriage_returns(tmp_path):
    unix, dos = tmp_path / "unix", tmp_path / "dos"
    for text in FTRACE, OPS:
        unix.write_bytes(text.encode())
        dos.write_bytes(text.replace("\n", "\r\n").encode())
        a, b = result("run", unix), result("run", dos)
        a["trace"]["files"] = b["trace"]["files"] = []
        assert a == b


def test_no_final_newline(tmp_path):
    path = tmp_path / "input"
    for text in FTRACE, OPS:
        path.write_text(text)
        whole = result("run", path)
        path.write_text(text.rstrip("\n"))
        assert result("run", path) == whole


# ---- compressed files ----

PLAIN = unxz(WORKLOADS / "vblk1024.ftrace.xz")


def pack(kind, data):
    if kind == "gz":
        return gzip.compress(data, 6, mtime=0)
    if kind == "xz":
        return lzma.compress(data, preset=1)
    if kind == "bz2":
        return bz2.compress(data)
    if not shutil.which("zstd"):
        pytest.skip("zstd is missing; install zstd")
    return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE).stdout


@pytest.fixture(scope="module", params=["xz", "gz", "zst", "bz2"])
def packed(request):
    return request.param, pack(request.param, PLAIN)


def test_compressed(packed, tmp_path):
    kind, data = packed
    path = tmp_path / "any-name"
    path.write_bytes(data)
    got = result("run", path)
    assert got["trace"]["records"] == 97122 and got["recorded"]["addresses_equal"] == 29776
    assert result("run", "-", stdin=data)["events"] == got["events"]


def test_truncated(packed, tmp_path):
    kind, data = packed
    cuts = {1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 18, 24, 100, 4096, len(data) // 2}
    if kind != "bz2":  # slow, and read as the others
        cuts |= set(range(65536, len(data), 131072))  # multiples of what is read at once
    cuts |= {len(data) - n for n in (1, 2, 4, 8, 12, 13, 28)}
    for cut in sorted(cuts):
        refuse_bytes(tmp_path, data[:cut])


def test_damaged(packed, tmp_path):
    kind, data = packed
    if kind == "zst":
        pytest.skip("zstd carries no checksum unless asked for one")
    middle = len(data) // 2
    refuse_bytes(tmp_path, data[:middle] + bytes([data[middle] ^ 0x55]) + data[middle + 1 :])
    refuse_bytes(tmp_path, data[:20] + bytes(4096) + data[4116:])


def test_something_behind_the_end(packed, tmp_path):
    kind, data = packed
    refuse_bytes(tmp_path, data + b"and more\n")


def test_joined_compressed_files(tmp_path):
    half = PLAIN[: len(PLAIN) // 2].rfind(b"\n") + 1
    for kind in "xz", "gz", "zst", "bz2":
        path = tmp_path / kind
        path.write_bytes(pack(kind, PLAIN[:half]) + pack(kind, PLAIN[half:]))
        assert result("run", path)["trace"]["records"] == 97122


def test_compressed_twice(tmp_path):
    once = lzma.compress(FTRACE.encode())
    refuse_bytes(tmp_path, lzma.compress(once), ["xz"])
    refuse_bytes(tmp_path, gzip.compress(once), ["xz"])
    refuse_bytes(tmp_path, lzma.compress(gzip.compress(FTRACE.encode())), ["gzip"])
    refuse_bytes(tmp_path, lzma.compress(bz2.compress(FTRACE.encode())), ["bzip2"])


@pytest.mark.parametrize(
    "head,word",
    [
        (b"\x04\x22\x4d\x18", "lz4 -dc"),
        (b"PK\3\4", "zip archive"),
        (b"7z\xbc\xaf\x27\x1c", "7z archive"),
        (b"\x5d\0\0\x80\0", "xz -dc"),
        (b"\x08taeo", "version 8"),
        (b"eat\x08", "version 8"),
        (b"BZh is no bzip2", "no reader"),
    ],
)
def test_compressions_and_versions_that_are_not_read(tmp_path, head, word):
    tail = bytes(range(256)) * 4 if head[:1] != b"B" else b" at all\n"
    refuse_bytes(tmp_path, head + tail, [word])


def test_compressed_nothing(tmp_path):
    for kind in "xz", "gz", "zst", "bz2":
        refuse_bytes(tmp_path, pack(kind, b""))
    refuse_bytes(tmp_path, pack("gz", b"\xff" * 100000))


# ---- several files ----


def test_several_files_are_one_trace(tmp_path):
    lines = FTRACE.splitlines(keepends=True)
    parts = [tmp_path / "a", tmp_path / "b.gz", tmp_path / "c"]
    parts[0].write_text("".join(lines[:17]))
    parts[1].write_bytes(gzip.compress("".join(lines[17:30]).encode()))
    parts[2].write_text("".join(lines[30:]))
    whole = tmp_path / "whole"
    whole.write_text(FTRACE)
    a, b = result("run", whole), result("run", *parts)
    assert b["trace"].pop("files") == [str(p) for p in parts]
    a["trace"].pop("files")
    assert a == b
    refused("run", parts[0], tmp_path / "none", words=["none"])


def test_the_bad_one_of_several_files_is_named(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_text(FTRACE)
    with paths[1].open("a") as file:
        file.write("rubbish\n")
    refused("run", *paths, words=["b:37: "])
    paths[2].write_bytes(lzma.compress(FTRACE.encode())[:-5])
    refused("run", paths[0], paths[2], words=["c: ", "xz"])


def test_a_file_without_final_newline_is_not_joined_to_the_next(tmp_path):
    lines = FTRACE.splitlines(keepends=True)
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("".join(lines[:20]).rstrip("\n"))
    second.write_text("".join(lines[20:]))
    assert result("run", first, second)["trace"]["records"] == 24


def test_recordings_one_after_the_other(tmp_path):
    path = tmp_path / "boot"
    path.write_text(ftrace(8, live=True))
    got = result("run", path, path)
    assert got["trace"]["time_steps_back"] == 0  # the same second: jitter
    again = tmp_path / "again"
    again.write_text(ftrace(8, live=True, start=3.0))
    got = result("run", path, again)
    assert got["trace"]["time_steps_back"] == 1
    assert got["recorded"] == {
        "maps_compared": 16, "addresses_equal": 16, "full_recorded": 0, "full_equal": 0
    }
    assert got["swiotlb"]["used"] == got["swiotlb"]["used_hiwater"] == 16
    assert "1 step back in time" in output("run", path, again)
