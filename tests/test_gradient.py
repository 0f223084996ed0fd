"""Gradients: right through every kind of path, linear in the graph, and clear where there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from agree import check_gradient, same, value
from work import superlinear

import symdl
import symdl.tensor as T
from symdl.derivatives.gradient import grad, pull
from symdl.errors import GradientError, ShapeError
from symdl.graph.expr import constant, variable
from symdl.graph.walks import topological
from symdl.passes.evaluate import evaluate

A = np.array([[0.3, -1.2, 2.0], [0.7, 0.1, -0.4]])


def test_one_or_several() -> None:
    x, w = T.dmatrix("x"), T.dmatrix("w")
    cost = T.tanh(x @ w).sum()
    single = grad(cost, w)
    many = grad(cost, [x, w])
    assert many[1] is single
    check_gradient([T.tanh(x @ w)], {x: A, w: A.T}, [x, w])
    assert T.grad is grad


def test_a_node_used_twice_gets_both() -> None:
    x = T.dvector("x")
    y = T.exp(x)
    check_gradient([y * y + y * T.sin(x) - y[::-1]], {x: A[0]}, [x])
    check_gradient([x * x * x], {x: A[0]}, [x])


def test_gradients_of_what_lies_between() -> None:
    """wrt may be any node, also one that another of them depends on."""
    x = T.dvector("x")
    y = x * 3
    z = (y * y).sum()
    gy, gx = grad(z, [y, x])
    same(value(gy, {x: A[0]}), 2 * (3 * A[0]))
    np.testing.assert_allclose(value(gx, {x: A[0]}), 18 * A[0])
    same(value(grad(z, z), {x: A[0]}), np.float64(1))


def test_dtype_and_shape_are_those_of_w() -> None:
    x, b, s = T.fmatrix("x"), T.drow("b"), T.fscalar("s")
    cost = ((x + b) * s + T.dvector("v")).sum()
    for w, g in zip((x, b, s), grad(cost, [x, b, s]), strict=True):
        assert g.type.dtype == w.type.dtype
        assert g.type.shape == w.type.shape
    m = variable("m", (2, 3), "float64")
    assert grad((m.sum(axis=0, keepdims=True) * m).sum(), m).type == m.type


def test_broadcast_operands_are_summed_back() -> None:
    row, col, s, m = T.drow("row"), T.dcol("col"), T.dscalar("s"), T.dmatrix("m")
    check_gradient([row * col + s * m - col / 3, T.where(m > 0, row, col), T.maximum(s, m)],
                   {row: A[:1], col: A[:, :1], s: 0.9, m: A}, [row, col, s, m])  # fmt: skip


def test_the_gradient_of_an_axis_of_one_is_no_sum() -> None:
    """What a sum adds up may be wrong by what its largest term is: of one number there is nothing to add up."""
    x, y, z = T.dvector("x"), T.dmatrix("y"), T.tensor("z", dtype="float64", shape=(None, 1))
    alone, stretched = T.tanh(T.expand_dims(x, (0, 2))), T.tanh(T.expand_dims(x, 1) * y)
    for cost, wrt, sums in ((alone, x, 0), (stretched, x, 1), (T.tanh(T.expand_dims(z, 0) * y), z, 1)):
        assert sum(n.op.name == "sum" for n in topological(grad(cost.sum(), wrt))) == sums
    check_gradient([alone, stretched], {x: A[0], y: A.T}, [x, y])
    check_gradient([T.tanh(T.expand_dims(z, 0) * y)], {z: A[:1].T, y: A.T}, [z, y])


def test_integers_have_no_gradient_but_let_it_pass_beside_them() -> None:
    x, n = T.dvector("x"), T.lvector("n")
    cost = (x * n + T.cast(n, "float64")).sum()
    same(value(grad(cost, x), {x: A[0], n: [1, 2, 3]}), np.array([1.0, 2, 3]))
    with pytest.raises(GradientError, match="n is int64; only floats have gradients"):
        grad(cost, n)
    y = T.cast(T.cast(x, "int64"), "float64")
    with pytest.raises(GradientError, match="the cost depends on x only in steps, by way of int64"):
        grad(y.sum(), x)
    same(value(grad(T.cast(x * x, "float32").sum(), x), {x: A[0]}), 2 * A[0])


def test_a_branch_not_taken_never_poisons() -> None:
    """The meaning has 0 * inf at the pole; what is run from it does not."""
    x = T.dvector("x")
    at = np.array([-1.0, 0.0, 4.0])
    safe = T.where(T.eq(x, 0), 1.0, x)
    for y, expected in (
        (T.where(x > 0, T.log(x), x), [1, 1, 0.25]),
        (T.where(x > 0, T.sqrt(x), 0), [0, 0, 0.25]),
        (T.where(T.eq(x, 0), 1.0, T.sin(safe) / safe), [np.sin(1) - np.cos(1), 0, np.cos(4) / 4 - np.sin(4) / 16]),
    ):
        (got,) = symdl.function([x], [grad(y.sum(), x)])(at)
        np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_consider_constant() -> None:
    x = T.dvector("x")
    y = x * x
    cost = (y * x).sum()
    same(value(grad(cost, x, consider_constant=[y]), {x: A[0]}), A[0] * A[0])
    np.testing.assert_allclose(value(grad(cost, x), {x: A[0]}), 3 * A[0] ** 2)
    with pytest.raises(GradientError, match="does not depend on x"):
        grad(y.sum(), x, consider_constant=[y])


def test_known_grads() -> None:
    x, g, v = T.dvector("x"), T.dvector("g"), variable("v", (3,), "float64")
    y = T.exp(x)
    same(value(grad(None, x, known_grads={y: g}), {x: A[0], g: A[1]}), A[1] * np.exp(A[0]))
    cost = (y * 2).sum()
    # besides the cost's own: 2 + g flows into y
    np.testing.assert_allclose(value(grad(cost, x, known_grads={y: g}), {x: A[0], g: A[1]}), (2 + A[1]) * np.exp(A[0]))
    same(value(grad(None, y, known_grads={y: g}), {x: A[0], g: A[1]}), A[1])
    with pytest.raises(GradientError, match=r"the known gradient of .* has another shape"):
        grad(None, x, known_grads={y: T.dscalar("s")})
    with pytest.raises(GradientError, match=r"the known gradient of .* has another shape"):
        grad(None, v, known_grads={v: np.ones(4)})


def test_disconnected_inputs() -> None:
    x, y = T.dvector("x"), T.fmatrix("y")
    with pytest.raises(GradientError, match=r'(?s)does not depend on y.*disconnected_inputs="ignore" gives zeros'):
        grad(x.sum(), y)
    zeros = grad(x.sum(), y, disconnected_inputs="ignore")
    same(value(zeros, {x: A[0], y: A}), np.zeros((2, 3), "float32"))
    with pytest.warns(UserWarning, match="does not depend on y") as caught:
        grad(x.sum(), [x, y], disconnected_inputs="warn")
    assert caught[0].filename == __file__
    with pytest.raises(GradientError, match="disconnected_inputs cannot be 'maybe'"):
        grad(x.sum(), y, disconnected_inputs="maybe")  # type: ignore[call-overload]
    for cost, step in (
        (T.mean(x > 0.5), "x > 0.5, which is bool"),
        (T.argmax(x) * 0.5, r"argmax\(x\), which is int64"),
    ):
        with pytest.raises(GradientError, match=rf"(?s)depends on x only in steps, by way of {step}.*gives zeros"):
            grad(cost, x)


@pytest.mark.parametrize(
    ("cost", "wrt", "text"),
    [
        (lambda x: x, lambda x: x, r"(?s)the cost must be a scalar, not float64\[\?\].*Sum or average it first"),
        (lambda x: T.argmax(x), lambda x: x, "the cost must be a float, not int64"),
        (lambda x: 3.0, lambda x: x, "the cost is the number 3.0, which is no expression"),
        (lambda x: x.sum(), lambda x: [x, 2], "wrt holds the number 2, which is no expression"),
        (lambda x: None, lambda x: x, "neither a cost nor known_grads"),
    ],
)  # fmt: skip
def test_errors(cost: Any, wrt: Any, text: str) -> None:
    x = T.dvector("x")
    with pytest.raises(GradientError, match=text):
        grad(cost(x), wrt(x))


def test_second_and_third_derivatives() -> None:
    x = T.dscalar("x")
    f = T.exp(T.sin(x)) / (1 + x * x) + x**3 * T.tanh(x) + T.softplus(x) + T.sqrt(2 + x)
    g = grad(f, x)
    h = grad(g, x)
    check_gradient([g, h], {x: 0.7}, [x])
    # d3/dx3 of x^3 is 6
    y = grad(grad(grad(x**3, x), x), x)
    np.testing.assert_allclose(value(y, {x: 1.3}), 6)


def test_second_derivatives_through_views_products_and_labels() -> None:
    x, w = T.dmatrix("x"), T.dmatrix("w")
    labels = T.constant(np.array([2, 0]))
    loss = -T.log(T.softmax(T.tanh(x @ w)))[T.arange(2), labels].mean()
    g = grad(loss, w)
    square = (g * g).sum()
    check_gradient([grad(square, w), grad(square, x)], {x: A, w: A.T @ A}, [w], rtol=1e-5)


def test_a_gradient_belongs_to_the_line_that_it_differentiates() -> None:
    x = T.dvector("x")
    y = T.arctan(x)
    g = grad((y * 3.25).sum(), x)
    own = {n for n in topological(g) if n.op.kind != "leaf"} - set(topological(y))
    assert own
    lines = {file.rsplit("/", 1)[-1] for n in own for file, _ in n.origins}
    assert lines == {"test_gradient.py"}


def test_pull_takes_several_outputs_and_stops() -> None:
    x = T.dvector("x")
    y, z = T.exp(x), x * 2
    (g,) = pull([y, z], [T.ones_like(x), None], [x])
    assert g is not None
    same(value(g, {x: A[0]}), np.exp(A[0]))
    (g,) = pull([y, z], [T.ones_like(x), T.ones_like(x)], [x], stop=frozenset([y]))
    assert g is not None
    same(value(g, {x: A[0]}), np.full(3, 2.0))
    assert pull([T.floor(x)], [None], [x]) == [None]


def test_several_results() -> None:
    x = T.dmatrix("x")
    best, at = T.max_and_argmax(x, axis=1)
    check_gradient(
        [best * T.cast(at, "float64"), T.min_and_argmin(x, 0)[0] if hasattr(T, "min_and_argmin") else best], {x: A}, [x]
    )
    with pytest.raises(GradientError, match="depends on x only in steps, by way of argmax"):
        grad(T.cast(at, "float64").sum(), x)


def test_it_is_linear_in_the_graph() -> None:
    """A chain whose results are each used twice, built, differentiated and evaluated."""

    def chain(n: int) -> Callable[[], Any]:
        def differentiate() -> None:
            y: Any = T.dvector("x")
            x = y
            for _ in range(n):
                y = T.tanh(y) + y
            g = grad(y.sum(), x)
            assert value(g, {x: np.zeros(0)}).shape == (0,)

        return differentiate

    assert superlinear(chain, 30) == []


def test_a_deep_chain_is_differentiated() -> None:
    """Four thousand ops: nothing on the way recurses."""
    y: Any = T.dvector("x")
    x = y
    for _ in range(2000):
        y = T.tanh(y) + y
    assert value(grad(y.sum(), x), {x: np.zeros(0)}).shape == (0,)


def test_a_wide_graph() -> None:
    x = T.dvector("x")
    terms = [T.sin(x * float(k)) for k in range(500)]
    total = terms[0]
    for t in terms[1:]:
        total = total + t
    expected = sum(k * np.cos(k * A[0]) for k in range(500))
    np.testing.assert_allclose(value(grad(total.sum(), x), {x: A[0]}), expected, rtol=1e-10, atol=1e-8)


def test_gradients_check_shapes_when_called() -> None:
    x, y = T.dvectors("x", "y")
    g = grad((x * y).sum(), x)
    with pytest.raises(ShapeError):
        evaluate([g + x], {x: A[0], y: A[0][:2]})


def test_a_constant_is_no_input() -> None:
    c = constant([1.0, 2.0])
    x = T.dvector("x")
    assert value(grad((c * x).sum(), x), {x: A[0, :2]}).tolist() == [1, 2]
