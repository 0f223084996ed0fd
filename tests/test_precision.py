"""precision="right": formulas whose digits or range no formula in plain floats keeps, compiled, in ulp of the exact values."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from quick_code import quickly
from ulps import distance

import symdl
import symdl.tensor as T
from symdl.errors import ConfigError, InputError
from symdl.graph.expr import variable
from symdl.graph.walks import topological
from symdl.meaning import stabilized
from symdl.meaning.lowering import Lowering
from symdl.meaning.precision import Analysis
from symdl.number_forms import WIDE
from symdl.ops.declare import is_float
from symdl.verify import decided, exact

DIGITS = 700
# Exact in float32 too, so that one truth serves both dtypes.
NEAR = [1.5, 3.0, 1.25, 7.0, 0.75, 2.0**-20]
CLOSE = [v * (1 + 2.0**-k) for v, k in zip(NEAR, (3, 9, 15, 18, 20, 12), strict=True)]
HUGE = [2.0**100, 2.0**126, 3 * 2.0**90, 2.0**-100, 2.0**-125, 1.0]
FAR = [95.0, -95.0, 100.0, -0.5, 700.0, -150.0]
BACK = [2.0**100, 2.0**-100, 1.0, 3.0, 1.5, 2.0**-126]
OTHER = [2.0**110, 2.0**125, 2.0**91, 2.0**-90, 2.0**-124, 2.0**-60]

# name -> (formula, x, y)
FORMULAS: dict[str, tuple[Callable[[Any, Any], Any], list[float], list[float]]] = {
    "hypot": (lambda x, y: T.sqrt(x * x + y * y), HUGE, OTHER),
    "log of a product": (lambda x, y: T.log(x * x * y * y), HUGE, OTHER),
    "quotient of products": (lambda x, y: x * x * x / (y * y * y), HUGE, OTHER),
    "geometric mean": (lambda x, y: T.sqrt(x * y), HUGE, OTHER),
    "midpoint": (lambda x, y: (x + y) / 2, [2.0**127, 1.0, -(2.0**127), 4.0, 5.0, 6.0], [2.0**127, 3.0, -(2.0**127), 4.0, 5.0, 6.0]),
    "difference of squares": (lambda x, y: x * x - y * y, NEAR, CLOSE),
    "reciprocals": (lambda x, y: 1 / x - 1 / y, NEAR, CLOSE),
    "squares of roots": (lambda x, y: (T.sqrt(x) - T.sqrt(y)) ** 2, NEAR, CLOSE),
    "distance": (lambda x, y: T.sqrt(x * x + y * y - 2 * x * y), NEAR, CLOSE),
    "exp of a log": (lambda x, y: T.exp(7 * T.log(x) + T.log(y)), NEAR, CLOSE),
    "exp of a product": (lambda x, y: T.exp(x * x * 9), NEAR, CLOSE),
    "log near 1": (lambda x, y: T.log(x * y / (y * y)), NEAR, CLOSE),
    "quotient by an exponential": (lambda x, y: y / T.exp(x), FAR, BACK),
    "square of one, and its logarithm": (lambda x, y: -0.5 * (y / T.exp(x)) ** 2 - x, FAR, BACK),
    "quotients by one and more": (lambda x, y: y / T.exp(x) + T.exp(x) / y, FAR, BACK),
    "product of sums": (lambda x, y: (x + y) * (x - y) / (x * x + y * y), HUGE, OTHER),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FORMULAS)
def test_within_4_ulp(name: str, dtype: str) -> None:
    formula, first, second = FORMULAS[name]
    if dtype == "float64" and first is HUGE:
        first, second = [v**8 for v in first], [v**8 for v in second]
    x, y = variable("x", (None,), dtype), variable("y", (None,), dtype)
    out = formula(x, y)
    values = {x: np.array(first, dtype), y: np.array(second, dtype)}
    (truth,) = exact([out], values, DIGITS)
    f = symdl.function([x, y], out, precision="right", on_unused_input="ignore")
    got = f(values[x], values[y])
    assert got.dtype == dtype
    assert np.max(distance(got, truth)) <= 4


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_norm_of_rows_and_its_gradient(dtype: str) -> None:
    m = variable("m", (None, 3), dtype)
    y = T.sqrt((m * m).sum(axis=1))
    big = 2.0**600 if dtype == "float64" else 2.0**80
    value = np.array([[3.0, 4.0, 0.0], [3.0 * big, 4.0 * big, 0.0], [3.0 / big, 0.0, 4.0 / big]], dtype)
    outputs = [y, symdl.grad(y.sum(), m)]
    truth = exact(outputs, {m: value}, DIGITS)
    got = symdl.function([m], outputs, precision="right")(value)
    assert all(np.max(distance(g, t)) <= 4 for g, t in zip(got, truth, strict=True))


@pytest.mark.parametrize("name", FORMULAS)
def test_nan_and_infinity_come_through(name: str) -> None:
    x, y = T.dvector("x"), T.dvector("y")
    out = FORMULAS[name][0](x, y)
    values = np.array([math.nan, math.inf, 1.0]), np.array([1.0, math.inf, math.nan])
    got = symdl.function([x, y], out, precision="right", on_unused_input="ignore")(*values)
    with np.errstate(all="ignore"):
        plain = symdl.function([x, y], out, precision="plain", on_unused_input="ignore")(*values)
    assert (np.isnan(got) | ~np.isnan(plain)).all()


def test_the_interpreter_agrees() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    out = T.sqrt(x * x + y * y) + T.log(x * y)
    native, steps = (symdl.function([x, y], out, mode=mode, precision="right") for mode in ("native", "interpreter"))
    values = np.array([3.0, 1e200, 1e-170]), np.array([4.0, 1e200, 1e-200])
    np.testing.assert_allclose(native(*values), steps(*values), rtol=4e-16)


# ---- who magnifies an error ----

MAGNIFIED: dict[str, tuple[Callable[[Any, Any], Any], float, float]] = {
    "mod of an inexact number": (lambda x, y: T.log(x) % y, 1.48e-8, 0.2064577),
    "mod of what is below the range": (lambda x, y: T.erfc(x) % y, 207.5, -54.51),
    "ceil of what is below the range": (lambda x, y: T.ceil(T.sqr(T.log(T.sigmoid(x)))) * y, 900.0, 1.5),
    "floor just below a step": (lambda x, y: T.floor(x / y * y), 4.9, 0.7),
    "arcsin near 1": (lambda x, y: T.arcsin(y**x), 4.464877288391043e-09, 0.5389633438692717),
    "arccos near 1": (lambda x, y: T.arccos(y / (y + x)), 2.0**-46, 1.0),
    "arctanh near 1": (lambda x, y: T.arctanh(x / (x + y)), 1.0, 1e-5),
    "a gap of arcsin": (lambda x, y: T.arcsin(T.sqrt(x)) - T.arcsin(T.sqrt(y)), 0.25, 0.25 + 2**-18),
    "xlogy near 1": (lambda x, y: T.xlogy(x, y + 1), 0.759, -1.1165769336216863e-06),
    "erf of what erfc left": (lambda x, y: T.log(T.erf(T.erfc(x))) * y, 39.5, 1.5),
    "exp2 over arctan2": (lambda x, y: T.exp2(x / T.arctan2(0.5, y)), 0.8638116717338562, 21.942352294921875),
    "a quotient by a number": (lambda x, y: y / (T.exp((x - 0.5) / 0.0234375) + 1), 15.0, 1.0),
    "a power that is a difference": (lambda x, y: (x**8 * y) ** 0.2, 1e4, 3.0),
    "a value and its slope": (lambda x, y: (x - 1) / (x * x - 1) * y, 1.0000038, 1.0),
    "arcsinh of what left the range": (lambda x, y: T.arcsinh(T.exp(x) * y), 800.0, 1.5),
    "arccosh of what left the range": (lambda x, y: T.arccosh(T.cosh(x) ** 2 * y), 1136.0, 1.5),
    "mod by what is below the range": (lambda x, y: x % T.erfc(y), 40.0, 120.0),
    "mod by what left the range": (lambda x, y: T.log(-x % T.exp(y)), 40.0, 1190.0),
    "round of what left the range": (lambda x, y: T.log1p(abs(T.round((T.exp(x) + 1) * y))), 1000.0, 1300.0),
    "arctan2 below the range": (lambda x, y: T.log(T.arctan2(T.exp(-x), y)), 999.0, 1.5),
    "softplus of what left the range": (lambda x, y: T.log(T.softplus(T.sinh(x))) * y, 1000.0, 1.5),
    "copies of what left the range": (
        lambda x, y: T.arcsinh(T.sum(T.broadcast_to((T.exp(x) * y)[:, None], (1, 3)), axis=1)),
        800.0,
        1.5,
    ),
    "functions of a leaf each": (lambda x, y: T.sin(x) - T.log(y), 0.5, math.exp(math.sin(0.5))),
    "functions of a leaf each, beside one of both": (
        lambda x, y: T.exp(-y) * x + T.log(x) - T.tanh(y),
        1.2,
        0.854018042938703,
    ),
    "an inner one, magnified": (lambda x, y: T.log(1 + abs(T.exp(x) - T.sqrt(y) * T.erf(y))), -0.25, 0.9256345735404),
    "a choice times a quotient": (lambda x, y: T.where(x >= 10, x, 3) * (y / x), 3737.627, 1.336),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", MAGNIFIED)
def test_value_and_slopes_within_4_ulp(name: str, dtype: str) -> None:
    """All of one function: what is a result of it has its digits for the others, and noise is not taken for a number."""
    formula, *point = MAGNIFIED[name]
    x, y = variable("x", (None,), dtype), variable("y", (None,), dtype)
    out = formula(x, y)
    outputs = [out, *symdl.grad(out.sum(), [x, y])]
    values = {v: np.array([a], dtype) for v, a in zip((x, y), point, strict=True)}
    f = symdl.function([x, y], outputs, precision="right", on_unused_input="ignore")
    for got, truth in zip(f(*values.values()), decided(outputs, values), strict=True):
        np.testing.assert_array_less(distance(got, truth), 4.001, err_msg=f"{got} {truth}")


# ---- who pays ----


def forms(outputs: list[Any]) -> list[str]:
    lowering = Lowering(outputs, {})
    analysis = Analysis(lowering(), lowering.known)
    return [n.op.name for n in analysis.order if is_float(n.type.dtype) and analysis.need(n).bits]


def network() -> list[Any]:
    x, t = T.fmatrix("x"), T.ivector("t")
    w = symdl.shared(np.zeros((8, 6), np.float32), "w")
    v = symdl.shared(np.zeros((6, 4), np.float32), "v")
    p = T.softmax(T.tanh(x @ w) @ v)
    loss = -T.log(p[T.arange(t.shape[0]), t]).mean()
    return [loss, *symdl.grad(loss, [w, v])]


def test_what_is_plain_stays_plain() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    for out in (x + y, T.exp(x), T.tanh(x) * 2, T.sigmoid(x), T.maximum(x, 0), T.sin(x)):
        f = symdl.function([x, y], out, precision="right", on_unused_input="ignore")
        assert not any(form in f.source("program") for form in WIDE)


def test_products_of_matrices_take_no_form() -> None:
    assert "contract" not in forms(network())


def test_a_network_learns_alike() -> None:
    losses = []
    for precision in ("plain", "right"):
        rng = np.random.default_rng(0)
        x, t = T.dmatrix("x"), T.ivector("t")
        w = symdl.shared(rng.standard_normal((8, 4)), "w")
        loss = -T.log(T.softmax(x @ w)[T.arange(t.shape[0]), t]).mean()
        step = symdl.function([x, t], loss, updates=[(w, w - 0.5 * symdl.grad(loss, w))], precision=precision)
        data, labels = rng.standard_normal((32, 8)), rng.integers(0, 4, 32).astype(np.int32)
        losses.append([float(step(data, labels)) for _ in range(10)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-12)
    assert losses[0][-1] < losses[0][0]


def test_the_range_of_float32_is_float64() -> None:
    x, y = T.fvector("x"), T.fvector("y")
    for out in (T.sqrt(x * x + 1), x * x * y / (y * y), T.sqrt(x * x + y * y)):
        f = symdl.function([x, y], out, precision="right", on_unused_input="ignore")
        assert "float64" in f.source("program")
        assert not any(form in f.source("program") for form in WIDE)


def test_training_steps_carry_nothing_on_arrays() -> None:
    w, b = (symdl.shared(np.zeros(shape, np.float32)) for shape in ((8, 4), (4,)))
    x, t = T.fmatrix("x"), T.ivector("t")
    labels = -T.log(T.softmax(x @ w + b)[T.arange(t.shape[0]), t]).mean()
    pixels = T.binary_crossentropy(T.sigmoid(T.tanh(x @ w + b) @ w.T), x).sum(axis=1).mean()
    for loss in (labels, pixels):
        gradients = symdl.grad(loss, [w, b])
        updates = [(p, p - 0.1 * g) for p, g in zip((w, b), gradients, strict=True)]
        f = symdl.function([x, t], loss, updates=updates, precision="right", on_unused_input="ignore")
        assert not any(form in f.source("program") for form in WIDE)


def test_a_weights_step_is_computed_in_float64() -> None:
    """No second limb for w - (a sum over other data, too); right all the same where 20 binary digits cancel."""
    start = np.array([1.7, -0.3, 2.9], np.float32)
    w = symdl.shared(start)
    x = T.tensor("x", dtype="float32", shape=(None, 3))
    f = symdl.function([x], updates=[(w, w - (x * x * w).sum(axis=0))], precision="right")
    text = f.source("program")
    assert "float64" in text
    assert not any(form in text for form in WIDE)
    rows = np.random.default_rng(0).standard_normal((50, 3))
    data = (rows * np.sqrt((1 - 2.0**-20) / (rows**2).sum(axis=0))).astype(np.float32)
    f(data)
    for k, new in enumerate(w.get_value()):
        true = Fraction(float(start[k])) * (1 - sum(Fraction(float(v)) ** 2 for v in data[:, k]))
        assert abs(true) < 2**-17
        assert abs(Fraction(float(new)) - true) <= 4 * Fraction(float(np.spacing(abs(np.float32(true)))))


def test_sums_over_samples_ask_nothing_of_their_terms() -> None:
    """The gradients of a batch norm's weights, in float64: second limbs would cost fifteen times as much."""
    x, scale, shift = T.fmatrix("x"), T.fvector("scale"), T.fvector("shift")
    mean = x.mean(0)
    y = (x - mean) / T.sqrt(((x - mean) * (x - mean)).mean(0) + 1e-5) * scale + shift
    loss = (y * y * y).mean()
    f = symdl.function([x, scale, shift], [loss, *symdl.grad(loss, [scale, shift])], precision="right")
    assert not any(form in f.source("program") for form in WIDE)


