"""Loops of numbers with an exponent, tried without: the same numbers as in full, whatever leaves the range on the way."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import pytest
from quick_code import quickly

import symdl
import symdl.tensor as T
from symdl.backends.builder import Builder, Reg
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.llvm import attempts, emit, vectors
from symdl.backends.primitives import PRIMITIVES
from symdl.backends.rungs.narrowing import narrowed
from symdl.backends.rungs.thinning import thinned
from symdl.backends.vmath.forms import clamp, inlined
from symdl.backends.wide.primitives import EMIT
from symdl.backends.wide.ranges import RANGES
from symdl.ir.loops import Apply, Assign, Const, For, Load, Local, Ref, Store, Value, contiguous, walk
from symdl.ir.program import Binding, Buffer, Kernel, Program, verify
from symdl.types import Symbol, symbol

n, i = symbol("n"), symbol("i")
N, I = Symbol("n"), Symbol("i")
FORMS = {"float64e": "float64", "float64x2e": "float64x2"}
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
LANES = 37  # whole vectors and a rest, on every machine
EDGES = (0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, -1e-310, 1.7e308, -1.7e308, 1.0, -1.0, 2.0**-1022)
CPU = CpuBackend()


def op(name: str, dtype: str, *args: Value) -> Apply:
    return Apply(name, args, dtype)


def elementwise(values: list[Value], names: Sequence[str], dtype: str = "float64", schedule: Any = "serial") -> Program:
    """A Program that stores values of the round i of one loop in outputs o0, o1, ...; its inputs have these names."""
    stores = tuple(Store(contiguous(f"o{k}", v.dtype, (n,)), (i,), v) for k, v in enumerate(values))
    buffers = {name: Buffer(name, dtype, (n,), "input") for name in names}
    buffers |= {f"o{k}": Buffer(f"o{k}", v.dtype, (n,), "output") for k, v in enumerate(values)}
    step = Kernel((For(I, n, stores, schedule),))
    made = Program(buffers, (Binding(N, names[0], 0),), (), (step,), ranged=dtype == "float32")
    verify(made)
    return made


def loaded(name: str, form: str, dtype: str = "float64") -> Apply:
    return op("cast", form, Load(contiguous(name, dtype, (n,)), (i,)))


Runner = Callable[..., list[Any]]


def compiled(made: Program, backend: CpuBackend = CPU, shared: bool = False) -> Runner:
    executable = backend.compile(made)

    def call(*arrays: Any) -> list[Any]:
        given = ([], list(arrays)) if shared else (list(arrays),)
        status, outputs = executable.execute(executable.bind(*given))
        assert status == 0
        return list(outputs)

    return call


@pytest.fixture
def in_full(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Runner]:
    """Compiles a Program without attempts, and without vectors, which takes half the time."""

    def call(made: Program, backend: CpuBackend = CPU, shared: bool = False) -> Runner:
        with monkeypatch.context() as patch:
            patch.setattr(attempts, "narrowed", lambda *_, **__: None)
            patch.setattr(vectors, "plan_for", lambda loop, vector_bytes: None)
            return compiled(made, backend, shared)

    return call


def numbers(rng: np.random.Generator, size: int, widest: float) -> Any:
    """Numbers whose exponents are spread this far, special ones among them."""
    found = rng.uniform(1, 2, size) * rng.choice([-1.0, 1.0], size) * 2.0 ** rng.uniform(-widest, widest, size)
    found[rng.random(size) < 0.1] = rng.choice(EDGES)
    found[: len(EDGES)] = EDGES
    return rng.permutation(found)


def agree(got: Any, expected: Any, ulps: float) -> None:
    """Equal but for so many ulps; infinities, NaN and signs alike."""
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    with np.errstate(all="ignore"):
        unit = np.spacing(np.abs(np.where(np.isfinite(expected), expected, 1.0)))
        same = (got == expected) | np.isnan(expected) | (np.abs(got - expected) <= ulps * unit)
    np.testing.assert_array_equal(same, True, err_msg=f"{got[~same][:3]} {expected[~same][:3]}")


def test_every_primitive_has_a_rule() -> None:
    assert set(RANGES) | {"cast", "isnan", *COMPARISONS} == set(EMIT)


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.parametrize("name", sorted(set(RANGES) - {"where"}))
def test_a_primitive_between_others(name: str, form: str, in_full: Any) -> None:
    """f of products, which leave the range, divided by a number, compared and chosen by; small and huge exponents."""
    rng = np.random.default_rng(sorted(RANGES).index(name))
    x, y, z = (loaded(name_, form) for name_ in "xyz")
    first = op("mul", form, x, y)
    args = (first,) if PRIMITIVES[name].arity == 1 else (first, op("true_div", form, y, z))
    found = op(name, form, *args)
    chosen = op("where", form, op("lt", "bool", found, z), op("mul", form, found, z), op("true_div", form, found, z))
    values: list[Value] = [op("cast", "float64", v) for v in (found, op("sqrt", form, chosen))]
    made = elementwise(values, "xyz")
    tried, full = compiled(made), in_full(made)
    for widest in (3.0, 60.0, 1000.0):
        data = [numbers(rng, 300, widest) for _ in "xyz"]
        if name in ("gammaln", "digamma", "sin", "cos", "tan"):  # their reference is no better for huge arguments
            data[0] = np.clip(data[0], -(2.0**20), 2.0**20)
            data[1] = np.clip(data[1], -(2.0**20), 2.0**20)
        if name in ("mod", "floor_div"):  # of huge quotients neither way knows the fraction
            with np.errstate(all="ignore"):
                usual = np.abs(data[0] * data[2]) < 2.0**30
            data = [d[usual] for d in data]
        for got, expected in zip(tried(*data), full(*data), strict=True):
            agree(got, expected, LOOSE.get(name, 16))


LOOSE = {"pow": 1e6, "mod": 1e12, "floor_div": 1e3, "gammaln": 1e6, "digamma": 1e6, "erfinv": 1e3}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_one_lane_in_trouble_leaves_the_others_alone(form: str) -> None:
    rng = np.random.default_rng(1)
    x = loaded("x", form)
    made = elementwise([op("cast", "float64", op("sqrt", form, op("exp", form, op("mul", form, x, x))))], "x")
    benign = rng.normal(size=LANES)
    tried = compiled(made)
    alone = tried(benign)[0]
    for place in range(LANES):
        mixed = benign.copy()
        mixed[place] = 30.0  # e^900
        found = tried(mixed)[0]
        np.testing.assert_array_equal(np.delete(found, place), np.delete(alone, place))
        np.testing.assert_allclose(found[place], math.exp(450), rtol=1e-14)


def test_the_second_limb_stays_right(in_full: Any) -> None:
    """What an attempt in two limbs leaves beyond a float64 is what it leaves in full."""
    form = "float64x2e"
    x, y = loaded("x", form), loaded("y", form)
    for name in ("add", "mul", "true_div", "exp", "log", "log1p", "sqrt", "erfc", "sin"):
        args = (op("mul", form, x, y), y) if PRIMITIVES[name].arity == 2 else (op("mul", form, x, y),)
        found = op(name, form, *args)
        high = op("cast", "float64", found)
        rest = op("cast", "float64", op("sub", form, found, op("cast", form, high)))
        made = elementwise([high, rest], "xy")
        tried, full = compiled(made), in_full(made)
        rng = np.random.default_rng(5)
        for widest in (2.0, 500.0):
            data = [np.abs(numbers(rng, 200, widest)) for _ in "xy"]
            if name == "sin":
                data = [np.minimum(d, 1e5) for d in data]
            got, expected = tried(*data), full(*data)
            with np.errstate(all="ignore"):
                apart = np.abs((got[0] - expected[0]) + (got[1] - expected[1]))
                near = apart <= 2.0**-97 * np.abs(expected[0]) + 2.0**-1073
            assert np.all(near | ~np.isfinite(expected[0])), name
            np.testing.assert_array_equal(np.isfinite(got[0]), np.isfinite(expected[0]))


# ---- fewer second limbs ----


def test_one_limb_where_forms_change_on_the_way() -> None:
    """Casts from two limbs to those with an exponent, and back, inside of what is wanted in one: the forms stay apart."""
    x, y = loaded("x", "float64x2"), loaded("y", "float64x2e")
    inner = op("cast", "float64x2e", op("arctan", "float64x2", x))
    product = op("mul", "float64x2e", inner, op("exp", "float64x2e", y))
    back = op("true_div", "float64x2", Const((-1.0, 0.0), "float64x2"), op("cast", "float64x2", product))
    chosen = op("where", "float64x2e", op("lt", "bool", x, Const((0.5, 0.0), "float64x2")), product, inner)
    values: list[Value] = [
        op("cast", "float64", product),
        op("cast", "float64", back),
        op("cast", "float64", op("sqrt", "float64x2e", op("abs", "float64x2e", chosen))),
    ]
    made = elementwise(values, "xy")
    for item in walk(*thinned(tuple(made.steps[0].body))):  # type: ignore[union-attr]  # it is a Kernel
        if isinstance(item, Apply) and item.primitive in ("mul", "true_div", "where"):
            assert {a.dtype for a in item.args if a.dtype != "bool"} == {item.dtype}
    given = np.random.default_rng(8).normal(size=(2, LANES)) * [[1.0], [100.0]]
    got = compiled(made)(*given)
    with np.errstate(all="ignore"):
        exact = np.arctan(given[0]) * np.exp(given[1])
        expected = [exact, -1 / exact, np.sqrt(np.abs(np.where(given[0] < 0.5, exact, np.arctan(given[0]))))]
    for found, right in zip(got, expected, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-15)


def test_a_function_of_two_limbs_sees_both_where_one_is_wanted() -> None:
    """With an exponent, too: e^x y of a product that a float64 does not hold."""
    x, y = loaded("x", "float64x2e"), loaded("y", "float64x2e")
    root = op("sqrt", "float64x2e", op("exp", "float64x2e", op("mul", "float64x2e", x, y)))
    made = elementwise([op("cast", "float64", root)], "xy")
    given = [np.array([1000 / 3.0, -700 / 3.0, 0.1]), np.array([3.3, 3.7, 0.7])]
    found = compiled(made)(*given)[0]
    with mpmath.workprec(200):
        exact = [float(mpmath.exp(mpmath.mpf(a) * mpmath.mpf(b) / 2)) for a, b in zip(*given, strict=True)]
    agree(found, np.array(exact), 2)


def plain_sum(count: int) -> Program:
    """x0 - x1 + x2 - ... + 1 of float64 in two limbs, rounded."""
    found = loaded("x0", "float64x2")
    for k in range(1, count):
        found = op("sub" if k % 2 else "add", "float64x2", found, loaded(f"x{k}", "float64x2"))
    found = op("add", "float64x2", found, Const((1.0, 0.0), "float64x2"))
    return elementwise([op("cast", "float64", found)], [f"x{k}" for k in range(count)])


@pytest.mark.parametrize("count", [2, 3, 8, 20])
def test_sums_of_plain_numbers_keep_what_additions_lose(count: int) -> None:
    """No pairs are left, and the sum is that of the exact one where all but a millionth of it cancels, or it overflows."""
    made = plain_sum(count)
    assert {x.dtype for x in walk(*thinned(tuple(made.steps[0].body))) if isinstance(x, Apply)} == {"float64", "bool"}  # type: ignore[union-attr]  # it is a Kernel
    rng = np.random.default_rng(count)
    terms = rng.standard_normal((count + 1, 400)) * 2.0 ** rng.integers(-30, 30, (count + 1, 400))
    terms[-1] = 1.0
    others = terms.sum(axis=0) - terms[1]
    terms[1] = -others * (1 + 2.0 ** -rng.integers(1, 20, 400))
    signs = np.array([-1.0 if k % 2 and k < count else 1.0 for k in range(count + 1)])[:, None]
    got = compiled(made)(*(terms * signs)[:-1])[0]
    np.testing.assert_array_equal(got, [math.fsum(column) for column in terms.T])
    first = np.array(EDGES)
    rest = [np.where(np.isinf(first), first, 0.0)] + [np.zeros_like(first)] * (count - 2)
    same, met = compiled(made)(first, *(np.zeros_like(first) for _ in rest))[0], compiled(made)(first, *rest)[0]
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(same, first + 1)
        np.testing.assert_array_equal(met, first - rest[0] + 1)


def test_a_sum_of_negative_zeros_is_one() -> None:
    terms = [loaded(name, "float64x2") for name in "xyz"]
    made = elementwise(
        [op("cast", "float64", op("add", "float64x2", op("add", "float64x2", *terms[:2]), terms[2]))], "xyz"
    )
    columns = np.array(
        [[-0.0, -0.0, -0.0], [-0.0, 0.0, -0.0], [-0.0, -0.0, 0.0], [1.0, -1.0, -0.0], [0.0, 0.0, -0.0]]
    ).T
    assert np.signbit(compiled(made)(*columns)[0]).tolist() == [True, False, False, False, False]


# ---- sums ----


def total(primitive: str, form: str, value: Value, schedule: Any) -> Program:
    """A loop that adds up a value, and stores it in a row, too; the sum is the one element of a second output."""
    start: Value = Const({"add": 0, "maximum": -math.inf, "minimum": math.inf}[primitive], form)
    body = (
        Assign("s", op(primitive, form, Ref("s", form), value)),
        Store(contiguous("row", "float64", (n,)), (i,), op("cast", "float64", value)),
    )
    out = Store(contiguous("o", "float64", (1,)), (0,), op("cast", "float64", op("sqrt", form, Ref("s", form))))
    buffers = {
        "x": Buffer("x", "float64", (n,), "input"),
        "row": Buffer("row", "float64", (n,), "output"),
        "o": Buffer("o", "float64", (1,), "output"),
    }
    made = Program(
        buffers, (Binding(N, "x", 0),), (), (Kernel((Local("s", start), For(I, n, body, schedule), out)),), ()
    )
    verify(made)
    return made


@pytest.mark.parametrize("schedule", ["serial", "vector"])
@pytest.mark.parametrize("primitive", ["add", "maximum", "minimum"])
@pytest.mark.parametrize("form", sorted(FORMS))
def test_sums(form: str, primitive: str, schedule: str, in_full: Any) -> None:
    """Of squares: zeros, squares beyond the range on both sides, a sum that is beyond only at its end, infinities, NaN."""
    x = loaded("x", form)
    made = total(primitive, form, op("mul", form, x, x), schedule)
    rng = np.random.default_rng(2)
    rows = [rng.normal(size=LANES), np.zeros(LANES), rng.normal(size=LANES) * 1e-170, rng.normal(size=LANES) * 1e170]
    rows += [
        np.full(LANES, 1.3e154),
        np.array([3.0, 4e-200]),
        np.array([]),
        np.r_[rng.normal(size=LANES), 1e200, 1e-200],
    ]
    rows += [np.array([math.inf, 1.0]), np.array([math.nan, 1.0]), numbers(rng, 99, 900)]
    tried, full = compiled(made), in_full(made)
    for row in rows:
        for got, expected in zip(tried(row), full(row), strict=True):
            agree(got, expected, 16)


@pytest.mark.parametrize("begun", ["with 3", "by a loop before", "by the round before"])
@pytest.mark.parametrize("form", sorted(FORMS))
def test_sums_that_have_begun(form: str, begun: str) -> None:
    """What a variable holds already is not lost where a sum goes to one that is still 0 as it is."""
    x, s = loaded("x", form), Ref("s", form)
    loop = For(I, n, (Assign("s", op("add", form, s, op("mul", form, x, x))),), "vector")
    times: tuple[Any, ...] = (loop, replace(loop)) if begun == "by a loop before" else (loop,)
    if begun == "by the round before":
        times = (For(Symbol("again"), 2, (loop,)),)
    start = Const({"with 3": 3}.get(begun, 0), form)
    out = Store(contiguous("o", "float64", (1,)), (0,), op("cast", "float64", s))
    buffers = {"x": Buffer("x", "float64", (n,), "input"), "o": Buffer("o", "float64", (1,), "output")}
    made = Program(buffers, (Binding(N, "x", 0),), (), (Kernel((Local("s", start), *times, out)),), ())
    verify(made)
    assert "good" in CPU.text(made)  # it is tried
    row = np.arange(1.0, LANES + 1)
    assert compiled(made)(row)[0] == (row @ row + 3 if begun == "with 3" else 2 * (row @ row))


@pytest.mark.parametrize("form", sorted(FORMS))
def test_sums_of_what_is_written_over(form: str, in_full: Any) -> None:
    """x[i] = sqrt(x[i]^2) + 1, the sum of squares and that of x being taken on the way, with one variable behind another."""
    x, v = Load(contiguous("x", "float64", (n,)), (i,)), Ref("v", form)
    body = (
        Local("u", op("cast", form, x)),
        Local("v", op("mul", form, Ref("u", form), Ref("u", form))),
        Store(x.view, (i,), op("add", "float64", op("cast", "float64", op("sqrt", form, v)), Const(1.0, "float64"))),
        Assign("s", op("add", form, Ref("s", form), v)),
        Assign("t", op("add", "float64", Ref("t", "float64"), op("cast", "float64", Ref("u", form)))),
    )
    last: list[Value] = [op("cast", "float64", op("sqrt", form, Ref("s", form))), Ref("t", "float64")]
    outputs = [Store(contiguous("o", "float64", (2,)), (k,), y) for k, y in enumerate(last)]
    starts = Local("s", Const(0, form)), Local("t", Const(0.0, "float64"))
    buffers = {"x": Buffer("x", "float64", (n,), "shared"), "o": Buffer("o", "float64", (2,), "output")}
    kernel = Kernel((*starts, For(I, n, body, "vector"), *outputs))
    made = Program(buffers, (Binding(N, "x", 0),), (), (kernel,), ())
    verify(made)
    assert "good" in CPU.text(made)  # it is tried
    rng = np.random.default_rng(4)
    rows = [rng.normal(size=LANES) * scale for scale in (1.0, 1e-170, 1e170)] + [numbers(rng, 99, 900), np.zeros(0)]
    for row in rows:
        found = []
        for how in (compiled, in_full):
            run = how(made, shared=True)
            array = row.copy()
            length, plain = run(array)[0]
            found.append(np.r_[length, array])
            np.testing.assert_allclose(array, np.abs(row) + 1, rtol=1e-15)
            if np.abs(row).max(initial=0) < 1e300:
                np.testing.assert_allclose(plain, math.fsum(row), rtol=1e-12, atol=1e-13 * np.abs(row).sum())
        agree(found[0], found[1], 16)


def test_sums_of_what_is_plain_again(in_full: Any) -> None:
    """A float64 sum of values that had an exponent: lanes in trouble are mended before they are added."""
    x = loaded("x", "float64e")
    value = op("cast", "float64", op("sqrt", "float64e", op("mul", "float64e", x, x)))
    body = (Assign("s", op("add", "float64", Ref("s", "float64"), value)),)
    out = Store(contiguous("o", "float64", (1,)), (0,), Ref("s", "float64"))
    buffers = {"x": Buffer("x", "float64", (n,), "input"), "o": Buffer("o", "float64", (1,), "output")}
    steps = Kernel((Local("s", Const(0, "float64")), For(I, n, body, "vector"), out))
    made = Program(buffers, (Binding(N, "x", 0),), (), (steps,), ())
    verify(made)
    data = np.random.default_rng(3).normal(size=LANES)
    data[5] = 1e200
    found = compiled(made)(data)[0]
    np.testing.assert_allclose(found, np.sum(np.abs(data)), rtol=1e-15)
    np.testing.assert_array_equal(found, in_full(made)(data)[0])


# ---- what the writer must not do ----


def test_in_place() -> None:
    """The second computation of a lane reads what was there before the first."""
    start = np.linspace(-3, 3, LANES)
    start[[3, 36]] = 1e200, 1e-200
    s = symdl.shared(start, "s")
    step = symdl.function([], [], updates=[(s, T.sqrt(s * s + 2.0**-1060))], precision="right")
    step()
    np.testing.assert_allclose(s.get_value(), np.maximum(np.abs(start), 2.0**-530), rtol=1e-15)


def test_no_number_depends_on_its_place_or_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    x = T.dvector("x")
    f = symdl.function([x], T.sqrt(T.exp(x) * T.exp(x / 2)) / T.exp(x), precision="right")
    rng = np.random.default_rng(4)
    data = rng.normal(size=50_001) * np.where(rng.random(50_001) < 0.02, 500, 1)
    whole = f(data)
    assert np.all(np.isfinite(whole))
    for at in (*range(40), 49_999, 50_000):
        assert f(data[at : at + 1])[0] == whole[at]
    monkeypatch.setattr(symdl.config, "threads", 1)
    np.testing.assert_array_equal(f(data), whole)
    np.testing.assert_array_equal(f(data[7:]), whole[7:])


def test_on_other_machines(lesser: CpuBackend, in_full: Any) -> None:
    for form in FORMS:
        x, y = loaded("x", form), loaded("y", form)
        value = op("log", form, op("add", form, op("mul", form, x, y), op("exp", form, x)))
        made = elementwise([op("cast", "float64", value)], "xy")
        tried, full = compiled(made, lesser), in_full(made, lesser)
        rng = np.random.default_rng(6)
        for widest in (3.0, 700.0):
            data = [np.abs(numbers(rng, 100, widest)) for _ in "xy"]
            agree(tried(*data)[0], full(*data)[0], 4)


def test_what_fits_is_computed_once() -> None:
    """Squares of int32 fit into a float64: there is nothing to look at, and no second text."""
    for dtype, again in (("int32", False), ("float64", True)):
        x = loaded("x", "float64e", dtype)
        total = op("add", "float64e", op("mul", "float64e", x, x), Const(1, "float64e"))
        made = elementwise([op("cast", "float64", op("sqrt", "float64e", total))], "x", dtype)
        assert ("@again" in emit(made, CPU.machine.target())) == again


# ---- float32, of which squares and the like are computed in float64 ----


def test_two_limbs_lose_one_and_gain_an_exponent(in_full: Any) -> None:
    """A product of two limbs, which may be 0 or infinite, whose high limb goes into products that leave the range."""
    x, y = loaded("x", "float64x2"), loaded("y", "float64e")
    square = op("cast", "float64e", op("mul", "float64x2", x, x))
    value = op("sqrt", "float64e", op("mul", "float64e", op("mul", "float64e", square, y), y))
    made = elementwise([op("cast", "float64", value)], "xy")
    (kernel,) = made.steps
    assert isinstance(kernel, Kernel)
    assert isinstance(kernel.body[0], For)
    assert narrowed(kernel.body[0], True, False) is not None
    rng = np.random.default_rng(11)
    for widest in (3.0, 200.0, 1000.0):
        data = [numbers(rng, 300, widest) for _ in "xy"]
        agree(compiled(made)(*data)[0], in_full(made)(*data)[0], 1.0)


def test_a_long_body_calls_where_it_is_rarely_run() -> None:
    """In full it is one function in which nothing is written out; the attempt, whose arithmetic leaves limbs as they fall,
    calls nothing. What is left of the vectors is the same text, where lanes can be left out."""
    value: Value = loaded("a", "float64x2e")
    other: Value = loaded("b", "float64x2e")
    for _ in range(attempts.LEFT):
        value = op("mul", "float64x2e", op("add", "float64x2e", value, other), other)
    for bytes_, loops in ((32, 2), (64, 1)):
        target = replace(CPU.machine.target(), vector_bytes=bytes_)
        text = emit(elementwise([op("cast", "float64", value)], "ab"), target)
        bodies = {part.split("(")[0].split("@")[-1]: part for part in text.split("\ndefine ")[1:]}
        (again,) = (body for name, body in bodies.items() if name.startswith("again"))
        called = re.findall(r"call \{[^}]*\} @symdl_mul_to_float64x2e", again)
        assert len(called) == attempts.LEFT - 1  # the last has one limb
        assert again.count(" fmul ") < 10
        (kernel,) = (body for name, body in bodies.items() if name.startswith("kernel"))
        assert "@symdl_mul_to" not in kernel
        assert len(re.findall(r"^loop", kernel, re.MULTILINE)) == loops


def test_float32_tried_as_such(in_full: Any) -> None:
    """Roots, quotients, exponentials and logarithms of what a float32 need not hold."""
    x, y = loaded("x", "float64", "float32"), loaded("y", "float64", "float32")
    squares = op("add", "float64", op("mul", "float64", x, x), op("mul", "float64", y, y))
    product = op("mul", "float64", x, y)
    grown = op("exp", "float64", product)
    values = [
        op("sqrt", "float64", squares),
        op("true_div", "float64", product, squares),
        op("true_div", "float64", op("mul", "float64", op("sub", "float64", x, y), x), op("abs", "float64", y)),
        op("log1p", "float64", grown),
        op("true_div", "float64", grown, op("add", "float64", Const(1, "float64"), grown)),
        op("maximum", "float64", product, op("erfc", "float64", op("sub", "float64", product, x))),
        op("cast", "float64e", op("mul", "float64", squares, Const(0.5, "float64"))),
    ]
    quotient = op("true_div", "float64e", values[-1], Const(3, "float64e"))
    values[-1] = op("sqrt", "float64e", op("add", "float64e", quotient, Const((1.5, 2.0), "float64e")))
    rng = np.random.default_rng(7)
    for value in values:
        made = elementwise([op("cast", "float32", value)], "xy", "float32")
        assert "@again" in emit(made, CPU.machine.target())
        tried, full = compiled(made), in_full(made)
        for widest in (2.0, 60.0, 120.0):
            with np.errstate(all="ignore"):
                data = [numbers(rng, 200, widest).astype(np.float32) for _ in "xy"]
            got, expected = tried(*data)[0], full(*data)[0]
            agree(got, expected, 8)


def test_what_cancels_is_not_tried_as_float32() -> None:
    x, y = loaded("x", "float64", "float32"), loaded("y", "float64", "float32")
    difference = op("sub", "float64", op("mul", "float64", x, x), op("mul", "float64", y, y))
    made = elementwise([op("cast", "float32", op("abs", "float64", difference))], "xy", "float32")
    data = np.array([[1.0000001, 3.0, 1e20], [1.0, 3.0000002, 1e20]], np.float32)
    exact = np.abs(data[0].astype(np.float64) ** 2 - data[1].astype(np.float64) ** 2)
    np.testing.assert_allclose(compiled(made)(*data)[0], exact, rtol=1e-7)


def test_a_factor_below_float32_is_not_tried_as_float32(in_full: Any) -> None:
    """e^x y z, where y z, which is a float64 with an exponent on the way, is no normal float32."""
    x = loaded("x", "float64e", "float32")
    y, z = loaded("y", "float64x2e", "float32"), loaded("z", "float64x2e", "float32")
    product = op("sub", "float64x2e", op("mul", "float64x2e", y, z), op("mul", "float64x2e", z, z))
    value = op("mul", "float64e", op("exp", "float64e", x), op("cast", "float64e", product))
    made = elementwise([op("cast", "float32", value)], "xyz", "float32")
    given = np.array([[1.0, 88.0, 87.5], [2.0, 1.3e-20, 3e-22], [3.0, 1.1e-19, 1.7e-20]], np.float32)
    a, b, c = given.astype(np.float64)
    assert "@again" in emit(made, CPU.machine.target())
    agree(compiled(made)(*given)[0], (np.exp(a) * (b * c - c * c)).astype(np.float32), 2)


def test_a_product_of_what_float32_does_not_hold_is_rounded_once() -> None:
    """Nothing is gained where as much is rounded to float32 as is computed in it."""
    x, y = loaded("x", "float64x2", "float32"), loaded("y", "float64x2", "float32")
    sums = op("add", "float64x2", x, y), op("sub", "float64x2", x, op("mul", "float64x2", y, y))
    value = op("mul", "float64", *(op("cast", "float64", s) for s in sums))
    made = elementwise([op("cast", "float32", value)], "xy", "float32")
    given = np.random.default_rng(10).normal(size=(2, 300)).astype(np.float32)
    a, b = given.astype(np.float64)
    np.testing.assert_array_equal(compiled(made)(*given)[0], ((a + b) * (a - b * b)).astype(np.float32))


def test_float64_that_the_user_asked_for_is_not_tried_as_float32() -> None:
    """A user's own casts to float64 and back: rounded once, also where stage 3 writes the formula anew."""
    x, y = T.fvector("x"), T.fvector("y")
    u, v = x.astype("float64"), y.astype("float64")
    asked = [T.sqrt(u * u + v * v), T.log(1 + T.exp(u * v)), T.exp(u) / (T.exp(u) + T.exp(v))]
    own = [a.astype("float32") for a in asked]
    call = symdl.function([x, y], own, precision="right")
    plain = symdl.function([x, y], T.sqrt(x * x + y * y), precision="right")
    given = np.random.default_rng(9).normal(size=(2, 500)).astype(np.float32)
    got, tried = call(*given), plain(*given)
    a, b = given.astype(np.float64)
    exact = [np.hypot(a, b), np.logaddexp(0, a * b), 1 / (1 + np.exp(b - a))]
    for found, right in zip(got, exact, strict=True):
        np.testing.assert_array_equal(found, right.astype(np.float32))
    agree(tried, exact[0].astype(np.float32), 2)
    assert np.any(tried != exact[0].astype(np.float32))  # which shows that it was an attempt


