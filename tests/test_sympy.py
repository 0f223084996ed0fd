"""sympy both ways: every function that has a graph against sympy's own numbers, and every op's formula there and back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

import symdl
import symdl.tensor as T
from symdl.errors import InputError, SymbolicError
from symdl.graph.expr import OPS, Op, variable
from symdl.interop.sympy import FUNCTIONS, from_sympy, to_sympy

x, y, t = sympy.symbols("x y t", real=True)
CODEGEN = {"exp2", "expm1", "hypot", "log10", "log1p", "log2"}  # of sympy.codegen, with names that differ there
LOGIC = {"And": (x > 0) & (y > 0), "Or": (x > 2) | (y > 2), "Xor": sympy.Xor(x > 0, y > 2), "Not": sympy.Not(x > y)}
LOGIC |= {"Equality": sympy.Eq(x, y), "Unequality": sympy.Ne(x, y), "StrictLessThan": x < y, "LessThan": x <= y}
LOGIC |= {"StrictGreaterThan": x > y, "GreaterThan": x >= y, "ITE": sympy.ITE(x > y, x > 0, y > 0)}
TWO = {"Max", "Min", "Mod", "atan2", "beta", "KroneckerDelta"}
POINTS = {"acosh": 1.75, "acoth": 1.75, "asec": 1.75, "acsc": 1.75}


def of(name: str) -> Any:
    """An expression that uses the function."""
    if name in LOGIC:
        return sympy.Piecewise((x, LOGIC[name]), (y, True))
    if name == "polygamma":
        return sympy.polygamma(1, x)
    if name == "sqrt":
        return sympy.sqrt(x)
    function: Any = getattr(sympy, name)
    return function(x, y) if name in TWO else function(x)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - CODEGEN))
def test_every_function_equals_sympys(name: str) -> None:
    e = of(name)
    at = {x: POINTS.get(name, 0.625), y: 1.375}
    wanted = float(e.subs(at).doit().evalf(30))
    for value in (from_sympy(e, [x, y])(at[x], at[y]), from_sympy(e, [y, x])(at[y], np.full(3, at[x]))[1]):
        np.testing.assert_allclose(value, wanted, rtol=4e-16 * 4)


def test_functions_of_codegen() -> None:
    from sympy.codegen import cfunctions as c  # only here

    for e in (c.exp2(x), c.expm1(x), c.hypot(x, y), c.log10(x), c.log1p(x), c.log2(x)):
        np.testing.assert_allclose(
            from_sympy(e, [x, y])(0.625, 1.375), float(e.subs({x: 0.625, y: 1.375}).evalf(30)), rtol=1e-15
        )


@pytest.mark.parametrize(
    "e",
    [
        sympy.Integer(2), sympy.pi * x + sympy.E + sympy.EulerGamma, x**3 / 7 - x**-2, sympy.Rational(1, 3) * x, sympy.cbrt(x),
        sympy.binomial(y + 3, x), sympy.Sum(x**t, (t, 0, 5)), sympy.Derivative(sympy.sin(x) * y, x),
        sympy.Integral(sympy.exp(-x * t), (t, 0, 1)), sympy.Piecewise((x**2, x < 0), (sympy.sqrt(x), x < 9)),
        sympy.factorial(x), sympy.Float("0.1", 40) * x, sympy.re(x) + sympy.im(x), x**y,
    ],
    ids=str,
)  # fmt: skip
def test_other_expressions(e: Any) -> None:
    wanted = float(e.subs({x: 0.625, y: 1.375}).doit().evalf(30))
    np.testing.assert_allclose(from_sympy(e, [x, y])(0.625, 1.375), wanted, rtol=2e-15)


def test_arguments_broadcast_and_matrices_come_first() -> None:
    f = from_sympy(x * y + 1, [x, y])
    a, b = np.arange(6.0).reshape(2, 3), np.arange(3)
    np.testing.assert_array_equal(f(a, b), a * b + 1)
    np.testing.assert_array_equal(f(a, 2), a * 2 + 1)
    np.testing.assert_array_equal(f(a[:, :0], 2), a[:, :0])
    assert f(1, 2) == 3.0
    assert f(np.float32(1.5), True).dtype == np.float64
    assert from_sympy(x, [x], dtype="float32")(1.5).dtype == np.float32
    np.testing.assert_array_equal(from_sympy(sympy.Integer(2), [x])(a), np.full((2, 3), 2.0))
    turn = from_sympy(sympy.Matrix([[sympy.cos(x), -sympy.sin(x)], [sympy.sin(x), 1]]), [x])
    assert turn(0.5).shape == (2, 2)
    np.testing.assert_allclose(turn(a)[1, 0], np.sin(a), rtol=1e-15)
    assert turn(a)[1, 1].tolist() == np.ones((2, 3)).tolist()
    first, second = from_sympy([x + y, x - y], [x, y])(a, 1)
    np.testing.assert_array_equal(first - second, np.full((2, 3), 2.0))
    assert repr(f) == "<symdl function of x, y: x*y + 1>"


def test_what_is_unstable_as_written_is_right() -> None:
    f = from_sympy(sympy.log(1 + sympy.exp(x)), [x])
    np.testing.assert_allclose(f(np.array([-40.0, 800.0])), [4.248354255291589e-18, 800.0], rtol=1e-15)
    np.testing.assert_allclose(f.grad(x)(np.array([-40.0, 800.0])), [4.248354255291589e-18, 1.0], rtol=1e-15)


def test_graphs_go_on() -> None:
    f = from_sympy(sympy.sin(x) * y, [x, y])
    u, w = T.vector("u"), symdl.shared(2.0, "w")
    cost = T.sum(f.graph(u, w) ** 2)
    g = symdl.function([u], symdl.grad(cost, w))
    values = np.array([0.5, 1.0])
    np.testing.assert_allclose(g(values), 4 * (np.sin(values) ** 2).sum(), rtol=1e-15)


def invertible(op: Op) -> bool:
    return op.meaning is not None and op.kind in ("elementwise", "composite") and "Sum" not in op.meaning


@pytest.mark.parametrize("op", [op for op in OPS.values() if invertible(op) and op.prepare], ids=repr)
def test_every_formula_there_and_back(op: Op) -> None:
    """The sympy expression of an op gives a graph with the op's values, where it is a real function of reals."""
    dtypes = [
        "bool" if (op.name, a) == ("where", "c") or op.name.startswith("logical") else "float64" for a in op.arguments
    ]
    leaves = [variable(a, (), d) for a, d in zip(op.arguments, dtypes, strict=True)]
    try:
        graph = op(*leaves)
    except symdl.errors.DtypeError:
        pytest.skip("it takes integers")
    names = [sympy.Symbol(a, real=True) for a in op.arguments]
    formula = to_sympy(graph, dict(zip(leaves, names, strict=True)))
    low_high = op.domain[: len(leaves)]
    at = [min(max(0.4 + 0.2 * k, low + 0.5), high - 0.1) for k, (low, high) in enumerate(low_high)]
    wanted = symdl.function(leaves, graph)(*(v > 0 if d == "bool" else v for v, d in zip(at, dtypes, strict=True)))
    if "bool" in dtypes or graph.type.dtype == "bool":
        at_symbols = dict(
            zip(names, (sympy.true if d == "bool" else v for v, d in zip(at, dtypes, strict=True)), strict=True)
        )
        found = formula.subs(at_symbols) if formula not in (sympy.true, sympy.false) else formula
        assert float(found) == float(wanted) if graph.type.dtype != "bool" else bool(found) == bool(wanted)
        return
    np.testing.assert_allclose(from_sympy(formula, names)(*at), wanted, rtol=1e-13)


