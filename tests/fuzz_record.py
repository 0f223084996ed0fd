"""The record of all random formulas that were ever tried, benchmarks/records/fuzz.json: ranges of seeds and what was counted in each.

A seed counts once: a range that was tried again takes the place of those that it covers. What a range says is what its own
version gave at its date; nothing is taken over to later versions.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

RECORD = Path(__file__).parent.parent / "benchmarks" / "records" / "fuzz.json"
WHAT = (
    "tests/fuzz_formulas.py --store: each row a range of seeds, tried by one version on one date; count as the command prints it, "
    "spent in processor seconds, right as written: seeds with a catastrophic element that NumPy has within 4 ulp"
)
Row = dict[str, Any]


def ranges(done: Mapping[int, Row], size: int) -> list[Row]:
    """Batches of so many formulas as rows of the record: one for all that follow one another, of one version and date."""

    def together(place: tuple[int, int]) -> tuple[Any, ...]:
        n, batch = place
        return batch - n, done[batch]["symdl"], done[batch]["date"]

    out = []
    for (_, version, date), places in groupby(enumerate(sorted(done)), together):
        rows = [done[batch] for _, batch in places]
        count: Counter[str] = Counter()
        spent: Counter[str] = Counter()
        for row in rows:
            count.update(row["count"])
            spent.update(row["spent"])
        out.append(
            {
                "first": rows[0]["batch"] * size,
                "end": (rows[-1]["batch"] + 1) * size,
                "symdl": version,
                "date": date,
                "count": dict(count),
                "spent": {name: round(seconds, 1) for name, seconds in spent.items()},
                "right as written": sorted(
                    {f["seed"] for row in rows for f in row["failures"] if f["kind"] == "worse"}
                ),
            }
        )
    return out


def with_range(rows: Sequence[Row], new: Row) -> list[Row]:
    """The record's rows with one more, in the order of seeds. Raises ValueError where it overlaps one without covering it:
    counts of a part of a range are not known."""
    kept = [r for r in rows if not (new["first"] <= r["first"] and r["end"] <= new["end"])]
    for r in kept:
        if r["first"] < new["end"] and new["first"] < r["end"]:
            raise ValueError(
                f"seeds {new['first']} to {new['end']} overlap {r['first']} to {r['end']} of the record without covering them"
            )
    return sorted([*kept, new], key=lambda r: int(r["first"]))


def recorded(path: Path = RECORD) -> list[Row]:
    """The record's rows."""
    return list(json.loads(path.read_text(encoding="utf-8"))["rows"]) if path.exists() else []


def store(new: Sequence[Row], path: Path = RECORD) -> list[Row]:
    """Add rows to the record; returns all of them."""
    rows = recorded(path)
    for row in new:
        rows = with_range(rows, row)
    path.write_text(json.dumps({"what": WHAT, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    return rows


def next_seed(rows: Sequence[Row]) -> int:
    """The first that no range of the record holds."""
    seed = 0
    for row in sorted(rows, key=lambda r: int(r["first"])):
        if row["first"] <= seed < row["end"]:
            seed = row["end"]
    return seed
