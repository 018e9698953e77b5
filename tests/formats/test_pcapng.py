# SPDX-License-Identifier: Apache-2.0
"""Captures as Wireshark, mergecap and others write them: pcapng block by block, and odd headers of
pcap."""

import struct
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import needs_binary, output, refused, result, rows  # noqa: E402

pytestmark = needs_binary
HERE = Path(__file__).resolve().parent / "requests"
START = 1_700_000_000  # seconds
ORDERS = "<>"


def padded(data):
    return data + bytes(-len(data) % 4)


def block(order, kind, body):
    total = struct.pack(order + "I", len(padded(body)) + 12)
    return struct.pack(order + "I", kind) + total + padded(body) + total


def options(order, values):
    text = b"".join(
        struct.pack(order + "HH", code, len(value)) + padded(value) for code, value in values
    )
    return text + bytes(4) if values else b""


def section(order):
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order, link=1, snap=262144, values=()):
    return block(order, 1, struct.pack(order + "HHI", link, 0, snap) + options(order, values))


def packet(order, number, ticks, length, data=b"", values=()):
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), length)
    return block(order, 6, head + padded(data) + options(order, values))


def read(path, content, *args):
    path.write_bytes(content)
    return result("run", path, *args)


def times(path, content):
    path.write_bytes(content)
    return [int(row["time_ns"]) for row in rows(output("run", path, "--mappings", "-"))]


@pytest.mark.parametrize("order", ORDERS)
def test_interfaces_of_several_kinds(tmp_path, order):
    """Other link types, snapshot lengths and units of time in one file; SLL has 16 bytes of its own."""
    content = (
        section(order)
        + interface(order)
        + interface(order, link=113, snap=96)
        + interface(order, values=[(2, b"eth9"), (9, b"\x09")])
        + packet(order, 0, START * 10**6, 60, bytes(60))
        + packet(order, 1, START * 10**6 + 5, 1516, bytes(96))
        + packet(order, 2, START * 10**9 + 9000, 9000)
    )
    got = read(tmp_path / "t", content)["trace"]
    assert (got["format"], got["records"], got["span_ns"]) == ("pcap", 3, 9000)
    assert got["requests"]["bytes"] == 60 + 1500 + 9000


def test_a_section_of_another_byte_order(tmp_path):
    parts = [
        section(order) + interface(order) + packet(order, 0, (START + n) * 10**6, 60)
        for n, order in enumerate("<><")
    ]
    got = read(tmp_path / "t", b"".join(parts))["trace"]
    assert (got["records"], got["span_ns"]) == (3, 2 * 10**9)
    # The interfaces of a section are its own.
    (tmp_path / "t").write_bytes(parts[0] + section(">") + packet(">", 0, START * 10**6, 60))
    refused("run", tmp_path / "t", words=["byte 108: a packet of an interface that no block"])


def test_pcap_and_pcapng_one_after_the_other():
    names = [HERE / name for name in ("le.pcap", "be.pcapng", "le.pcapng", "ns.pcap", "be.pcap")]
    got = result("run", *names)["trace"]
    assert got["records"] == sum(result("run", name)["trace"]["records"] for name in names)


@pytest.mark.parametrize(
    "unit,ticks,expected",
    [
        (None, 1, 1000),
        (6, 1, 1000),
        (9, 1, 1),
        (12, 1500, 1),
        (3, 1, 10**6),
        (0, 1, 10**9),
        (0x80 | 10, 512, 500_000_000),
        (0x80 | 32, 1 << 31, 500_000_000),
        (0x80 | 0, 1, 10**9),
    ],
)
def test_units_of_time(tmp_path, unit, ticks, expected):
    v = 6 if unit is None else unit
    second = 1 << (v & 127) if v & 128 else 10**v
    at = 100 * second
    values = [] if unit is None else [(9, bytes([v]))]
    content = section("<") + interface("<", values=values)
    content += packet("<", 0, at, 60) + packet("<", 0, at + ticks, 60)
    assert times(tmp_path / "t", content) == [0, expected]


def test_offset_of_times(tmp_path):
    later = interface("<", values=[(14, struct.pack("<q", 3))])
    content = section("<") + interface("<") + later
    content += packet("<", 0, START * 10**6, 60) + packet("<", 1, START * 10**6, 60)
    assert times(tmp_path / "t", content) == [0, 3 * 10**9]
    early = interface("<", values=[(14, struct.pack("<q", -2 * START))])
    (tmp_path / "t").write_bytes(section("<") + early + packet("<", 0, START * 10**6, 60))
    refused("run", tmp_path / "t", words=["byte 64: a packet of a time beyond reason"])


@pytest.mark.parametrize("order", ORDERS)
def test_directions(tmp_path, order):
    flags = [[(2, struct.pack(order + "I", word))] for word in (1, 2, 0x1E0)]
    content = section(order) + interface(order)
    for n, values in enumerate(flags):
        content += packet(order, 0, START * 10**6 + n, 100 + n, bytes(7), values)
    got = read(tmp_path / "t", content)["trace"]["requests"]
    assert (got["reads"], got["writes"]) == (2, 1)
    assert "taken as received" in output("run", tmp_path / "t")
    content = section(order) + interface(order) + packet(order, 0, 1, 60, bytes(7), flags[1])
    (tmp_path / "t").write_bytes(content)
    assert "taken as received" not in output("run", tmp_path / "t")


def test_what_the_recorder_dropped(tmp_path):
    def dropped(here, system):
        values = [(5, struct.pack("<Q", here)), (7, struct.pack("<Q", system))]
        return block("<", 5, struct.pack("<III", 0, 0, 0) + options("<", values))

    content = section("<") + interface("<") + packet("<", 0, 1, 60)
    got = read(tmp_path / "t", content + dropped(3, 0) + dropped(5, 2))["trace"]
    assert (got["lost_events"], got["records"]) == (7, 1)
    assert "7 events lost by the recorder" in output("run", tmp_path / "t")


