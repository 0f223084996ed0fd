"""Reductions of two to four numbers, written out for just so many: the numbers that loops give, bit for bit."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.rungs import few_rounds
from symdl.backends.rungs.deviations import by_differences
from symdl.backends.rungs.few_rounds import COUNTS, multiplied, rounds_of, written_out
from symdl.ir.loops import Apply, Assign, Const, For, Load, Local, Ref, Stmt, Store, contiguous, walk
from symdl.pipeline.compilation import Graph, lowered
from symdl.runtime.runs import native
from symdl.types import Symbol, symbol

NUMBERS = [0.0, -0.0, 1.0, -3.5, 1e30, -1e-40, np.inf, np.nan]


def bits(array: Any) -> list[Any]:
    """Numbers and their signs; one NaN is as good as another."""
    return [array, np.signbit(np.where(np.isnan(array), 0, array))] if array.dtype.kind == "f" else [array]


@pytest.mark.parametrize("here", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("axis", [0, 1])
def test_bits_are_those_of_loops(
    monkeypatch: pytest.MonkeyPatch, lesser: CpuBackend, here: bool, dtype: str, axis: int
) -> None:
    rng = np.random.default_rng(5)
    machine = native() if here else lesser
    x = T.tensor("x", dtype=dtype, shape=(None, None))
    reductions = (
        x.sum(axis=axis),
        x.var(axis=axis),
        x.max(axis=axis),
        x.argmax(axis=axis),
        T.sqrt((x * x).sum(axis=axis)),
    )
    roots = (*reductions, x / x.sum(axis=axis, keepdims=True), (x[:, ::-1] * x).min(axis=axis))
    program = lowered(Graph((x,), (), roots, ())).program
    quick = machine.compile(program)
    monkeypatch.setattr(few_rounds, "COUNTS", ())
    plain = machine.compile(program)

    def run(executable: Any, array: Any) -> list[Any]:
        status, found = executable.execute(executable.bind([array]))
        assert status == 0
        return list(found)

    for count in (1, *COUNTS, 5):
        for length in (1, 2, 15, 17, 70, 131):
            sizes = (count, length) if axis == 0 else (length, count)
            special = rng.choice(NUMBERS, sizes) if dtype != "int32" else rng.integers(-9, 9, sizes)
            for array in (rng.standard_normal(sizes) * 9, special):
                array = array.astype(dtype)
                for mine, loops in zip(run(quick, array), run(plain, array), strict=True):
                    for found, truth in zip(bits(mine), bits(loops), strict=True):
                        np.testing.assert_array_equal(found, truth)


def loop(count: int) -> For:
    """The sum of the squares of a column less its largest number."""
    row, column = Symbol("r"), Symbol("j")
    n = symbol("n")
    x, out = contiguous("x", "float32", (count, n)), contiguous("o", "float64", (n,))

    def number() -> Apply:
        return Apply("cast", (Load(x, (symbol("r"), symbol("j"))),), "float64")

    def folded(name: str, primitive: str, value: Apply) -> For:
        return For(row, count, (Assign(name, Apply(primitive, (Ref(name, "float64"), value), "float64")),))

    body = (
        Local("a", Const(0.0, "float64")),
        folded("a", "add", Apply("mul", (number(), number()), "float64")),
        Local("b", Const(-np.inf, "float64")),
        folded("b", "maximum", number()),
        Store(out, (symbol("j"),), Apply("sub", (Ref("a", "float64"), Ref("b", "float64")), "float64")),
    )
    return For(column, n, body, "parallel")


@pytest.mark.parametrize("count", COUNTS)
def test_each_number_is_loaded_and_converted_once(count: int) -> None:
    made = loop(count)
    assert rounds_of(made) == count
    items = walk(written_out(made))
    assert not any(isinstance(x, For) for x in items[1:])
    assert sum(isinstance(x, Load) for x in items) == count
    assert sum(isinstance(x, Apply) and x.primitive == "cast" for x in items) == count


def test_a_third_of_a_sum_is_what_division_gives() -> None:
    """3 is the only one of the counts whose reciprocal is no float: in exact arithmetic, rounded as machines do."""
    total = Ref("a", "float64")
    made = multiplied(
        (Local("a", Const(0, "float64")), Local("b", Apply("true_div", (total, Const(3.0, "float64")), "float64")))
    )
    assert isinstance(made[1], Local)
    assert isinstance(made[1].value, Apply)
    (_, high, product) = made[1].value.args
    assert isinstance(high, Const)
    assert isinstance(product, Apply)
    assert isinstance(product.args[1], Const)
    rng = np.random.default_rng(7)
    for exponent in range(-149, 130):
        for x in [*rng.uniform(1, 2, 20), 1.0, 1.5, 2 - 2.0**-52, 1 + 2.0**-52]:
            number = float(np.ldexp(x, exponent))
            low = number * product.args[1].number
            assert float(Fraction(number) * Fraction(high.number) + Fraction(low)) == number / 3


def test_other_quotients_stay() -> None:
    """Of numbers that may be as small as a float64, and by other counts."""
    for value, count in ((Load(contiguous("x", "float64", (3,)), (0,)), 3), (Const(0, "float64"), 5)):
        quotient = Apply("true_div", (Ref("a", "float64"), Const(float(count), "float64")), "float64")
        (_, kept) = multiplied((Local("a", value), Local("b", quotient)))
        assert isinstance(kept, Local)
        assert kept.value is quotient


def test_what_is_stored_meanwhile_is_loaded_again() -> None:
    made = loop(2)
    x = contiguous("x", "float32", (2, symbol("n")))
    stored = For(made.index, made.extent, (*made.body, Store(x, (0, symbol("j")), Const(0.0, "float32"))), "parallel")
    assert sum(isinstance(item, Load) for item in walk(written_out(stored))) == 6


def test_long_and_costly_ones_stay_loops() -> None:
    assert rounds_of(loop(5)) is None
    made = loop(3)
    costly = Assign("a", Apply("exp", (Ref("a", "float64"),), "float64"))
    assert rounds_of(For(made.index, made.extent, (*made.body, costly), "parallel")) is None


def test_a_square_is_no_reduction_of_few() -> None:
    """Its own rounds are as few: a loop of two is not taken across lanes."""
    a, v = T.matrix("a"), T.vector("v")
    moved = symdl.function([a, v], T.dot(a, v) + v)
    for count in (1, *COUNTS, 9):
        square = np.arange(count**2, dtype=float).reshape(count, count)
        np.testing.assert_array_equal(moved(square, square[0]), square @ square[0] + square[0])


@pytest.mark.parametrize("count", [2, 3])
def test_variances_are_right_wherever_numbers_lie(count: int) -> None:
    """The squares of exact deviations, rounded once; what an infinity or a NaN is among is a NaN."""
    rng = np.random.default_rng(11)
    x = rng.standard_normal((count, 400)) * 10.0 ** rng.integers(-20, 19, (count, 400))
    x[:, 100:200] = x[0, 100:200] * (1 + rng.standard_normal((count, 100)) * 1e-6)  # nearly equal
    x[:, 200:250] = x[0, 200:250]
    x = x.astype(np.float32)
    x[0, 250:252], x[1, 252:254], x[-1, 254:256] = np.inf, -np.inf, np.nan
    v = T.matrix("v", dtype="float32")
    for found in (symdl.function([v], v.var(axis=0))(x), symdl.function([v], v.var(axis=1))(x.T)):
        assert np.isnan(found[250:256]).all()
        for k in [*range(250), *range(256, 400)]:
            numbers = [Fraction(float(number)) for number in x[:, k]]
            mean = sum(numbers, Fraction(0)) / count
            truth: Fraction = sum(((number - mean) ** 2 for number in numbers), Fraction(0)) / count
            assert abs(Fraction(float(found[k])) - truth) <= Fraction(float(np.spacing(np.float32(truth)))) * 51 / 100


def test_means_that_are_used_stay() -> None:
    """Deviations are differences of the numbers only where nothing else reads their mean."""

    def made(divided: bool, stored: bool) -> For:
        row, column, n = Symbol("r"), Symbol("j"), symbol("n")
        x, out = contiguous("x", "float32", (3, n)), contiguous("o", "float64", (n,))
        number = Apply("cast", (Load(x, (symbol("r"), symbol("j"))),), "float64")
        total, mean, squares = (Ref(name, "float64") for name in "tms")
        deviation = Apply("sub", (number, mean), "float64")
        square = Apply("mul", (deviation, deviation), "float64")
        quotient = Apply("true_div", (squares, Const(3.0, "float64")), "float64")
        body: list[Stmt] = [
            Local("t", Const(0.0, "float64")),
            For(row, 3, (Assign("t", Apply("add", (total, number), "float64")),)),
            Local("m", Apply("true_div", (total, Const(3.0, "float64")), "float64")),
            Local("s", Const(0.0, "float64")),
            For(row, 3, (Assign("s", Apply("add", (squares, square), "float64")),)),
            Store(out, (symbol("j"),), quotient if divided else squares),
        ]
        if stored:
            body.append(Store(contiguous("p", "float64", (n,)), (symbol("j"),), mean))
        return For(column, n, tuple(body), "parallel")

    for divided in (True, False):
        loop = made(divided, stored=False)
        found = by_differences(loop)
        assert sum(isinstance(x, For) for x in walk(found)) == 1
        assert not any(isinstance(x, Apply) and x.primitive == "true_div" for x in walk(found))
        scales = {x.number for x in walk(found) if isinstance(x, Const)} - {0.0}
        assert scales == {2 / 9 if divided else 2 / 3}
        kept = made(divided, stored=True)
        assert by_differences(kept) is kept