def test_formulas_of_graphs() -> None:
    u, v = T.vectors("uv")
    a, b = sympy.symbols("u v", real=True)
    assert to_sympy(T.log(1 + T.exp(u)) * 2.5) == sympy.log(1 + sympy.exp(a)) * sympy.Rational(5, 2)
    assert to_sympy([u * np.pi, u.astype("float32") / v]) == [a * sympy.pi, a / b]
    assert to_sympy(T.where(u > 0, u, v)) == sympy.Piecewise((a, a > 0), (b, True))
    assert to_sympy(u + v, {u: t}) == t + b


def test_errors() -> None:
    u, other = T.vector("u"), T.vector("u")
    z = sympy.Symbol("z")
    for build, error, text in (
        (lambda: from_sympy(x * z, [x]), SymbolicError, "x.z has z, not among the symbols given"),
        (lambda: from_sympy(sympy.besselj(0, x), [x]), SymbolicError, "besselj has no graph"),
        (lambda: from_sympy(sympy.I * x, [x]), SymbolicError, "I is complex"),
        (
            lambda: from_sympy(sympy.Integral(sympy.exp(-(x**5) * sympy.sin(x)), x), [x]),
            SymbolicError,
            "no closed form",
        ),
        (lambda: from_sympy(sympy.polygamma(3, x), [x]), SymbolicError, "polygamma of an order other than 0 and 1"),
        (lambda: from_sympy(x, [x, x]), InputError, "a symbol is given twice"),
        (lambda: from_sympy(x, [x], dtype="int64"), InputError, "dtype must be float32 or float64"),
        (
            lambda: from_sympy(x, [x])(T.dvector("v")),
            InputError,
            r"(?s)numbers and arrays.*v  float64.*graph\(...\) gives",
        ),
        (
            lambda: symdl.function([], from_sympy(x, [x])),
            InputError,
            "outputs holds a SympyFunction, which is no expression",
        ),
        (lambda: from_sympy(x, [x])(1, 2), InputError, "takes 1 values .x., not 2"),
        (lambda: from_sympy(x, [x])("a"), InputError, "x is the text 'a', neither a number nor an array"),
        (lambda: from_sympy(x, [x]).grad(z), InputError, "z is not among x"),
        (lambda: to_sympy(T.sum(u)), SymbolicError, "sum is no elementwise op"),
        (lambda: to_sympy(u + other), SymbolicError, "two leaves are named 'u'"),
        (lambda: to_sympy(u + T.vector()), SymbolicError, "has no name"),
        (lambda: to_sympy(u + np.ones(3)), SymbolicError, "has no name"),
    ):
        with pytest.raises(error, match=text):
            build()