def test_what_meets_a_networks_result_asks_nothing() -> None:
    """A residual beside targets that are functions of their own: the product has lost what digits would show."""
    x, t = T.dmatrix("x"), T.dmatrix("t")
    w = symdl.shared(np.zeros((8, 4)), "w")
    residual = T.tanh(x @ w) - T.log(t)
    assert forms([residual, symdl.grad(T.sqr(residual).sum(), w)]) == []
    assert forms([T.tanh(x) - T.log(t)]) != []


def test_a_number_of_a_call_stays_out_of_the_arrays() -> None:
    x, t = T.dvector("x"), T.dscalar("t")
    f = symdl.function([x, t], x * (1 - 0.999**t), precision="right")
    wide = [line for line in f.source("program").splitlines() if any(form in line for form in WIDE)]
    assert wide
    assert not any("x[" in line for line in wide)


def test_a_difference_that_loses_one_bit_asks_nothing() -> None:
    x = T.dvector("x")
    s = T.sigmoid(x)
    assert not forms([symdl.grad(s.sum(), x)])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["expm1", "sigmoid", "softplus", "erfc"])
def test_exponentials_ask_nothing_where_they_level_off(name: str, dtype: str) -> None:
    """|x f'(x)/f(x)| <= 1 on one side of 0; on the other no bound holds, and an argument of many roundings hands them on."""
    x, y = (variable(n, (None,), dtype) for n in "xy")
    sign, f = -1 if name in ("expm1", "erfc") else 1, getattr(T, name)
    chance = np.random.default_rng(7)
    given = [(chance.standard_normal(60) * 10.0 ** chance.uniform(-3, 2, 60)).astype(dtype) for _ in "xy"]
    apart = abs(x - y)
    cases = [(sign * apart, False), (-sign * apart, True), (sign * apart * abs(x * y) * abs(x), True)]
    for argument, asks in cases:
        out = f(argument)
        dtypes = {n.type.dtype for n in topological(*stabilized([out], {}, True)) if is_float(n.type.dtype)}
        assert (dtypes != {dtype}) == asks
        (truth,) = exact([out], dict(zip((x, y), given, strict=True)), 100)
        assert np.max(distance(symdl.function([x, y], out, precision="right")(*given), truth)) <= 4


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["exp", "sigmoid", "softplus"])
def test_functions_of_large_arguments(name: str, dtype: str) -> None:
    x = variable("x", (None,), dtype)
    out = getattr(T, name)(7.7 * x - 0.3)
    value = np.concatenate([np.linspace(-9, 9, 50), [-1e-30, 0.0, 1e-3]]).astype(dtype)
    (truth,) = exact([out], {x: value}, 60)
    f = symdl.function([x], out, precision="right")
    assert np.max(distance(f(value), truth)) <= 2
    ends = np.array([math.inf, -math.inf, math.nan, 1e30], dtype)
    np.testing.assert_array_equal(f(ends), symdl.function([x], out, precision="plain")(ends))


