"""stability_report: errors in ulp that are known beforehand, what it says of them, and what a new user may hand it."""

from __future__ import annotations

import json
import math
import pickle
from typing import Any

import mpmath
import numpy as np
import pytest
from random_formulas import formula

import symdl
import symdl.tensor as T
from symdl import function, grad, shared, stability_report
from symdl.diagnosis.sampling import grid
from symdl.errors import InputError, ShapeError
from symdl.form_arithmetic import ENDLESS, number
from symdl.graph.expr import OPS
from symdl.graph.walks import topological
from symdl.verify import decided

x, a, b = T.dscalars("x", "a", "b")
v, X, labels = T.dvector("v"), T.dmatrix("X"), T.ivector("labels")


def only(report: symdl.StabilityReport) -> Any:
    (result,) = report.results
    return result


# ---- errors that are known ----


@pytest.mark.parametrize("seed", [0, 1, 9, 13, 30, 75, 105])
def test_the_exact_values_of_random_formulas_are_the_truth(seed: int) -> None:
    """Steps in number forms (9 to 30), steps that floats take elsewhere (75), and what 320 bits call 0 (105)."""
    drawn = formula(seed, "float64")
    for output in drawn.outputs:
        occurring = set(topological(output))
        values = {leaf: array for leaf, array in drawn.at([0, 1, 2, 3]).items() if leaf in occurring}
        (truth,) = decided([output], values)
        for at in [k for k in np.ndindex(truth.shape) if abs(truth[k]) < 1e308][:4]:
            found = only(stability_report(output[at], values))
            assert mpmath.almosteq(mpmath.mpf(found.exact), truth[at], 1e-14, 1e-320), found


def test_the_errors_of_a_difference_of_squares() -> None:
    """x*x - y*y: each square is off by its rounding, which the difference magnifies; itself it adds nothing."""
    p, q = 1 + 1e-9, 1.0 + 2e-9
    report = stability_report(a * a - b * b, {a: np.asarray(p), b: np.asarray(q)}, precision="plain")
    with mpmath.workprec(200):
        true = mpmath.mpf(p) ** 2 - mpmath.mpf(q) ** 2
        wrong = float(abs(mpmath.mpf(p * p - q * q) - true) / math.ulp(float(true)))
        left = float(abs(2 * p * p / true) + abs(2 * q * q / true))
    assert only(report).ulps == pytest.approx(wrong)
    assert wrong > 1e5
    node = report.worst
    assert node is not None
    assert node.formula == "a * a - b * b"
    assert node.bad
    assert node.created == 0
    assert node.propagated == pytest.approx(wrong)
    assert node.condition == pytest.approx(left, rel=1e-3)
    assert "No formula can help" in node.advice
    assert 'precision="right"' in node.advice
    squares = [n for n in report.nodes if n.formula in ("a * a", "b * b")]
    assert len(squares) == 2
    assert all(n.propagated == 0 and n.created <= 0.5 and n.condition == 2 for n in squares)


def test_with_number_forms_nothing_is_left_of_the_error() -> None:
    given = {a: np.asarray(1 + 1e-9), b: np.asarray(1 + 2e-9)}
    report = stability_report(a * a - b * b, given, precision="right")
    assert only(report).ulps <= 0.5 < 1e5 < only(report).naive_ulps
    wide = [n for n in report.nodes if n.form == "float64x2"]
    assert wide
    assert all(n.why == "a sum that may cancel" and n.ulps < 1e-6 for n in wide)


def test_what_was_gained_over_the_formula_as_written() -> None:
    y = T.log(1 + T.exp(v))
    report = stability_report([y, grad(y.sum(), v)], {v: (-800, 800)})
    for result in report.results:
        assert result.ulps <= 2
        assert math.isinf(result.naive_ulps)
        assert result.looked_at == result.elements
    assert {m for n in report.nodes for m in n.mechanisms} >= {"softplus, recovered", "sigmoid or tanh, recovered"}
    assert report.bad == ()


