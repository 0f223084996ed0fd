"""Balls of 256 bits: functions against mpmath, errors that are never less than what they bound, and loops that use them."""

from __future__ import annotations

import ctypes
import math
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import llvmlite.binding
import mpmath
import numpy as np
import pytest
from quick_code import quickly

import symdl
import symdl.tensor as T
from symdl.backends.balls import loading
from symdl.backends.balls.library import ENTRY, NAMES
from symdl.backends.balls.numbers import EXACT, words
from symdl.backends.balls.tapes import tape_of
from symdl.backends.cpu.assembler import Machine
from symdl.backends.cpu.libraries import balls_code
from symdl.graph.expr import Expr, variable
from symdl.ir.loops import Apply, Const, Ref, Value

BITS = 600
FORM = "float64x2e"
LIMBS = tuple[float, float, float]

TWO: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "true_div": lambda x, y: x / y,
    "pow": lambda x, y: x**y, "maximum": max, "minimum": min, "arctan2": mpmath.atan2,
    "floor_div": lambda x, y: mpmath.floor(x / y), "mod": lambda x, y: x - y * mpmath.floor(x / y),
}  # fmt: skip
ONE: dict[str, Callable[[Any], Any]] = {
    "copy": lambda x: x, "neg": lambda x: -x, "abs": abs, "exp": mpmath.exp, "expm1": mpmath.expm1, "log": mpmath.log,
    "exp2": lambda x: mpmath.mpf(2) ** x, "log1p": mpmath.log1p, "log2": lambda x: mpmath.log(x, 2), "tan": mpmath.tan,
    "log10": mpmath.log10, "sqrt": mpmath.sqrt, "sin": mpmath.sin, "cos": mpmath.cos, "arctan": mpmath.atan,
    "arcsin": mpmath.asin, "arccos": mpmath.acos, "sinh": mpmath.sinh, "cosh": mpmath.cosh, "tanh": mpmath.tanh,
    "arcsinh": mpmath.asinh, "arccosh": mpmath.acosh, "arctanh": mpmath.atanh, "erf": mpmath.erf, "erfc": mpmath.erfc,
    "logistic_tail": lambda x: 1 / (1 + mpmath.exp(abs(x))), "erfcx": lambda x: mpmath.exp(x * x) * mpmath.erfc(x),
    "far_erfcx": lambda x: mpmath.exp(x * x) * mpmath.erfc(x), "round_half_even": mpmath.nint,
    "floor": mpmath.floor, "ceil": mpmath.ceil, "trunc": lambda x: mpmath.sign(x) * mpmath.floor(abs(x)),
    "gammaln": lambda x: mpmath.log(abs(mpmath.gamma(x))), "digamma": mpmath.digamma,
    "above_gammaln": mpmath.loggamma, "above_digamma": mpmath.digamma, "erfinv": mpmath.erfinv,
}  # fmt: skip
TRUTHS = {
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "isnan",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "invert",
    "where",
    "where_bool",
}
PARTS = {"copy": "cast", "far_erfcx": "erfcx", "above_gammaln": "gammaln", "above_digamma": "digamma"}  # of primitives


@cache
def library() -> Any:
    kinds = ctypes.c_void_p, ctypes.c_void_p, *(ctypes.c_int64,) * 2, ctypes.c_void_p, *(ctypes.c_int64,) * 2
    return ctypes.CFUNCTYPE(None, *kinds)(balls_code(Machine()).address(ENTRY))


def evaluated(value: Value, given: Sequence[LIMBS], dtype: str = FORM) -> Any:
    """A value of leaves x0, x1, ... in balls; None where it is not known."""
    tape = tape_of([(value, dtype, 0)], lambda _: None)
    assert tape is not None
    words_ = np.array(tape.words, np.int64)
    leaves = np.array([given[int(leaf.name[1:])] for leaf in tape.leaves if isinstance(leaf, Ref)], np.float64)
    area = np.full(3, np.nan)
    library()(words_.ctypes.data, leaves.ctypes.data, 0, 1, area.ctypes.data, 0, 1)
    if np.isnan(area[0]):
        return None
    return float(area[0]) if dtype == "float64" else exactly(tuple(area))