def test_integers_of_wide_numbers() -> None:
    x = T.dvector("x")
    y = T.sqrt(x * x + 1)
    out = T.cast(y, "int64") + T.cast(T.log(x * x * y), "int64")
    np.testing.assert_array_equal(symdl.function([x], out, precision="right")(np.array([3.0, 10.0])), [3 + 3, 10 + 6])


@pytest.mark.parametrize("precision", ["plain", "right"])
def test_labels_beside_a_bias(precision: str) -> None:
    x, t = T.dmatrix("x"), T.ivector("t")
    w, b = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]]), np.array([1e9, 1e9 + 1, 1e9 - 3])
    loss = -T.log(T.softmax(x @ w + b)[T.arange(t.shape[0]), t])
    values = {x: np.array([[1.0, 2.0], [-0.5, 0.125]]), t: np.array([1, 0], np.int32)}
    (truth,) = exact([loss], values, 60)
    assert np.max(distance(symdl.function([x, t], loss, precision=precision)(*values.values()), truth)) <= 4


# ---- the option ----


def test_the_option() -> None:
    x = T.dvector("x")
    out = T.sqrt(x * x + 1)
    value = np.array([1e200])
    assert symdl.function([x], out, precision="plain")(value) == math.inf
    assert symdl.function([x], out, precision="right")(value) == pytest.approx(1e200)
    f = symdl.function([x], out)  # the default
    assert f(value) == pytest.approx(1e200)
    symdl.config.precision = "plain"
    try:
        g = symdl.function([x], out)
    finally:
        symdl.config.precision = "right"
    assert g(value) == math.inf
    assert pickle.loads(pickle.dumps(f))(value) == pytest.approx(1e200)


