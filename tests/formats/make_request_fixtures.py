#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the binary fixtures in requests/: every record of them is made up here."""

import struct
from pathlib import Path

HERE = Path(__file__).resolve().parent / "requests"

READ, WRITE, NOTIFY, PC, DISCARD, QUEUE, ISSUE, COMPLETE = (
    1 << 16, 2 << 16, 0x400 << 16, 0x200 << 16, 0x2000 << 16, 0x11 << 16, 0x41 << 16, 0x81 << 16,
)  # fmt: skip


def blk(order, time, action, sector=0, size=0, cpu=0, pdu=b"", seq=1, dev=8 << 20):
    return struct.pack(
        order + "IIQQIIIIIHH",
        0x65617407, seq, time, sector, size, action, 42, dev, cpu, 0, len(pdu),
    ) + pdu  # fmt: skip


def blktrace(order):
    """Cgroup ids, a passthrough command, a discard, a flush, a notification long before."""
    return b"".join(
        [
            blk(order, 5, NOTIFY | 0, pdu=b"kworker\0"),
            blk(order, 5, NOTIFY | 1, pdu=struct.pack(order + "II", 1, 2)),
            blk(order, 10**9, QUEUE | WRITE | 0x101, 2048, 8192, pdu=bytes(8)),
            blk(order, 10**9 + 500, ISSUE | WRITE | 0x107, 2048, 8192, cpu=1, pdu=bytes(8)),
            blk(order, 10**9 + 700, ISSUE | READ | 7, 4096, 131072, cpu=2),
            blk(order, 10**9 + 800, ISSUE | WRITE | DISCARD | 7, 8192, 1 << 20),
            blk(order, 10**9 + 900, ISSUE | WRITE | 7, 0, 0),
            blk(order, 10**9 + 950, COMPLETE | WRITE | 8, 0, 0),
            blk(order, 10**9 + 1000, COMPLETE | READ | 8, 4096, 131072),
            blk(order, 10**9 + 1500, COMPLETE | WRITE | 0x108, 2048, 8192, pdu=bytes(8)),
            blk(order, 10**9 + 2000, ISSUE | READ | PC | 7, 0, 36, pdu=b"\x12\0\0\0\x24\0"),
            blk(order, 10**9 + 3000, COMPLETE | READ | PC | 8, 0, 36),
            blk(order, 10**9 + 4000, COMPLETE | READ | 8, 77, 512),
        ]
    )


def vscsi(version):
    rows = [
        (0x2A, 4096, 1, 100, 5_000_000, 120),
        (0x28, 65536, 16, 200, 5_000_100, 300),
        (0x35, 0, 0, 0, 5_000_200, 10),
        (0x8A, 4096, 3, 300, 5_000_300, 50),
        (0x12, 36, 1, 0, 5_000_400, 1),
    ]
    out = b""
    for serial, (op, size, segments, lbn, time, response) in enumerate(rows):
        if version == 1:
            out += struct.pack("<IIIHHQQ", serial, size, segments, op, 0x100, lbn, time)
        else:
            out += struct.pack(
                "<HHIIIQQQ", op, 0x200, serial, size, segments, lbn, time, response
            )
    return out


def frame(size):
    return bytes(i & 0xFF for i in range(size))


def pcap(order, link, packets, magic=0xA1B2C3D4, snaplen=65535):
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link)
    for seconds, fraction, data, wire in packets:
        out += struct.pack(order + "IIII", seconds, fraction, len(data), wire or len(data)) + data
    return out


PACKETS = [(1000, 250000, frame(60), 0), (1000, 250100, frame(96), 1514),
           (1001, 0, frame(96), 9000)]  # fmt: skip


def sll(outgoing, size):
    return struct.pack(">HHH8sH", 4 if outgoing else 0, 1, 6, bytes(8), 0x800) + frame(size)


def sll2(outgoing, size):
    return struct.pack(">HHIHBB8s", 0x800, 0, 2, 1, 4 if outgoing else 0, 6, bytes(8)) + frame(size)


def usbpcap(endpoint, size, data):
    head = struct.pack("<HQIHBHHBBI", 27, 1, 0, 9, 0, 1, 2, endpoint, 3, size)
    return head + frame(size if data else 0)


def usbmon(order, event, tag, endpoint, size, data):
    """Of `tcpdump -i usbmonN`: S when submitted, C when given back."""
    head = struct.pack(
        order + "QcBBBHBBqiiII", tag, event, 3, endpoint, 4, 2, 0x2D, 0 if data else 0x3C, 1, 2,
        -115, size, len(data),
    )  # fmt: skip
    return head + bytes(24) + data


def block(order, kind, body):
    body += bytes(-len(body) % 4)
    length = len(body) + 12
    return struct.pack(order + "II", kind, length) + body + struct.pack(order + "I", length)


def pcapng(order):
    """Nanoseconds by if_tsresol, an unknown block, a packet cut by the snaplen."""
    tsresol = struct.pack(order + "HHB3xHH", 9, 1, 9, 0, 0)
    out = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(order, 1, struct.pack(order + "HHI", 1, 0, 128) + tsresol)
    out += block(order, 0x0BAD, b"whatever")
    for time, wire in (10**18, 60), (10**18 + 1500, 1514), (10**18 + 2500, 20000):
        data = frame(min(wire, 128))
        head = struct.pack(order + "IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(data), wire)
        out += block(order, 6, head + data)
    return out


def fixtures():
    transfers = [
        (7, 0, usbpcap(0x02, 31, True), 0), (7, 10, usbpcap(0x81, 0, False), 0),
        (7, 20, usbpcap(0x81, 4096, True), 0),
    ]  # fmt: skip
    monitored = [
        (9, 0, usbmon("<", b"S", 0xFFFF888001234500, 0x02, 31, frame(31)), 0),
        (9, 10, usbmon("<", b"C", 0xFFFF888001234500, 0x02, 31, b""), 0),
        (9, 20, usbmon("<", b"S", 0xFFFF888001234500, 0x81, 65536, b""), 0),
        (9, 30, usbmon("<", b"C", 0xFFFF888001234500, 0x81, 512, frame(512)), 0),
    ]
    return {
        "le.blktrace": blktrace("<"),
        "be.blktrace": blktrace(">"),
        "v1.vscsi": vscsi(1),
        "v2.vscsi": vscsi(2),
        "le.pcap": pcap("<", 1, PACKETS),
        "be.pcap": pcap(">", 1, PACKETS),
        "ns.pcap": pcap("<", 101, PACKETS, magic=0xA1B23C4D),
        "sll.pcap": pcap("<", 113, [(1, 0, sll(True, 100), 0), (1, 5, sll(False, 200), 0)]),
        "sll2.pcap": pcap("<", 276, [(1, 0, sll2(True, 100), 0), (1, 5, sll2(False, 200), 65232)]),
        "usb.pcap": pcap("<", 249, transfers),
        "usbmon.pcap": pcap("<", 220, monitored),
        "le.pcapng": pcapng("<"),
        "be.pcapng": pcapng(">"),
    }


if __name__ == "__main__":
    for name, content in fixtures().items():
        (HERE / name).write_bytes(content)