def test_a_branch_that_is_not_taken_does_not_count() -> None:
    """sqrt(x + 1) - sqrt(x) cancels where the other branch is taken."""
    report = stability_report(T.sqrt(x + 1) - T.sqrt(x), {x: (1, 1e20)}, points=8)
    assert only(report).ulps <= 4
    assert only(report).naive_ulps > 1e9
    assert report.bad == ()


def test_a_created_error_is_told_from_a_propagated_one() -> None:
    """A sum of terms that cancel, from exact inputs: all of its error is its own."""
    values = np.array([1e16, 1.0, -1e16, 0.1, 0.7])
    report = stability_report(T.cos(v).sum(), {v: values})
    total = next(n for n in report.nodes if n.formula.startswith("sum"))
    cosines = next(n for n in report.nodes if n.formula == "cos(v)")
    assert cosines.propagated == 0
    assert cosines.created <= 2
    assert total.ulps <= total.created + total.propagated + 1e-9


def test_numbers_out_of_range() -> None:
    product = stability_report(T.sqrt(a * b), {a: np.asarray(1e300), b: np.asarray(1e200)}, precision="plain")
    assert only(product).value == math.inf
    assert float(only(product).exact) == pytest.approx(1e250)
    assert math.isinf(only(product).ulps)
    assert any("leaves the range of float64" in n.advice for n in product.bad)
    rescued = stability_report(T.sqrt(a * b), {a: np.asarray(1e300), b: np.asarray(1e200)}, precision="right")
    assert only(rescued).ulps <= 1
    assert rescued.bad == ()


@pytest.mark.parametrize("at", [1e6, 1e20, 1e200, 8e307])
def test_exact_values_have_no_range(at: float) -> None:
    """Number forms saturate at exp(2^50); the exact value beside them does not."""
    for y, value in (
        (T.log(T.exp(v).sum()), at),
        (T.log(1 + T.exp(v)) - v, 0.0),
        (T.exp(-v) * v, 0.0),
        (T.log(T.sqrt(T.exp(v) ** 2 + 1)), at),
    ):
        found = only(function([v], y).stability_report(np.array([at])))
        assert found.ulps == 0, found
        assert found.value == float(found.exact) == value, found


@pytest.mark.parametrize("size", [1100, 1 << 1100, 1 << 4000, -(1 << 1100)])
def test_primitives_take_exact_numbers_of_any_range(size: int) -> None:
    names = [op.name for op in OPS.values() if op.kind == "elementwise" and op.name not in ("cast", "where")]
    tried = 0
    for name in names:
        count = len(OPS[name].arguments)
        for sign in (1, -1):
            huge = mpmath.ldexp(mpmath.mpf(1.25) * sign, size)
            try:
                number(name, OPS[name].reference or (lambda *_: math.nan), [huge, mpmath.mpf(3)][:count], 600, ENDLESS)
            except KeyError:  # no primitive
                continue
            tried += 1
    assert tried > 70


def test_what_a_function_makes_of_zero_is_a_number_like_others() -> None:
    """exp(0) stood for 1 as zeros and infinities stand for themselves, so its product with e^2000 was the largest float."""
    p, q = T.softmax(X, axis=1), T.softmax(X[:, ::-1], axis=1)
    f = function([X], grad((p * (T.log(p) - T.log(q))).sum(), X)[0, 0])
    found = only(f.stability_report(np.array([[1e3, 0, -1e3]])))
    assert (found.ulps, found.value, float(found.exact)) == (0, 1, 1)


