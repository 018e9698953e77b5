# SPDX-License-Identifier: Apache-2.0
"""What all plots share: the look, words for sizes, loaders that refuse what they do not know.

Results are read by key and by column name, never by position, and only under a schema this file
names: a plot of misread numbers is worse than none.
"""

import csv
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple, Optional

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend has to be chosen first)
from matplotlib.figure import Figure  # noqa: E402

SLOT_BYTES = 2048  # IO_TLB_SIZE
RUN_SCHEMA = "bouncesim-run/1"
SWEEP_SCHEMA = "bouncesim-sweep/1"
LARGEST_NUMBER = 2**64 - 1
LARGEST_CSV_FIELD = 1 << 20


class Refused(Exception):
    """An input that cannot be plotted; the text is the one line the user sees."""


class Cause(NamedTuple):
    """How a cause of full events looks everywhere: colour, marker and hatch all differ."""

    name: str
    colour: str
    marker: str
    hatch: str
    meaning: str


# Colours of Okabe and Ito, told apart with every common colour blindness; green is kept for "no
# full event". The order is that of the stacks, from the bottom.
CAUSES = (
    Cause("exhausted", "#D55E00", "o", "", "too few free slots"),
    Cause("area_limited", "#F0C000", "s", "//", "enough free, in no single area"),
    Cause("fragmented", "#0072B2", "^", "..", "enough in an area, no run that long"),
    Cause("alignment", "#CC79A7", "D", "xx", "a run is there, not as aligned"),
    Cause("oversize", "#000000", "X", "--", "larger than any pool can serve"),
    Cause("no_pool", "#8C6D46", "P", "\\\\", "there is no pool"),
    Cause("atomic_pool", "#56B4E9", "v", "++", "the atomic pool was empty"),
    Cause("unexplained", "#9A9A9A", "*", "||", "failed when recorded, nothing shows why"),
)
CAUSE_OF = {cause.name: cause for cause in CAUSES}

INK = "#1c2733"
MUTED = "#5b6673"
USED_FILL = "#ccd3da"
USED_LINE = "#7b8794"
GOOD = "#007a5a"
SERIES = ("#1c2733", "#0072B2", "#D55E00", "#CC79A7", "#56B4E9", "#8C6D46", "#F0C000", "#7b8794")
SERIES_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

STYLE = {
    "figure.dpi": 130,
    "savefig.dpi": 130,
    "font.size": 12,
    "axes.labelsize": 12,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e6e9ed",
    "grid.linewidth": 0.8,
    "hatch.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "bouncesim",  # the same input gives the same file
}


def bytes_text(size: float) -> str:
    """A size as people say it: 8 MiB, 1.5 MiB, 4 KiB."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            number = f"{size / factor:.3g}" if size < 1000 * factor else f"{size // factor}"
            return f"{number} {unit}"
    return f"{size:.0f} B"


def slots_text(slots: int) -> str:
    """Slots without separators, as they are typed after swiotlb=, and what they cost."""
    return f"{plural(slots, 'slot', separator='')} ({bytes_text(slots * SLOT_BYTES)})"


def plural(count: int, thing: str, separator: str = ",") -> str:
    """1 map, 2 maps, 12,345 maps."""
    return f"{count:{separator}} {thing}{'' if count == 1 else 's'}"


def causes_text(by_cause: dict[str, int]) -> str:
    """The causes that occurred, most frequent first."""
    seen = [(count, name) for name, count in by_cause.items() if count]
    seen.sort(key=lambda item: (-item[0], item[1]))
    return ", ".join(f"{count:,} {name}" for count, name in seen)


def time_scale(span_ns: int) -> tuple[str, float]:
    """The unit in which a span reads well, and its length in nanoseconds."""
    for unit, length in (("h", 3.6e12), ("min", 6e10)):
        if span_ns >= 10 * length:
            return unit, length
    for unit, length in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if span_ns >= length:
            return unit, length
    return "ns", 1.0


def whole_number(value: Any, where: str) -> int:
    """Counts are unsigned 64-bit numbers; anything else is a damaged file."""
    try:
        if isinstance(value, (bool, float)) or (isinstance(value, str) and not value.isdecimal()):
            raise ValueError
        number = int(value) if len(str(value)) <= 20 else LARGEST_NUMBER + 1
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number <= LARGEST_NUMBER:
        raise Refused(f"{where}: {str(value)[:40]!r} is not a whole number from 0 to 2^64 - 1")
    return number


def read_text(path: Path, written_by: str) -> str:
    """The whole file; a missing or empty one is refused with what would have written it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}; `{written_by}` writes it") from None
    except UnicodeDecodeError:
        raise Refused(f"{path}: is not text; `{written_by}` writes it") from None
    if not text.strip():
        raise Refused(f"{path}: is empty; `{written_by}` writes it")
    return text


