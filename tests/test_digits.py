"""Loops that ask for two limbs, tried with fewer digits: right wherever a difference lies, at every border of the conditions."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from quick_code import quickly
from ulps import distance

import symdl
import symdl.tensor as T
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.llvm.across import AcrossWriter
from symdl.backends.rungs import digits, narrowing
from symdl.backends.rungs.digits import fewer_digits
from symdl.backends.rungs.exchanges import FUSED
from symdl.backends.rungs.narrowing import narrowed
from symdl.backends.rungs.running import running
from symdl.backends.rungs.tiers import LOOSER, ONE, SHORTER
from symdl.backends.wide import brief
from symdl.backends.wide.short import PREFIX, SHORT
from symdl.ir.loops import Apply, Assign, Const, For, Load, Ref, Store, Value, contiguous, walk
from symdl.ir.program import Binding, Buffer, Kernel, Program
from symdl.types import Symbol, symbol

n, i = symbol("n"), symbol("i")
N, I = Symbol("n"), Symbol("i")
EXACT = {"exp": mpmath.exp, "tanh": mpmath.tanh, "logistic_tail": lambda x: 1 / (1 + mpmath.exp(abs(x)))}
PLAIN: dict[str, Any] = {"exp": np.exp, "tanh": np.tanh, "logistic_tail": lambda v: 1 / (1 + np.exp(abs(v)))}
BRIEF = {name: (EXACT[name], PLAIN[name], brief.ERROR[name]) for name in EXACT}
BRIEF["sigmoid"] = (lambda x: 1 / (1 + mpmath.exp(-x)), lambda v: 1 / (1 + np.exp(-v)), brief.ERROR["logistic_tail"])
BRIEF["decay"] = (lambda x: mpmath.exp(-x), lambda v: np.exp(-v), brief.ERROR["exp"])
FORMULAS: dict[str, tuple[Any, Any, Any]] = {  # of x and y = g(x) (1 + d), where it is 0 for d = 0; g; the truth
    "squared error": (
        lambda x, y: (T.sigmoid(x) - y) ** 2, lambda x: 1 / (1 + mpmath.exp(-x)),
        lambda x, y: (1 / (1 + mpmath.exp(-x)) - y) ** 2),
    "tanh": (lambda x, y: T.tanh(1.5 * x) - y, lambda x: mpmath.tanh(1.5 * x), lambda x, y: mpmath.tanh(1.5 * x) - y),
    "product": (
        lambda x, y: T.tanh(x) * y - T.exp(-(x * x)), lambda x: mpmath.exp(-(x * x)) / mpmath.tanh(x),
        lambda x, y: mpmath.tanh(x) * y - mpmath.exp(-(x * x))),
}  # fmt: skip


def op(name: str, dtype: str, *args: Value) -> Apply:
    return Apply(name, args, dtype)


def loaded(name: str, dtype: str) -> Apply:
    return op("cast", "float64x2", Load(contiguous(name, dtype, (n,)), (i,)))


def made_of(values: dict[str, Value], backend: CpuBackend | None = None) -> Any:
    """A program that makes these columns of x and y."""
    buffers = {k: Buffer(k, "float64", (n,), "output" if k in values else "input") for k in ("x", "y", *values)}
    stores = tuple(Store(contiguous(k, "float64", (n,)), (i,), v) for k, v in values.items())
    kernel = Kernel((For(I, n, stores, "serial"),))
    return (backend or CpuBackend()).compile(Program(buffers, (Binding(N, "x", 0),), (), (kernel,)))


def loop(value: Value) -> For:
    return For(I, n, (Store(contiguous("o", value.dtype, (n,)), (i,), value),), "serial")


@pytest.mark.parametrize("name", EXACT)
def test_short_functions(name: str) -> None:
    """Right to 2^-69, in vectors and alone, small, ordinary and large; what is infinite or no number stays so."""
    x = op("add", "float64x2", loaded("x", "float64"), loaded("y", "float64"))
    value = op(PREFIX + name, "float64x2", x)
    high = op("cast", "float64", value)
    low = op("cast", "float64", op("sub", "float64x2", value, op("cast", "float64x2", high)))
    made = made_of({"h": high, "l": low})
    rng = np.random.default_rng(0)
    given = np.concatenate([rng.uniform(-w, w, 201) for w in (1e-7, 1e-2, 1, 40, 600)] + [[0, 1, -1, 620]])
    rest = given * rng.uniform(-1, 1, given.size) * 2.0**-54
    status, (highs, lows) = made.execute(made.bind([given, rest]))
    assert status == 0
    with mpmath.workprec(250):
        for a, b, c, d in zip(given, rest, highs, lows, strict=True):
            true = EXACT[name](mpmath.mpf(a) + mpmath.mpf(b))
            assert abs(mpmath.mpf(c) + mpmath.mpf(d) - true) <= abs(true) * mpmath.mpf(2) ** -69, a
    ends = np.array([np.inf, -np.inf, np.nan, -0.0, 1e308, -1e308, 5e-324] * 3)
    _, (highs, _) = made.execute(made.bind([ends, np.zeros_like(ends)]))
    with np.errstate(all="ignore"):
        plain = PLAIN[name](ends)
    np.testing.assert_allclose(highs, plain, rtol=1e-15, atol=0)


def test_short_sums_of_short_products_cancel() -> None:
    """(0 + p) - p of a product whose high limb may be an ulp off: that was all that was left."""
    x = Load(contiguous("x", "float64", (n,)), (i,))
    pair = op("add", "float64x2", loaded("x", "float64"), loaded("y", "float64"))
    product = op(f"{PREFIX}mul", "float64x2", pair, pair)
    zero = op("cast", "float64x2", op("mul", "float64", x, Const(0.0, "float64")))
    rest = op(f"{PREFIX}sub", "float64x2", op(f"{PREFIX}add", "float64x2", zero, product), product)
    made = made_of({"h": op("cast", "float64", rest)})
    given = np.random.default_rng(0).uniform(1, 2, (2, 1000))
    status, (found,) = made.execute(made.bind([given[0], (given[1] - 1.5) * 2.0**-52]))
    assert status == 0
    assert np.abs(found).max() < 1e-30


def brief_values(name: str, backend: CpuBackend, x: Any) -> Any:
    value = op(brief.PREFIX + name, "float64", Load(contiguous("x", "float64", (n,)), (i,)))
    made = made_of({"o": value}, backend)
    status, (found,) = made.execute(made.bind([x, x]))
    assert status == 0
    return found


@pytest.mark.parametrize("name", BRIEF)
def test_brief_functions(name: str) -> None:
    """As right as they say, at ordinary points and at the edges of the steps of their table."""
    exact, plainly, bound = BRIEF[name]
    rng = np.random.default_rng(0)
    edges = (np.arange(-400, 400) + 0.5) * brief.UNIT
    given = np.concatenate([rng.uniform(-w, w, 301) for w in (1e-7, 1e-2, 1, 40, 700)] + [edges, edges / 2])
    with mpmath.workprec(120):
        for a, b in zip(given, brief_values(name, CpuBackend(), given), strict=True):
            true = exact(mpmath.mpf(a))
            assert abs(mpmath.mpf(b) - true) <= abs(true) * bound, a
    ends = np.array([np.inf, -np.inf, np.nan, -0.0, 0.0, 1e308, -1e308, 5e-324, 709.9, -745.0, -760.0] * 3)
    with np.errstate(all="ignore"):
        plain = plainly(ends)
    np.testing.assert_allclose(brief_values(name, CpuBackend(), ends), plain, rtol=1e-12, atol=1e-307)


@pytest.mark.parametrize("name", BRIEF)
def test_brief_functions_alone(name: str) -> None:
    """The same bits in vectors and in what is left over, where the one takes its table from registers."""
    x = np.random.default_rng(1).uniform(-745, 745, 64) * np.repeat([1, 1e-2], 32)
    whole = brief_values(name, CpuBackend(), x)
    np.testing.assert_array_equal(whole, [brief_values(name, CpuBackend(), x[k : k + 1])[0] for k in range(x.size)])


@pytest.mark.parametrize("name", BRIEF)
def test_brief_functions_of_lesser_processors(name: str, lesser: CpuBackend) -> None:
    x = np.linspace(-30, 30, 61)
    np.testing.assert_allclose(brief_values(name, lesser, x), BRIEF[name][1](x), rtol=2.0**-39)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMULAS)
def test_at_the_borders(name: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Differences that are 2^-1 to 2^-45 of their operands, of both signs, in any lane."""
    formula, inner, outer = FORMULAS[name]
    found: list[Any] = []
    real = digits.fewer_digits

    def seen(loop: For, tier: Any) -> Any:
        found.append(real(loop, tier))
        return found[-1]

    monkeypatch.setattr(narrowing, "fewer_digits", seen)
    leaves = [T.tensor(k, dtype=dtype, shape=(None,)) for k in "xy"]
    run = quickly(leaves, [formula(*leaves)])
    assert any(f is not None and f.failed is not None for f in found)  # tried, and under a condition
    rng = np.random.default_rng(1)
    x = rng.uniform(-3, 3, 333).astype(dtype)
    gap = rng.choice([-1, 1], 333) * 2.0 ** -rng.uniform(1, 45, 333)
    with mpmath.workprec(300):
        y = np.array(
            [float(inner(mpmath.mpf(float(v))) * (1 + mpmath.mpf(g))) for v, g in zip(x, gap, strict=True)], dtype
        )
        true = [outer(mpmath.mpf(float(v)), mpmath.mpf(float(w))) for v, w in zip(x, y, strict=True)]
        got = run([x, y])[0]
        least = np.finfo(dtype).tiny
        for g, t in zip(got, true, strict=True):
            assert abs(mpmath.mpf(float(g)) - t) <= 4 * float(np.spacing(np.array(abs(float(t)), dtype))) + least, (
                g,
                t,
            )
    for size in range(1, 20):  # the same in whichever lane
        np.testing.assert_array_equal(run([x[7 : 7 + size], y[7 : 7 + size]])[0], got[7 : 7 + size])