def test_what_cannot_leave_the_range_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exponential of -x x is at most 1, so a product with it is as small as the other factor, or smaller."""
    seen: list[Any] = []

    def noted(*args: Any, **options: Any) -> Any:
        seen.append(narrowed(*args, **options))
        return seen[-1]

    monkeypatch.setattr(attempts, "narrowed", noted)
    x = T.tensor("x", dtype="float32", shape=(None,))
    given = np.array([0, -0.0, 0.5, 3, -9, 9.2, 10.1, 1e-30, 1e20, -1e20, np.inf, -np.inf, np.nan] * 3, np.float32)
    (found,) = quickly([x], [T.tanh(2 * x + 1) * T.exp(-x * x)])([given])
    tried = [one for one in seen if one is not None]
    assert tried
    assert all(one.single and one.failed is None for one in tried)
    exact = given.astype("float64")
    with np.errstate(all="ignore"):
        true = np.tanh(2 * exact + 1) * np.exp(-exact * exact)
    np.testing.assert_allclose(found, true, rtol=3e-7, atol=1e-45)


@pytest.mark.parametrize("width", [3, 8, 100])
def test_rows_of_zeros_of_either_sign_and_of_small_and_large_numbers(width: int) -> None:
    """Deviations of all zeros are zeros; of numbers whose squares have left the range they are not."""
    x = np.random.default_rng(width).standard_normal((7, width))
    x[1], x[2], x[4] = 0.0, -0.0, 5.0
    x[3] *= 1e-200
    x[5] *= 1e160
    x[6, 0] = np.inf
    m = T.tensor("m", dtype="float64", shape=(None, None))
    formula = (m - m.mean(axis=1, keepdims=True)) / T.sqrt(
        ((m - m.mean(axis=1, keepdims=True)) ** 2).mean(axis=1, keepdims=True)
    )
    expected = symdl.function([m], formula, precision="right", mode="interpreter")(x)
    agree(symdl.function([m], formula, precision="right")(x), expected, 4)


FAR = (
    0.0, 1.0, 80.0, 88.5, 89.0, 103.5, 104.0, 619.9, 620.0, 700.0, 709.9, 746.0, 1e4, 4e6, 6e6, 1e8, 1e15, 1e30, 3e38, np.inf,
)  # fmt: skip


@pytest.mark.parametrize("name", ["difference", "density", "quotient", "squared error"])
def test_exponentials_too_large_are_looked_at_whatever_they_are(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an attempt fails for what is too large, its exponentials are not held back there, with AVX-512; those of what is too
    small are, since e^-inf is an ordinary 0."""
    seen: list[Any] = []

    def noted(*args: Any, **options: Any) -> Any:
        seen.append(narrowed(*args, **options))
        return seen[-1]

    monkeypatch.setattr(attempts, "narrowed", noted)
    x, y = T.fvector("x"), T.fvector("y")
    formula = {
        "difference": T.exp(y) - T.exp(x),  # not the one of test_digits, whose code is in memory
        "density": -0.5 * ((x - 0.5) / T.exp(y)) ** 2 - y,
        "quotient": T.sinh(x - y) / (x - y) * T.exp(-y),
        "squared error": (y - T.sigmoid(x)) ** 2,
    }[name]
    far = np.array([s * v for v in FAR for s in (1, -1)] + [np.nan], np.float32)
    given = [v.ravel() for v in np.meshgrid(far, far)]
    got = symdl.function([x, y], formula, precision="right")(*given)
    expected = symdl.function([x, y], formula, precision="right", mode="interpreter")(*given)
    agree(got, expected, 4)
    names = {v.primitive for tried in seen if tried for v in walk(*tried.values.values()) if isinstance(v, Apply)}
    opened = {"open_exp", "brief_open_exp", "brief_open_decay", "brief_open_sigmoid"} & names
    if CPU.machine.target().vector_bytes == 64:
        found = {"difference": "open_exp", "density": "brief_open_decay", "squared error": "brief_open_sigmoid"}.get(
            name
        )
        assert opened == {found} - {None}, opened


CHANGES: dict[str, tuple[Callable[[Builder, Reg], Reg], int]] = {
    "any": (lambda b, x: x, 2),
    "never positive": (lambda b, x: b.fneg(b.fabs(x)), 1),
    "never negative": (lambda b, x: b.mul(x, x), 1),
}


def held(b: Builder, x: Reg) -> Reg:
    return b.add(clamp(b, x, -1.0, 1.0), 0.0)


@pytest.mark.parametrize("sign", CHANGES)
def test_only_the_end_that_a_number_may_reach_is_held(sign: str) -> None:
    """A register whose sign is known is compared with one end of an interval around 0, in functions that are inlined, too."""
    change, ends = CHANGES[sign]
    for function in (held, inlined(held)):
        b = Builder(8)
        function(b, change(b, Reg("%x", "float64")))
        assert sum(line.count("fcmp") for line in b.lines) == ends
