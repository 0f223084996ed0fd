"""Every op in the table keeps what its declaration says; no op is left out."""

from __future__ import annotations

import math
import operator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from agree import DTYPES, FLOATS, check_gradient, number_array, same, value
from cases import CASES
from scipy import special

import symdl.tensor as T
from symdl.derivatives.gradient import pull
from symdl.errors import DtypeError, GradientError
from symdl.graph.expr import OPS, Expr, Op, variable
from symdl.graph.walks import levels
from symdl.ops.declare import is_float
from symdl.passes.evaluate import evaluate
from symdl.verify import derivative_error, exact, points

ELEMENTWISE = [op for op in OPS.values() if op.prepare is not None and not op.foreign]


def operands(op: Op, dtype: str, shape: tuple[Any, ...] = (None,)) -> list[Expr]:
    """A variable for each argument; conditions are bools."""
    return [variable(a, shape, "bool" if (op.name, a) == ("where", "c") else dtype) for a in op.arguments]


def takes(op: Op, dtype: str) -> bool:
    try:
        op(*operands(op, dtype))
    except DtypeError:
        return False
    return True


REAL = [op for op in ELEMENTWISE if takes(op, "float64")]
WITH_NUMBERS = [op for op in REAL if op(*operands(op, "float64")).type.dtype != "bool"]
INTEGRAL = [  # not those of floats alone, nor where, whose condition is no integer
    op
    for op in ELEMENTWISE
    if op(*operands(op, "int32")).type.dtype in ("int32", "bool")
    and op.name not in ("isnan", "isinf", "isfinite", "where")
]
CASTS = "cast"  # declared by hand, with tests of its own below
RANDOM = {f"random_{kind}" for kind in ("word32", "word64", "normal32", "normal64")} | {"place", "permutation"}

# Ulps of the oracle itself, where it is not within 2.5: what scipy and the composed formulas lose, and where.
ORACLE_ULPS = {
    "erfc": 200, "erfcx": 200,  # scipy, in e^-x^2
    "gammaln": 40,  # scipy, near its zeros at 1 and 2
    "logaddexp": 40,  # near its zeros
    "trigamma": 8, "xlogy": 3, "digamma": 6,
}  # fmt: skip

# What NumPy and SciPy call the composite ops whose declaration names no NumPy function.
BY_OTHER_MEANS = {
    "sigmoid": special.expit,
    "softplus": lambda x: np.logaddexp(0, x),
    "log1mexp": lambda x: np.where(x > -0.5, np.log(-np.expm1(x)), np.log1p(-np.exp(x))),
    "xlogy": special.xlogy,
    "trigamma": lambda x: special.polygamma(1, x),
}
OWN = {"python", "python_sized", "custom_gradient", "random_state"}
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 5e-324, 1e308, -1e308, 100.0])


def test_no_op_is_left_out() -> None:
    """Elementwise ops are tested from their declarations, the others from the table of cases."""
    # See tests/test_random.py, tests/test_extending.py.
    reached = (
        {op.name for op in ELEMENTWISE}
        | {CASTS, "variable", "constant", "wildcard", "parameter", "argument"}
        | RANDOM
        | OWN
    )
    for case in CASES:
        outputs, _, _, _ = run(case, "float64" if case.floats else "int64", known=False)
        reached.update(node.op.name for node in levels(*outputs))
    assert {name for name, op in OPS.items() if not op.foreign} - reached == set()  # not those that other tests declare


def test_every_op_is_described() -> None:
    assert [op.name for op in OPS.values() if op.kind != "leaf" and op.name != "result" and not op.doc.strip()] == []
    assert [op.name for op in ELEMENTWISE if op.meaning is None or len(op.domain) != len(op.arguments)] == []


def test_every_public_name_is_described() -> None:
    assert [n for n in T.__all__ if not (getattr(T, n).__doc__ or "").strip()] == []
    assert list(T.__all__) == sorted(T.__all__)


