# SPDX-License-Identifier: Apache-2.0
"""A machine of plain files: what record-trace.sh finds in tracefs, debugfs, sysfs and procfs."""

import gzip
import io
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from samples import ftrace  # noqa: E402

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "record-trace.sh"
SHELLS = [
    pytest.param(shell, marks=pytest.mark.skipif(not shutil.which(shell[0]), reason="not here"))
    for shell in (["dash"], ["busybox", "sh"])
]

DMA_6_12 = """dma_alloc dma_free dma_map_page dma_unmap_page dma_map_sg dma_map_sg_err dma_unmap_sg
 dma_sync_single_for_cpu dma_sync_single_for_device""".split()
DMA_6_18 = "dma_map_phys dma_unmap_phys dma_map_sg dma_map_sg_err dma_unmap_sg".split()
BLOCK = ["block_rq_issue", "block_rq_complete", "block_rq_insert"]
NET = ["net_dev_queue", "netif_receive_skb", "net_dev_xmit"]

STATS = """entries: {entries}
overrun: {overrun}
commit overrun: 0
bytes: 5000
oldest event ts: {oldest}
now ts:    12.913646
dropped events: {dropped}
read events: 0
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


class Machine:
    """`self.trace` is what the kernel's trace file shows."""

    def __init__(self, root, dma=DMA_6_12, kernel="6.12.48", trace=None, swiotlb=True, cpus=2):
        self.root = root
        self.tracefs = root / "tracefs"
        self.log = root / "kernel.log"
        self.out = root / "out"
        self.bin = root / "bin"
        self.trace = ftrace() if trace is None else trace
        self.out.mkdir(parents=True)
        self.bin.mkdir()
        self.log.write_text("[    0.100000] software IO TLB: area num 2.\n[    1.0] other\n")
        self.tool("dmesg", f'exec cat "{self.log}"')
        self.instance_files(self.tracefs, dma, swiotlb, cpus)
        for name, text in {
            "io_tlb_nslabs": "512\n",
            "io_tlb_used": "0\n",
            "io_tlb_used_hiwater": "16\n",
        }.items():
            write(root / "debugfs/swiotlb" / name, text)
        write(root / "sysfs/devices/system/cpu/possible", f"0-{cpus - 1}\n")
        write(root / "sysfs/devices/system/cpu/online", f"0-{cpus - 1}\n")
        device = root / "sysfs/bus/pci/devices/0000:00:02.0"
        write(device / "dma_mask_bits", "64\n")
        driver = root / "sysfs/bus/pci/drivers/nvme"
        driver.mkdir(parents=True)
        (device / "driver").symlink_to(driver)
        write(root / "procfs/cmdline", "root=/dev/vda1 swiotlb=512,force quiet\n")
        write(root / "procfs/meminfo", "MemTotal: 2012345 kB\nMemAvailable:  800000 kB\n")
        write(root / "procfs/sys/kernel/osrelease", kernel + "\n")
        config = gzip.compress(b"CONFIG_SWIOTLB=y\n# CONFIG_SWIOTLB_DYNAMIC is not set\n")
        (root / "procfs/config.gz").write_bytes(config)

    def instance_files(self, top, dma, swiotlb=True, cpus=2):
        settings = {
            "tracing_on": "1\n",
            "trace": self.trace,
            "buffer_size_kb": "7 (expanded: 1408)\n",
            "current_tracer": "function\n",
            "trace_clock": "[local] global counter uptime perf mono\n",
            "set_event_pid": "17\n42\n",
            "set_event_notrace_pid": "",
            "options/overwrite": "0\n",
            "options/annotate": "1\n",
            "options/bin": "0\n",
            "options/hex": "1\n",
            "options/raw": "0\n",
            "options/fields": "1\n",
        }
        for name, text in settings.items():
            write(top / name, text)
        for system, events in (
            ("swiotlb", ["swiotlb_bounced"] if swiotlb else []),
            ("dma", dma),
            ("block", BLOCK),
            ("net", NET),
        ):
            for event in events:
                write(top / "events" / system / event / "enable", "0\n")
                write(top / "events" / system / event / "filter", "none\n")
        for cpu in range(cpus):
            self.stats(top, cpu)
            write(top / f"per_cpu/cpu{cpu}/buffer_size_kb", "7 (expanded: 1408)\n")

    def stats(self, top, cpu, entries=12, overrun=0, dropped=0, oldest="    7.000000"):
        text = STATS.format(entries=entries, overrun=overrun, dropped=dropped, oldest=oldest)
        write(top / f"per_cpu/cpu{cpu}/stats", text)

    def tool(self, name, body):
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def settings(self):
        """Every setting, as the kernel would understand the file."""
        found = {}
        for path in sorted(self.tracefs.rglob("*")):
            if path.is_file() and path.name not in ("trace", "stats"):
                found[str(path.relative_to(self.tracefs))] = meaning(path)
        return found

    def command(self, *args, shell=("sh",), output="rec.tar.gz"):
        places = [f"--{name}={self.root / name}" for name in ("tracefs", "debugfs", "sysfs")]
        places += [f"--procfs={self.root / 'procfs'}", f"--boot={self.root / 'boot'}"]
        output = [f"--output={self.out / output}"] if output else []
        return [*shell, str(SCRIPT), *places, *output, *map(str, args)]

    def environment(self):
        # DMESG: busybox sh takes its own dmesg, whatever PATH says.
        path = f"{self.bin}:/usr/bin:/bin:/usr/sbin:/sbin"
        return {"PATH": path, "DMESG": str(self.bin / "dmesg")}

    def record(self, *args, status=0, **options):
        done = subprocess.run(
            self.command(*args, **options),
            capture_output=True,
            text=True,
            env=self.environment(),
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stderr
        return done

    def start(self, *args, **options):
        """Returns once it records."""
        process = subprocess.Popen(
            self.command(*args, **options),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(),
        )
        line = ""
        while "recording until" not in line and "recording for" not in line:
            line = process.stderr.readline()
            assert line, "ended before it recorded"
        return process

    def stop(self, process, number, status):
        process.send_signal(number)
        out, error = process.communicate(timeout=60)
        assert process.returncode == status, error
        return out, error

    def archive(self, name="rec.tar.gz"):
        """File names without their folder, in order, and their text."""
        with tarfile.open(self.out / name) as tar:
            members = [m for m in tar.getmembers() if m.isfile()]
            return {Path(m.name).name: tar.extractfile(m).read().decode() for m in members}


def meaning(path):
    text = path.read_text().strip().replace("\n", " ")
    if path.name == "trace_clock" and "[" in text:
        text = text[text.index("[") + 1 : text.index("]")]
    if path.name == "buffer_size_kb":
        text = text.split()[0]
    return "0" if path.name == "filter" and text == "none" else text


def pack(files, kind=tarfile.USTAR_FORMAT, folder="rec/"):
    """A .tar.gz of name → text, as bytes."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=kind) as tar:
        for name, text in files.items():
            data = text if isinstance(text, bytes) else text.encode()
            info = tarfile.TarInfo(folder + name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), mtime=0)


TERM, INT, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGHUP
