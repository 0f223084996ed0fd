"""Every float primitive in every number form against exact arithmetic, on hard and on random points over the whole range."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest
from quick_code import quickly
from ulps import distance
from wide_code import HAS_REGISTERS, REGISTER, Row, compiled, error, operand_dtypes, run

import symdl.tensor as T
from symdl import form_arithmetic
from symdl.backends.primitives import PRIMITIVES
from symdl.backends.wide.bounds import ABSOLUTE, ERROR, THIN, TWO
from symdl.backends.wide.primitives import EMIT
from symdl.number_forms import INFINITE, LIMBS, WIDE, ZERO, array_dtype, limbs_of

NAMES = sorted(n for n, p in PRIMITIVES.items() if "float" in p.accepts and n != "cast")
SPECIAL = (0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan)
SMALL = Fraction(1, 1 << 80)
HARD = (
    Fraction(1, 2), Fraction(-1, 2), 2, -2, 3, Fraction(5, 2), Fraction(-3, 2), Fraction(1, 3), -Fraction(2, 7),
    1 + SMALL, 1 - SMALL, -1 + SMALL, -1 - SMALL, 2 - SMALL, 2 + SMALL, Fraction(1, 2) - SMALL, Fraction(1, 2) + SMALL,
    1 + Fraction(1, 1 << 900), Fraction(1, 10**30), -Fraction(1, 10**30), Fraction(1, 10**280), Fraction(3, 10**5),
    Fraction(math.pi), Fraction(math.pi) * 100, Fraction(355, 113), Fraction(1e5), Fraction(-1e5), Fraction(2) ** 40 + SMALL,
    Fraction(24), Fraction(39, 10), 30, -30, Fraction(-61, 10), 700, -700, Fraction(10) ** 22, Fraction(1e300), -Fraction(1e300),
)  # fmt: skip
FAR = (
    Fraction(2) ** 1500,
    -(Fraction(2) ** 1500),
    Fraction(1, 2**1500),
    -Fraction(1, 2**1500),
    Fraction(10) ** 14,
    -(Fraction(10) ** 14),
)
# beyond these sizes a function has no value worth a test, or its reference takes too long
LIMIT = {"sin": 1e300, "cos": 1e300, "tan": 1e300, "gammaln": 1e60, "digamma": 1e60, "erfcx": 1e20, "erfc": 1e20}
BETWEEN = {"arcsin": 1, "arccos": 1, "arctanh": 1, "erfinv": 1}


def points(name: str, dtype: str, seed: int) -> list[Any]:
    """Numbers for one operand."""
    rng = np.random.default_rng(seed)
    found: list[Any] = list(HARD) + (list(FAR) if dtype != "float64x2" else [])
    for k in range(28):
        size = 2.0 ** rng.uniform(-12, 9) if k % 2 else rng.uniform(0, 4)
        digits = Fraction(int(rng.integers(1 << 62)), 1 << 116)
        found.append(Fraction(float(size * rng.choice([-1, 1]))) * (1 + digits))
    if name in ABSOLUTE:  # the reference would take seconds
        found = [x for x in found if abs(x) == 1 or abs(1 - abs(x)) > Fraction(1, 1 << 100)]
    limit, inside = LIMIT.get(name), BETWEEN.get(name)
    if limit is not None:
        found = [x for x in found if abs(x) <= limit]
    if inside is not None:
        found = [x for x in found if abs(x) <= inside] + [1 / x for x in found if abs(x) > 1]
    return [*SPECIAL, *found]


@cache
def operands(name: str, dtype: str) -> tuple[Any, ...]:
    """Arrays of one length."""
    kinds = operand_dtypes(name, dtype)
    first = points(name, dtype, 1)
    columns = [first] if len(kinds) == 1 else _crossed(name, dtype, first)
    if name == "where":
        columns = [[k % 3 == 0 for k in range(len(columns[0]))], *columns]
    return tuple(
        np.array([limbs_of(x, kind) for x in c], array_dtype(kind)) if kind in WIDE else np.array(c, kind)
        for c, kind in zip(columns, kinds, strict=True)
    )


def _crossed(name: str, dtype: str, first: list[Any]) -> list[list[Any]]:
    """All pairs of special points, and others beside neighbours, equals, opposites and strangers."""
    specials = [*SPECIAL, Fraction(1, 2), 2, 3, -3, Fraction(7, 2)]
    left, right = [a for a in specials for _ in specials], [b for _ in specials for b in specials]
    rest = first[len(SPECIAL) :]
    second = points(name, dtype, 2)[len(SPECIAL) :][::-1]
    if name == "pow":
        rest, second = (
            [abs(x) for x in rest],
            [x if abs(x) < 100 else Fraction(x.numerator % 97, 7) for x in map(Fraction, second)],
        )
        return [left + rest, right + second]
    exact = [x * (1 + Fraction(1, 1 << 90)) for x in rest]
    if name in ("mod", "floor_div"):
        second = [
            Fraction(x) % 7 + Fraction(math.e) / 11 for x in second
        ]  # no quotient within its rounding of an integer
        rest = [x for x in rest if abs(x) < 1e20]
        second = second[: len(rest)]
        return [left + rest, right + second]
    return [left + rest + rest + rest + rest, right + second + rest + [-x for x in rest] + exact]


@cache
def expected(name: str, dtype: str) -> Any:
    target = "bool" if PRIMITIVES[name].result == "bool" else dtype
    kinds = operand_dtypes(name, dtype)
    return form_arithmetic.apply(name, PRIMITIVES[name].numpy, operands(name, dtype), kinds, target)


def test_no_float_primitive_is_missing() -> None:
    assert set(NAMES) | {"cast"} == set(EMIT)


@pytest.mark.parametrize("dtype", sorted(LIMBS))
@pytest.mark.parametrize("name", NAMES)
def test_primitive(name: str, dtype: str) -> None:
    target = "bool" if PRIMITIVES[name].result == "bool" else dtype
    rows: list[Row] = [(name, dtype, target, 4, True)]
    if HAS_REGISTERS:
        rows.append((name, dtype, target, REGISTER, True))
    if dtype == "float64x2e":
        rows.append((name, dtype, target, 0, False))
    engine = compiled(rows)
    for row in rows:
        got = run(engine, row, *operands(name, dtype))
        if target == "bool":
            np.testing.assert_array_equal(got, expected(name, dtype))
            continue
        bound = THIN if dtype == "float64e" else ERROR.get(name, TWO)
        assert error(got, expected(name, dtype), dtype, 1.0 if name in ABSOLUTE else 0.0) <= bound


# ---- casts ----


IN: dict[str, Any] = {
    "float64": [0.0, -0.0, 1.5, -math.pi, 5e-324, -5e-324, 1e-310, 2.0**-1022, 1.7976931348623157e308, math.inf, -math.inf, math.nan],
    "float32": [0.0, -0.0, 1.5, 1e-45, -1e-40, 3.4e38, math.inf, math.nan],
    "int64": [0, 1, -1, (1 << 63) - 1, -(1 << 63), (1 << 53) + 1, -(1 << 62) - 12345],
    "uint64": [0, 1, (1 << 64) - 1, (1 << 63) + 1, (1 << 53) + 1],
    "int32": [0, -(1 << 31), (1 << 31) - 1],
    "bool": [False, True],
}  # fmt: skip


def cast_both_ways(source: str, target: str, array: Any) -> None:
    kinds = [(4, True), (0, False), *([(REGISTER, True)] if HAS_REGISTERS else [])]
    rows: list[Row] = [("cast", source, target, lanes, fused) for lanes, fused in kinds]
    engine = compiled(rows)
    expected = form_arithmetic.apply("cast", np.positive, [array], [source], target)
    for row in rows:
        got = run(engine, row, array)
        if target in WIDE or target.startswith("float"):
            assert error(got, expected, target) == -math.inf
        else:
            np.testing.assert_array_equal(got, expected)


@pytest.mark.skipif(not HAS_REGISTERS, reason="this processor has no AVX-512")
@pytest.mark.parametrize(
    ("source", "target"), [("float64x2", "float64x2e"), ("float64x2e", "float64x2"), ("float64", "float64e")]
)
def test_casts_are_the_same_bits_with_avx512(source: str, target: str) -> None:
    """Of numbers all over the range, zeros and infinities among them, and of low limbs next to and below the least normal number."""
    rng = np.random.default_rng(5)
    exponent = np.concatenate([rng.integers(-1100, 1060, 300), np.arange(-1080, -1015), np.arange(1015, 1030)])
    high = rng.uniform(1, 2, exponent.size) * rng.choice([-1, 1], exponent.size)
    low = high * np.ldexp(rng.uniform(-1, 1, exponent.size), -54 - rng.integers(0, 900, exponent.size))
    ends = np.array([0.0, -0.0, math.inf, -math.inf])
    limbs = {"high": high, "low": low, "exponent": exponent.astype(float)}
    of_ends = {"high": ends, "low": np.zeros(4), "exponent": np.array([ZERO, ZERO, INFINITE, INFINITE])}
    if "exponent" not in LIMBS.get(source, ()):
        with np.errstate(over="ignore"):
            limbs = {name: np.ldexp(limbs[name], exponent) for name in ("high", "low")}
        limbs["low"] = np.where(np.isfinite(limbs["high"]), limbs["low"], 0.0)
    whole = {name: np.concatenate([limb, of_ends[name]]) for name, limb in limbs.items()}
    array = whole["high"]
    if source in WIDE:
        array = np.empty(array.size, array_dtype(source))
        for limb in LIMBS[source]:
            array[limb] = whole[limb]
    rows: list[Row] = [("cast", source, target, lanes, True) for lanes in (4, REGISTER)]
    engine = compiled(rows)
    one, other = (run(engine, row, array) for row in rows)
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("dtype", sorted(LIMBS))
@pytest.mark.parametrize("source", sorted(IN))
def test_casts_into_forms_are_exact(source: str, dtype: str) -> None:
    array = np.array(IN[source], source)
    cast_both_ways(source, dtype, array)
    if dtype != "float64e":
        whole = form_arithmetic.elements(form_arithmetic.apply("cast", np.positive, [array], [source], dtype), dtype)
        for given, found in zip(form_arithmetic.elements(array, source), whole, strict=True):
            assert given == found or (given != given and found != found)


@pytest.mark.parametrize("dtype", sorted(LIMBS))
@pytest.mark.parametrize("target", ["float64", "float32", "int64", "int32", "uint8", "bool", *sorted(LIMBS)])
def test_casts_out_of_forms_round_once(target: str, dtype: str) -> None:
    """Ties of the high limb that the low one decides, subnormal results, overflow, integers next to a limb."""
    if target == dtype:
        return
    rng = np.random.default_rng(3)
    near = Fraction(1, 1 << 80)
    points: list[Any] = [0.0, -0.0, 1, Fraction(5, 2) - near, 3 - near, 3 + near, -3 + near, Fraction(1, 3), 100 + near]
    if "int" not in target:
        points += [math.inf, -math.inf, math.nan]
        points += [1 + Fraction(k, 1 << 24) + s * near for k in (1, 3) for s in (-1, 0, 1)]  # ties of float32
        points += [Fraction(1, 1 << 126) * (1 + Fraction(k, 1 << 24) + s * near) for k in (1, 3) for s in (-1, 0, 1)]
        points += [Fraction(2) ** k for k in (127, 128, 200, -149, -150, -151)]
        points += [Fraction(rng.uniform(-2, 2)) for _ in range(20)]
    if "int" not in target and "e" in dtype[7:]:
        for e in (-1022, -1023, -1030, -1073, -1074, -1075, -1076, -1100, 1023, 1024, 3000, -3000):
            places = max(-1 - (-1074 - e), 0) if e >= -1075 else 0  # bits kept behind the point
            half = Fraction(1, 1 << (places + 1))
            points += [(1 + k * half + s * near) * Fraction(2) ** e for k in (0, 1, 3) for s in (-1, 0, 1)]
    if target.startswith("uint"):
        points = [x for x in points if x >= 0]
    points = [x for x in points if not isinstance(x, Fraction) or abs(x) < Fraction(2) ** 900 or "e" in dtype[7:]]
    cast_both_ways(dtype, target, np.array([limbs_of(x, dtype) for x in points], array_dtype(dtype)))


def test_what_tanh_leaves_of_its_limit() -> None:
    """tanh(x) - y with y = 1, -2/(e^2x + 1): far below the digits that two limbs side by side hold, and 0 where float64 ends."""
    x, y = T.dvector("x"), T.dvector("y")
    points = np.array([20.0, 69.0, 70.0, 100.0, 300.0, 370.0, 400.0, 1e4, 1e15, 1e30, 1e300, math.inf])
    (found,) = quickly([x, y], [T.tanh(x) - y])([points, np.ones_like(points)])
    with mpmath.workprec(64):
        exact = [-2 / (mpmath.exp(2 * p) + 1) for p in map(mpmath.mpf, points)]
    assert distance(found, np.array(exact, object)).max() <= 4