# ---- the oracle against the meaning ----


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", WITH_NUMBERS, ids=str)
def test_the_oracle_computes_the_meaning(op: Op, dtype: str) -> None:
    leaves = operands(op, dtype)
    y = op(*leaves)
    at = np.array(list(points(op.domain, 30))).T.astype(dtype)
    values = dict(zip(leaves, at, strict=True))
    (true,) = exact([y], values, 25)
    got = value(y, values)
    rounded = np.array([float(t) for t in true], np.float64)
    normal = (np.abs(rounded) < np.finfo(dtype).max) & (np.abs(rounded) > np.finfo(dtype).tiny)
    finite = normal | (rounded == 0)
    assert finite.sum() > 15
    error = np.array([abs(float(t - float(g))) for t, g in zip(true[finite], got[finite], strict=True)])
    ulp = np.spacing(np.abs(rounded[finite]).astype(dtype)).astype(np.float64)
    assert (error / ulp).max() <= ORACLE_ULPS.get(op.name, 2.5)


@pytest.mark.parametrize("op", [op for op in REAL if op not in WITH_NUMBERS], ids=str)
def test_the_oracle_decides_as_the_meaning_does(op: Op) -> None:
    leaves = operands(op, "float64")
    at = np.array([*points(op.domain, 20), (1.0,) * len(leaves), (0.0,) * len(leaves)]).T
    values = dict(zip(leaves, at, strict=True))
    y = op(*leaves)
    same(value(y, values), exact([y], values)[0])


def by_fractions(op: Op, arguments: tuple[int, ...]) -> Any:
    """An op's meaning on integers, exactly."""
    assert op.meaning is not None
    bits = any(s in op.meaning for s in "&|^~")
    names: dict[str, Any] = {
        "floor": math.floor, "Abs": abs, "Max": max, "Min": min, "sign": lambda v: (v > 0) - (v < 0),
        "Eq": operator.eq, "Ne": operator.ne, "And": lambda a, b: a and b, "Or": lambda a, b: a or b,
        "Xor": lambda a, b: a != b, "Not": operator.not_, "oo": math.inf,
        "Piecewise": lambda *cases: next(v for v, c in cases if c),
    }  # fmt: skip
    kind = bool if op.name.startswith("logical") else int if bits else Fraction
    return eval(op.meaning, names, dict(zip(op.arguments, map(kind, arguments), strict=True)))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64"])
@pytest.mark.parametrize("op", INTEGRAL, ids=str)
def test_the_oracle_is_exact_on_integers(op: Op, dtype: str) -> None:
    leaves = operands(op, dtype)
    y = op(*leaves)
    info = np.iinfo(dtype)
    edge = [0, 1, 2, 3, 7, 8, 63, 100, int(info.max)] + ([-1, -2, -7, int(info.min)] if info.min else [])
    grid = [p for p in product(edge, repeat=len(leaves)) if defined(op, p, info)]
    got = value(y, {v: np.array([p[k] for p in grid], dtype) for k, v in enumerate(leaves)})
    for p, g in zip(grid, got, strict=True):
        true = by_fractions(op, p)
        if y.type.dtype != "bool":
            true = (int(true) - int(info.min)) % (int(info.max) - int(info.min) + 1) + int(info.min)  # wraps around
        assert g == true, (op, p, g, true)


def defined(op: Op, p: tuple[int, ...], info: Any) -> bool:
    """Whether the meaning holds at integers: no division by 0, no negative exponent or shift, none past the width."""
    if op.name in ("floor_div", "mod"):
        return bool(p[1] != 0)
    if op.name == "pow":
        return 0 <= p[1] <= 100
    if op.name.endswith("shift"):
        return bool(0 <= p[1] < info.bits)
    return True


def test_integers_where_the_meaning_ends() -> None:
    a, b = T.lvectors("a", "b")
    at = {a: np.array([7, -7, 0]), b: np.array([0, 0, 0])}
    for op in (T.floor_div, T.mod):
        same(value(op(a, b), at), np.zeros(3, np.int64))
    at = {a: np.array([2, 1, -1, -1, 0]), b: np.array([-1, -3, -3, -2, -1])}
    same(value(a**b, at), np.array([0, 1, -1, 1, 0]))
    at = {a: np.array([5, -5, 5]), b: np.array([64, 64, 100])}
    same(value(T.left_shift(a, b), at), np.zeros(3, np.int64))
    same(value(T.right_shift(a, b), at), np.array([0, -1, 0]))