def test_numbers_of_derivatives_are_what_they_stand_for() -> None:
    """The 2/sqrt(pi) of erf' is that number, a user's is the float that it is: they differ by 10^-17."""
    slope = grad(T.erf(x) - 2 / np.sqrt(np.pi) * x, x)
    found = only(function([x], slope).stability_report(1e-6))
    with mpmath.workdps(40):
        meant = 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-(mpmath.mpf(1e-6) ** 2)) - mpmath.mpf(2 / np.sqrt(np.pi))
        assert mpmath.almosteq(mpmath.mpf(found.exact), meant, 1e-15)
    assert found.ulps <= 1
    degrees = only(stability_report(T.rad2deg(T.fscalar("angle")), {"angle": np.float32(1)}))
    assert float(degrees.exact) == math.degrees(1)


def test_float32_is_measured_in_its_own_ulps() -> None:
    t = T.fvector("t")
    report = stability_report(T.log(T.sigmoid(t)), {t: (-80, 80)}, points=16)
    assert 0 < only(report).ulps <= 4
    assert all(n.form == "float32" for n in report.nodes)


def test_what_a_rounding_leaves_has_no_error() -> None:
    """softmax adds e^x (x - round(x)): over the reals that is 0, of which every number is infinitely many ulps away."""
    x = T.dmatrix("x")
    found = symdl.stability_report(T.softmax(x), {x: np.random.default_rng(0).normal(size=(3, 4))}, precision="right")
    assert max(n.ulps for n in found.nodes) < 4
    assert any("float64x2" in n.form for n in found.nodes)
    assert "where more than" not in str(found)


def test_an_overflow_that_is_right_is_no_error() -> None:
    report = stability_report(T.exp(x), {x: np.asarray(1e3)})
    assert only(report).value == math.inf
    assert only(report).ulps == 0
    nothing = stability_report(T.sqrt(x), {x: np.asarray(-1.0)})
    assert math.isnan(only(nothing).value)
    assert only(nothing).ulps == 0


# ---- whole models ----


def model(dtype: str, batch: int) -> tuple[Any, np.ndarray[Any, Any], np.ndarray[Any, Any], Any]:
    rng = np.random.default_rng(1)
    images, y = T.tensor("images", dtype, shape=(None, 60)), T.ivector("y")
    W, U = (shared((rng.normal(size=s) / 8).astype(dtype), n) for n, s in (("W", (60, 40)), ("U", (40, 10))))
    c = shared(np.zeros(10, dtype), "c")
    p = T.softmax(T.tanh(images @ W) @ U + c)
    loss = -T.log(p)[T.arange(y.shape[0]), y].mean()
    step = function(
        [images, y], loss, updates=[(w, w - 0.1 * g) for w, g in zip([W, U, c], grad(loss, [W, U, c]), strict=True)]
    )
    return step, rng.normal(size=(batch, 60)).astype(dtype), rng.integers(0, 10, batch).astype("int32"), W


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_training_step(dtype: str) -> None:
    step, images, y, W = model(dtype, 64)
    before = W.get_value()
    report = step.stability_report(images, y)
    assert report.arithmetic == "double-double"
    assert [r.name for r in report.results] == ["output", "new value of W", "new value of U", "new value of c"]
    assert report.results[0].ulps <= 4 + report.results[0].condition  # each state is rounded
    np.testing.assert_array_equal(W.get_value(), before)  # nothing is trained by looking
    products = [n for n in report.nodes if "@" in n.formula.split("+")[0] and n.condition > 1]
    assert products
    assert all(n.ulps <= 30 * n.condition + 8 for n in products)


def test_double_double_says_what_mpmath_says() -> None:
    step, images, y, _ = model("float64", 3)
    small = step.stability_report(images[:1], y[:1])
    assert small.arithmetic == "mpmath"
    large, images, y, _ = model("float64", 64)
    rows = large.stability_report(np.repeat(images[:1], 64, 0), np.repeat(y[:1], 64))
    assert rows.arithmetic == "double-double"
    one, many = (next(n for n in r.nodes if n.formula == "tanh(images @ W)") for r in (small, rows))
    assert many.exact[:15] == one.exact[:15]  # of equal rows the forward pass is that of one row
    assert many.ulps == pytest.approx(one.ulps, rel=0.5, abs=1)


