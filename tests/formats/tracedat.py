# SPDX-License-Identifier: Apache-2.0
"""Writes small trace.dat files, version 6, after trace-cmd.dat.v6(5). As a program: one, to the
file named."""

import struct
import sys
from pathlib import Path

PAGE = 4096
DEV, POOL, ALL = "0000:00:02.0", 0x7B100000, (1 << 64) - 1

COMMON = [("unsigned short", "common_type", 2), ("unsigned char", "common_flags", 1),
          ("unsigned char", "common_preempt_count", 1), ("int", "common_pid", 4)]  # fmt: skip

DIRS = ('__print_symbolic(REC->dir, { 0, "BIDIRECTIONAL" }, { 1, "TO_DEVICE" }, '
        '{ 2, "FROM_DEVICE" }, { 3, "NONE" })')  # fmt: skip
ATTRS = '__print_flags(REC->attrs, "|", { (1UL << 5), "SKIP_CPU_SYNC" }, { (1UL << 8), "NO_WARN" })'

STRING, BYTES, U64, U32 = "s", "b", "Q", "I"

# name: (system, fields, print format)
EVENTS = {
    "swiotlb_bounced": (
        "swiotlb",
        [(STRING, "dev_name"), (U64, "dma_mask"), (U64, "dev_addr"), (U64, "size"), (U32, "force")],
        '"dev_name: %s dma_mask=%llx dev_addr=%llx size=%llu %s", __get_str(dev_name), '
        'REC->dma_mask, REC->dev_addr, REC->size, REC->force ? "FORCE" : "NORMAL"',
    ),
    "dma_map_page": (
        "dma",
        [(STRING, "device"), (U64, "phys_addr"), (U64, "dma_addr"), (U64, "size"), (U32, "dir"),
         (U64, "attrs")],
        '"%s dir=%s dma_addr=%llx size=%llu phys_addr=%llx attrs=%s", __get_str(device), '
        f"{DIRS}, REC->dma_addr, REC->size, REC->phys_addr, {ATTRS}",
    ),
    "dma_unmap_page": (
        "dma",
        [(STRING, "device"), (U64, "addr"), (U64, "size"), (U32, "dir"), (U64, "attrs")],
        '"%s dir=%s dma_addr=%llx size=%llu attrs=%s", __get_str(device), '
        f"{DIRS}, REC->addr, REC->size, {ATTRS}",
    ),
    # As in 6.12: a format that libtraceevent cannot follow.
    "dma_map_sg": (
        "dma",
        [(STRING, "device"), (U32, "full_nents"), (U32, "truncated"), (BYTES, "phys_addrs"),
         (BYTES, "dma_addrs"), (BYTES, "lengths"), (U32, "dir"), (U64, "attrs")],
        '"%s %s", __get_str(device), __not_known(REC->dir, "x", {1)',
    ),
    "dma_unmap_sg": (
        "dma",
        [(STRING, "device"), (BYTES, "addrs"), (U32, "dir"), (U64, "attrs")],
        '"%s %s", __get_str(device), __not_known(REC->dir, "x", {1)',
    ),
    "block_rq_issue": (
        "block",
        [(U32, "major"), (U32, "minor"), (U64, "sector"), (U32, "nr_sector"), (U32, "bytes"),
         (STRING, "rwbs")],
        '"%d,%d %s %u () %llu + %u [x]", REC->major, REC->minor, __get_str(rwbs), REC->bytes, '
        "REC->sector, REC->nr_sector",
    ),
    "block_rq_complete": (
        "block",
        [(U32, "major"), (U32, "minor"), (U64, "sector"), (U32, "nr_sector"), (STRING, "rwbs")],
        '"%d,%d %s () %llu + %u [0]", REC->major, REC->minor, __get_str(rwbs), REC->sector, '
        "REC->nr_sector",
    ),
    "sched_other": ("sched", [(U32, "x")], '"x=%d", REC->x'),
}  # fmt: skip
IDS = {name: 300 + i for i, name in enumerate(EVENTS)}

TYPES = {U64: ("unsigned long long", 8), U32: ("unsigned int", 4),
         STRING: ("__data_loc char[]", 4), BYTES: ("__data_loc u64[]", 4)}  # fmt: skip


