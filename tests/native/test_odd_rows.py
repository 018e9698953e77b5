# SPDX-License-Identifier: Apache-2.0
"""Rows of CSV that are odd, and read back the same from what `bouncesim convert` makes of them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from command import needs_binary, output, result  # noqa: E402

pytestmark = needs_binary

HEAD = "time_ns,op,size,id,device\n"
ROWS_THAT_READ_BACK = {
    "long name": HEAD + f"0,read,4096,1,{'n' * 80}\n9,complete,,1,\n",
    "another boot": HEAD + "5000000000,read,4096,1,d\n5000000100,read,4096,2,d\n100,read,4096,3,d\n"
    "200,complete,,3,\n",
    "an end that is not told": HEAD + "0,read,4096,1,d\n5,read,8192,1,d\n9,read,4096,2,d\n",
    "the same, others are": HEAD + "0,read,4096,1,d\n5,read,8192,1,d\n9,complete,,1,\n",
    "mapped twice": "time_ns,op,size,id,device,dir,orig_addr,tlb_addr\n"
    "0,map,4096,1,d,to_device,1000,7b100000\n5,map,4096,1,d,to_device,1000,7b100000\n",
    "a clock of 500 years": "0,8,8192,W,0.551706\n0,80,8192,W,0.554041\n0,8,8192,R,16000000000.5\n",
}


@pytest.mark.parametrize("text", ROWS_THAT_READ_BACK.values(), ids=ROWS_THAT_READ_BACK.keys())
@pytest.mark.parametrize("ending", ["bnc", "csv"])
def test_odd_rows_read_back(tmp_path, text, ending):
    path = tmp_path / "t.csv"
    path.write_text(text)
    again = tmp_path / f"again.{ending}"
    output("convert", path, again)
    before, after = result("run", path), result("run", again)
    for part in "events", "swiotlb", "search":
        assert before[part] == after[part]


def test_names_are_fit_for_json_and_csv(tmp_path):
    """A name may hold anything; two that differ in what cannot be printed are one."""
    path = tmp_path / "t.csv"
    path.write_bytes(HEAD.encode() + b"0,read,4096,1,d\xff\x7fk\n3,read,4096,2,d\xc3\xa4k\n")
    assert [device["name"] for device in result("run", path)["config"]["devices"]] == ["d::k"]
    output("convert", path, tmp_path / "t.bnc")
    assert "d::k" in output("info", tmp_path / "t.bnc")
