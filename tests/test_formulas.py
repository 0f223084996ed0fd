"""Random formulas: the generator reaches every elementwise op on floats and repeats itself; a few batches are right.

`python tests/fuzz_formulas.py` tries 10,000, .ci/run 20,000, .ci/full 50,000.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fuzz_record
import mpmath
import numpy as np
import pytest
from fuzz_formulas import BATCH, dtype_of, summary, tried
from random_formulas import BINARY, COMPARISON, UNARY, formula
from test_every_op import WITH_NUMBERS

import symdl
import symdl.tensor as T
from symdl.graph.walks import topological
from symdl.verify import decided, spread

NOT_FORMULAS = {
    "where",  # written by the author itself
    "trigamma",  # has no derivative
    "log_slope",  # only a derivative
    "logistic_tail",  # only what sigmoid is made of
}


def test_the_table_is_whole() -> None:
    assert {op.name for op in WITH_NUMBERS} - NOT_FORMULAS == {*UNARY, *BINARY}


def test_every_op_is_drawn() -> None:
    seen: set[str] = set()
    for seed in range(700):
        seen |= {n.op.name for n in topological(formula(seed, "float64").outputs[0])}
    wanted = {*UNARY, *BINARY, *COMPARISON, "where", "sum", "max", "min", "prod"}
    assert wanted - seen == set()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_seed_is_a_formula(dtype: str) -> None:
    for seed in range(5):
        a, b = formula(seed, dtype), formula(seed, dtype)
        assert repr(a.outputs) == repr(b.outputs)
        assert all(np.array_equal(p, q) for p, q in zip(a.candidates, b.candidates, strict=True))


def test_a_few_batches() -> None:
    """Enough to see that the machinery works; what it promises is .ci/run's to say."""
    rows: list[Any] = [tried(batch) for batch in (1, 2)]
    assert {dtype_of(1), dtype_of(2)} == {"float64", "float32"}
    text, _ = summary(rows)
    assert text.startswith("40 formulas")
    count = {
        name: sum(row["count"].get(name, 0) for row in rows) for name in ("crash", "elements", "elements within 4 ulp")
    }
    assert count["crash"] == 0
    assert count["elements within 4 ulp"] >= 0.9 * count["elements"] > 100


def test_a_truth_that_no_precision_settles_is_none() -> None:
    """erf(1000) is 1 in 2,500 bits: what is left of it beside 1 is 0 as a float, and what hangs on how little that is has no
    truth; a sum that is exactly 0 is one."""
    x = T.dvector("x")
    at = {x: np.array([1.0, 1000.0, 9000.0])}
    for lost, last in ((1 - T.erf(x), 1), (T.log(1 + T.exp(x)) - x, 2), (T.tanh(x) - 1, 2), ((x + T.exp(-x)) - x, 2)):
        (truth,) = decided([lost], at)
        assert all(abs(v) < mpmath.ldexp(1, -1200) if k >= last else v for k, v in enumerate(truth)), lost
        for hanging in (T.log(abs(lost)), T.erf(T.log(abs(lost))), T.sqrt(abs(lost)) / lost, T.tanh(1 / lost)):
            (truth,) = decided([hanging], at)
            assert mpmath.isfinite(truth[0]), hanging
            assert not any(map(mpmath.isfinite, truth[last:])), hanging
    for zero in ((x + 1) - x - 1, T.log(x / x), T.floor(x / 3) - T.floor(x / 3) * 1):
        (truth,) = decided([zero], at)
        assert truth.tolist() == [0, 0, 0]
    again = T.log(T.exp(x))
    for hanging, equal in (
        (T.where(T.ne(again, x), 1.0, 2.0), 2),
        (1 / (1 + abs(1 / (again - x))), 0),
        (T.sign(again - x), 0),
    ):
        (truth,) = decided([hanging], {x: np.linspace(0.1, 3.3, 9)})
        assert all(v == equal or mpmath.isnan(v) for v in truth)  # no number of bits tells that they differ
        assert any(mpmath.isnan(v) for v in truth)
    (truth,) = decided([T.maximum(T.log1mexp(T.exp(x)), 1)], {x: np.array([-1000.0, -1e6])})
    assert all(mpmath.isnan(v) for v in truth)  # 1 - exp(exp(x)) is below 0
    (truth,) = decided([T.cos(x + 3)], {x: np.array([2.0**600, 2.0**1000])})
    with mpmath.workprec(2000):
        assert all(abs(t - mpmath.cos(mpmath.ldexp(1, k) + 3)) < 1e-25 for t, k in zip(truth, (600, 1000), strict=True))
    (rest,) = decided([T.mod(3.0, x + 2.0**600)], {x: np.array([2.0, 5.0])})
    assert rest.tolist() == [3, 3]  # of a number, beside a huge sum that loses a term
    (kept,) = decided([T.erf(x)], at)
    assert [float(v) for v in kept[1:]] == [1, 1]