# ---- special values: composed bodies against what NumPy and SciPy have ----


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", [op for op in REAL if op.expand], ids=str)
def test_a_composite_agrees_with_numpy_at_special_values(op: Op, dtype: str) -> None:
    leaves = operands(op, dtype)
    grid = np.array(list(product(SPECIAL.astype(dtype), repeat=len(leaves)))).T
    if op.name == "clip_between":
        grid = grid[:, ~(np.isnan(grid[1]) | np.isnan(grid[2]))]  # NumPy leaves NaN bounds open
    got = value(op(*leaves), dict(zip(leaves, grid, strict=True)))
    reference = op.reference or BY_OTHER_MEANS[op.name]
    expected = np.asarray(reference(*grid)).astype(got.dtype)
    if op.name == "trigamma":  # poles of the reflection formula at the negative integers and 0
        keep = ~np.isin(grid[0], np.array([0, -1, -np.inf, np.finfo(dtype).min], dtype)) & (np.abs(grid[0]) < 1e30)
        got, expected = got[keep], expected[keep]
    rtol = float(20 * np.finfo(dtype).eps)
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=0)


@pytest.mark.parametrize("op", [op for op in OPS.values() if op.expand and op.prepare and op.reference], ids=str)
def test_a_body_equals_the_reference_it_states(op: Op) -> None:
    assert op.reference is not None
    rng = np.random.default_rng(3)
    dtype = "float64" if op in REAL else "bool"
    leaves = operands(op, dtype)
    arrays = [np.abs(number_array(rng, (50,), dtype)) for _ in leaves]
    np.testing.assert_allclose(
        value(op(*leaves), dict(zip(leaves, arrays, strict=True))), op.reference(*arrays), rtol=1e-14, atol=1e-16
    )


@pytest.mark.parametrize("op", ELEMENTWISE, ids=str)
def test_shapes_broadcast_as_in_numpy_also_empty_ones(op: Op) -> None:
    dtype = "float64" if op in REAL else "bool" if takes(op, "bool") else "int64"
    rng = np.random.default_rng(5)
    for shapes in (((), (), ()), ((0,), (0,), (0,)), ((3, 1), (1, 4), (4,)), ((2, 0), (1, 1), ()), ((), (2,), (2, 1))):
        leaves, arrays = [], []
        for a, shape in zip(op.arguments, shapes, strict=False):
            kind = "bool" if (op.name, a) == ("where", "c") else dtype
            leaves.append(variable(a, shape, kind))
            arrays.append(np.abs(number_array(rng, shape, kind)) if kind != "bool" else number_array(rng, shape, kind))
        got = value(op(*leaves), dict(zip(leaves, arrays, strict=True)))
        assert got.shape == np.broadcast_shapes(*(a.shape for a in arrays))


# ---- derivatives ----


DIFFERENTIABLE = [op for op in WITH_NUMBERS if op.name != "trigamma"]


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=str)
def test_a_derivative_is_that_of_the_meaning(op: Op) -> None:
    """In 60 digits, against the numeric derivative of the declared meaning."""
    for which, argument in enumerate(op.arguments):
        if (op.name, argument) == ("where", "c"):
            continue
        for at in points(op.domain, 5, seed=which):
            assert derivative_error(op, which, at) < 1e-30, (op, argument, at)


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=str)
def test_a_gradient_is_the_slope_of_the_oracle(op: Op) -> None:
    """Values and gradients broadcast: rows against columns."""
    rng = np.random.default_rng(11)
    shapes = ((2, 1), (1, 3), (3,))[: len(op.arguments)]
    leaves, values = [], {}
    for a, shape, (low, high) in zip(op.arguments, shapes, op.domain, strict=True):
        if (op.name, a) == ("where", "c"):
            v = variable(a, shape, "bool")
            values[v] = rng.integers(0, 2, shape).astype(bool)
        else:
            v = variable(a, shape, "float64")
            low, high = max(low, -2.0), min(high, 2.0)
            values[v] = rng.uniform(low + 0.1 * (high - low), high - 0.1 * (high - low), shape)
        leaves.append(v)
    floats = [v for v in leaves if is_float(v.type.dtype)]
    if op.name in ("floor_div", "floor", "ceil", "trunc", "round_half_even", "sign"):
        (g,) = pull([op(*leaves).sum()], [T.constant(1.0)], floats[:1])
        assert g is not None
        assert not value(g, values).any()
        return
    check_gradient([op(*leaves)], values, floats)


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=str)
def test_a_float32_gradient_is_the_float64_one_rounded(op: Op) -> None:
    at = np.array(list(points([(max(lo, -3.0), min(hi, 3.0)) for lo, hi in op.domain], 12, seed=2))).T
    found = {}
    for dtype in FLOATS:
        leaves = operands(op, dtype)
        floats = [v for v in leaves if is_float(v.type.dtype)]
        values = dict(zip(leaves, at.astype("float32"), strict=True))
        gradients = pull([op(*leaves).sum()], [T.constant(1, dtype)], floats)
        assert all(g is not None for g in gradients)
        found[dtype] = evaluate([g for g in gradients if g is not None], values)
        assert all(g.dtype == dtype for g in found[dtype])
    for a, b in zip(found["float32"], found["float64"], strict=True):
        np.testing.assert_allclose(a, b, rtol=3e-4, atol=1e-5)


