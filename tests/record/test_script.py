# SPDX-License-Identifier: Apache-2.0
"""scripts/record-trace.sh on a tracefs of plain files: what it sets, writes down and puts back."""

import resource
import shutil
import subprocess

import pytest

from fake import BLOCK, DMA_6_12, DMA_6_18, HUP, INT, SCRIPT, SHELLS, TERM, Machine
from samples import ftrace


def busy(machine):
    """Somebody else's settings."""
    for name, text in {
        "events/dma/dma_map_page/enable": "1\n",
        "events/dma/dma_map_page/filter": 'size > 4096 && device == "x"\n',
        "events/swiotlb/swiotlb_bounced/enable": "1*\n",
        "events/block/block_rq_insert/enable": "1\n",
        "tracing_on": "0\n",
    }.items():
        (machine.tracefs / name).write_text(text)
    before = machine.settings()
    before["events/swiotlb/swiotlb_bounced/enable"] = "1"
    return before


def one_line(done):
    assert done.stderr.startswith("record-trace: ") and done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""
    return done.stderr


def nothing_left(machine, before):
    assert list(machine.out.iterdir()) == []
    assert machine.settings() == before


@pytest.mark.parametrize("shell", SHELLS)
def test_every_setting_is_put_back(tmp_path, shell):
    machine = Machine(tmp_path)
    before = busy(machine)
    after = machine.record("-d", "0.1", "-b", "2M", shell=shell)
    restored = machine.settings()
    restored["events/swiotlb/swiotlb_bounced/enable"] = "1"
    assert restored == before
    assert after.stdout == f"{machine.out}/rec.tar.gz: 24 events, 0 lost\n"
    assert [path.name for path in machine.out.iterdir()] == ["rec.tar.gz"]


def test_what_is_set_while_it_records(tmp_path):
    machine = Machine(tmp_path)
    busy(machine)
    process = machine.start("-d", "60", "-b", "3M")
    during = machine.settings()
    machine.stop(process, INT, 0)
    wanted = {
        "tracing_on": "1",
        "buffer_size_kb": "3072",
        "current_tracer": "nop",
        "trace_clock": "mono",
        "set_event_pid": "",
        "options/overwrite": "1",
        "options/hex": "0",
        "options/fields": "0",
    }
    assert {name: during[name] for name in wanted} == wanted
    for event in ["swiotlb/swiotlb_bounced"] + [f"dma/{e}" for e in DMA_6_12]:
        assert during[f"events/{event}/enable"].startswith("1"), event
        assert during[f"events/{event}/filter"] == "0"
    assert during["events/block/block_rq_issue/enable"] == "1"
    assert during["events/net/net_dev_queue/enable"] == "0"


@pytest.mark.parametrize("shell", SHELLS)
def test_ctrl_c_ends_the_recording(tmp_path, shell):
    machine = Machine(tmp_path)
    before = machine.settings()
    process = machine.start("-d", "60", shell=shell)
    out, _ = machine.stop(process, INT, 0)
    assert "rec.tar.gz: 24 events" in out
    assert machine.settings() == before
    assert machine.archive()["trace.txt"] == machine.trace


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("number,status", [(TERM, 143), (HUP, 129)])
def test_a_signal_leaves_nothing(tmp_path, shell, number, status):
    machine = Machine(tmp_path)
    before = machine.settings()
    machine.stop(machine.start("--watch", "-d", "60", shell=shell), number, status)
    nothing_left(machine, before)


def test_cpus_with_buffers_of_different_sizes(tmp_path):
    machine = Machine(tmp_path)
    (machine.tracefs / "buffer_size_kb").write_text("X\n")
    (machine.tracefs / "per_cpu/cpu1/buffer_size_kb").write_text("512\n")
    before = machine.settings()
    process = machine.start("-d", "60", "-b", "4M")
    assert machine.settings()["per_cpu/cpu1/buffer_size_kb"] == "4096"
    machine.stop(process, INT, 0)
    assert machine.settings() == before


def test_an_instance_of_its_own(tmp_path):
    machine = Machine(tmp_path)
    model, made = tmp_path / "model", machine.tracefs / "instances/bouncesim"
    machine.instance_files(model, DMA_6_12)
    (machine.tracefs / "instances").mkdir()
    for tool, instead in (("mkdir", f'cp -r "{model}"'), ("rmdir", "rm -r")):
        body = f'case $1 in "{made}") exec {instead} "$1" ;; esac; exec /bin/{tool} "$@"'
        machine.tool(tool, body)
    before = machine.settings()
    process = machine.start("-d", "60")
    during = machine.settings()
    assert {name: during[name] for name in before} == before  # the top one is left alone
    assert during["instances/bouncesim/events/dma/dma_map_sg/enable"] == "1"
    machine.stop(process, INT, 0)
    assert machine.settings() == before
    assert "instance own\n" in machine.archive()["machine.txt"]
    shutil.copytree(model, made)
    error = one_line(machine.record(status=1))
    assert "another recording runs" in error