def load_json(path: Path, schema: str, written_by: str) -> dict[str, Any]:
    """A result under exactly this schema."""
    try:
        data = json.loads(read_text(path, written_by))
    except (ValueError, RecursionError) as error:
        raise Refused(f"{path}: is not JSON ({error})") from None
    found = data.get("schema") if isinstance(data, dict) else None
    if found != schema:
        raise Refused(f"{path}: schema is {found!r}; this script reads {schema!r}")
    return data


def value_at(data: Any, keys: str, where: str) -> Any:
    """What stands under `a.b.c`."""
    for key in keys.split("."):
        if not isinstance(data, dict) or key not in data:
            raise Refused(f"{where}: has no {keys}")
        data = data[key]
    return data


def number_at(data: Any, keys: str, where: str) -> int:
    """The count that stands under `a.b.c`."""
    return whole_number(value_at(data, keys, where), f"{where}: {keys}")


def full_by_cause(data: Any, where: str) -> dict[str, int]:
    """Full events a cause; a cause that is not in CAUSES could not be drawn."""
    found = value_at(data, "events.full_by_cause", where)
    if not isinstance(found, dict) or set(found) - set(CAUSE_OF):
        raise Refused(f"{where}: events.full_by_cause is not by the causes {', '.join(CAUSE_OF)}")
    return {name: whole_number(found.get(name, 0), f"{where}: {name}") for name in CAUSE_OF}


def csv_rows(path: Path, needed: list[str],
             written_by: str) -> Iterator[tuple[str, dict[str, str]]]:
    """(file and line, row by column name) of a table that has at least the needed columns."""
    csv.field_size_limit(LARGEST_CSV_FIELD)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            if not header:
                raise Refused(f"{path}: is empty; `{written_by}` writes it")
            missing = [name for name in needed if name not in header]
            if missing:
                raise Refused(f"{path}: has no column {', '.join(missing)}")
            for row in reader:
                where = f"{path}:{reader.line_num}"
                if len(row) != len(header):
                    raise Refused(f"{where}: {len(row)} columns; the header has {len(header)}")
                yield where, dict(zip(header, row))
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}; `{written_by}` writes it") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise Refused(f"{path}: is not a CSV table ({error})") from None


def trace_name(data: dict[str, Any]) -> str:
    """The trace's file name for the line below the title."""
    files = data.get("trace", {}).get("files") if isinstance(data.get("trace"), dict) else None
    if not isinstance(files, list) or not files:
        return "trace"
    name = Path(str(files[0])).name or "trace"
    name = name if len(name) <= 40 else name[:39] + "…"
    return plain(name if len(files) == 1 else f"{name} and {len(files) - 1} more")


def plain(text: str) -> str:
    """Foreign text as it is: matplotlib would take a pair of $ for mathematics."""
    return "".join(c if c.isprintable() else "?" for c in text).replace("$", r"\$")


def put_title(figure: Figure, answer: str, details: str) -> None:
    """The answer as the headline, what it was measured on in small print below."""
    width, height = figure.get_size_inches()
    size = min(15.0, 15 * width * 8 / max(len(answer), 1))
    figure.text(0.15 / width, 1 - 0.14 / height, plain(answer), fontsize=size, fontweight="bold",
                va="top")
    figure.text(0.15 / width, 1 - 0.44 / height, details, fontsize=11, color=MUTED, va="top")


def save(figure: Figure, path: Path) -> None:
    """The whole picture or none under that name, and no trace of the hour it was drawn."""
    form = path.suffix[1:].lower()
    metadata = {"Date": None} if form == "svg" else {"Software": None}
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=path.suffix)
        os.close(handle)
        try:
            figure.savefig(temporary, format=form, metadata=metadata, facecolor="white")
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    finally:
        plt.close(figure)


def output_path(given: Optional[str], default: Path) -> Path:
    """Where the picture goes; its name says in which form."""
    path = Path(given) if given else default
    if path.suffix.lower() not in (".png", ".svg"):
        raise Refused(f"{path}: the picture's name ends in .png or .svg")
    if path.is_dir():
        raise Refused(f"{path}: is a directory; name a file")
    return path


def run_main(program: str, main: Callable[[], None]) -> int:
    """Exit status of a plot: 0 drawn, 1 could not be written, 2 input or usage refused."""
    try:
        with matplotlib.rc_context(STYLE):
            main()
        return 0
    except Refused as refusal:
        print(f"{program}: {refusal}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{program}: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
        return 1