def test_of_many_elements_some_are_looked_at() -> None:
    f = function([v], T.expm1(v) - v)
    report = f.stability_report(np.linspace(-2, 2, 50_000))
    assert report.arithmetic == "mpmath"
    assert only(report).elements == 50_000 > only(report).looked_at
    assert f"of {only(report).elements}" in str(report)


# ---- ops of every kind ----


def test_views_gathers_joins_maxima_and_running_sums() -> None:
    report = stability_report(
        {
            "row maxima": T.exp(X.max(axis=1)), "by argmax": T.max_and_argmax(X, axis=1)[0] * 2,
            "backwards": v[::-1] / 3, "joined": T.concatenate([v, v * 3]), "chosen": v[labels] / 7, "running": T.cumsum(v),
            "padded": T.pad(v, 1) * 1.1, "product": T.prod(v),
        },
        {X: (-2, 2), v: (1, 2), labels: np.array([1, 0, 1], "int32")}, points=4,
    )  # fmt: skip
    assert {r.name for r in report.results} >= {"row maxima", "padded"}
    assert all(r.ulps <= 2 for r in report.results)
    assert report.opaque == ()


def test_what_no_formula_is_known_of_is_said() -> None:
    """Sorting pairs of floats."""
    report = stability_report((T.sort(v) * 1.1).sum(), {v: np.linspace(1, 0, 50_000)})
    assert [o.partition(" ")[0] for o in report.opaque] == ["sort"]
    assert "taken as they came out: sort (test_stability_report.py:" in str(report)
    assert only(report).ulps <= 4


# ---- loops and branches ----


def recurrence(start: Any, steps: int) -> Any:
    """x <- 4 x (1 - x), which magnifies errors at each step."""
    return symdl.scan(lambda s: 4 * s * (1 - s), outputs_info=[start], n_steps=steps)[0]


def test_the_errors_inside_a_loop() -> None:
    report = stability_report(recurrence(x, 20)[-1], {x: np.asarray(0.3)}, precision="plain")
    with mpmath.workprec(300):
        exact = mpmath.mpf(0.3)
        run = 0.3
        for _ in range(20):
            exact, run = 4 * exact * (1 - exact), 4 * run * (1 - run)
        wrong = float(abs(run - exact)) / math.ulp(float(exact))
    assert wrong > 100
    assert report.opaque == ()
    (loop,) = [n for n in report.nodes if n.created > 100]
    assert "scan" in loop.formula
    assert only(report).naive_ulps == pytest.approx(wrong, rel=0.5)
    assert loop.condition > 1e3
    assert "No formula can help" in loop.advice


def test_gradients_through_loops_and_large_ones() -> None:
    slope = grad(recurrence(v, 3).sum(), v)
    small = stability_report(slope, {v: np.linspace(0.2, 0.24, 3)})
    assert small.arithmetic == "mpmath"
    assert small.opaque == ()
    assert only(small).ulps <= 20
    large = stability_report(recurrence(v, 3), {v: np.linspace(0.2, 0.29, 4000)})
    assert large.arithmetic == "double-double"
    assert large.opaque == ()
    assert only(large).ulps <= 20