def test_a_lane_that_loses_its_digits_leaves_the_others_alone() -> None:
    """Lanes are computed again together, but only those are taken that have failed."""
    x, y = (T.tensor(k, dtype="float32", shape=(None,)) for k in "xy")
    run = quickly([x, y], [T.exp(x) - T.exp(y)])
    a = np.linspace(-1, 2, 64, dtype="float32")
    b = a[::-1].copy()
    before = run([a, b])[0]
    b[21], b[30] = np.nextafter(a[21], np.float32(9)), a[30]
    after = run([a, b])[0]
    others = np.setdiff1d(np.arange(64), [21, 30])
    np.testing.assert_array_equal(before[others], after[others])
    assert after[30] == 0
    assert after[21] == np.float32(np.exp(np.float64(a[21])) * -np.expm1(np.float64(b[21]) - np.float64(a[21])))


def test_products_are_rounded_with_what_they_are_added_to() -> None:
    """As far as they are exact or bounded with their errors; a float64 that is a rounded product stays one, for what is left of
    it where it cancels is right only beside itself."""
    x, y = loaded("x", "float32"), loaded("y", "float32")
    rounded = op("cast", "float64x2", op("mul", "float64", *(Load(contiguous(k, "float64", (n,)), (i,)) for k in "xy")))
    for product, fuses in ((op("mul", "float64x2", op("exp", "float64x2", x), y), True), (rounded, False)):
        total = op("cast", "float32", op("sub", "float64x2", product, op("tanh", "float64x2", x)))
        tried = narrowed(loop(total), True, True)
        assert tried is not None
        assert any(isinstance(v, Apply) and v.primitive == FUSED for v in walk(*tried.values.values())) == fuses


