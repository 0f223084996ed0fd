"""Ops that programs for Theano define: classes with make_node, perform and grad, and functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symdl.theano as module_under_test
from symdl.theano.variables import take_off

theano: Any = module_under_test  # its names are made when it is loaded
TT: Any = theano.tensor
take_off()  # other tests meet symdl's own classes
pytestmark = pytest.mark.usefixtures("in_theanos_words")


class Scaled(theano.Op):  # type: ignore[misc]  # of a module whose names are made when it is loaded
    """c x, as a program's own op."""

    __props__ = ("c",)

    def __init__(self, c: float) -> None:
        self.c = c

    def make_node(self, x: Any) -> Any:
        x = TT.as_tensor_variable(x)
        return theano.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        output_storage[0][0] = inputs[0] * self.c

    def infer_shape(self, node: Any, shapes: Any) -> Any:
        return shapes

    def grad(self, inputs: Any, output_gradients: Any) -> list[Any]:
        return [output_gradients[0] * self.c]


def test_own_ops() -> None:
    """A class with make_node and perform; a scalar op; a function as an op; what is checked of them."""
    x = TT.matrix()
    y = Scaled(3)(x)
    assert Scaled(3) == Scaled(3)
    assert Scaled(3) != Scaled(2)
    assert str(Scaled(3)) == "Scaled{c=3}"
    assert isinstance(y.owner.op, Scaled)
    values = np.random.default_rng(0).normal(size=(2, 3))
    out, g = theano.function([x], [y, theano.grad((y**2).sum(), x)])(values)
    assert np.allclose(out, 3 * values)
    assert np.allclose(g, 18 * values)
    theano.tests.unittest_tools.verify_grad(Scaled(2), [values])

    class Cube(theano.scalar.UnaryScalarOp):  # type: ignore[misc]  # likewise
        def impl(self, a: float) -> float:
            return a**3

        def grad(self, inputs: Any, gradients: Any) -> list[Any]:
            return [gradients[0] * 3 * inputs[0] ** 2]

    cube = TT.Elemwise(Cube(theano.scalar.upgrade_to_float, name="cube"))(x)
    out, g = theano.function([x], [cube, theano.grad(cube.sum(), x)])(values)
    assert np.allclose(out, values**3)
    assert np.allclose(g, 3 * values**2)

    @theano.compile.ops.as_op(itypes=[TT.dmatrix], otypes=[TT.dvector])  # type: ignore[untyped-decorator]  # likewise
    def firsts(a: Any) -> Any:
        return a[:, 0]

    assert np.allclose(theano.function([x], firsts(x) * 2)(values), values[:, 0] * 2)


def test_an_op_without_sizes_makes_a_state() -> None:
    """Its results come in the sizes of the states that they become; what comes in others is an error."""

    class Turned(theano.Op):  # type: ignore[misc]  # of a module whose names are made when it is loaded
        __props__ = ()
        extra = 0

        def make_node(self, state: Any, time: Any) -> Any:
            state, time = theano.tensor.as_tensor_variable(state), theano.tensor.as_tensor_variable(time)
            return theano.Apply(self, [state, time], [theano.tensor.dmatrix()])

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            state, time = inputs
            output_storage[0][0] = np.ones((len(state) + self.extra, state.shape[1])) * time + state[:1, ::-1]

    start, n = theano.tensor.dmatrix("start"), theano.tensor.iscalar("n")
    turned = Turned()

    def step(state: Any, time: Any) -> Any:
        return turned(state * 2, time + 1), time + 1

    (states, times), _ = theano.scan(step, outputs_info=[start, 0.0], n_steps=n)
    f = theano.function([start, n], [states, times])
    x = np.arange(6.0).reshape(2, 3)
    made, at = f(x, 3)
    state = x
    for k in range(3):
        state = np.full((2, 3), k + 1.0) + 2 * state[:1, ::-1]
        np.testing.assert_array_equal(made[k], state)
    np.testing.assert_array_equal(at, [1, 2, 3])
    turned.extra = 1
    with pytest.raises(ValueError, match=r"an array of shape \(3, 3\), not \(2, 3\)"):
        f(x, 3)