class Writer:
    """big: of a big-endian machine."""

    def __init__(self, cpus=2, big=False, version=6):
        self.order = ">" if big else "<"
        self.version = version
        self.events = [[] for _ in range(cpus)]

    def pack(self, code, *values):
        return struct.pack(self.order + code, *values)

    def layout(self, name):
        at = 8
        for kind, field in EVENTS[name][1]:
            size = TYPES[kind][1]
            at = (at + size - 1) // size * size
            yield kind, field, at, size
            at += size

    def format(self, name):
        text = f"name: {name}\nID: {IDS[name]}\nformat:\n"
        at = 0
        for kind, field, size in COMMON:
            text += f"\tfield:{kind} {field};\toffset:{at};\tsize:{size};\tsigned:0;\n"
            at += size
        text += "\n"
        for kind, field, at, size in self.layout(name):
            text += f"\tfield:{TYPES[kind][0]} {field};\toffset:{at};\tsize:{size};\tsigned:0;\n"
        return f"{text}\nprint fmt: {EVENTS[name][2]}\n".encode()

    def add(self, time_ns, name, cpu=0, flags=0, **values):
        fields = list(self.layout(name))
        fixed = bytearray(max(at + size for *_, at, size in fields))
        fixed[0:8] = self.pack("HBBi", IDS[name], flags, 0, 42)
        tail = b""
        for kind, field, at, size in fields:
            value = values[field]
            if kind in (STRING, BYTES):
                data = value.encode() + b"\0" if kind == STRING else value
                value = len(data) << 16 | (len(fixed) + len(tail))
                tail += data
            fixed[at : at + size] = self.pack({8: "Q", 4: "I", 2: "H"}[size], value)
        data = bytes(fixed) + tail
        self.events[cpu].append((time_ns, data + bytes(-len(data) % 4)))

    def numbers(self, values, code):
        return b"".join(self.pack(code, v) for v in values)

    def header(self, type_len, delta):
        word = delta << 5 | type_len if self.order == "<" else type_len << 27 | delta
        return self.pack("I", word)

    def pages(self, events, lost=0):
        out, page, start, last = b"", b"", None, None

        def close():
            commit = len(page) | (1 << 31 if lost and not out else 0)
            body = page
            if lost and not out:  # how many were lost stands behind the data
                commit |= 1 << 30
                body += self.pack("Q", lost)
            return (self.pack("QQ", start, commit) + body).ljust(PAGE, b"\0")

        for time, data in events:
            size = len(data) + (8 if len(data) > 112 else 4)
            if page and len(page) + size > PAGE - 16 - 8:
                out, page = out + close(), b""
            if not page:
                start = last = time
            if len(data) > 112:
                page += self.header(0, time - last) + self.pack("I", len(data) + 4) + data
            else:
                page += self.header(len(data) // 4, time - last) + data
            last = time
        return out + close() if page else out

    def sized(self, code, data):
        return self.pack(code, len(data)) + data

    def bytes(self, lost=0):
        out = b"\x17\x08\x44tracing" + f"{self.version}\0".encode()
        out += bytes([self.order == ">", 8]) + self.pack("I", PAGE)
        page = b"".join(
            b"\tfield: %s %s;\toffset:%d;\tsize:%d;\tsigned:%d;\n" % x
            for x in ((b"u64", b"timestamp", 0, 8, 0), (b"local_t", b"commit", 8, 8, 1),
                      (b"int", b"overwrite", 8, 1, 1), (b"char", b"data", 16, PAGE - 16, 0))
        )  # fmt: skip
        event = (b"# compressed entry header\n\ttype_len    :    5 bits\n"
                 b"\ttime_delta  :   27 bits\n\tarray       :   32 bits\n\n"
                 b"\tpadding     : type == 29\n\ttime_extend : type == 30\n"
                 b"\tdata max type_len  == 28\n")  # fmt: skip
        out += b"header_page\0" + self.sized("Q", page) + b"header_event\0"
        out += self.sized("Q", event) + self.pack("I", 0)
        systems = sorted({system for system, *_ in EVENTS.values()})
        out += self.pack("I", len(systems))
        for system in systems:
            names = [name for name in EVENTS if EVENTS[name][0] == system]
            out += system.encode() + b"\0" + self.pack("I", len(names))
            out += b"".join(self.sized("Q", self.format(name)) for name in names)
        out += self.pack("I", 0) + self.pack("I", 0) + self.sized("Q", b"42 fio\n")
        out += self.pack("I", len(self.events)) + b"options  \0" + self.pack("H", 0)
        out += b"flyrecord\0"
        at = (len(out) + 16 * len(self.events) + PAGE - 1) // PAGE * PAGE
        data = b""
        for events in self.events:
            pages = self.pages(events, lost)
            out += self.pack("QQ", at + len(data), len(pages))
            data += pages
        return out.ljust(at, b"\0") + data


def recording(count=40, **how):
    """Pages mapped one by one on two CPUs, then a list; all of it unmapped in the end."""
    w = Writer(**how)
    time = 5_000_000_000
    for i in range(count):
        where = {"cpu": i % 2}
        orig, tlb = 0x1000000 + i * 0x1000, POOL + (i % 2) * 0x80000 + i // 2 * 0x1000
        w.add(time, "swiotlb_bounced", **where, dev_name=DEV, dma_mask=ALL, dev_addr=orig,
              size=4096, force=1)  # fmt: skip
        w.add(time + 100, "dma_map_page", **where, device=DEV, phys_addr=orig, dma_addr=tlb,
              size=4096, dir=2, attrs=1 << 8)  # fmt: skip
        w.add(time + 200, "sched_other", **where, x=i)
        w.add(time + 500_000, "dma_unmap_page", **where, device=DEV, addr=tlb, size=4096, dir=2,
              attrs=0)  # fmt: skip
        time += 1_000_000
    origs = [0x2000000 + i * 0x10000 for i in range(30)]
    tlbs = [POOL + 0x40000 + i * 0x800 for i in range(30)]
    for i, orig in enumerate(origs):
        w.add(time + i, "swiotlb_bounced", dev_name=DEV, dma_mask=ALL, dev_addr=orig, size=2048,
              force=1)  # fmt: skip
    w.add(time + 100, "dma_map_sg", device=DEV, full_nents=30, truncated=0,
          phys_addrs=w.numbers(origs, "Q"), dma_addrs=w.numbers(tlbs, "Q"),
          lengths=w.numbers([2048] * 30, "I"), dir=1, attrs=0)  # fmt: skip
    w.add(time + 900, "dma_unmap_sg", device=DEV, addrs=w.numbers(origs, "Q"), dir=1, attrs=1 << 5)
    return w


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(recording(6).bytes())
