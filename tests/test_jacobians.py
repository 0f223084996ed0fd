"""Jacobians, Hessians and their products with vectors; identities with another gradient."""

from __future__ import annotations

import numpy as np
import pytest
from agree import same, value

import symdl
import symdl.tensor as T
from symdl.errors import GradientError, InputError
from symdl.graph.expr import as_expr, variable

W = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]])
AT = np.array([0.3, -0.7, 1.1])


def test_jacobian_and_its_products() -> None:
    x = variable("x", (3,), "float64")
    f = T.tanh(T.dot(W, x)) + (x * x).sum()
    j = (1 - np.tanh(W @ AT) ** 2)[:, None] * W + 2 * AT
    u, v = np.array([2.0, -1.0]), np.array([1.0, 0.5, -2.0])
    jac, left, right = symdl.function([x], [T.jacobian(f, x), T.Lop(f, x, u), T.Rop(f, x, v)])(AT)
    np.testing.assert_allclose(jac, j, rtol=1e-13)
    np.testing.assert_allclose(left, u @ j, rtol=1e-13)
    np.testing.assert_allclose(right, j @ v, rtol=1e-13)


def test_sizes_of_what_is_no_input_follow_from_the_point() -> None:
    """v (x W) does not depend on W in value: its shape is known by those of x and v."""
    w, x, v = T.dmatrix("w"), T.dvector("x"), T.dvector("v")
    left = as_expr(T.Lop(T.dot(x, w), w, v))
    same(value(left, {x: np.array([0.0, 1.0]), v: np.array([2.0, 3.0])}), np.array([[0.0, 0], [2, 3]]))
    for mode in (None, "interpreter", "numpy"):
        f = symdl.function([v, x], [left, (T.zeros_like(w) + T.outer(x, v)).sum(axis=0)], mode=mode)
        found, sums = f([2.0, 3.0], [0.0, 1.0, 1.0])
        same(found, np.array([[0.0, 0], [2, 3], [2, 3]]))
        same(sums, np.array([4.0, 6.0]))
    assert "ulp" in str(symdl.function([v, x], left).stability_report([2.0, 3.0], [0.0, 1.0]))
    with pytest.raises(InputError, match="belongs to no input"):
        symdl.function([v], T.zeros_like(w).sum() + v)


def test_several_at_once() -> None:
    x, y = variable("x", (3,), "float64"), T.dvector("y")
    f = x * y.sum()
    jx, jy = T.jacobian(f, [x, y])
    values = {x: AT, y: np.array([1.0, 2.0])}
    same(value(jx, values), 3 * np.eye(3))
    same(value(jy, values), np.repeat(AT[:, None], 2, 1))
    same(value(T.Rop(f, [x, y], [np.ones(3), np.ones(2)]), values), 3 + 2 * AT)
    same(value(T.Rop(T.floor(f), x, np.ones(3)), values), np.zeros(3))


def test_hessians() -> None:
    x = variable("x", (3,), "float64")
    cost = T.exp(x).prod() + (x**3).sum()
    e = np.exp(AT.sum())
    h = e * np.ones((3, 3)) + np.diag(6 * AT)
    np.testing.assert_allclose(value(as_expr(T.hessian(cost, x)), {x: AT}), h, rtol=1e-12)
    v = np.array([1.0, 0.0, -2.0])
    y = T.dvector("y")  # the product needs no known length
    product = T.hessian_vector_product(T.exp(y).prod() + (y**3).sum(), y, v)
    np.testing.assert_allclose(value(product, {y: AT}), h @ v, rtol=1e-12)


def test_errors() -> None:
    x = T.dvector("x")
    with pytest.raises(GradientError, match="is no float expression"):
        T.jacobian(T.argmax(x), x)
    with pytest.raises(GradientError, match=r"Rop: .* is int64"):
        T.Rop(T.argmax(x), x, x)
    with pytest.raises(GradientError, match="2 expressions in wrt, but 1 in eval_points"):
        T.Rop(x, [x, x], [x])
    with pytest.raises(GradientError, match="in the wrong order"):
        T.grad_clip(x, 1, -1)


def test_identities_with_another_gradient() -> None:
    x = T.dvector("x")
    values = {x: AT}
    for f in (T.disconnected_grad, T.zero_grad, lambda v: T.grad_clip(v, -0.5, 0.5), lambda v: T.grad_scale(v, -2)):
        same(value(f(x), values), AT)
        same(symdl.function([x], f(x))(AT), AT)
    cost = (T.disconnected_grad(x * x) * x).sum()
    same(value(T.grad(cost, x), values), AT * AT)
    with pytest.raises(GradientError, match="does not depend on x"):
        T.grad(T.disconnected_grad(x).sum(), x)
    same(value(T.grad(T.zero_grad(x).sum(), x), values), np.zeros(3))
    same(
        value(T.grad((T.grad_clip(x, -0.5, 0.5) * np.array([3.0, 0.25, -7])).sum(), x), values),
        np.array([0.5, 0.25, -0.5]),
    )
    same(value(T.grad((T.grad_scale(x, -0.5) * x).sum(), x), values), AT - 0.5 * AT)
    n = T.lvector("n")
    same(value(T.grad_scale(n, 2), {n: [1]}), np.array([1]))
    same(value(T.zero_grad(n), {n: [1]}), np.array([1]))
