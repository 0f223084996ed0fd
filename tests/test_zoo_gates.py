"""What `python -m benchmarks.zoo --store` keeps of gates that are no recipe's."""

from __future__ import annotations

import json

import numpy as np

from benchmarks.boltzmann import Row


def test_a_row_is_kept_without_numpys_numbers_and_nan() -> None:
    row = Row("a bound", np.float64(0.5), np.nan, ">= 0", np.True_)  # type: ignore[arg-type]  # as comparisons give it
    kept = {"what": "a bound", "value": 0.5, "peer": None, "gate": ">= 0", "met": True}
    assert json.loads(json.dumps(row.plain(), allow_nan=False)) == kept