def test_what_has_no_derivative_says_so() -> None:
    x = T.dscalar("x")
    with pytest.raises(GradientError, match="trigamma has no gradient"):
        T.grad(T.trigamma(x), x)


# ---- dtypes ----

# Where symdl differs from NumPy on purpose, by op.
NOT_NUMPYS = {
    "reciprocal": "of integers too it is a float: NumPy's integer 1/x is 0",
    "floor": "of integers a float, as NumPy had it before 2.1", "ceil": "as floor", "trunc": "as floor",
    "round_half_even": "as floor",
    "pow": "no bools", "left_shift": "no bools", "right_shift": "no bools",
    "where": "its condition has a test of its own", "clip_between": "no ufunc",
    "erf": "", "erfc": "", "erfcx": "", "erfinv": "", "gammaln": "", "digamma": "",
    "floor_div": "no bools", "mod": "no bools", "sqr": "no bools",
}  # fmt: skip
UFUNCS = [op for op in ELEMENTWISE if isinstance(op.reference, np.ufunc)]


def numpys(op: Op, dtypes: tuple[Any, ...]) -> str | None:
    """The dtype that NumPy gives, float32 for its float16; None where it refuses."""
    try:
        assert isinstance(op.reference, np.ufunc)
        out = op.reference(*(np.ones(1, d) if isinstance(d, str) else d for d in dtypes)).dtype.name
    except TypeError:
        return None
    return "float32" if out == "float16" else str(out)


@pytest.mark.parametrize("op", UFUNCS, ids=str)
def test_dtypes_are_numpys(op: Op) -> None:
    for dtypes in product(DTYPES, repeat=len(op.arguments)):
        expected = numpys(op, dtypes)
        if op.name in NOT_NUMPYS and ("bool" in dtypes or NOT_NUMPYS[op.name] != "no bools"):
            continue
        try:
            got: str | None = op(*(variable(None, (1,), d) for d in dtypes)).type.dtype
        except DtypeError:
            got = None
        assert got == expected, (op, dtypes)


@pytest.mark.parametrize(
    "number", [2, 2.5, True, np.float64(2.5), np.float32(2.5), np.int8(2), np.bool_(True)], ids=repr
)
@pytest.mark.parametrize("op", [T.add, T.mul, T.true_div, T.maximum, T.lt, T.arctan2], ids=str)
def test_python_numbers_adopt_the_dtype_of_their_peers_and_numpys_do_not(op: Op, number: Any) -> None:
    for dtype in DTYPES:
        x = variable("x", (1,), dtype)
        assert isinstance(op.reference, np.ufunc)
        for arguments, arrays in (
            ((x, number), (np.ones(1, dtype), number)),
            ((number, x), (number, np.ones(1, dtype))),
        ):
            expected = op.reference(*arrays).dtype.name
            assert op(*arguments).type.dtype == expected.replace("float16", "float32"), dtype


def test_a_python_float_beside_integers_is_floatx() -> None:
    n = T.lvector("n")
    assert (n + 0.5).dtype == "float64"
    with T_config(floatX="float32"):
        assert (n + 0.5).dtype == "float32"
        assert (T.dvector() + 0.5).dtype == "float64"
        assert T.vector().dtype == "float32"


def T_config(**options: str) -> Any:
    from symdl.config import config

    return config.change(**options)


