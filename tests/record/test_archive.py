# SPDX-License-Identifier: Apache-2.0
"""What bouncesim makes of recordings: whole, in odd order, damaged, hostile; and of --counters."""

import gzip
import io
import random
import subprocess
import tarfile

import pytest

from fake import STATS, Machine, pack, write
from command import BINARY, TESTS, needs_binary, output, refused, result
from samples import POOL, bounced, ftrace, mapped

pytestmark = needs_binary

LAYOUT = "bouncesim-recording 1\n"
MACHINE = """kernel 6.12.48-cloud
arch x86_64
cpus_possible 0-3
memory_kb 2012345
boot root=/dev/vda1 swiotlb=512,force quiet
config CONFIG_SWIOTLB_DYNAMIC n
event swiotlb/swiotlb_bounced
event dma/dma_map_page
"""
COUNTERS = """STAT begin io_tlb_nslabs 512
STAT begin io_tlb_used 0
STAT begin io_tlb_used_hiwater 0
STAT end io_tlb_nslabs 512
STAT end io_tlb_used 0
STAT end io_tlb_used_hiwater 16
"""
DMESG = "[    0.1] software IO TLB: area num 4.\n"


def files(**changes):
    found = {
        "layout.txt": LAYOUT,
        "machine.txt": MACHINE,
        "counters.txt": COUNTERS,
        "devices.txt": "pci 0000:00:02.0 nvme 64\n",
        "dmesg.txt": DMESG,
        "trace.txt": ftrace(),
    }
    for name, text in changes.items():
        found[name + ".txt"] = text
    return {name: text for name, text in found.items() if text is not None}


def archive(tmp_path, content=None, name="rec.tar.gz", **options):
    path = tmp_path / name
    path.write_bytes(pack(content or files(), **options))
    return path


def ring(**values):
    fields = {"entries": 5, "overrun": 0, "dropped": 0, "oldest": "    7.000000", **values}
    text = STATS.format(**fields).replace("\n", " ")
    return f"STAT /sys/kernel/tracing/instances/bouncesim/per_cpu/cpu0/stats {text}\n"


def test_from_the_script_to_the_result(tmp_path):
    machine = Machine(tmp_path)
    machine.record("-d", "0.1")
    got = result("run", machine.out / "rec.tar.gz")
    assert got["trace"]["format"] == "ftrace" and got["events"]["maps"] == 8
    assert (got["config"]["nslabs"], got["config"]["nareas"], got["config"]["cpus"]) == (512, 2, 2)
    assert got["recording"]["kernel"] == "6.12.48" and got["recording"]["dynamic"] is False
    assert got["recorded"]["used_hiwater"] == 16 and got["swiotlb"]["used_hiwater"] == 16
    assert got["recorded"]["used_begin"] == 0
    assert got["recording"]["devices"] == [
        {"name": "0000:00:02.0", "driver": "nvme", "dma_mask": "f" * 16}
    ]


def test_configuration_from_the_other_files(tmp_path):
    plain = tmp_path / "trace.txt"
    plain.write_text(ftrace())
    without = result("run", plain)["config"]
    assert without["nslabs"] != 4096
    text = COUNTERS.replace("512", "4096")
    content = files(counters=text, machine=MACHINE.replace("0-3", "0-7"), dmesg=None)
    config = result("run", archive(tmp_path, content))["config"]
    assert (config["nslabs"], config["nareas"], config["cpus"]) == (4096, 8, 8)
    assert config["as_recorded"]