def test_without_instances_the_top_one_is_used(tmp_path):
    machine = Machine(tmp_path)
    (machine.tracefs / "instances").mkdir()  # plain files: a new folder in it stays empty
    before = machine.settings()
    machine.record("-d", "0.1")
    assert machine.settings() == before
    assert list((machine.tracefs / "instances").iterdir()) == []
    assert "instance top\n" in machine.archive()["machine.txt"]


@pytest.mark.parametrize("shell", SHELLS)
def test_what_is_in_the_archive(tmp_path, shell):
    machine = Machine(tmp_path)
    machine.record("-d", "0.1", "-b", "2M", shell=shell)
    files = machine.archive()
    assert list(files) == [
        f"{name}.txt" for name in ("layout", "machine", "counters", "devices", "dmesg", "trace")
    ]
    assert files["layout.txt"] == "bouncesim-recording 1\n"
    lines = files["machine.txt"].splitlines()
    for line in (
        "kernel 6.12.48",
        "cpus_possible 0-1",
        "cpus_online 0-1",
        "memory_kb 2012345",
        "boot root=/dev/vda1 swiotlb=512,force quiet",
        "config CONFIG_SWIOTLB_DYNAMIC n",
        "clock mono",
        "buffer_kb 2048",
        "event swiotlb/swiotlb_bounced",
        "event dma/dma_map_sg_err",
        "event block/block_rq_complete",
    ):
        assert line in lines, line
    assert "STAT begin io_tlb_used 0\n" in files["counters.txt"]
    assert "STAT end io_tlb_used_hiwater 16\n" in files["counters.txt"]
    assert files["counters.txt"].count("/stats entries: 12 overrun: 0 commit overrun: 0 ") == 2
    assert files["devices.txt"] == "pci 0000:00:02.0 nvme 64\n"
    assert files["dmesg.txt"] == "[    0.100000] software IO TLB: area num 2.\n"
    assert files["trace.txt"] == machine.trace


def test_options_leave_events_out(tmp_path):
    machine = Machine(tmp_path)
    machine.record("-d", "0.1", "--no-sync", "--no-block", "--clock", "nosuch")
    lines = machine.archive()["machine.txt"].splitlines()
    assert "event dma/dma_map_page" in lines and "clock local" in lines
    assert not [line for line in lines if "sync" in line or "event block" in line]


def test_names_of_6_18(tmp_path):
    machine = Machine(tmp_path, dma=DMA_6_18, kernel="6.18.2")
    machine.record("-d", "0.1")
    lines = machine.archive()["machine.txt"].splitlines()
    assert {f"event dma/{name}" for name in DMA_6_18} <= set(lines)


def test_before_6_12(tmp_path):
    machine = Machine(tmp_path, dma=[], kernel="6.1.140")
    before = machine.settings()
    done = machine.record("-d", "0.1", "--no-block")
    assert "no dma events" in done.stderr
    lines = machine.archive()["machine.txt"].splitlines()
    assert [line for line in lines if line.startswith("event ")] == [
        "event swiotlb/swiotlb_bounced",
        "event net/net_dev_queue",
        "event net/netif_receive_skb",
    ]
    assert machine.settings() == before
    machine.record("-d", "0.1")
    assert f"event block/{BLOCK[0]}" in machine.archive()["machine.txt"]


@pytest.mark.parametrize("shell", SHELLS)
def test_watch(tmp_path, shell):
    machine = Machine(tmp_path)
    full = "nvme 0000:00:02.0: swiotlb buffer is full (sz: 4096 bytes), total 512 (slots)"
    machine.log.write_text(f"[    5.000000] {full}, used 512 (slots)\n")
    before = machine.settings()
    process = machine.start("--watch", "--after", "0.1", shell=shell)
    with pytest.raises(subprocess.TimeoutExpired):  # the line that was there is an old one
        process.wait(0.6)
    with machine.log.open("a") as log:
        log.write(f"[    9.000000] {full}, used 511 (slots)\n")
    _, error = process.communicate(timeout=30)
    assert process.returncode == 0 and "the pool was full" in error
    assert machine.archive()["dmesg.txt"].count("buffer is full") == 2
    assert machine.settings() == before