def test_a_sigmoid_is_one_function() -> None:
    """Where nothing else wants the tail that it is written with."""
    x, y = loaded("x", "float32"), loaded("y", "float32")
    tail = op("logistic_tail", "float64x2", x)
    below = op("lt", "bool", x, Const((0.0, 0.0), "float64x2"))
    other = op("sub", "float64x2", Const((1.0, 0.0), "float64x2"), tail)
    sigmoid = op("where", "float64x2", below, tail, other)
    for value, found in ((sigmoid, True), (op("mul", "float64x2", sigmoid, tail), False)):
        tried = narrowed(loop(op("cast", "float32", op("sub", "float64x2", value, y))), True, True, permutes=True)
        assert tried is not None
        names = {v.primitive for v in walk(*tried.values.values()) if isinstance(v, Apply)}
        assert (f"{brief.PREFIX}open_sigmoid" in names) == found


def test_what_is_exact_asks_for_no_condition() -> None:
    """x x - y y of float32 has exact products: one limb will do wherever it lies."""
    x, y = loaded("x", "float32"), loaded("y", "float32")
    squares = [op("mul", "float64x2", v, v) for v in (x, y)]
    fewer = fewer_digits(loop(op("cast", "float32", op("sub", "float64x2", *squares))), ONE)
    assert fewer is not None
    assert fewer.failed is None