def test_a_number_that_does_not_fit_is_refused() -> None:
    n = T.bvector("n")
    with pytest.raises(DtypeError, match="300 does not fit int8"):
        n + 300
    with pytest.raises(DtypeError, match="-1 does not fit uint8"):
        T.vector("u", dtype="uint8") * -1


@pytest.mark.parametrize("op", ELEMENTWISE, ids=str)
def test_an_operand_too_many_is_refused(op: Op) -> None:
    n = len(op.arguments)
    for count in (n - 1, n + 1):
        with pytest.raises(TypeError, match=rf"{op}\(\) takes {', '.join(op.arguments)}: {n} in all, not {count}"):
            op(*[T.lvector()] * count)
    with pytest.raises(TypeError, match=rf"{op}\(\) got an unexpected keyword argument 'axis'"):
        op(*operands(op, "float64" if op in REAL else "bool" if takes(op, "bool") else "int64"), axis=0)


def test_refusals_name_the_operands() -> None:
    b, x = T.vector("flags", dtype="bool"), T.dvector("x")
    with pytest.raises(DtypeError, match=r"(?s)sub: takes numbers, not bool.*flags.*T\.cast"):
        b - b
    with pytest.raises(DtypeError, match=r"bitwise_and: takes integers or bools, not float64"):
        x & x


@pytest.mark.parametrize("before", DTYPES)
def test_casts_are_those_of_numpy(before: str) -> None:
    rng = np.random.default_rng(0)
    array = number_array(rng, (40,), before) * (np.array(2.5).astype(before) if is_float(before) else 1)
    x = variable("x", (None,), before)
    array = array.astype(before)
    for after in DTYPES:
        y = T.cast(x, after)
        if is_float(before) and after.startswith("u"):
            array = np.abs(array)  # a negative float has no place in an unsigned integer: C leaves it open
        same(value(y, {x: array}), array.astype(after))
    assert T.cast(x, before) is x


# ---- everything else, from the table of cases ----


def run(case: Any, dtype: str, known: bool) -> tuple[list[Expr], dict[Expr, Any], list[Expr], list[Any]]:
    arrays = case.arrays(dtype)
    leaves = [
        variable(f"x{k}", a.shape if known else tuple(n if n == 1 else None for n in a.shape), a.dtype.name)
        for k, a in enumerate(arrays)
    ]
    values = dict(zip(leaves, arrays, strict=True))
    built = case.build(*leaves)
    outputs = list(built) if isinstance(built, list | tuple) else [built]
    if not case.exact and any(is_float(y.type.dtype) for y in outputs):  # where NumPy would go on in float16
        arrays = [
            a if is_float(a.dtype.name) or k in case.integers else a.astype("float64") for k, a in enumerate(arrays)
        ]
    expected = case.numpy(*arrays)
    wanted = list(expected) if isinstance(expected, list | tuple) else [expected]
    return outputs, values, leaves, wanted


def differentiable(case: Any) -> bool:
    outputs, _, leaves, _ = run(case, "float64", True)
    return any(is_float(y.type.dtype) for y in outputs) and any(is_float(v.type.dtype) for v in leaves)


@pytest.mark.parametrize("known", [True, False], ids=["known extents", "unknown extents"])
@pytest.mark.parametrize("case", CASES, ids=repr)
def test_a_case_is_numpys(case: Any, known: bool) -> None:
    for dtype in ("float64", "float32", "int16", "bool") if case.floats else ("int64", "int16"):
        try:
            outputs, values, _, wanted = run(case, dtype, known)
        except DtypeError:
            assert dtype in ("bool", "int16"), dtype
            continue
        assert len(outputs) == len(wanted)
        for y, expected in zip(outputs, wanted, strict=True):
            got = value(y, values)
            if got.dtype.kind != "f":
                np.testing.assert_array_equal(got, expected)
            elif case.exact:
                np.testing.assert_array_equal(got, np.asarray(expected).astype(got.dtype))
            else:
                rtol = 1e-5 if got.dtype == np.float32 else 1e-13
                np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("known", [True, False], ids=["known extents", "unknown extents"])
@pytest.mark.parametrize("case", [c for c in CASES if differentiable(c)], ids=repr)
def test_a_cases_gradient_is_its_slope(case: Any, known: bool) -> None:
    outputs, values, leaves, _ = run(case, "float64", known)
    floats = [v for v in leaves if is_float(v.type.dtype)]
    check_gradient(outputs, values, floats)