def test_wrong_options() -> None:
    x = T.dvector("x")
    with pytest.raises(InputError, match="precision cannot be 'exact'"):
        symdl.function([x], x, precision="exact")
    with pytest.raises(ConfigError, match="precision"):
        symdl.config.precision = "exact"


def carried(*roots: Any) -> list[str]:
    """The forms that arrays of float32 are computed in, but their own."""
    lowering = Lowering([*roots], {})
    analysis = Analysis(lowering(), lowering.known)
    needs = (analysis.need(n) for n in analysis.order if n.type.shape and n.type.dtype == "float32")
    return ["digits" if need.bits else "range" for need in needs if need.bits or need.range]


def test_what_a_product_is_behind() -> None:
    """What products have rounded asks for no digits where it is magnified no more than by itself; other values do."""
    v, w = T.matrix("v", dtype="float32"), T.matrix("w", dtype="float32")
    u, c = T.matrix("u", dtype="float32"), T.scalar("c", dtype="float32")
    assert carried(T.sigmoid(u) - T.sigmoid(v))
    assert not carried(T.sigmoid(u @ w).sum(0) - T.sigmoid(v @ w).sum(0))
    assert carried(T.exp(8 * T.tanh(u * v)))
    assert not carried(T.exp(8 * T.tanh(u @ w) * T.sigmoid(v @ w)))
    assert carried(T.exp(80 * T.tanh(u @ w)))
    assert carried(T.exp(-u * u).sum(0) * c)
    assert not carried(T.exp(-T.abs(u @ w)).sum(0) * (c / (1 - c**3)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("precision", ["plain", "right"])
def test_a_power_of_a_negative_base_has_the_whole_exponent_that_is_meant(precision: str, dtype: str) -> None:
    """2^y - 1 is whole where y is, and log10 of a power of 10, however they are computed: one last bit beside a whole number
    there is no power of a negative one (seed 10830)."""
    x, y, z = (variable(name, (None,), dtype) for name in "xyz")
    whole, base = np.array([1, 2, 3, 4, 5], dtype), np.full(5, -1.25, dtype)
    power = (x * y) ** T.exp2(y)
    outputs = [x ** (T.exp2(y) - 1), symdl.grad(power.sum(), x), x ** T.log10(z), (-1.25) ** (T.exp2(y) - 1)]
    found = quickly([x, y, z], outputs, precision)([base, whole, 10**whole])
    n, r = 2.0**whole, -1.25 * whole
    truths = [(-1.25) ** (n - 1), whole * n * r ** (n - 1), (-1.25) ** whole, (-1.25) ** (n - 1)]
    for got, truth in zip(found, truths, strict=True):
        np.testing.assert_allclose(got, truth, rtol=1e-4 if dtype == "float32" else 1e-12)
    (between,) = quickly([x, y], outputs[:1], precision)([base, whole + 0.25])
    assert np.isnan(between).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_quotient_by_an_exponential_is_a_product(dtype: str) -> None:
    """With an exponent beside the number e^-x is as good as e^x; where e^x is wanted besides, there is one exponential."""
    x, y = variable("x", (None,), dtype), variable("y", (None,), dtype)
    z = (y / T.exp(x)) ** 2 - x
    alone, both = ([n.op.name for n in topological(*stabilized(r, {}, True))] for r in ([z], [z, T.exp(x)]))
    assert "true_div" not in alone
    assert both.count("exp") == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("precision", ["plain", "right"])
def test_a_quotient_by_a_chosen_number_is_rounded_once(precision: str, dtype: str) -> None:
    """49 / where(c, x, 49) is where(c, 49 / x, 1), not 49 times a 49th, of which the logarithm is noise (seed 23563)."""
    x, y = variable("x", (None,), dtype), variable("y", (None, 3), dtype)
    numbers = (1.5, *range(3, 64, 2))
    roots = [T.expand_dims(T.log(k / T.where(x < 0, x, k)), 1) * T.exp(y) * T.exp(y / 2) for k in numbers]
    for found in quickly([x, y], roots, precision)([np.array([0.5, 2], dtype), np.ones((2, 3), dtype)]):
        assert not found.any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_multiple_of_a_quotient_of_numbers_is_divided(dtype: str) -> None:
    """The derivative of (1 - x) mod x / 3 is -floor(...) / 3 - 1: 0 where that is -3, which no third of two limbs gives (seed 21107)."""
    x = variable("x", (None,), dtype)
    roots = [symdl.grad(((1 - x) % (x / k)).sum(), x) for k in (3, 5, 10, 11, 13)]
    for found in quickly([x], roots)([np.array([328.4, 33.3, 100.1], dtype)]):
        assert not found.any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_steps_of_what_is_whole_but_for_its_errors(dtype: str) -> None:
    """ceil(log(exp(-1) mod 2)) is -1 (seed 24116); what is told from a whole number is not taken for it."""
    x = variable("x", (None,), dtype)
    k = T.floor(x)
    whole = [step(T.log(T.exp(k) % 1e20)) for step in (T.ceil, T.floor, T.trunc)]
    whole += [T.log10(10**k) // 1, T.log10(10**k) % 1 + k, k**k // k**k * k]
    values = np.arange(1.0, 40.0).astype(dtype)
    for found in quickly([x], whole)([values]):
        assert (
            found[: 38 if dtype == "float32" else None].tolist()
            == values[: 38 if dtype == "float32" else None].tolist()
        )
    (below,) = quickly([x], [T.floor(1 - T.exp(-x))])([values])
    assert not below.any()
    (left,) = quickly([x], [T.floor(T.log(x))])([np.array([1, np.nextafter(1, 0, dtype=dtype), 3], dtype)])
    assert left.tolist() == [0, -1, 1]


BALANCED: dict[str, Callable[[Any, Any], Any]] = {
    "a softmax and what shifts it": lambda x, m: T.softmax(m + x[:, None])[:, 0],
    "a variance and what shifts it": lambda x, m: T.sigmoid(T.var((m + x[:, None]) * 0.1, axis=1)),
    "a softmax of choices that are alike": lambda x, m: T.softmax(T.where(m > 10, T.log(m), T.erf(x[:, None])))[:, 0],
    "a softmax and what scales all alike": lambda x, m: T.softmax(3 * T.log(T.maximum(m / m, x[:, None])) + m)[:, 0],
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", BALANCED)
def test_terms_of_a_row_that_balance_leave_no_noise(name: str, dtype: str) -> None:
    """The slope in what all elements of a row share is 0, not what roundings leave of a sum of them."""
    x, m = variable("x", (None,), dtype), variable("m", (None, 3), dtype)
    slope = symdl.grad(BALANCED[name](x, m).sum(), x)
    rng = np.random.default_rng(0)
    values = rng.uniform(1.5, 3, 40).astype(dtype), rng.uniform(0.1, 4, (40, 3)).astype(dtype)
    f = symdl.function([x, m], slope, precision="right", on_unused_input="ignore")
    np.testing.assert_array_equal(f(*values), np.zeros(40))


ALONG: dict[str, Callable[[Any, Any], Any]] = {  # of rows p and what is nearly p
    "a divergence": lambda p, q: (p * T.log(p / q)).sum(axis=-1),
    "a divergence of logarithms": lambda p, q: (p * (T.log(p) - T.log(q))).sum(axis=-1),
    "a divergence of scores": lambda p, q: (T.softmax(p) * (T.log_softmax(p) - T.log_softmax(q))).mean(axis=-1),
    "a derivative of a divergence": lambda p, q: symdl.grad(
        (T.softmax(p) * T.log(T.softmax(p) / T.softmax(q))).sum(), p
    )[:, 1],
    "products that meet": lambda p, q: (T.sin(p) * T.exp(q) - T.sin(q) * T.exp(p)).sum(axis=-1),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ALONG)
def test_terms_of_a_row_that_cancel(name: str, dtype: str) -> None:
    """Computed terms of both signs leave a millionth of a millionth of themselves."""
    p, q = (variable(v, (None, 3), dtype) for v in "pq")
    rng = np.random.default_rng(0)
    shares = rng.uniform(0.1, 1, (40, 3))
    shares /= shares.sum(axis=1, keepdims=True)
    moves = rng.standard_normal((40, 3))
    moves -= moves.mean(axis=1, keepdims=True)
    near = 1e-7 if dtype == "float64" else 1e-4
    values = {p: shares.astype(dtype), q: (shares + near * moves).astype(dtype)}
    out = ALONG[name](p, q)
    (got,), (true,) = quickly([p, q], [out])(list(values.values())), decided([out], values)
    np.testing.assert_array_less(distance(got, true), 4)


def test_a_row_of_exact_terms_asks_nothing() -> None:
    """Its sum is exact to those who use it: nothing that it adds up has been rounded."""
    x = T.dmatrix("x")
    assert forms([x.sum(axis=1), T.exp(x).sum(axis=1), (-T.sqr(x)).mean(axis=1)]) == []


NOTHING: dict[str, Callable[[Any], Any]] = {
    "what log_softmax adds up to": lambda m: T.logsumexp(T.log_softmax(m), axis=-1),
    "what is left of a shift": lambda m: T.log(T.exp(m - T.logsumexp(m, axis=-1, keepdims=True)).sum(axis=-1)),
    "deviations of running sums": lambda m: (
        T.cumsum(m, axis=-1) - T.cumsum(m, axis=-1).mean(axis=-1, keepdims=True)
    ).sum(axis=-1),
    "deviations of what is sorted": lambda m: (
        T.sort(m, axis=-1) - T.sort(m, axis=-1).mean(axis=-1, keepdims=True)
    ).sum(axis=-1),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NOTHING)
def test_what_is_0_for_all_numbers(name: str, dtype: str) -> None:
    """And no number where a number that came in is none."""
    m = variable("m", (None, 3), dtype)
    values = np.random.default_rng(0).uniform(-3, 3, (40, 3)).astype(dtype)
    (found,) = (f := quickly([m], [NOTHING[name](m)]))([values])
    np.testing.assert_array_equal(found, np.zeros(40))
    values[3, 1] = np.nan
    (found,) = f([values])
    assert np.isnan(found).tolist() == [k == 3 for k in range(40)]


RUNNING: dict[str, Callable[[Any], Any]] = {
    "an exponential": lambda m: T.softmax(T.cumsum(m, axis=-1)),
    "what cancels": lambda m: T.cumsum(T.sin(m) - T.sin(m[:, ::-1] * (1 + 2.0**-20)), axis=-1),
    "what is left of the rest": lambda m: symdl.grad(T.sin(T.cumsum(m, axis=-1)).sum(), m),
    "columns": lambda m: T.exp(T.cumsum(5 * m, axis=0)),
    "all": lambda m: T.cos(T.cumsum(T.sqrt(abs(m)))),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", RUNNING)
def test_running_sums_have_the_digits_that_are_asked_of_them(name: str, dtype: str) -> None:
    m = variable("m", (None, None), dtype)
    values = {m: np.random.default_rng(0).uniform(-8, 9, (5, 37)).astype(dtype)}
    out = RUNNING[name](m)
    (got,), (true,) = quickly([m], [out])(list(values.values())), exact([out], values, 200)
    np.testing.assert_array_less(distance(got, true), 4)


@pytest.mark.parametrize(("dtype", "largest"), [("float64", 1.7e308), ("float32", 3e38)])
def test_a_constant_next_to_the_largest_number_takes_back_what_has_left_the_range(dtype: str, largest: float) -> None:
    x = variable("x", (None,), dtype)
    values = {x: np.array([1.9, 1.0, 1.05, 0.25, -0.04], dtype)}
    out = largest * x - largest
    (got,), (true,) = quickly([x], [out])(list(values.values())), exact([out], values, DIGITS)
    np.testing.assert_array_less(distance(got, true), 4)


@pytest.mark.parametrize("exponent", [0.3, 1 / 3, 0.7, -0.4, 2.2, 1e-3])
def test_slopes_of_powers_whose_exponent_is_no_float(exponent: float) -> None:
    """0.3 - 1 takes two limbs; the power is one of a float64 and a little more."""
    x = variable("x", (None,), "float64")
    chance = np.random.default_rng(0)
    values = {x: np.concatenate([chance.uniform(0.3, 1.7, 20), 10.0 ** chance.uniform(-200, 90, 20)])}
    slope = symdl.grad((x**exponent).sum(), x)
    outs = [slope, symdl.grad((slope * x).sum(), x)]
    f = quickly([x], outs)
    for got, true in zip(f(list(values.values())), exact(outs, values, DIGITS), strict=True):
        np.testing.assert_array_less(distance(got, true), 4)
    ends = np.array([0.0, np.inf, -2.0, np.nan])
    plain = quickly([x], outs, "plain")
    for got, true in zip(f([ends]), plain([ends]), strict=True):
        np.testing.assert_array_equal(got, true)
