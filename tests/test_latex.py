"""LaTeX of expressions: whole texts of small ones, and of every op something that a reader of LaTeX takes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from cases import CASES
from test_every_op import ELEMENTWISE, OWN, RANDOM, operands

import symdl
import symdl.tensor as T
from symdl.graph.expr import OPS, Expr, Op
from symdl.graph.walks import levels
from symdl.notation.latex import equations, identifier, latex

x, y = T.dvector("x"), T.dvector("y")
W = T.dmatrix("W")

FORMULAS: list[tuple[Any, str]] = [
    (T.sigmoid(x), r"\sigma\left(x\right)"),
    ((x + y) * (x - y) ** 2, r"\left(x + y\right) \, \left(x - y\right)^{2}"),
    (x - (y - x), r"x - \left(y - x\right)"),
    (x - y - x, r"x - y - x"),
    (x * (y * x), r"x \, y \, x"),
    (-(x + y), r"-\left(x + y\right)"),
    (-(x**2), r"-x^{2}"),
    ((-x) ** 2, r"\left(-x\right)^{2}"),
    (T.exp(-(x**2) / 2), r"e^{\frac{-x^{2}}{2}}"),
    (T.exp(x) ** 2, r"\left(e^{x}\right)^{2}"),
    (x**-1.5, r"x^{-1.5}"),
    (1e-8 * x, r"10^{-8} \, x"),
    (x * 2, r"x \cdot 2"),
    (x * -3.0, r"x \, \left(-3\right)"),
    (T.softmax(W @ x), r"\mathrm{softmax}\left(W \, x\right)"),
    (W.T @ W, r"W^{\top} \, W"),
    (W @ (W + 1), r"W \, \left(W + 1\right)"),
    (W.sum(axis=0), r"\sum_{0} W"),
    ((x * y).sum(), r"\sum x \, y"),
    ((x + y).sum() * 2, r"\sum \left(x + y\right) \cdot 2"),
    (W.max(axis=1), r"\max_{1}\left(W\right)"),
    (W.argmax(axis=1), r"\mathrm{argmax}_{1}\left(W\right)"),
    (W[1:, ::2], r"W_{1:,::2}"),
    (x[0] + (2 * x)[3], r"x_{0} + \left[2 \, x\right]_{3}"),
    (T.where(x > 0, x, 0), r"\left\{x\ \mathrm{if}\ x > 0,\ \mathrm{else}\ 0\right\}"),
    (~(x > 0) | (x < y), r"\neg \left(x > 0\right) \vee \left(x < y\right)"),
    (x // y, r"\left\lfloor \frac{x}{y}\right\rfloor "),
    (T.gammaln(x), r"\log\Gamma\left(x\right)"),
    (T.concatenate([x, y]), r"\left[x,\ y\right]"),
    (T.sqrt(abs(x)), r"\sqrt{\left|x\right|}"),
    (x * x.shape[0], r"x \, \mathrm{x.shape[0]}"),
    (T.log1p(x * y), r"\log\left(1 + x \, y\right)"),
]


@pytest.mark.parametrize(("expr", "text"), FORMULAS, ids=[t for _, t in FORMULAS])
def test_a_formula(expr: Expr, text: str) -> None:
    assert latex(expr) == text
    assert expr._repr_latex_() == f"$\\displaystyle {text}$"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x", "x"), ("W1", "W_{1}"), ("alpha", r"\alpha"), ("h_12", "h_{12}"), ("images", r"\mathrm{images}"),
        ("beta_hat", r"\beta_{\mathrm{hat}}"), ("a b", r"\mathrm{a\ b}"), ("W0m", r"W_{\mathrm{0m}}"), ("_", "x"),
        ("50%$", r"\mathrm{50\ \ }"),
    ],
)  # fmt: skip
def test_a_name(name: str, text: str) -> None:
    assert identifier(name) == text


def sound(tex: str) -> None:
    r"""Braces and \left ... \right match, no sign that LaTeX takes for a command stands alone, nothing is empty."""
    assert tex.strip()
    depth = 0
    for sign in re.findall(r"(?<!\\)[{}]", tex):
        depth += 1 if sign == "{" else -1
        assert depth >= 0, tex
    assert depth == 0, tex
    assert len(re.findall(r"\\left(?![a-z])", tex)) == len(re.findall(r"\\right(?![a-z])", tex)), tex
    assert re.search(r"(?<!\\)[#$%&~]", tex) is None, tex
    assert re.search(r"[_^]\{\}|[_^][^{]", tex) is None, tex
    assert re.search(r"\}_\{[^{}]*\}_\{", tex) is None, tex  # two subscripts of one base are an error


def each_equation(expr: Expr) -> list[str]:
    return [f"{name} = {tex}" if name else tex for name, tex in equations(expr)]


@pytest.mark.parametrize("op", ELEMENTWISE, ids=str)
def test_every_elementwise_op_has_a_form(op: Op) -> None:
    dtype = next(d for d in ("float64", "int64", "bool") if _takes(op, d))
    out = op(*operands(op, dtype))
    sound(latex(out))
    for name in op.arguments:
        assert identifier(name) in latex(out)
    sound(latex(out + out if out.type.dtype != "bool" else out | out))


def _takes(op: Op, dtype: str) -> bool:
    try:
        op(*operands(op, dtype))
    except symdl.errors.SymdlError:
        return False
    return True


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_every_other_op_has_a_form(case: Any) -> None:
    for out in built(case):
        for tex in each_equation(out):
            sound(tex)
            assert "x" in tex or "=" in tex or "ldots" in tex or tex[0].isdigit() or "constant" in tex or "iota" in tex


def built(case: Any) -> list[Expr]:
    arrays = case.arrays("float64" if case.floats else "int64")
    leaves = [T.tensor(f"x{k}", shape=a.shape, dtype=a.dtype.name) for k, a in enumerate(arrays)]
    out = case.build(*leaves)
    return list(out) if isinstance(out, list | tuple) else [out]


def test_no_op_is_left_out() -> None:
    reached = (
        {op.name for op in ELEMENTWISE}
        | RANDOM
        | {"cast", "variable", "constant", "wildcard", "parameter", "argument"}
        | OWN
    )
    for outputs in ([e for e, _ in FORMULAS], *map(built, CASES)):
        reached.update(n.op.name for n in levels(*outputs))
    assert {name for name, op in OPS.items() if not op.foreign} - reached == set()


def test_mathtext_reads_every_form() -> None:
    mathtext = pytest.importorskip("matplotlib.mathtext", reason="matplotlib is not installed")
    parser = mathtext.MathTextParser("path")
    forms = [e for e, _ in FORMULAS] + [e for case in CASES for e in built(case)]
    forms += [op(*operands(op, "float64")) for op in ELEMENTWISE if _takes(op, "float64")]
    for tex in (tex for e in forms for tex in each_equation(e)):
        parser.parse(f"${tex}$".replace(r"\bigvee", r"\vee").replace(r"\bigwedge", r"\wedge").replace(r"\top", "T"))


def test_long_and_shared_parts_get_names() -> None:
    z: Any = x
    for _ in range(8):
        z = T.tanh(z * x + y - T.exp(z - 3 * y)) * z + T.log(z * z + 1)
    lines = latex(z).splitlines()
    assert lines[0] == r"\begin{aligned}"
    assert lines[-1] == r"\end{aligned}"
    assert len(lines) > 4
    assert all(len(line) < 1500 for line in lines)
    assert lines[1].startswith("f &= ")  # y is a name of the user's


def test_the_users_names_stay() -> None:
    z = x * 2 + y
    z.name = "hidden"
    assert latex(T.tanh(z)).splitlines()[1:3] == [
        r"f &= \tanh\left(\mathrm{hidden}\right) \\",
        r"\mathrm{hidden} &= x \cdot 2 + y",
    ]
    assert latex(z) == r"\mathrm{hidden} = x \cdot 2 + y"


def test_large_graphs_stay_short() -> None:
    z: Any = x
    for k in range(1000):
        z = T.tanh(z * (1 + k / 1000)) + y
    assert len(latex(z)) < 20_000
    assert "more" in latex(z)


def test_a_function_shows_its_formulas() -> None:
    b = symdl.shared(np.zeros(3), "b")
    f = symdl.function([x], {"s": T.sigmoid(x)}, updates=[(b, b * 0.5)], name="step <1>")
    text = f._repr_html_()
    assert "step &lt;1&gt;" in text
    assert r"\sigma\left(x\right)" in text
    assert "b ←" in text
    for kind, labels in (([x], ["output 0"]), (x, ["output"]), (None, [])):
        shown = symdl.function([x], kind, on_unused_input="ignore")._repr_html_()
        assert [label in shown for label in labels] == [True] * len(labels)
