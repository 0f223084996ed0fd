"""Number forms in Programs: the interpreter (exact arithmetic), one scalar at a time and all at once, and machine code."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.interpreter.backend import interpret
from symdl.errors import ProgramError
from symdl.ir.loops import Apply, Assign, Const, For, Guard, Load, Local, Position, Ref, Store, Value, View, contiguous
from symdl.ir.program import Binding, Buffer, Call, Kernel, Program, Step, verify
from symdl.number_forms import LIMBS, item_bytes
from symdl.types import Symbol, product, symbol

FORMS = sorted(LIMBS)
n, i, k = symbol("n"), symbol("i"), symbol("k")
N, I, K = Symbol("n"), Symbol("i"), Symbol("k")
Arrays = dict[str, Any]


def view(name: str, *shape: Any, dtype: str = "float64") -> View:
    return contiguous(name, dtype, shape)


def to(dtype: str, x: Value) -> Apply:
    return Apply("cast", (x,), dtype)


def op(name: str, dtype: str, *args: Value) -> Apply:
    return Apply(name, args, dtype)


def at(v: View, *index: Any) -> Load:
    return Load(v, index)


def program(temps: list[Buffer], *steps: Step, outputs: list[Buffer], inputs: list[Buffer]) -> Program:
    """A Program whose size n is the length of its first input."""
    buffers = {b.name: b for b in (*inputs, *temps, *outputs)}
    offsets = {b.name: place for place, b in enumerate(temps)}
    slots = tuple((product(b.shape) * item_bytes(b.dtype),) for b in temps)
    made = Program(buffers, (Binding(N, inputs[0].name, 0),), (), steps, (), offsets, slots)
    verify(made)
    return made


def three_ways(made: Program, rtol: float = 0.0, **arrays: Any) -> Arrays:
    """The outputs, equal in machine code and in both interpreters (to rtol: results in float64 are rounded once, so
    they differ only where exact results lie next to the middle of two floats)."""
    given = {name: np.asarray(a) for name, a in arrays.items()}
    slow = interpret(made, given, scalar=True).outputs
    fast = interpret(made, given).outputs
    executable = CpuBackend().compile(made)
    status, outputs = executable.execute(executable.bind([given[b.name] for b in made.of_kind("input")]))
    assert status == 0
    found = dict(zip([b.name for b in made.of_kind("output")], outputs, strict=True))
    for name, expected in slow.items():
        np.testing.assert_array_equal(fast[name], expected)
        np.testing.assert_allclose(found[name], expected, rtol=rtol, atol=0)
    return found


@pytest.mark.parametrize("dtype", FORMS)
def test_stored_and_loaded_in_vectors(dtype: str, rng: np.random.Generator) -> None:
    """Forward, backward and strided loads of a temp of the form, whole vectors and what is left of them."""
    x, y, w = view("x", n), view("y", n), view("w", n, dtype=dtype)
    there = View("w", dtype, (n,), (-1,), n - 1)
    fill = For(I, n, (Store(w, (i,), op("exp", dtype, to(dtype, at(x, i)))),))
    ratio = op("true_div", dtype, at(w, i), op("add", dtype, at(w, i), at(there, i)))
    use = For(I, n, (Store(y, (i,), to("float64", ratio)),))
    made = program(
        [Buffer("w", dtype, (n,), "temp")], Kernel((fill,)), Kernel((use,)),
        inputs=[Buffer("x", "float64", (n,), "input")], outputs=[Buffer("y", "float64", (n,), "output")],
    )  # fmt: skip
    for count in (0, 1, 4, 11):
        values = rng.normal(size=count) * (300 if dtype.endswith("e") else 3)
        found = three_ways(made, rtol=1e-15 if dtype == "float64e" else 3e-16, x=values)
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(found["y"], 1 / (1 + np.exp(values[::-1] - values)), rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("dtype", FORMS)
def test_every_second_element(dtype: str) -> None:
    x, y = view("x", n), view("y", n)
    w = Buffer("w", dtype, (2 * n,), "temp")
    fill = For(K, 2 * n, (Store(view("w", 2 * n, dtype=dtype), (k,), to(dtype, Position(k))),))
    even = Load(View("w", dtype, (n,), (2,)), (i,))
    use = For(I, n, (Store(y, (i,), to("float64", op("mul", dtype, even, to(dtype, at(x, i))))),))
    made = program(
        [w], Kernel((fill,)), Kernel((use,)),
        inputs=[Buffer("x", "float64", (n,), "input")], outputs=[Buffer("y", "float64", (n,), "output")],
    )  # fmt: skip
    values = np.linspace(-2, 2, 9)
    np.testing.assert_array_equal(three_ways(made, x=values)["y"], values * 2 * np.arange(9))


@pytest.mark.parametrize("primitive", ["add", "mul", "maximum", "minimum"])
@pytest.mark.parametrize("dtype", FORMS)
def test_reductions(dtype: str, primitive: str) -> None:
    """log of the sum (product, ...) of exponentials: far beyond float64 where the form has an exponent."""
    x, y = view("x", n), view("y")
    start = op("exp", dtype, to(dtype, at(x, 0)))
    step = op(primitive, dtype, Ref("total", dtype), op("exp", dtype, to(dtype, at(x, i + 1))))
    body = (
        Local("total", start),
        For(I, n - 1, (Assign("total", step),)),
        Store(y, (), to("float64", op("log", dtype, Ref("total", dtype)))),
    )
    made = program(
        [], Kernel(body),
        inputs=[Buffer("x", "float64", (n,), "input")], outputs=[Buffer("y", "float64", (), "output")],
    )  # fmt: skip
    values = np.array([3.0, -2.5, 0.1, 2.0, 1.0, -1.0, 0.5, 2.25, -3.0, 1.5, 0.75, 2.875, -0.125])
    values *= 400 if dtype.endswith("e") else 4
    found = three_ways(made, rtol=4e-15 if dtype == "float64e" else 3e-16, x=values)["y"]
    exact = [mpmath.exp(mpmath.mpf(v)) for v in values]
    total = {"add": mpmath.fsum, "mul": mpmath.fprod, "maximum": max, "minimum": min}[primitive](exact)
    assert float(found) == pytest.approx(float(mpmath.log(total)), rel=1e-14)


@pytest.mark.parametrize("dtype", FORMS)
def test_guards_choices_and_uniform_values(dtype: str) -> None:
    """In rows: a value of the row alone, a guard around a load, a selection, a constant that no float64 is."""
    m = 6
    x, y = view("x", n, m), view("y", n, m)
    j, J = symbol("j"), Symbol("j")
    scale = op("exp", dtype, to(dtype, at(x, i, 0)))
    left = Guard(((j - 1, m),), to(dtype, at(x, i, j - 1)), Const(Fraction(1, 3), dtype))
    positive = Apply("gt", (to(dtype, at(x, i, j)), Const(0, dtype)), "bool")
    chosen = Apply("where", (positive, op("mul", dtype, Ref("scale", dtype), left), op("neg", dtype, left)), dtype)
    inner = For(J, m, (Store(y, (i, j), to("float64", chosen)),))
    made = program(
        [], Kernel((For(I, n, (Local("scale", scale), inner)),)),
        inputs=[Buffer("x", "float64", (n, m), "input")], outputs=[Buffer("y", "float64", (n, m), "output")],
    )  # fmt: skip
    values = np.array([[0.5, -1.0, 2.0, 3.0, -0.0, 1.0], [-2.0, 4.0, 1.0, np.nan, 2.0, -np.inf]])
    three_ways(made, rtol=3e-16, x=values)


@pytest.mark.parametrize("dtype", FORMS)
def test_copies(dtype: str) -> None:
    x, y = view("x", n), view("y", n)
    first, second = (view(name, n, dtype=dtype) for name in ("v", "w"))
    third = op("true_div", dtype, to(dtype, at(x, i)), Const(3, dtype))
    fill = For(I, n, (Store(first, (i,), third),))
    back = op("mul", dtype, at(second, i), Const(3, dtype))
    use = For(I, n, (Store(y, (i,), to("float64", op("sub", dtype, back, to(dtype, at(x, i))))),))
    made = program(
        [Buffer("v", dtype, (n,), "temp"), Buffer("w", dtype, (n,), "temp")],
        Kernel((fill,)), Call("copy", (first, second)), Kernel((use,)),
        inputs=[Buffer("x", "float64", (n,), "input")], outputs=[Buffer("y", "float64", (n,), "output")],
    )  # fmt: skip
    given = {"x": np.array([1.0, 2.0, 5.0, 7.0, 0.0])}
    status = CpuBackend().compile(made)
    found = status.execute(status.bind([given["x"]]))[1][0]
    assert np.all(abs(found) < (1e-15 if dtype == "float64e" else 1e-31))


def test_the_low_limb_floats() -> None:
    """(1 + x) - 1 is x for the smallest x, and a quotient and a root of 1 + x keep it."""
    dtype = "float64x2e"
    x, y = view("x", n), view("y", n, 3)
    one = Const(1, dtype)
    near = op("add", dtype, one, to(dtype, at(x, i)))
    results = (near, op("true_div", dtype, near, one), op("sqrt", dtype, near))
    stores = tuple(Store(y, (i, place), to("float64", op("sub", dtype, r, one))) for place, r in enumerate(results))
    made = program(
        [], Kernel((For(I, n, stores),)),
        inputs=[Buffer("x", "float64", (n,), "input")], outputs=[Buffer("y", "float64", (n, 3), "output")],
    )  # fmt: skip
    tiny = np.array([1e-300, -1e-200, 1e-20])
    np.testing.assert_allclose(three_ways(made, rtol=1e-15, x=tiny)["y"], tiny[:, None] * [1, 1, 0.5], rtol=1e-15)


def test_no_exact_zero_turns_into_noise() -> None:
    """x - x is 0 whatever x, and 0 leaves what it is added to as it is, however small that may be."""
    dtype = "float64x2e"
    x, y = view("x", n), view("y", n)
    grown = op("exp", dtype, to(dtype, at(x, i)))
    nothing = op("sub", dtype, grown, grown)
    small = op("exp", dtype, op("neg", dtype, to(dtype, at(x, i))))
    total = op("log", dtype, op("add", dtype, nothing, small))
    made = program(
        [], Kernel((For(I, n, (Store(y, (i,), to("float64", total)),)),)),
        inputs=[Buffer("x", "float64", (n,), "input")], outputs=[Buffer("y", "float64", (n,), "output")],
    )  # fmt: skip
    values = np.array([1.0, 1e3, 1e6, 1e12, 5.0, 3e14])
    np.testing.assert_array_equal(three_ways(made, x=values)["y"], -values)


def test_only_temps_are_of_a_form() -> None:
    w = Buffer("w", "float64x2", (n,), "output")
    fill = For(I, n, (Store(view("w", n, dtype="float64x2"), (i,), Const(1, "float64x2")),))
    with pytest.raises(ProgramError, match="output w is float64x2, which only temps may be"):
        program([], Kernel((fill,)), inputs=[Buffer("x", "float64", (n,), "input")], outputs=[w])


@pytest.mark.parametrize("dtype", FORMS)
def test_a_number_is_kept_that_is_written_over(dtype: str) -> None:
    """What has been loaded of a temp stays as it was, in NumPy, too, whose records are views."""
    x, y, w = view("x", n), view("y"), view("w", dtype=dtype)
    kept = Ref("kept", dtype)
    kernel = Kernel((
        Store(w, (), to(dtype, at(x, 0))),
        Local("kept", at(w)),
        Store(w, (), to(dtype, at(x, 1))),
        Store(y, (), to("float64", op("sub", dtype, kept, at(w)))),
    ))  # fmt: skip
    made = program(
        [Buffer("w", dtype, (), "temp")], kernel,
        inputs=[Buffer("x", "float64", (n,), "input")], outputs=[Buffer("y", "float64", (), "output")],
    )  # fmt: skip
    np.testing.assert_array_equal(three_ways(made, x=np.array([3.0, 1.0]))["y"], 2)


def test_a_sum_of_two_limbs_that_is_rounded_is_no_sum_of_float32() -> None:
    """u + x with u and x of two limbs, x once a float32, as a float64: it was written as a product with 1, as such sums are."""
    t, x, third = view("t", n), view("x", n, dtype="float32"), Const((3.0, 0.0), "float64x2")
    total = op("add", "float64", Ref("u", "float64x2"), to("float64x2", at(x, i)))
    made = program(
        [], Kernel((
            Local("u", op("true_div", "float64x2", to("float64x2", at(t, 0)), third)),
            For(I, n, (Store(view("y", n), (i,), op("abs", "float64", total)),), "vector"),
        )),
        inputs=[Buffer("t", "float64", (n,), "input"), Buffer("x", "float32", (n,), "input")],
        outputs=[Buffer("y", "float64", (n,), "output")],
    )  # fmt: skip
    near = -np.array([1 / 3, 1, -7, 1e9, 1 / 3, 0, 5, 9, 3e-9], "float32")
    found = three_ways(made, 2.0**-52, t=np.ones(9), x=near)["y"]
    np.testing.assert_allclose(found, [abs(float(Fraction(1, 3) + Fraction(float(a)))) for a in near], rtol=1e-15)


def test_a_sum_of_two_limbs_and_one_is_rounded_once() -> None:
    """u + x and x - u with u of two limbs and x of one, as float64."""
    t, x, third = view("t", n), view("x", n), Const((3.0, 0.0), "float64x2")
    u = Ref("u", "float64x2")
    made = program(
        [], Kernel((
            Local("u", op("true_div", "float64x2", to("float64x2", at(t, 0)), third)),
            For(I, n, (
                Store(view("y", n), (i,), op("add", "float64", u, at(x, i))),
                Store(view("z", n), (i,), op("sub", "float64", at(x, i), u)),
            ), "vector"),
        )),
        inputs=[Buffer(name, "float64", (n,), "input") for name in "tx"],
        outputs=[Buffer(name, "float64", (n,), "output") for name in "yz"],
    )  # fmt: skip
    near = np.array([1 / 3, -1 / 3, 1, -7, 1e9, 0, 5, 3e-9, 1e17])
    found = three_ways(made, 2.0**-52, t=np.ones(9), x=near)
    third_of = Fraction(1, 3)
    np.testing.assert_allclose(found["y"], [float(Fraction(float(a)) + third_of) for a in near], rtol=1e-15)
    np.testing.assert_allclose(found["z"], [float(Fraction(float(a)) - third_of) for a in near], rtol=1e-15)


def test_numbers_are_put_together_only_where_they_are_read() -> None:
    """Who computes with a number of two limbs takes the limbs, who hands it to a function the struct."""
    x, y = (to("float64x2", at(view(name, n), i)) for name in "xy")
    gap = op("sub", "float64x2", op("erfc", "float64x2", op("add", "float64x2", x, y)), y)
    made = program(
        [],
        Kernel((For(I, n, (Store(view("o", n), (i,), to("float64", gap)),), "vector"),)),
        inputs=[Buffer(name, "float64", (n,), "input") for name in "xy"],
        outputs=[Buffer("o", "float64", (n,), "output")],
    )
    functions = re.findall(r"^define internal i64 .*?^}", CpuBackend().text(made), re.MULTILINE | re.DOTALL)
    packed = [(f, name) for f in functions for name in re.findall(r"(%\w+) = insertvalue", f)]
    assert packed
    assert [name for f, name in packed if not re.search(rf"{name}\b(?! =)", f)] == []