def test_sympy_is_loaded_at_first_use() -> None:
    code = "import symdl, sys; assert 'sympy' not in sys.modules; symdl.to_sympy(symdl.Expr and 1); assert 'sympy' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


UNARY = (
    T.sin,
    T.cos,
    T.tanh,
    T.exp,
    T.log1p,
    T.sqrt,
    T.erf,
    T.sigmoid,
    T.softplus,
    T.arctan,
    T.sqr,
    T.expm1,
    T.sinh,
    T.neg,
)
BINARY = (
    T.add,
    T.sub,
    T.mul,
    T.maximum,
    T.arctan2,
    T.logaddexp,
    lambda a, b: a / (1 + b * b),
    lambda a, b: T.where(a > b, a, b),
)


def test_random_graphs_there_and_back() -> None:
    """40 formulas in one function, with what came back from sympy beside each."""
    leaves, names = [variable(n, (None,), "float64") for n in "abc"], sympy.symbols("a b c", real=True)
    rng = np.random.default_rng(7)
    outputs: list[Any] = []
    for _ in range(40):
        pool = list(leaves)
        for _ in range(rng.integers(3, 9)):
            one, other = (pool[k] for k in rng.integers(0, len(pool), 2))
            made = (
                UNARY[rng.integers(len(UNARY))](T.abs(one))
                if rng.random() < 0.5
                else BINARY[rng.integers(8)](one, other)
            )
            pool.append(T.tanh(made) if rng.random() < 0.3 else made)
        expression = to_sympy(pool[-1], dict(zip(leaves, names, strict=True)))
        outputs += [pool[-1], from_sympy(expression, names).graph(*leaves)]
    values = rng.uniform(0.2, 1.5, (3, 6))
    found = symdl.function(leaves, outputs, mode="numpy", on_unused_input="ignore")(*values)
    for wanted, back in zip(found[::2], found[1::2], strict=True):
        np.testing.assert_allclose(np.broadcast_to(back, wanted.shape), wanted, rtol=1e-9, atol=1e-12)


def test_the_page_names_every_function() -> None:
    text = (Path(__file__).parent.parent / "docs" / "sympy.md").read_text(encoding="utf-8")
    listed = text.partition("## Functions")[2].partition("\n\n")[2].partition("\n\n")[0]
    assert listed.replace("`", "").replace(",", "").rstrip(".").split() == sorted(FUNCTIONS, key=str.lower)


def test_the_page_s_example() -> None:
    text = (Path(__file__).parent.parent / "docs" / "sympy.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(text.partition("```python\n")[2].partition("```")[0], names)
    f, x, a = names["f"], names["x"], names["a"]
    assert f(0.5, 2.0) == pytest.approx(float((sympy.exp(-(x**2)) * sympy.cos(a * x)).subs({x: 0.5, a: 2.0})))
    assert names["y"].type.ndim == 1
