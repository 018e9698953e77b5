# SPDX-License-Identifier: Apache-2.0
"""Small result folders in the formats of `bouncesim run` and `bouncesim sweep`."""

import json
import random
from pathlib import Path
from typing import Any, Optional

CAUSES = ["no_pool", "oversize", "exhausted", "area_limited", "fragmented", "alignment",
          "atomic_pool", "unexplained"]
FULLS_HEADER = ("id,time_ns,cpu,device,orig_addr,size,alloc_size,slots_needed,cause,nslabs,used,"
                "free,best_area_free,largest_run")


def by_cause(**counts: int) -> dict[str, int]:
    """All causes, those not given at 0."""
    return {cause: counts.get(cause, 0) for cause in CAUSES}


def trace(span_ns: int = 1_000_000_000) -> dict[str, Any]:
    """What a result says of its trace."""
    return {"files": ["some/where/disk.ftrace.xz"], "format": "ftrace", "records": 1000,
            "skipped": {}, "unmatched_unmaps": 0, "first_ns": 11_817_754_000, "span_ns": span_ns,
            "timed": True}


def run_result(nslabs: int = 1024, nareas: int = 4, hiwater: int = 1000, maps: int = 5000,
               grown: Optional[int] = None, transient: int = 0,
               causes: Optional[dict[str, int]] = None,
               span_ns: int = 1_000_000_000) -> dict[str, Any]:
    """A result.json."""
    causes = causes or by_cause()
    full = sum(causes.values())
    return {"schema": "bouncesim-run/1", "version": "0.1.0", "trace": trace(span_ns),
            "config": {"kernel": "linux-6.12", "engine": "replay", "nslabs": nslabs,
                       "nareas": nareas, "cpus": 4, "start": "7b100000", "force": True,
                       "devices": []},
            "swiotlb": {"nslabs": grown or nslabs, "nareas": nareas, "used": 0,
                        "used_hiwater": hiwater, "transient_nslabs": 0,
                        "transient_nslabs_hiwater": transient, "pools": 1},
            "events": {"maps": maps, "unmaps": maps - full, "syncs": 0, "failed_maps": full,
                       "full": full, "full_by_cause": causes, "lockups": 0},
            "copy": {"bytes_to_device": 1, "bytes_from_device": 1, "calls": 2},
            "fragmentation": {"internal_bytes_hiwater": 0, "external_hiwater": 0.5,
                              "free_segments_min": 0}}


def timeline_header(nareas: int) -> str:
    """The columns of timeline.csv."""
    return ",".join(["time_ns,used,used_max,used_hiwater,nslabs,transient_nslabs",
                     "free_segments_min,maps", *(f"full_{cause}" for cause in CAUSES),
                     *(f"area{n}_used_max" for n in range(nareas))])


def write_run(folder: Path, rows: int = 200, seed: int = 1, **settings: Any) -> Path:
    """A result folder with a random walk as its timeline."""
    result = run_result(**settings)
    nslabs, nareas = result["config"]["nslabs"], result["config"]["nareas"]
    causes, span_ns = result["events"]["full_by_cause"], result["trace"]["span_ns"]
    peak = result["swiotlb"]["used_hiwater"]
    draw = random.Random(seed)
    listed = min(nareas, 64) if nslabs else 0
    lines, used, highest, times = [timeline_header(listed)], 0, 0, []
    for row in range(rows):
        used = peak if row == rows // 2 else max(0, min(peak, used + draw.randint(-40, 45)))
        highest = max(highest, used)
        times.append(row * span_ns // max(rows, 1))
        share = [draw.random() ** 2 for _ in range(listed)]
        areas = [min(int(used * s / max(sum(share), 1e-9)), nslabs // nareas) for s in share]
        lines.append(",".join(map(str, [times[-1], used, used, highest,
                                        result["swiotlb"]["nslabs"], 0, 3, 10, *([0] * len(CAUSES)),
                                        *areas])))
    fulls = [FULLS_HEADER]
    for cause, count in causes.items():
        for _ in range(count):
            at = draw.choice(times)
            used = int(peak * (1 - 0.4 * draw.random() * (cause != "exhausted")))
            fulls.append(f"{len(fulls)},{at},0,0000:00:02.0,7fcfd000,4096,4096,2,{cause},{nslabs},"
                         f"{used},{nslabs - used},2,1")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(json.dumps(result))
    (folder / "timeline.csv").write_text("\n".join(lines) + "\n")
    (folder / "fulls.csv").write_text("\n".join(fulls) + "\n")
    return folder


def point(nslabs: int, hiwater: int, causes: Optional[dict[str, int]] = None, nareas: int = 4,
          kernel: str = "linux-6.12") -> dict[str, Any]:
    """One point of a sweep."""
    result = run_result(nslabs=nslabs, nareas=nareas, hiwater=hiwater, causes=causes)
    keys = ("swiotlb", "events", "copy", "fragmentation")
    return {"kernel": kernel, "nslabs": nslabs, "nareas": nareas,
            **{key: result[key] for key in keys}}


def write_sweep(folder: Path, points: list[dict[str, Any]]) -> Path:
    """A sweep folder."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {"schema": "bouncesim-sweep/1", "version": "0.1.0", "trace": trace(), "points": points}
    (folder / "sweep.json").write_text(json.dumps(data))
    return folder


def write_lifetimes(folder: Path, steps: list[tuple[int, int, int]], **settings: Any) -> Path:
    """A result folder with that histogram: from, below, mappings."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(json.dumps(run_result(**settings)))
    rows = [",".join(map(str, step)) for step in steps]
    (folder / "lifetimes.csv").write_text("\n".join(["at_least_ns,below_ns,maps", *rows]) + "\n")
    return folder