def test_what_two_limbs_hold_asks_for_no_condition() -> None:
    """x y and x - y of float64 are two limbs, and functions of them right to 2^-98: nobody looks whether balls are wanted.
    What is left of one beside another number may be nothing."""
    x, y = loaded("x", "float64"), loaded("y", "float64")
    product, difference = op("mul", "float64x2", x, y), op("sub", "float64x2", x, y)
    falling = op("neg", "float64x2", op("abs", "float64x2", difference))
    sign = op("gt", "bool", difference, Const((0.0, 0.0), "float64x2"))
    for value in (
        op("exp", "float64x2", product),
        op("expm1", "float64x2", falling),
        op("where", "float64x2", sign, product, falling),
    ):
        found = running(loop(op("cast", "float64", value)))
        assert found is not None
        assert found.failed is None
    found = running(loop(op("cast", "float64", op("sub", "float64x2", op("exp", "float64x2", product), y))))
    assert found is not None
    assert found.failed is not None


@pytest.mark.parametrize("name", ["floor", "gammaln", "arccos"])
def test_what_magnifies_without_a_bound_is_left_alone(name: str) -> None:
    """Of an inexact number: no condition is known under which one limb is enough."""
    x = op("exp", "float64x2", loaded("x", "float32"))
    assert fewer_digits(loop(op("cast", "float32", op(name, "float64x2", x))), ONE) is None


def test_what_is_kept_as_float64_wants_its_digits() -> None:
    """One limb does not do for a difference that is kept as a float64; short functions do, where there are any."""
    x, y = loaded("x", "float64"), loaded("y", "float64")
    for name in ("exp", "erf"):
        body = loop(op("cast", "float64", op("sub", "float64x2", op(name, "float64x2", x), y)))
        assert fewer_digits(body, ONE) is None
        assert (fewer_digits(body, SHORTER) is not None) == (PREFIX + name in SHORT)