def test_the_start_as_the_kernel_logged_it(tmp_path):
    """It is not believed against the addresses; without any (requests), it counts."""

    def start(first, last):
        line = f"[1] software IO TLB: mapped [mem 0x{first:016x}-0x{last:016x}] (1MB)\n"
        config = result("run", archive(tmp_path, files(dmesg=DMESG + line)))["config"]
        return int(config["start"], 16)

    size = 512 << 11
    assert start(POOL - size, POOL) == POOL  # explains no address: not taken
    assert start(POOL, POOL + size // 2) == POOL  # of another size


@pytest.mark.parametrize(
    "kernel,dynamic,name",
    [
        ("6.12.48", "n", "linux-6.12"),
        ("6.18.1", "n", "linux-6.12"),
        ("6.12.48", "y", "linux-6.12-dynamic"),
        ("6.1.140-foo", "n", "linux-6.1"),
        ("7.0.0", "n", "linux-6.12"),
    ],
)
def test_kernel(tmp_path, kernel, dynamic, name):
    text = MACHINE.replace("6.12.48-cloud", kernel).replace("DYNAMIC n", "DYNAMIC " + dynamic)
    path = archive(tmp_path, files(machine=text))
    assert result("run", path)["config"]["kernel"] == name
    assert result("run", path, "--kernel", "linux-6.12")["config"]["kernel"] == "linux-6.12"
    sweep = result("sweep", path, "--sizes", "512,1024")
    assert {point["kernel"] for point in sweep["points"]} == {name}


def test_a_kernel_that_is_not_modelled_is_said(tmp_path):
    path = archive(tmp_path, files(machine=MACHINE.replace("6.12.48-cloud", "5.10.9")))
    assert "its search is not modelled: linux-6.12 stands in for it" in output("run", path)


def test_counters_that_contradict_the_addresses(tmp_path):
    """128 slots cannot hold what was mapped at once: the addresses count."""
    text = ftrace(count=200, live=True)
    content = files(
        counters=COUNTERS.replace("512", "128"),
        machine=MACHINE.replace("0-3", "0"),
        trace=text,
        dmesg=None,
    )
    got = result("run", archive(tmp_path, content))
    assert got["config"]["nslabs"] == 512 and got["recorded"]["addresses_equal"] == 200
    assert "explains fewer addresses" in " ".join(got["config"]["inferred"])


def test_summary_compares(tmp_path):
    lines = output("run", archive(tmp_path)).splitlines()
    row = next(line for line in lines if line.startswith("counters "))
    same = "high-water 16 recorded, 16 replayed; at the end 0 recorded, 0 replayed"
    assert row.split(None, 1)[1] == same
    more = COUNTERS.replace("hiwater 16", "hiwater 20")
    more = more.replace("begin io_tlb_used 0", "begin io_tlb_used 4")
    text = output("run", archive(tmp_path, files(counters=more)))
    assert (
        "high-water 20 recorded, 16 replayed (-20.0 %); in use at the start 4 recorded, 0 found"
    ) in text
    old = archive(tmp_path, files(counters=COUNTERS.replace("hiwater 0", "hiwater 16")))
    assert "high-water before the recording 16" in output("run", old)
    other = output("run", archive(tmp_path), "--swiotlb", "1024")
    assert "high-water 16 recorded; at the end 0 recorded\n" in other


def test_events_lost(tmp_path):
    """One CPU's ring reaches back to 7.003 only: what others have from before is left out."""
    text = COUNTERS + ring() + ring(overrun=70, oldest="    7.003000") + ring(dropped=2)
    path = archive(tmp_path, files(counters=text))
    got = result("run", path)
    assert got["recorded"]["events_overwritten"] == 70 and got["recorded"]["events_dropped"] == 2
    assert got["recorded"]["lines_cut"] == 6 and got["trace"]["records"] == 3 * 8 - 6
    assert got["trace"]["unmatched_unmaps"] == 3
    words = "70 events overwritten before the first one kept, 6 lines left out"
    assert words in output("run", path) and "2 events dropped" in output("run", path)
    broken = files(counters=text, trace=ftrace() + "rubbish\n")
    count = broken["trace.txt"].count("\n")
    refused("run", archive(tmp_path, broken), words=[f"rec.tar.gz:trace.txt:{count}: "])


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_kinds_of_tar(tmp_path, kind):
    folder = "./" + "a long name/" * 30 if kind != tarfile.USTAR_FORMAT else "a/" * 60
    got = result("run", archive(tmp_path, kind=kind, folder=folder))
    assert got["recorded"]["used_hiwater"] == 16 and got["config"]["nslabs"] == 512


def test_other_members_are_passed_over(tmp_path):
    raw = io.BytesIO()
    odd = ((tarfile.DIRTYPE, "x"), (tarfile.SYMTYPE, "trace.txt"), (tarfile.FIFOTYPE, "y"))
    with tarfile.open(
        fileobj=raw, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"a": "b"}
    ) as tar:
        for kind, name in odd:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
        for name, text in {"notes": "x" * 5000, **files(), "more": "y" * 700}.items():
            member = tarfile.TarInfo("../../../../tmp/evil/" + name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    path = tmp_path / "rec.tar"
    path.write_bytes(raw.getvalue())
    before = sorted(tmp_path.iterdir())
    assert result("run", path, cwd=tmp_path)["config"]["nslabs"] == 512
    assert sorted(tmp_path.iterdir()) == before


def test_trace_first(tmp_path):
    content = {"trace.txt": ftrace(), **files()}
    path = archive(tmp_path, dict(sorted(content.items(), reverse=True)))
    assert list(dict(sorted(content.items(), reverse=True)))[0] == "trace.txt"
    got = result("run", path)
    assert got["config"]["cpus"] == 4 and got["recorded"]["used_hiwater"] == 16
    piped = result("run", "-", stdin=path.read_bytes())
    assert piped["recorded"]["used_hiwater"] == 16  # too late for the configuration


@pytest.mark.parametrize("stdin", [False, True])
def test_standard_input_and_folder(tmp_path, stdin):
    path = archive(tmp_path)
    folder = tmp_path / "rec"
    for name, text in files().items():
        write(folder / name, text)
    args = ["-"] if stdin else [folder]
    got = result("run", *args, stdin=path.read_bytes() if stdin else None)
    whole = result("run", path)
    for key in ("config", "recorded", "recording", "events"):
        assert got[key] == whole[key]


def requests(events):
    """A recording of block events alone: (time, what it says behind the time)."""
    head = "".join(line for line in ftrace().splitlines(True) if line.startswith("#"))
    lines = (bounced(time, 0, 0).split(": ", 1)[0] + f": {text}\n" for time, text in events)
    return head + "".join(lines)


def test_requests_of_an_old_kernel(tmp_path):
    text = MACHINE.replace("6.12.48-cloud", "6.1.140").replace("event dma/dma_map_page\n", "")
    trace = requests(
        event
        for i in range(6)
        for event in (
            (7 + i / 100, bounced(7, 0x100000 * i, 4096).split(": ", 1)[1].rstrip()),
            (7 + i / 100, f"block_rq_issue: 259,0 R 4096 () {i * 8} + 8 none,0,0 [dd]"),
        )
    )
    log = DMESG + "[1] software IO TLB: mapped [mem 0x0000000050000000-0x0000000050100000] (1MB)\n"
    got = result("run", archive(tmp_path, files(machine=text, trace=trace, dmesg=log)))
    assert got["config"]["start"] == "50000000"
    assert got["trace"]["level"] == "requests" and got["trace"]["requests"]["count"] == 6
    assert got["config"]["nslabs"] == 512 and got["config"]["kernel"] == "linux-6.1"


def test_what_others_hold_beside_requests(tmp_path):
    """In use at both ends: not of the requests. With them, it comes near to the kernel's mark."""
    if "this build has no SystemC" in output("list", "costs"):
        pytest.skip("this build has no SystemC")
    events = [(7 + i / 1000, f"block_rq_issue: 259,0 R 4096 () {i * 8} + 8 none,0,0 [dd]")
              for i in range(6)]  # fmt: skip
    events += [(8 + i / 1000, f"block_rq_complete: 259,0 R () {i * 8} + 8 none,0,0 [0]")
               for i in range(6)]  # fmt: skip

    def run(begin, end, *args):
        counted = COUNTERS.replace("begin io_tlb_used 0", f"begin io_tlb_used {begin}")
        counted = counted.replace("end io_tlb_used 0", f"end io_tlb_used {end}")
        content = files(trace=requests(events), counters=counted)
        content["counters.txt"] = content.pop("counters.txt")  # behind the trace
        path = archive(tmp_path, content)
        return ["run", path, "--only", "block", *args]

    plain = result(*run(100, 300), "--engine", "replay")
    assert plain["events"]["held_maps"] == 100 and plain["swiotlb"]["used"] == 100
    assert plain["swiotlb"]["used_hiwater"] == 112
    assert result(*run(100, 300, "--engine", "replay", "--held-slots", "3"))["swiotlb"]["used"] == 3
    sizes = result("sweep", *run(100, 100)[1:], "--sizes", "512,1024")["points"]
    assert [point["swiotlb"]["used_hiwater"] for point in sizes] == [112, 112]
    refused("run", archive(tmp_path), "--held-slots", "1", words=["belongs to traces of requests"])
    timed = "--engine", "systemc"
    got = result(*run(100, 300, *timed))
    assert (got["swiotlb"]["used"], got["swiotlb"]["used_hiwater"]) == (100, 112)
    assert got["platform"]["held_slots"] == 100
    assert any("held by devices without requests: 100 slots" in x
               for x in got["config"]["inferred"])  # fmt: skip
    text = output(*run(0, 300, *timed))
    assert "high-water 16 recorded, 12 made of the requests (-25.0 %); at the end 300" in text
    assert "--held-slots" in text
    done = subprocess.run([BINARY, *run(10**18, 10**18, *timed)], capture_output=True, text=True)
    assert done.returncode == 1 and "512 of 512 slots in use" in done.stderr
    assert result(*run(100, 300, *timed, "--held-slots", "0"))["swiotlb"]["used_hiwater"] == 12
    assert result(*run(100, 300, *timed, "--held-slots", "7"))["swiotlb"]["used_hiwater"] == 19


def test_refusals(tmp_path):
    def no(words, content=None, **options):
        refused("run", archive(tmp_path, content, **options), words=["rec.tar.gz", *words])

    no(["no trace.txt in the archive"], files(trace=None))
    no(["layout 2", "up to 1"], files(layout="bouncesim-recording 2\n"))
    no(["layout.txt", "was expected"], files(layout="hello\n"))
    no(["machine.txt", "4194304 bytes"], files(machine="kernel 6\n" + "x" * (5 << 20)))
    double = {"a/trace.txt": ftrace(), "b/trace.txt": ftrace()}
    no(["two files trace.txt"], {"layout.txt": LAYOUT, **double})
    no(["is empty"], files(trace=""))
    (tmp_path / "folder").mkdir()
    refused("run", tmp_path / "folder", words=["is a directory"])


def test_a_sparse_member(tmp_path):
    raw = bytearray(gzip.decompress(pack(files())))
    raw[156:157] = b"S"
    raw[148:156] = b"        "
    raw[148:156] = b"%06o\0 " % sum(raw[:512])
    path = tmp_path / "rec.tar"
    path.write_bytes(raw)
    refused("run", path, words=["sparse"])


@pytest.mark.parametrize("size", ["77777777777", "0000000000x", "gnu"])
def test_absurd_sizes(tmp_path, size):
    raw = bytearray(gzip.decompress(pack(files())))
    raw[124:136] = b"\xff" * 12 if size == "gnu" else size.encode() + b"\0"
    raw[148:156] = b"        "
    raw[148:156] = b"%06o\0 " % sum(raw[:512])
    path = tmp_path / "rec.tar"
    path.write_bytes(raw)
    refused("run", path, words=["rec.tar"])


def test_truncated_everywhere(tmp_path):
    whole = pack(files())
    raw = gzip.decompress(whole)
    path = tmp_path / "rec.tar.gz"
    for cut in (20, len(whole) // 2, len(whole) - 9, len(whole) - 1):
        path.write_bytes(whole[:cut])
        refused("run", path, words=["rec.tar.gz"])
    end = raw.rstrip(b"\0")
    for cut in (512, 700, 1024, 5 * 1024, len(end) - 1, len(end)):
        path.write_bytes(raw[:cut])
        refused("run", path, words=["rec.tar.gz"])


def test_mutations(tmp_path):
    """Any damage is refused with one line, or read; never a crash."""
    raw = gzip.decompress(pack(files()))
    path = tmp_path / "rec.tar"
    dice = random.Random(7)
    for _ in range(60):
        data = bytearray(raw)
        for _ in range(dice.randint(1, 6)):
            data[dice.randrange(3 * 512)] = dice.randrange(256)
        path.write_bytes(data)
        done = subprocess.run(
            [BINARY, "run", path, "-q"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )
        assert done.returncode in (0, 2), done.stderr
        assert done.returncode == 0 or done.stderr.count("\n") == 1, done.stderr


def test_recorded_on_a_real_machine():
    """A disk behind AHCI, three CPUs: Linux 6.12.117 under QEMU, recorded with the script."""
    got = result("run", TESTS / "data" / "ahci2048-3cpu.tar.xz")
    assert got["recording"]["kernel"] == "6.12.117+deb12-amd64"
    assert (got["config"]["nslabs"], got["config"]["nareas"], got["config"]["cpus"]) == (2048, 4, 3)
    recorded = got["recorded"]
    assert recorded["maps_compared"] == recorded["addresses_equal"] == 8505
    assert got["swiotlb"]["used_hiwater"] == recorded["used_hiwater"] == 734
    assert got["swiotlb"]["used"] == recorded["used_end"] == 0


def test_recorded_on_an_old_machine():
    """Linux 6.1.192: block requests in place of mappings."""
    got = result("run", TESTS / "data" / "linux61-1024-4cpu.tar.xz")
    assert got["config"]["kernel"] == "linux-6.1" and got["config"]["nslabs"] == 1024
    assert got["trace"]["level"] == "requests" and got["trace"]["requests"]["count"] == 730


COUNTED = [
    "STAT begin io_tlb_used 4\r\nSTAT end io_tlb_used 0\r\nSTAT end io_tlb_used_hiwater 16\r\n",
    "io_tlb_used 4\nio_tlb_used_hiwater 1\nio_tlb_used 0\nio_tlb_used_hiwater 16\n",
    "/sys/kernel/debug/swiotlb/io_tlb_used:4\n/x/io_tlb_used_hiwater:1\n/x/io_tlb_used:0\n"
    "/x/io_tlb_used_hiwater:16\n",
]


@pytest.mark.parametrize("text", COUNTED)
def test_counters_beside_a_plain_trace(tmp_path, text):
    trace, counts = tmp_path / "trace.txt", tmp_path / "counts"
    trace.write_text(ftrace())
    counts.write_text(text)
    got = result("run", trace, "--counters", counts)
    recorded = got["recorded"]
    assert (recorded["used_begin"], recorded["used_end"], recorded["used_hiwater"]) == (4, 0, 16)
    assert "recording" not in got
    assert result("run", archive(tmp_path), "--counters", counts)["recorded"]["used_begin"] == 4


def test_counters_refused(tmp_path):
    trace, counts = tmp_path / "trace.txt", tmp_path / "counts"
    trace.write_text(ftrace())
    refused("run", trace, "--counters", counts, words=["counts", "cannot open"])
    for text in ("", "hello\n", "STAT begin io_tlb_used many\n", "\0\0\0"):
        counts.write_text(text)
        refused("run", trace, "--counters", counts, words=["no counter in it"])
    counts.write_bytes(b"io_tlb_used 1\n" * 400000)
    refused("run", trace, "--counters", counts, words=["more than 4 MiB"])


def test_masks_of_the_recorded_devices(tmp_path):
    """Nothing of it bounced: only the list of devices tells how far it reaches."""
    text = ftrace() + mapped(9, 0x2000, 0x2000, 4096, dev="0000:00:03.0")
    content = files(trace=text, devices="pci 0000:00:03.0 e1000 32\npci odd name with blanks 64\n")
    devices = result("run", archive(tmp_path, content))["config"]["devices"]
    masks = {device["name"]: device["dma_mask"] for device in devices}
    assert masks["0000:00:03.0"] == "ffffffff" and masks["0000:00:02.0"] == "f" * 16