def exactly(limbs: Sequence[float]) -> Any:
    high, low, exponent = map(float, limbs)
    return mpmath.ldexp(mpmath.fadd(high, low, exact=True), int(exponent) if high else 0)


def leaf(k: int) -> Ref:
    return Ref(f"x{k}", FORM)


def points(name: str, count: int) -> list[LIMBS]:
    chance = random.Random(name)
    out = []
    for _ in range(count):
        x = chance.uniform(-1, 1) * 10 ** chance.uniform(-15, 2)
        x = x + 1 if chance.random() < 0.2 else x
        if name in ("sin", "cos", "tan") and chance.random() < 0.2:
            x *= 2.0 ** chance.uniform(40, 120)
        if name in ("floor", "ceil", "trunc", "floor_div", "mod") and chance.random() < 0.3:
            x *= 2.0 ** chance.uniform(40, 120)
        if name in ("log", "log2", "log10", "sqrt", "pow"):
            x = abs(x)
        if name in ("arccosh", "far_erfcx"):
            x = abs(x) + (1 if name == "arccosh" else 8)
        if name in ("arcsin", "arccos", "arctanh", "log1p"):
            x = max(min(x, 0.999), -0.999)
        if name in ("above_gammaln", "above_digamma"):
            x = abs(x)
        if name == "erfinv":
            x = max(min(x, 1 - 1e-9), -1 + 1e-9)
        if name.startswith("erf"):
            x = max(min(x, 20.0), -20.0)
        out.append((x, x * chance.uniform(-1, 1) * 2.0**-54, 0.0))
    return out


def test_every_function_is_tried_here() -> None:
    assert set(NAMES) == set(TWO) | set(ONE) | TRUTHS


@pytest.mark.parametrize("other", [1.0, 0.7, 5.0])
def test_a_quotient_is_no_more_exact_than_its_digits(other: float) -> None:
    """y (x/y) may be x for all that is known. Where y's mantissa is the larger, the quotient counted as exact."""
    x, y = leaf(0), leaf(1)
    back = Apply("mul", (y, Apply("true_div", (x, y), FORM)), FORM)
    differs = Apply("where", (Apply("ne", (back, x), "bool"), Const((1.5, 0.0, 3.0), FORM), x), FORM)
    for divisor in (2.3, 7.1, 0.44080090522766113, 1e-8, 3.0, 1 / 3):
        assert evaluated(differs, [(other, 0.0, 0.0), (divisor, 0.0, 0.0)]) is None


@pytest.mark.parametrize("name", [n for n in NAMES if n not in TRUTHS])
def test_more_digits_than_two_limbs_hold(name: str) -> None:
    """f(x) less its first two limbs is right wherever it is known, which it is but for what a formula loses."""
    count = 1 if name in ONE else 2
    primitive = PARTS.get(name, name)
    with mpmath.workprec(BITS):
        chosen, known = points(name, 24 * count), 0
        for k in range(24):
            given = chosen[count * k : count * k + count]
            exact = [exactly(limbs) for limbs in given]
            truth = ONE[name](*exact) if name in ONE else TWO[name](*exact)
            value: Value = Apply(primitive, tuple(leaf(j) for j in range(count)), FORM)
            found = evaluated(value, given)
            assert found is not None
            assert abs(found - truth) <= abs(truth) * mpmath.mpf(2) ** -103
            if truth == found:
                known += 1
                continue
            limbs = float(found), float(found - float(found))
            rest = Apply("sub", (value, leaf(count)), FORM)
            near = evaluated(rest, [*given, (*limbs, 0.0)])
            if near is not None:
                known += 1
                left = truth - exactly((*limbs, 0.0))
                assert abs(near - left) <= abs(left) * mpmath.mpf(2) ** -79
        assert known >= 16