def test_what_is_left_of_numbers_in_full_is_noise_here_too() -> None:
    """Operands that nothing short has touched are no better than in full: their sum keeps its choice of 0."""
    x, y = loaded("x", "float64"), loaded("y", "float64")
    x_y = op("true_div", "float64x2", x, y)
    total = op("cast", "float64", op("add", "float64x2", x_y, y))
    largest = op("mul", "float64", op("abs", "float64", op("cast", "float64", x_y)), Const(2.0**-97, "float64"))
    lost = op("lt", "bool", op("abs", "float64", total), largest)
    chosen = op("where", "float64", lost, Const(0.0, "float64"), total)
    short = op("cast", "float64", op("exp", "float64x2", x))
    stores = (Store(contiguous(name, "float64", (n,)), (i,), v) for name, v in (("p", chosen), ("q", short)))
    fewer = fewer_digits(For(I, n, tuple(stores), "serial"), SHORTER)
    assert fewer is not None
    assert any(isinstance(item, Apply) and item.primitive == "where" for item in walk(*fewer.loop.body))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_of_what_may_cancel(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of rows and of columns, and what is stored beside them, are those of two limbs (of which balls would know more)."""
    monkeypatch.setattr(AcrossWriter, "in_balls", False)
    x, y = (T.tensor(k, dtype=dtype, shape=(None, 37)) for k in "xy")
    error = (T.sigmoid(x) - y) ** 2
    outputs = [error.sum(axis=1), error.sum(axis=0), T.sigmoid(x) - y, error.sum()]
    rng = np.random.default_rng(0)
    a = rng.normal(size=(11, 37)).astype(dtype)
    b = (1 / (1 + np.exp(-a.astype("float64"))) * (1 + 2.0 ** -rng.uniform(1, 30, a.shape))).astype(dtype)
    b[3] = (1 / (1 + np.exp(-a[3].astype("float64")))).astype(dtype)
    got = quickly([x, y], outputs)([a, b])
    monkeypatch.setattr(narrowing, "fewer_digits", lambda loop, tier: None)
    for g, full in zip(got, quickly([x, y], outputs)([a, b]), strict=True):
        assert np.all(abs(g - full) <= np.spacing(abs(full)))


def test_a_sum_is_asked_for_its_summands() -> None:
    """What is added up has a condition, not the sum, which another round may make small."""
    x, y = loaded("x", "float32"), loaded("y", "float32")
    term = op("cast", "float64", op("sub", "float64x2", op("exp", "float64x2", x), y))
    sums = op("add", "float64", Ref("total", "float64"), term)
    body = For(I, n, (Assign("total", sums),), "vector")
    assert fewer_digits(body, ONE) is None
    fewer = fewer_digits(body, LOOSER)
    assert fewer is not None
    assert fewer.failed is not None
    assert not any(isinstance(item, Ref) for item in walk(fewer.failed))


def test_a_largest_element_is_found_again_where_its_digits_are_saved() -> None:
    """The gradient of a maximum asks which element equals it: both are computed with all digits, in whichever loop."""
    x, m = T.dvector("x"), T.dmatrix("m")
    largest = T.max(10.0 * (3.0 + T.logaddexp(x[:, None], m)), axis=1)
    y = T.xlogy(T.sigmoid(T.arctan(T.arcsinh(x / x))), largest)
    for wrt in ([m], [x, m]):
        *_, found = symdl.function([x, m], symdl.grad(y.sum(), wrt))(
            np.full(2, 21.46838480686732), np.tile([21.468384828335708, 21.468170123019252, 1.8979530786572814], (2, 1))
        )
        assert (found[:, 0] > 0.013).all()
        assert (found[:, 1:] == 0).all()


@pytest.mark.parametrize("formula", ["difference", "exponentials"])
def test_differences_of_tiny_singles(formula: str) -> None:
    """Conditions asked in float32 hold at its lower end, too; two exponentials differ by their sign of no more than the arguments."""
    x = np.linspace(-104, -80, 2001, dtype="float32")
    with mpmath.workprec(120):
        if formula == "difference":
            y = np.array([float(1 / (1 + mpmath.exp(-float(v)))) for v in x]).astype("float32")
            truth = [1 / (1 + mpmath.exp(-float(v))) - float(w) for v, w in zip(x, y, strict=True)]
        else:
            y = np.nextafter(x, np.where(np.arange(x.size) % 3, 0, -200), dtype="float32")
            y[::7] = x[::7]
            truth = [mpmath.exp(float(v)) - mpmath.exp(float(w)) for v, w in zip(x, y, strict=True)]
        exact = np.array([float(v) for v in truth])
    a, b = T.fvector("x"), T.fvector("y")
    f = symdl.function([a, b], T.sigmoid(a) - b if formula == "difference" else T.exp(a) - T.exp(b))
    error = np.abs(f(x, y).astype("float64") - exact)
    assert (error <= np.maximum(4 * 2.0**-24 * np.abs(exact), 2.0**-149)).all()


@pytest.mark.parametrize("name", ["arccos", "arccosh", "arctanh", "arcsin"])
def test_differences_of_singles_near_the_end_of_a_domain(name: str) -> None:
    """1 - x of a float32 is rounded to 1 in one limb, from 2^-54 on."""
    x = T.fvector("x")
    far = 1 + x if name == "arccosh" else 1 - x
    y = getattr(T, name)(far)
    at = np.array([2.0**-3, 1e-6, 1e-16, 1e-24, 1e-37], "float32")
    got = quickly([x], [y, symdl.grad(y.sum(), x)])([at])
    with mpmath.workprec(400):
        inverse = {"arccos": mpmath.acos, "arccosh": mpmath.acosh, "arctanh": mpmath.atanh, "arcsin": mpmath.asin}[name]
        sign = 1 if name == "arccosh" else -1
        truth = [inverse(1 + sign * mpmath.mpf(float(v))) for v in at]
        slope = [
            mpmath.diff(lambda v: inverse(1 + sign * v), mpmath.mpf(float(v)), h=mpmath.mpf(2) ** -200) for v in at
        ]
    for g, t in zip(got, (truth, slope), strict=True):
        np.testing.assert_array_less(distance(g, np.array(t, object)), 4.001)


def test_what_reads_a_variable_that_is_declared_again_is_another_value() -> None:
    writer, x, y = narrowing.Narrowing(True), Const(2.0, "float64"), Const(3.0, "float64")
    beside = op("neg", "float64", x)
    doubled = op("add", "float64", op("neg", "float64", Ref("v", "float64")), beside)
    found = []
    for declared in (x, y):
        writer.declare("v", declared)
        value = writer.value(doubled)
        assert isinstance(value, Apply)
        found.append(value.args)
    assert [args[0].args for args in found] == [(x,), (y,)]  # type: ignore[union-attr]  # both are negations
    assert found[0][1] is found[1][1]