@pytest.mark.parametrize(("columns", "arithmetic"), [(2, "mpmath"), (3000, "double-double")])
def test_loops_that_are_given_number_forms(columns: int, arithmetic: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The sum of the weights has two limbs in each round; the rounds are looked at alone."""
    weights = shared(np.array([1.0, -0.3, 0.05]), "weights")
    rows = T.matrix("rows")
    states, _ = symdl.scan(lambda a, s: T.tanh(a + s * weights.sum()), rows, T.zeros_like(rows[0]))
    f = function([rows], [states[-1], grad(states[-1].sum(), rows)])
    report = f.stability_report(np.random.default_rng(0).normal(size=(4, columns)))
    assert report.arithmetic == arithmetic
    assert report.opaque == ()
    assert "float64x2: a sum that may cancel" in str(report)
    assert report.results[0].ulps <= 4 + report.results[0].condition  # each state is rounded
    symdl.debugprint(f, why=True)
    assert "float64x2" in capsys.readouterr().out


def test_both_branches_of_ifelse() -> None:
    report = stability_report(symdl.ifelse(x > 0, T.expm1(x), T.sin(x)), {x: (-2, 2)}, points=8)
    assert report.opaque == ()
    assert only(report).ulps <= 2


def test_random_draws_are_what_they_are() -> None:
    stream = symdl.RandomStream(5)
    f = function([v], stream.normal(size=(4,)) * T.exp(v))
    first = f.stability_report(np.ones(4))
    assert first.results[0].ulps <= 2
    assert f.stability_report(np.ones(4)) == first


def test_second_derivatives() -> None:
    slope = grad(grad(T.log(1 + T.exp(x)), x), x)
    assert only(stability_report(slope, {x: (-30, 30)}, points=8)).ulps <= 4


def test_a_formula_that_begins_with_a_number_has_its_line() -> None:
    """Its first node is the number, which is everywhere the same one and has no line."""
    report = stability_report(T.log(1 - T.exp(x)), {x: (-30, -1e-9)}, points=4)
    assert {n.formula for n in report.nodes} >= {"exp(x)", "log1p(-exp(x))"}
    for node in report.nodes:
        assert node.place.startswith("test_stability_report.py:"), node.formula


# ---- functions ----


def test_of_a_pickled_function_and_of_one_from_the_cache() -> None:
    def made() -> symdl.Function:
        t = T.dvector("t")
        return function([t], T.sin(t) * 3, name="three")

    here, cached = made(), made()
    reports = [f.stability_report([1.0, 2.0]) for f in (here, cached, pickle.loads(pickle.dumps(here)))]
    assert reports[0] == reports[1] == reports[2]
    assert reports[0].title == "three"
    assert reports[0].nodes[0].place.startswith("test_stability_report.py:")


def test_in_other_modes_machine_code_is_measured() -> None:
    f = function([v], T.exp(v), mode="numpy")
    assert f.stability_report(v=[1.0]).results[0].ulps <= 2


def test_inputs_with_updates_and_by_name() -> None:
    f = function([symdl.In(x, name="start", value=2.0, update=x * x / 3), a], a * x)
    assert [r.name for r in f.stability_report(a=3.0).results] == ["output", "new value of start"]
    assert f["start"] == 2.0


# ---- what it looks like ----


def test_the_text() -> None:
    report = stability_report(a * a - b * b, [np.asarray(1.1), np.asarray(1.05)], precision="plain", title="squares")
    lines = str(report).splitlines()
    assert lines[0] == 'squares, precision="plain", one set of inputs'
    assert lines[1] == "errors of all 1 elements of results, and of what they are made of; shadow in mpmath"
    assert lines[3].split() == ["ulp", "as", "written", "condition", "result", "value", "exact", "line"]
    assert lines[6].split() == [
        "ulp",
        "median",
        "propagated",
        "created",
        "condition",
        "node",
        "made",
        "by",
        "form",
        "line",
    ]
    assert "<table>" in report._repr_html_()
    assert "a * a - b * b" in report._repr_html_()
    assert json.loads(report.json())["results"][0]["name"] == "a * a - b * b"
    assert report.as_dict()["nodes"][0]["formula"] == report.nodes[0].formula


def test_nodes_come_worst_first() -> None:
    ulps = [n.ulps for n in stability_report(T.exp(T.sin(x) * 30), {x: (0, 6)}, points=8).nodes]
    assert ulps == sorted(ulps, reverse=True)
    assert ulps[0] > ulps[-1]


def test_what_is_not_finite_is_a_text_in_json() -> None:
    report = stability_report(T.log(1 + T.exp(x)), {x: np.asarray(1e3)})
    assert json.loads(report.json())["results"][0]["naive_ulps"] == "inf"


# ---- what a new user may hand it ----


def test_ranges_and_values_in_order_by_name_and_alone() -> None:
    y = x * 3  # one node, of one line
    by_pair, by_list = stability_report(y, (1, 2), points=4), stability_report(y, [(1, 2)], points=4)
    assert by_pair == by_list == stability_report(y, {"x": (1, 2)}, points=4)
    assert only(stability_report(v.sum(), [[1.0, 2.0]])).value == 3
    assert only(stability_report(T.exp(T.constant(1.0)), {})).ulps <= 1


def test_integers_and_empty_arrays() -> None:
    n = T.iscalar("n")
    assert stability_report(x * n, {x: (0, 1), n: (1, 5)}, points=4).points == 4
    assert stability_report(labels.sum(), {labels: (0, 5)}).results == ()
    assert stability_report(v * 2, {v: np.zeros(0)}).results == ()
    assert only(stability_report(v.sum(), {v: np.zeros(0)})).value == 0
    assert only(stability_report(T.log(T.exp(v).sum()), {v: np.zeros(0)})).exact == "-inf"
    assert only(stability_report(T.softmax(X, axis=1).sum(), {X: np.zeros((3, 0))})).value == 0
    assert stability_report(T.softmax(X, axis=1), {X: np.zeros((0, 3))}).results == ()


@pytest.mark.parametrize(
    ("outputs", "where", "message"),
    [
        (x * 2, {x: (3, 1)}, "the range of x ends before it begins: 3 > 1"),
        (x * 2, {x: (0, math.inf)}, "Its edges must be finite"),
        (x * 2, {x: (0, 1, 2)}, r"A range is \(low, high\)"),
        (x * v, {x: (0, 1)}, "no range or value is given for v"),
        (x * 2, {v: (0, 1)}, "v is no variable of the expressions"),
        (x * 2, {"y": (0, 1)}, "'y' is no variable of the expressions"),
        (x * 2, [(0, 1), (0, 1)], "2 ranges or values for 1 variables"),
        (x * 2, "everywhere", "ranges or values must be a list or a dictionary"),
        (labels.sum(), {labels: (0.2, 0.8)}, "no int32 lies between 0.2 and 0.8"),
        ("x * 2", {}, "takes expressions, not the text 'x \\* 2'"),
        ([], {}, "takes expressions"),
    ],
)
def test_what_does_not_fit(outputs: Any, where: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        stability_report(outputs, where)


def test_other_mistakes() -> None:
    with pytest.raises(ShapeError, match="1 axis"):
        stability_report(v * 2, {v: np.ones((2, 2))})
    with pytest.raises(InputError, match="precision cannot be 'high'"):
        stability_report(x * 2, {x: (0, 1)}, precision="high")
    with pytest.raises(InputError, match="0 points"):
        stability_report(x * 2, {x: (0, 1)}, points=0)
    f = function([v], v * 2, name="twice")
    with pytest.raises(InputError, match="no value is given for v"):
        f.stability_report()
    with pytest.raises(InputError, match="takes 1 inputs, not 2"):
        f.stability_report([1.0], [2.0])


@pytest.mark.parametrize(("low", "high"), [(0, 1e20), (-5, 5), (1, 2), (-3, -1), (0, 0), (-1e-300, 1e300), (5e-324, 1)])
def test_points_of_a_range(low: float, high: float) -> None:
    points = grid(low, high, 33)
    assert len(points) == 33
    assert min(points) == low
    assert max(points) == high
    assert all(low <= p <= high for p in points)
    if low < 0 < high:
        assert 0 in points
        assert sum(p < 0 for p in points) >= 15