def test_what_is_not_known_is_not_told() -> None:
    """A sum of which only noise is left, a logarithm of a negative number, a quotient by what may be 0."""
    x = leaf(0)
    noise = Apply("sub", (Apply("exp", (Apply("log", (x,), FORM),), FORM), x), FORM)
    assert evaluated(noise, [(0.3, 0.0, 0.0)]) is None
    assert evaluated(Apply("log", (x,), FORM), [(-1.0, 0.0, 0.0)]) is None
    assert evaluated(Apply("true_div", (x, noise), FORM), [(0.3, 0.0, 0.0)]) is None
    assert evaluated(x, [(math.nan, 0.0, 0.0)], "float64") is None
    assert evaluated(Apply("where", (Apply("gt", (x, noise), "bool"), x, noise), FORM), [(0.5, 0.0, 0.0)]) == 0.5


def test_branches_that_are_not_taken_do_not_count() -> None:
    x, zero = leaf(0), Const(0.0, FORM)
    chosen = Apply("where", (Apply("gt", (x, zero), "bool"), Apply("log", (x,), FORM), x), FORM)
    assert evaluated(chosen, [(-2.0, 0.0, 0.0)]) == -2
    assert evaluated(chosen, [(1.0, 0.0, 0.0)], "float64") == 0


def test_where_it_is_not_known_which_a_choice_spans_both() -> None:
    x, zero, four = leaf(0), Const((0.0, 0.0, 0.0), FORM), Const((1.0, 0.0, 2.0), FORM)
    noise = Apply("sub", (Apply("exp", (Apply("log", (x,), FORM),), FORM), x), FORM)
    unclear = Apply("gt", (noise, zero), "bool")
    either = Apply("where", (unclear, x, noise), FORM)
    truth = Apply("where", (unclear, Apply("gt", (x, zero), "bool"), Apply("lt", (x, zero), "bool")), "bool")
    at = [(0.3, 0.0, 0.0)]
    assert evaluated(Apply("where", (unclear, x, x), FORM), at, "float64") == 0.3
    assert evaluated(either, at) is None
    assert evaluated(Apply("where", (Apply("lt", (either, four), "bool"), x, noise), FORM), at, "float64") == 0.3
    assert evaluated(Apply("where", (Apply("lt", (either, x), "bool"), x, four), FORM), at) is None
    assert evaluated(Apply("where", (truth, x, four), FORM), at) is None


@pytest.mark.parametrize("x", [0.0, 1.0, -1.5, 5e-324, 1.7e308, 2.0**-1040])
def test_floats_come_back_as_they_were(x: float) -> None:
    assert evaluated(Apply("cast", (leaf(0),), FORM), [(x, 0.0, 0.0)], "float64") == x


def test_words_of_numbers() -> None:
    assert words(Fraction(1))[3:] == (-(1 << 63), 0, EXACT, 0, 0)
    assert words(Fraction(-1, 3))[4:7] == (-2, -2 - 255, 1)


# loops


def values(f: Callable[[Expr], Expr], x: Any) -> list[Any]:
    """A formula and its derivative, compiled."""
    v = variable("x", (None,), str(x.dtype))
    y = f(v)
    return list(quickly([v], [y, symdl.grad(y.sum(), v)])([x]))


def remainder(x: Any) -> Any:
    """arctanh(x)/x: its derivative, 2x/3 near 0, cancels twice."""
    return T.arctanh(x) / x


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_each_element_by_itself(dtype: str) -> None:
    """Elements that are computed in balls stand between others, in vectors and in what is left of the loop: each comes out
    as it does alone."""
    x = np.array([0.5, 1e-13, -1e-14, 0.25, 3e-12, 1e-3, np.nan, 0.0, 1e-13] * 5, dtype)[:-3]
    together = values(remainder, x)
    for k in (1, 2, 4, len(x) - 1):
        assert [float(t[k]) for t in together] == [float(v[0]) for v in values(remainder, x[k : k + 1])]
    small = np.abs(x) < 1e-10
    small &= x != 0
    slope = 2 * x[small].astype(np.float64) / 3
    assert np.max(np.abs(together[1][small] / slope - 1)) < 4 * np.finfo(dtype).eps


