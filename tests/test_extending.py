"""Ops of the user's own: Python functions, formulas, graphs with gradients of their own, and nodes replaced."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.errors import DtypeError, GradientError, InputError, ShapeError
from symdl.graph.expr import OPS
from symdl.verify import derivative_error

MODES = ["native", "interpreter", "numpy"]


@symdl.as_op(
    itypes=[T.dmatrix, T.dvector],
    otypes=[T.dvector],
    infer_shape=lambda shapes: [shapes[0][:1]],
    gradient=lambda inputs, outputs, gradients: [T.outer(gradients[0], inputs[1]), inputs[0].T @ gradients[0]],
)
def times(a: Any, b: Any) -> Any:
    """A product, by NumPy."""
    return a @ b


@symdl.as_op(itypes=[T.dvector], otypes=[T.dvector, ("int64", 1)])
def distinct(a: Any) -> Any:
    return np.unique(a, return_counts=True)


@symdl.elementwise(meaning="log(1 + x**2)", derivative=lambda x, y: 2 * x / (1 + x * x))
def log1psqr(x: Any) -> Any:
    """log(1 + x^2)."""
    return T.log(1 + x * x)


@pytest.mark.parametrize("mode", MODES)
def test_a_python_function_among_native_steps(mode: str) -> None:
    a, b = T.dmatrix("a"), T.dvector("b")
    y = times(a * 2, b) + 1
    f = symdl.function([a, b], [y, *T.grad((y**2).sum(), [a, b])], mode=mode)
    x, v = np.random.default_rng(0).standard_normal((3, 4)), np.arange(4.0)
    value, to_a, to_b = f(x, v)
    np.testing.assert_allclose(value, 2 * x @ v + 1, rtol=1e-14)
    np.testing.assert_allclose(to_a, 4 * np.outer(value, v), rtol=1e-14)
    np.testing.assert_allclose(to_b, 4 * x.T @ value, rtol=1e-14)
    assert times.__doc__ == "A product, by NumPy."


@pytest.mark.parametrize("mode", MODES)
def test_results_of_any_size(mode: str) -> None:
    x = T.dvector("x")
    values, counts = distinct(x * 2)
    f = symdl.function([x], [values + 1, T.sum(counts), values.shape[0]], mode=mode)
    more, total, n = f([1.0, 3.0, 1.0])
    np.testing.assert_array_equal(more, [3.0, 7.0])
    assert (total, n) == (3, 2)


def test_what_it_raises_and_what_it_must_not_do() -> None:
    x = T.dvector("x")

    @symdl.as_op([T.dvector], [T.dvector], lambda shapes: shapes)
    def changes(a: Any) -> Any:
        a += 1
        return a

    @symdl.as_op([T.dvector], [T.dvector], lambda shapes: shapes)
    def wrong(a: Any) -> Any:
        return a[:1]

    @symdl.as_op([T.dvector], [T.dscalar])
    def odd(a: Any) -> Any:
        return a

    for op, error, text in (
        (changes, ValueError, "read-only"),
        (wrong, ValueError, r"shape \(1,\), not \(2,\)"),
        (odd, ValueError, "1 axes"),
    ):
        with pytest.raises(error, match=text) as caught:
            symdl.function([x], op(x))(np.ones(2))
        line = rf"symdl: in {op.call.name}\(x\), test_extending.py:\d+"  # with sizes known before, and without
        assert re.fullmatch(line, caught.value.__notes__[-1])
    with pytest.raises(GradientError, match="changes has no gradient"):
        T.grad(changes(x).sum(), x)
    with pytest.raises(InputError, match="times: takes 2 operands, not 1"):
        times(x)
    with pytest.raises(DtypeError, match="operand 0 is float32, not float64"):
        times(T.fmatrix(), x)
    with pytest.raises(ShapeError, match="operand 0 has 1 axes, not 2"):
        times(x, x)
    with pytest.raises(InputError, match="otypes is empty"):
        symdl.as_op([T.dvector], [])
    with pytest.raises(InputError, match="the text 'double' is no type"):
        symdl.as_op(["double"], [T.dvector])
    twice = pickle.loads(pickle.dumps(symdl.function([x], times(T.outer(x, x), x))))
    np.testing.assert_array_equal(twice([1.0, 2.0]), [5.0, 10.0])


def test_a_formula_of_ones_own() -> None:
    x = T.vector("x")
    op = OPS["log1psqr"]
    assert max(derivative_error(op, 0, [a]) for a in (-2.0, 0.0, 0.5)) < 1e-25
    f = symdl.function([x], [log1psqr(x), T.grad(log1psqr(x).sum(), x)])
    a = np.array([-1e100, -2.0, 0.0, 1e-9, 3.0])
    np.testing.assert_allclose(f(a)[0], [2 * np.log(1e100), np.log(5), 0, 1e-18, np.log(10)], rtol=1e-15)
    np.testing.assert_allclose(f(a)[1], [-2e-100, -0.8, 0, 2e-9, 0.6], rtol=1e-15)
    assert symdl.to_sympy(log1psqr(x)).func.__name__ == "log"
    with pytest.raises(ValueError, match="declared twice"):
        symdl.elementwise(meaning="x", derivative=None)(_named("exp", lambda x: x))


def _named(name: str, function: Any) -> Any:
    function.__name__ = name
    return function


def test_another_body_of_one_name_is_another_function(tmp_path: Path) -> None:
    x = T.vector("x")
    with symdl.config.change(cache_dir=str(tmp_path)):
        for factor in (2, 3):
            own = symdl.elementwise(meaning=f"{factor}*x", derivative=lambda x, y: 1)(
                _named("scaled", lambda x, k=factor: k * x)
            )
            np.testing.assert_array_equal(symdl.function([x], own(x))([1.0]), [factor])
    del OPS["scaled"]


def test_a_graph_as_an_op() -> None:
    a, b, x = T.vector("a"), T.vector("b"), T.vector("x")
    f = symdl.OpFromGraph([a, b], [a * b, T.exp(a) - b])
    product, other = f(x, 2 * x)
    g = symdl.function([x], [product, other, T.grad(product.sum(), x)])
    v = np.array([1.0, 2.0])
    for found, wanted in zip(g(v), (2 * v * v, np.exp(v) - 2 * v, 4 * v), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-15)
    with pytest.raises(InputError, match="takes 2 operands, not 1"):
        f(x)
    with pytest.raises(ShapeError, match="has 2 axes, a has 1"):
        f(T.matrix(), x)


def test_gradients_of_ones_own(tmp_path: Path) -> None:
    a, b, x = T.vector("a"), T.vector("b"), T.vector("x")
    v = np.array([1.0, 2.0])

    def first(inputs: Any, gradients: Any) -> Any:
        return gradients[0] * 10

    whole = symdl.OpFromGraph([a, b], [a * b], lop_overrides=lambda i, o, g: [g[0] * 7 + o[0], None])
    with symdl.config.change(cache_dir=str(tmp_path)):
        for _ in range(2):
            f = symdl.function([x], T.grad(whole(x, x).sum(), x))
            np.testing.assert_array_equal(f(v), 7 + v * v)
    part = symdl.OpFromGraph([a, b], [a * b], grad_overrides=[first, None])
    np.testing.assert_array_equal(symdl.function([x], T.grad(part(x, x).sum(), x))(v), 10 + v)
    for wrong in (symdl.OpFromGraph([a], [a], lop_overrides=lambda i, o, g: g * 2),):
        with pytest.raises(GradientError, match="must be a list of 1"):
            T.grad(wrong(x).sum(), x)
    with pytest.raises(InputError, match="1 overrides for 2 inputs"):
        symdl.OpFromGraph([a, b], [a], lop_overrides=[None])
    # Straight through.
    (y,) = symdl.custom_gradient([T.sign(x)], [x], lambda inputs, outputs, gradients: list(gradients))
    np.testing.assert_array_equal(symdl.function([x], T.grad((y * 3).sum(), x))(v), [3.0, 3.0])
    with pytest.raises(
        InputError, match=r"(?s)no output depends on an input.*custom_gradient\(outputs, inputs, rule\)"
    ):
        symdl.custom_gradient([x], [T.sign(x)], lambda inputs, outputs, gradients: list(gradients))
    with pytest.raises(InputError, match="outputs is an Expr of float64, not a list of expressions"):
        symdl.custom_gradient(T.sign(x), [x], lambda inputs, outputs, gradients: list(gradients))  # type: ignore[arg-type]  # that is the mistake


def test_nodes_replaced() -> None:
    x, y, m = T.vector("x"), T.vector("y"), T.matrix("m")
    inner = x * 2
    z = T.exp(inner) + T.arange(x.shape[0])
    f = symdl.function([y], symdl.graph_replace(z, {inner: y, x: y}))
    np.testing.assert_allclose(f([0.0, 1.0]), np.exp([0.0, 1.0]) + np.arange(2))
    assert symdl.clone(z) is z
    assert symdl.clone([z, x], replace={y: x}) == [z, x]
    with pytest.raises(InputError, match="y is not in the graph"):
        symdl.graph_replace(z, {y: x})
    with pytest.raises(ShapeError, match="m has 2 axes, x has 1"):
        symdl.graph_replace(z, {x: m})


PAGE = (Path(__file__).parent.parent / "docs" / "extending.md").read_text(encoding="utf-8")


def test_the_page_prints_what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    blocks = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == PAGE.count("```python") == 3
    for k, (code, shown) in enumerate(blocks):
        exec(compile(code, f"extending.md, example {k + 1}", "exec"), names)
        assert capsys.readouterr().out == shown
    del OPS["log1psqr"]