@pytest.mark.parametrize("mark", ["461", "90%"])
def test_until_used(tmp_path, mark):
    machine = Machine(tmp_path)
    used = machine.root / "debugfs/swiotlb/io_tlb_used"
    used.write_text("459\n")
    process = machine.start("--until-used", mark, "-a", "0")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    used.write_text("461\n")
    _, error = process.communicate(timeout=30)
    assert process.returncode == 0 and "461 slots in use" in error
    assert "STAT begin io_tlb_used 459\nSTAT" in machine.archive()["counters.txt"]


def test_watching_has_an_end(tmp_path):
    machine = Machine(tmp_path)
    done = machine.record("--watch", "--until-used=512", "-d", "0.3")
    assert "0.3 s are over" in done.stderr
    assert machine.archive()["trace.txt"] == machine.trace


def test_lost_events_are_said(tmp_path):
    machine = Machine(tmp_path)
    machine.stats(machine.tracefs, 1, entries=5, overrun=700, dropped=3)
    done = machine.record("-d", "0.1")
    assert done.stdout.endswith(": 17 events, 703 lost\n")
    assert "--buffer" in done.stderr


def test_reset_hiwater(tmp_path):
    machine = Machine(tmp_path)
    machine.record("-d", "0.1")
    assert "STAT begin io_tlb_used_hiwater 16\n" in machine.archive()["counters.txt"]
    machine.record("-d", "0.1", "--reset-hiwater")
    assert "STAT begin io_tlb_used_hiwater 0\n" in machine.archive()["counters.txt"]


def test_without_debugfs(tmp_path):
    machine = Machine(tmp_path)
    shutil.rmtree(machine.root / "debugfs")
    done = machine.record("-d", "0.1")
    assert "counters are not recorded" in done.stderr
    assert "STAT begin" not in machine.archive()["counters.txt"]
    assert "no " in one_line(machine.record("--until-used", "5", status=1))


@pytest.mark.parametrize("shell", SHELLS)
def test_little_is_enough(tmp_path, shell):
    """Settings that a kernel does not have are not missed, and nothing is said of them."""
    machine = Machine(tmp_path)
    for name in ("sysfs", "procfs", "tracefs/options", "tracefs/per_cpu", "tracefs/events/block"):
        shutil.rmtree(machine.root / name)
    for name in ("buffer_size_kb", "trace_clock", "current_tracer", "set_event_pid"):
        (machine.tracefs / name).unlink()
    before = machine.settings()
    done = machine.record("-d", "0.1", shell=shell)
    assert done.stderr == "record-trace: recording for 0.1 s, Ctrl-C ends it earlier\n"
    assert machine.settings() == before
    files = machine.archive()
    assert files["trace.txt"] == machine.trace and "event dma/dma_map_sg\n" in files["machine.txt"]


def test_errors_are_one_line(tmp_path):
    machine = Machine(tmp_path, swiotlb=False)
    before = machine.settings()
    assert "no event swiotlb:swiotlb_bounced" in one_line(machine.record(status=1))
    for args, word in (
        (["--nonsense"], "no such option"),
        (["-d"], "a value was expected"),
        (["-d", "ten"], "seconds were expected"),
        (["-b", "16T"], "a size such as 16M"),
        (["-b", "M"], "a size such as 16M"),
        (["-u", "5%0"], "slots or a percentage"),
        (["-o", "/nonexistent/folder/rec.tar.gz"], "no such directory"),
        (["-o", tmp_path], "is a directory"),
    ):
        assert word in one_line(machine.record(*args, status=2)), args
    assert "no tracefs" in one_line(machine.record("--tracefs", tmp_path / "none", status=1))
    nothing_left(machine, before)
    assert "usage: record-trace.sh" in machine.record("--help").stdout


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_full_disk(tmp_path, shell, packed):
    """The trace does not fit, or what is packed does not: no archive, everything put back."""
    machine = Machine(tmp_path, trace=ftrace(count=100))
    if packed:
        if shell[0] == "busybox":
            pytest.skip("takes its own gzip, whatever PATH says")
        machine.tool("gzip", "head -c 1000; exit 1")
    most = 1 << (20 if packed else 13)
    assert len(machine.trace) > 1 << 13
    before = machine.settings()
    (machine.out / "rec.tar.gz").write_text("an older one")
    done = subprocess.run(
        machine.command("-d", "0.1", shell=shell),
        capture_output=True,
        text=True,
        env=machine.environment(),
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
    )
    assert done.returncode == 1, done.stderr
    assert "is the disk full?" in done.stderr
    assert [path.read_text() for path in machine.out.iterdir()] == ["an older one"]
    assert machine.settings() == before


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck():
    done = subprocess.run(
        ["shellcheck", "--shell=sh", SCRIPT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