def test_no_two_precisions_agree_on_what_both_have_lost() -> None:
    """1 - erf(25.3) is 1e-280, and expm1(-759) beside -1 and a share of 1e-130 beside 1 are as far below 160 and 320 bits: these
    settled 0, the logarithm of 0, and the square of the share."""
    x, m = T.dvector("x"), T.dmatrix("m")
    at = {x: np.array([25.3]), m: np.array([[0.0, 300.0, 0.0]])}
    (least,) = decided([T.gammaln(T.erf(x))], at)
    (tiny,) = decided([1 / T.log1p(T.expm1(-x * 30))], at)
    share = T.arctanh(T.softmax(T.expand_dims(x, 1) + m)[:, 0])
    (slope,) = decided([symdl.grad(share.sum(), x)], at)
    (below,) = decided([T.erf(abs(T.log(T.sigmoid(-x * 120) - T.exp(-x * 120))))], at)
    with mpmath.workprec(2000):
        true = mpmath.euler * mpmath.erfc(mpmath.mpf(25.3))
        assert abs(least[0] - true) < 1e-25 * true
        assert abs(tiny[0] + 1 / (mpmath.mpf(25.3) * 30)) < 1e-25
        assert abs(slope[0]) < mpmath.ldexp(1, -1200)
    assert mpmath.isnan(below[0])  # sigmoid(z) is below e^z


def test_what_ends_for_want_of_bits_settles_nothing() -> None:
    """A log1p of what is -1 in all bits that there are, and what a share of 1 leaves; other rows are settled."""
    m = T.dmatrix("m")
    at = {m: np.array([[0.0, 2.0, 1.0], [0.5, 2.0, 1.0]])}
    (ended,) = decided([T.softmax(T.log1p(m / m.max(axis=1, keepdims=True) - 1), axis=1)[:, 2]], at)
    (share,) = decided([1 - T.softmax(T.log(m[:, :2]), axis=1)[:, 1]], at)
    assert [bool(mpmath.isnan(v)) for v in ended] == [True, False]
    assert [bool(mpmath.isnan(v)) for v in share] == [True, False]


def test_trigamma_has_a_truth_far_below_zero() -> None:
    """By reflection: mpmath's own takes a step for each whole number on the way to 0, and as good as never ends."""
    x = T.dvector("x")
    at = {x: np.array([-3.25, -40.5, -(2.0**50) - 0.5, -3.0])}
    (truth,) = decided([T.trigamma(x)], at)
    with mpmath.workprec(200):
        near = [mpmath.psi(1, v) for v in at[x][:2].tolist()]
        assert all(abs(t - v) < mpmath.mpf(10) ** -25 for t, v in zip(truth, near, strict=False))
        assert abs(truth[2] - mpmath.pi**2 + mpmath.ldexp(1, -50)) < mpmath.ldexp(1, -80)  # psi_1(v) is 1/v and less
    assert mpmath.isnan(truth[3])


def test_the_spread_of_a_value_is_what_half_an_ulp_of_its_inputs_makes() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    at = {x: np.array([1.0, 4.0]), y: np.array([1.0, 3.0])}
    outputs = [x - y, x * x, x - x]
    gap, square, nothing = spread(outputs, at, decided(outputs, at))
    assert list(gap) == [mpmath.ldexp(1, -52), mpmath.ldexp(3, -52)]  # both move, in opposite directions
    assert [float(v) for v in square] == pytest.approx([2.0**-52, 2.0**-48])
    assert list(nothing) == [0, 0]


def _row(batch: int, date: str = "2026-01-01", **count: int) -> dict[str, Any]:
    found = {
        "symdl": "1",
        "date": date,
        "spent": {"truth": 0.25},
        "failures": [{"seed": batch * BATCH, "kind": "worse"}],
    }
    return {"batch": batch, **found, "count": {"formulas": BATCH, **count}}


def test_a_record_holds_each_seed_once(tmp_path: Path) -> None:
    """Batches that follow one another are one range; a range takes the place of those that it covers, and overlaps none."""
    path = tmp_path / "fuzz.json"
    batches = [_row(0, crash=1), _row(1, crash=2), _row(2, "2026-01-02"), _row(4), _row(5)]
    rows = fuzz_record.store(fuzz_record.ranges({row["batch"]: row for row in batches}, BATCH), path)
    assert [(r["first"] // BATCH, r["end"] // BATCH) for r in rows] == [(0, 2), (2, 3), (4, 6)]
    assert rows[0]["count"] == {"formulas": 2 * BATCH, "crash": 3}
    assert rows[0]["right as written"] == [0, BATCH]
    assert fuzz_record.recorded(path) == rows
    assert fuzz_record.next_seed(rows) == 3 * BATCH
    assert fuzz_record.next_seed([]) == fuzz_record.next_seed(rows[2:]) == 0
    text, _ = summary(rows)
    assert text.startswith(f"{5 * BATCH} formulas")
    again = fuzz_record.ranges({k: _row(k) for k in range(4)}, BATCH)
    rows = fuzz_record.store(again, path)
    assert [(r["first"] // BATCH, r["end"] // BATCH) for r in rows] == [(0, 4), (4, 6)]
    assert rows[0]["count"] == {"formulas": 4 * BATCH}
    with pytest.raises(ValueError, match="overlap"):
        fuzz_record.store(fuzz_record.ranges({5: _row(5)}, BATCH), path)
    assert fuzz_record.recorded(path) == rows
