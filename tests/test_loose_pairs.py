"""Arithmetic on two limbs that leaves them as they fall: sums that are rounded, long sums, and what short functions are behind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.rungs.exchanges import shortened
from symdl.backends.wide.short import PREFIX
from symdl.ir.loops import Apply, Assign, Const, For, Load, Local, Ref, Store, Value, contiguous, walk
from symdl.ir.program import Binding, Buffer, Kernel, Program
from symdl.types import Symbol, symbol

n, i = symbol("n"), symbol("i")
N, I = Symbol("n"), Symbol("i")
PAIR = "float64x2"


def op(name: str, dtype: str, *args: Value) -> Apply:
    return Apply(name, args, dtype)


def loaded(name: str) -> Apply:
    return op("cast", PAIR, Load(contiguous(name, "float64", (n,)), (i,)))


def run(values: Sequence[Value], given: Sequence[Any]) -> list[Any]:
    """Values of inputs a, b, ... on arrays of one length, by machine code."""
    inputs, names = "abcd"[: len(given)], [f"o{k}" for k in range(len(values))]
    buffers = {k: Buffer(k, "float64", (n,), "input" if k in inputs else "output") for k in (*inputs, *names)}
    stores = tuple(Store(contiguous(k, "float64", (n,)), (i,), v) for k, v in zip(names, values, strict=True))
    kernel = Kernel((For(I, n, stores, "serial"),))
    made = CpuBackend().compile(Program(buffers, (Binding(N, "a", 0),), (), (kernel,)))
    status, found = made.execute(made.bind(list(given)))
    assert status == 0
    return list(found)


def products() -> list[Value]:
    return [op("mul", PAIR, loaded(x), loaded(y)) for x, y in ("ab", "cd")]


@pytest.mark.parametrize("name", ["add", "sub"])
def test_a_sum_that_is_rounded_is_right_to_an_ulp(name: str) -> None:
    """However far a b and c d cancel, in vectors and in the rest of a loop."""
    rng = np.random.default_rng(0)
    a, b, c = (rng.uniform(1, 2, 203) for _ in range(3))
    d = a * b / c * (1 + rng.choice([0, 1], 203) * 2.0 ** -rng.uniform(0, 53, 203))
    d *= -1 if name == "add" else 1
    (got,) = run([op("cast", "float64", op(name, PAIR, *products()))], [a, b, c, d])
    for g, *v in zip(got.tolist(), a.tolist(), b.tolist(), c.tolist(), d.tolist(), strict=True):
        w, x, y, z = map(Fraction, v)
        true = w * x + (y * z if name == "add" else -y * z)
        assert abs(Fraction(g) - true) <= Fraction(math.ulp(float(true))), v


@pytest.mark.parametrize("name", ["add", "sub"])
def test_ends_are_those_of_plain_numbers(name: str) -> None:
    """Signs of 0, infinities, NaN and what leaves the range."""
    ends = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e308])
    a, c = (x.ravel() for x in np.meshgrid(ends, ends))
    one = np.ones_like(a)
    (got,) = run([op("cast", "float64", op(name, PAIR, *products()))], [a, one, c, one])
    with np.errstate(all="ignore"):
        expected = a + c if name == "add" else a - c
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(np.signbit(got[got == 0]), np.signbit(expected[expected == 0]))


@pytest.mark.parametrize("factor", [None, -0.5, 4.0, 3.0, 2.0**-300])
def test_products_of_two_limbs(factor: float | None) -> None:
    """Squares of a b, and multiples: both limbs, of which the high one is taken away again, are right to 2^-100; the ends are those of plain numbers."""
    pair, first = op("mul", PAIR, loaded("a"), loaded("b")), loaded("c")
    other = pair if factor is None else Const(factor, PAIR)
    product = op(
        f"{PREFIX}mul",
        PAIR,
        op(f"{PREFIX}settled", PAIR, pair),
        op(f"{PREFIX}settled", PAIR, pair) if factor is None else other,
    )
    whole = op(f"{PREFIX}cast", "float64", product)
    rest = op(f"{PREFIX}cast", "float64", op("sub", PAIR, op(f"{PREFIX}settled", PAIR, product), first))
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(1, 2, 203) for _ in range(2))
    with np.errstate(all="ignore"):
        near = (a * b) ** 2 if factor is None else a * b * factor
    for high, low, x, y, z in zip(*run([whole, rest], [a, b, near]), a, b, near, strict=True):
        true = Fraction(x) * Fraction(y)
        true *= true if factor is None else Fraction(factor)
        assert abs(Fraction(high) - true) <= Fraction(math.ulp(float(true)))
        assert abs(Fraction(low) - (true - Fraction(z))) <= abs(true) * Fraction(2) ** -100
    ends = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e200, 1.0, -3.0])
    ones = np.ones_like(ends)
    with np.errstate(all="ignore"):
        expected = ends * ends if factor is None else ends * factor
    (got,) = run([whole], [ends, ones])
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(np.signbit(got[got == 0]), np.signbit(expected[expected == 0]))


@pytest.mark.parametrize("length", [1, 3, 8, 37, 4099])
def test_long_sums_keep_both_limbs(length: int) -> None:
    """A sum of numbers that cancel: wrong by no more than n^2 2^-106 of their sizes, for infinite terms infinite."""
    x = contiguous("a", "float64", (n,))
    total = Ref("total", PAIR)
    body = (
        Local("total", Const(0, PAIR)),
        For(I, n, (Assign("total", op("add", PAIR, total, op("cast", PAIR, Load(x, (i,))))),), "vector"),
        Store(contiguous("o0", "float64", (1,)), (0,), op("cast", "float64", total)),
    )
    buffers = {"a": Buffer("a", "float64", (n,), "input"), "o0": Buffer("o0", "float64", (1,), "output")}
    made = CpuBackend().compile(Program(buffers, (Binding(N, "a", 0),), (), (Kernel(body),)))
    rng = np.random.default_rng(length)
    given = rng.standard_normal(length) * 2.0 ** rng.uniform(-20, 20, length)
    given = np.concatenate([given, -given[::-1], [2.0**-40]])
    _, (got,) = made.execute(made.bind([given]))
    sizes = sum(map(abs, map(Fraction, given.tolist())))
    error = abs(Fraction(float(got[0])) - Fraction(2) ** -40)
    assert error <= sizes * given.size**2 / 2**106 + Fraction(2) ** -93
    for end in (np.inf, np.nan):
        given[length // 2] = end
        _, (got,) = made.execute(made.bind([given]))
        np.testing.assert_array_equal(got, [end])


def test_only_sums_of_what_is_inexact_give_up_digits() -> None:
    """x y - z stays in full beside exp(x) - y z, whose digits are asked for."""
    x, y, z = map(loaded, "abc")
    exact = op("sub", PAIR, op("mul", PAIR, x, y), z)
    inexact = op("sub", PAIR, op("exp", PAIR, x), op("mul", PAIR, y, z))
    first, second = shortened([op("mul", PAIR, exact, x), op("mul", PAIR, inexact, x)])
    names = [[v.primitive for v in walk(one) if isinstance(v, Apply)] for one in (first, second)]
    assert "sub" in names[0]
    assert PREFIX + "sub" not in names[0]
    assert PREFIX + "sub" in names[1]
    assert PREFIX + "exp" in names[1]


def test_products_of_one_limb_are_added_as_they_are() -> None:
    """They are as in full: settled is a product of more."""
    x, y, z = map(loaded, "abc")
    whole = Const(1.5, PAIR)
    for product, settled in (
        (op("mul", PAIR, x, whole), False),
        (op("mul", PAIR, x, y), False),
        (op("mul", PAIR, op("mul", PAIR, x, y), y), True),
    ):
        (value,) = shortened([op("exp", PAIR, op("add", PAIR, product, z))])
        names = [v.primitive for v in walk(value) if isinstance(v, Apply)]
        assert "add" in names
        assert (f"{PREFIX}settled" in names) == settled
