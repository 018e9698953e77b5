# SPDX-License-Identifier: Apache-2.0
"""Reads what --trace-out and --vcd wrote: a trace's slices, spans and counters, a VCD's signals."""

import json
from collections import defaultdict


def ns(us):
    """The format has microseconds with three digits: whole nanoseconds again."""
    return round(us * 1000)


class Trace:
    """Trace events as a viewer sorts them: by time, equal times as they stand in the file."""

    def __init__(self, text):
        self.events = json.loads(text)["traceEvents"]
        self.processes = {}
        self.threads = {}
        self.slices = defaultdict(list)  # (process, thread): [(begin, end, event)]
        self.counters = defaultdict(list)  # (process, name): [(time, value)]
        self.instants = []
        self.spans = defaultdict(list)  # (process, category): [(begin, end, event)]
        open_spans = {}
        for e in self.events:
            if e["ph"] == "M" and e["name"] == "process_name":
                self.processes[e["pid"]] = e["args"]["name"]
            if e["ph"] == "M" and e["name"] == "thread_name":
                self.threads[e["tid"]] = e["args"]["name"]
        for e in sorted(self.events, key=lambda e: ns(e["ts"])):
            at, process = ns(e["ts"]), self.processes[e["pid"]]
            if e["ph"] == "X":
                track = (process, self.threads[e["tid"]])
                self.slices[track].append((at, at + ns(e["dur"]), e))
            elif e["ph"] == "C":
                self.counters[process, e["name"]].append((at, e["args"]["value"]))
            elif e["ph"] == "i":
                self.instants.append((at, e))
            elif e["ph"] == "b":
                assert (e["cat"], e["id"]) not in open_spans
                open_spans[e["cat"], e["id"]] = (at, e)
            elif e["ph"] == "e":
                begin, first = open_spans.pop((e["cat"], e["id"]))
                assert begin <= at and first["name"] == e["name"]
                self.spans[process, e["cat"]].append((begin, at, first))
            else:
                assert e["ph"] == "M", e
        assert not open_spans

    def check_nesting(self):
        """Of slices on one track each lies wholly in another or outside it."""
        for track, slices in self.slices.items():
            stack = []
            for begin, end, event in slices:
                while stack and stack[-1] <= begin:
                    stack.pop()
                assert not stack or end <= stack[-1], (track, event)
                stack.append(end)

    def check_flat(self, process):
        """No slice of that process's tracks lies over another."""
        for track, slices in self.slices.items():
            if track[0] == process:
                for before, after in zip(slices, slices[1:]):
                    assert before[1] <= after[0], (track, before, after)


class Dump:
    """A VCD: {path: [(time, value)]}, the first of each from $dumpvars; strobes have no value."""

    def __init__(self, text):
        head, body = text.split("$enddefinitions $end\n")
        assert "$timescale 1 ns $end" in head
        codes, scopes, self.kinds = {}, [], {}
        words = head.split()
        for i, word in enumerate(words):
            if word == "$scope":
                scopes.append(words[i + 2])
            elif word == "$upscope":
                scopes.pop()
            elif word == "$var":
                kind, code, name = words[i + 1], words[i + 3], words[i + 4]
                assert code not in codes and words[i + 5] == "$end"
                codes[code] = ".".join([*scopes[1:], name])
                self.kinds[codes[code]] = kind
        assert not scopes
        self.signals = {path: [] for path in codes.values()}
        self.begin = self.end = None
        for line in body.splitlines():
            if line.startswith("#"):
                time = int(line[1:])
                assert self.end is None or time >= self.end
                self.begin = time if self.begin is None else self.begin
                self.end = time
            elif line not in ("$dumpvars", "$end"):
                value, code = line[1:].split(" ") if line[0] == "b" else (line[0], line[1:])
                self.signals[codes[code]].append((self.end, int(value, 2)))