def test_the_library_is_loaded_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python stands behind the name until the first element comes; loading it fails nowhere else."""
    loads = []
    monkeypatch.setattr(loading, "_kept", {})
    added: dict[str, int] = {}
    monkeypatch.setattr(llvmlite.binding, "add_symbol", added.__setitem__)

    def load() -> Any:
        loads.append(1)
        return balls_code(Machine())

    loading.link(b"nothing of it", load)
    assert not added
    loading.link(loading.NAME, load)
    assert list(added) == [ENTRY]
    assert not loads
    tape = tape_of([(Apply("exp", (leaf(0),), FORM), "float64", 0)], lambda _: None)
    assert tape is not None
    code, leaves, area = np.array(tape.words, np.int64), np.array([1.0, 0.0, 0.0]), np.full(1, np.nan)
    first = loading.PROTOTYPE(added[ENTRY])
    first(code.ctypes.data, leaves.ctypes.data, 0, 1, area.ctypes.data, 0, 1)
    assert loads
    assert area[0] == math.e


ORDINARY = """
import numpy as np
import symdl
import symdl.tensor as T
from symdl.backends.balls import loading

x = T.dvector("x")
for y in (
    T.sqrt(x * x + 1e-6) - abs(x),
    T.exp(17.27 * x / (237.3 + x)) - T.exp(17.27 * (x - 0.001) / (236.299 + x)),
    ((1 + x / 12) ** 12 - 1) / x,
):
    symdl.function([x], [y, symdl.grad(y.sum(), x)])(np.linspace(0.3, 1.7, 5000))
assert "engine" not in loading._kept, "ordinary numbers were computed in balls"
h = T.dvector("h")
g = symdl.function([x, h], [T.sqrt(x + h) - 2 * T.sqrt(x) + T.sqrt(x - h)])
g(np.array([1e14]), np.array([1.0]))
assert "engine" in loading._kept, "what two limbs have lost was not"
"""


def test_ordinary_numbers_lose_no_more_than_two_limbs_hold() -> None:
    """What several sums lose a little of each is not what they may lose at most: a ball takes microseconds."""
    made = subprocess.run([sys.executable, "-c", ORDINARY], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


def test_a_gpu_keeps_what_two_limbs_hold() -> None:
    """It has no balls, and the report of errors says what that costs."""
    x, h = variable("x", (None,), "float64"), variable("h", (None,), "float64")
    y, at = T.sqrt(x + h) - 2 * T.sqrt(x) + T.sqrt(x - h), (np.array([1e14, 2.0]), np.ones(2))
    worst = {}
    for device in ("cpu", "cuda-emulated"):
        f = symdl.function([x, h], [y], device=device)
        np.testing.assert_allclose(f(*at)[0], [-0.25e-21, math.sqrt(3) - 2 * math.sqrt(2) + 1], rtol=1e-3)
        worst[device] = f.stability_report(*at).results[0].ulps
    assert worst["cpu"] < 4 < worst["cuda-emulated"]


def test_a_condition_that_one_side_decides_is_known() -> None:
    """An exponent is rounded to a whole number where the base is negative and it nearly is one: above 2^50 nobody knows
    whether it is, and (1 + x)^(1/x) was 1.01 at x of 1e-20."""
    x = T.dvector("x")
    points = np.array([1e-3, 1e-17, 1e-20, 1e-30, 1e-45])
    (got,) = symdl.function([x], [(1 + x) ** (1 / x)])(points)
    with mpmath.workprec(BITS):
        exact = [mpmath.exp(mpmath.log1p(mpmath.mpf(v)) / mpmath.mpf(v)) for v in points.tolist()]
    np.testing.assert_array_max_ulp(got, np.array([float(v) for v in exact]), 1)