def test_packets_without_time_and_blocks_of_others(tmp_path):
    simple = block("<", 3, struct.pack("<I", 1514) + bytes(96))
    old = block("<", 2, struct.pack("<HHIIII", 0, 0, 0, 50, 4, 70) + bytes(4))
    content = section("<") + interface("<") + block("<", 0xBAD, b"a comment") + simple + old + simple
    got = read(tmp_path / "t", content)["trace"]
    assert (got["records"], got["requests"]["bytes"]) == (3, 1514 + 70 + 1514)
    assert (got["span_ns"], got["time_steps_back"]) == (50_000, 0)


def test_blocks_beyond_the_buffer(tmp_path):
    names = block("<", 4, bytes(700_000))
    large = packet("<", 0, 5, 600_000, bytes(600_000), [(2, struct.pack("<I", 2))])
    content = section("<") + interface("<") + packet("<", 0, 1, 60)
    content += names + large + packet("<", 0, 9, 60)
    got = read(tmp_path / "t", content)["trace"]
    assert (got["records"], got["requests"]["bytes"]) == (3, 600_120)
    for piece in 50, 500_000:  # the end of the large one is missing
        cut = read(tmp_path / "t", content[: -len(packet("<", 0, 9, 60)) - piece])["trace"]
        assert cut["skipped"]["cut_records"] == 1


@pytest.mark.parametrize("order", ORDERS)
def test_usb_in_the_byte_order_of_its_section(tmp_path, order):
    def urb(kind, length, data_length):
        head = struct.pack(order + "QBBBBHBBqiiII", 0xABC, ord(kind), 3, 0x81, 2, 5, 0, 0, 0, 0, 0,
                           length, data_length)
        return head.ljust(64, b"\0")

    content = section(order) + interface(order, link=220)
    for n, (kind, length) in enumerate([("S", 65536), ("C", 512)]):
        content += packet(order, 0, START * 10**6 + n, 64, urb(kind, length, 0))
    got = read(tmp_path / "t", content)
    assert [device["name"] for device in got["config"]["devices"]] == ["usb5"]
    assert (got["trace"]["requests"]["bytes"], got["trace"]["unmatched_unmaps"]) == (65536, 0)
    assert got["trace"]["requests"]["service_time_assumed"] is False


@pytest.mark.parametrize(
    "at,bytes_there,words",
    [
        (32, b"\x15\0\0\0", ["byte 28: a block of a length that no block has"]),
        (32, b"\0\0\0\0", ["byte 28: a block of a length"]),
        (44, b"\x18\0\0\0", ["byte 28: a block with two lengths"]),
        (56, b"\x01\0\0\0", ["byte 48: a packet of an interface"]),
        (12, b"\x02\0", ["byte 0: a section that is not of version 1"]),
    ],
)
def test_refusals(tmp_path, at, bytes_there, words):
    path = tmp_path / "t"
    content = bytearray(section("<") + interface("<") + packet("<", 0, 1, 60) * 2)
    content[at : at + len(bytes_there)] = bytes_there
    path.write_bytes(content)
    refused("run", path, words=[f"{path}: ", "whole pcapng blocks were expected", *words])


def test_cut_in_a_block(tmp_path):
    path = tmp_path / "t"
    content = section("<") + interface("<") + packet("<", 0, 1, 60, bytes(60)) * 2
    for length in 1, 50, 90:
        got = read(path, content[:-length])["trace"]
        assert (got["records"], got["skipped"]["cut_records"]) == (1, 1)
    path.write_bytes(content[:60])
    refused("run", path, words=["byte 48: the input ends in the record"])
    path.write_bytes(section("<") + interface("<"))
    refused("run", path, words=["no records in it"])


def test_pcap_headers(tmp_path):
    """Cut in the header, and the old format that says more of each packet."""
    path = tmp_path / "t"
    path.write_bytes((HERE / "le.pcap").read_bytes()[:20])
    refused("run", path, words=["byte 0: ", "header", "a whole capture"])
    content = struct.pack("<IHHiIII", 0xA1B2CD34, 2, 4, 0, 0, 65535, 1)
    for n in range(3):
        content += struct.pack("<IIIIIHBB", START, n, 60, 1514, 2, 0x800, 0, 0) + bytes(60)
    assert read(path, content)["trace"]["requests"]["bytes"] == 3 * 1514


def test_pcap_layouts_one_after_the_other(tmp_path):
    """Of each, as many bytes are read as it has: those before 2.4, and with more of each packet."""

    def capture(order, minor=4, magic=0xA1B2C3D4, swapped=False, more=b""):
        out = struct.pack(order + "IHHiIII", magic, 2, minor, 0, 0, 65535, 1)
        for captured, length in (0, 60), (60, 60), (70, 1514), (5000, 5000):
            both = (length, captured) if swapped else (captured, length)
            out += struct.pack(order + "IIII", START, 0, *both) + more + bytes(captured)
        return out

    joined = b"".join(
        capture(order, **how)
        for order in ORDERS
        for how in ({}, {"minor": 2, "swapped": True}, {"minor": 3}, {"magic": 0xA1B23C4D},
                    {"magic": 0xA1B2CD34, "more": bytes(8)})  # fmt: skip
    )
    got = read(tmp_path / "all.pcap", joined)
    assert got["trace"]["records"] == 40 and got["trace"]["requests"]["count"] == 40
    assert got["events"]["maps"] == 50  # 5,000 bytes are two pages
