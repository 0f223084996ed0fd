"""Optimizers against their formulas in plain NumPy, and against torch where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symdl.tensor as T
from symdl.errors import ConfigError, GradientError
from symdl.functions import function
from symdl.nn import SGD, Adadelta, Adagrad, Adam, Optimizer, RMSprop
from symdl.nn.optimizers import OPTIMIZERS, optimizer
from symdl.storage import shared

Array = Any
STEPS = 100
A = np.random.default_rng(0).standard_normal((6, 4))
TARGET = np.random.default_rng(1).standard_normal((6, 3))
START = np.random.default_rng(2).standard_normal((4, 3))


def sgd(p: Array, rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False) -> Array:
    v = np.zeros_like(p)
    for _ in range(STEPS):
        g = gradient(p)
        v = momentum * v + g
        p = p - rate * (g + momentum * v if nesterov else v)
    return p


def adagrad(p: Array, rate: float = 0.1, epsilon: float = 1e-10) -> Array:
    s = np.zeros_like(p)
    for _ in range(STEPS):
        g = gradient(p)
        s = s + g**2
        p = p - rate * g / (np.sqrt(s) + epsilon)
    return p


def rmsprop(p: Array, rate: float = 0.01, rho: float = 0.99, epsilon: float = 1e-8) -> Array:
    s = np.zeros_like(p)
    for _ in range(STEPS):
        g = gradient(p)
        s = rho * s + (1 - rho) * g**2
        p = p - rate * g / (np.sqrt(s) + epsilon)
    return p


def adadelta(p: Array, rate: float = 1.0, rho: float = 0.9, epsilon: float = 1e-6) -> Array:
    s, a = np.zeros_like(p), np.zeros_like(p)
    for _ in range(STEPS):
        g = gradient(p)
        s = rho * s + (1 - rho) * g**2
        d = np.sqrt(a + epsilon) / np.sqrt(s + epsilon) * g
        a = rho * a + (1 - rho) * d**2
        p = p - rate * d
    return p


def adam(p: Array, rate: float = 0.01, b1: float = 0.9, b2: float = 0.999, epsilon: float = 1e-8) -> Array:
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t in range(1, STEPS + 1):
        g = gradient(p)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        p = p - rate * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + epsilon)
    return p


def gradient(p: Array) -> Array:
    """Of sum((A p - TARGET)**2) / 2."""
    return A.T @ (A @ p - TARGET)


# name: (ours, in NumPy, torch's class, its options)
CASES: dict[str, tuple[Optimizer, Callable[[Array], Array], str, dict[str, Any]]] = {
    "sgd": (SGD(0.01), sgd, "SGD", {"lr": 0.01}),
    "momentum": (SGD(0.01, momentum=0.9), lambda p: sgd(p, momentum=0.9), "SGD", {"lr": 0.01, "momentum": 0.9}),
    "nesterov": (
        SGD(0.01, momentum=0.8, nesterov=True),
        lambda p: sgd(p, momentum=0.8, nesterov=True),
        "SGD",
        {"lr": 0.01, "momentum": 0.8, "nesterov": True},
    ),
    "adagrad": (Adagrad(0.1), adagrad, "Adagrad", {"lr": 0.1}),
    "rmsprop": (RMSprop(0.01), rmsprop, "RMSprop", {"lr": 0.01}),
    "adadelta": (Adadelta(), adadelta, "Adadelta", {"lr": 1.0}),
    "adam": (Adam(0.01), adam, "Adam", {"lr": 0.01}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_hundred_steps_equal_the_formula(case: str) -> None:
    choice, formula, _, _ = CASES[case]
    p = shared(START, "p")
    loss = ((T.constant(A) @ p - T.constant(TARGET)) ** 2).sum() / 2
    step = function([], [], updates=choice.updates(loss, [p]))
    for _ in range(STEPS):
        step()
    np.testing.assert_allclose(p.get_value(), formula(START), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("case", CASES)
def test_float32_parameters_stay_float32(case: str) -> None:
    choice, formula, _, _ = CASES[case]
    p = shared(START.astype(np.float32), "p")
    loss = ((T.constant(A.astype(np.float32)) @ p - T.constant(TARGET.astype(np.float32))) ** 2).sum() / 2
    updates = choice.updates(loss, [p])
    assert {u.dtype for target, u in updates if target.name != "adam.step"} == {"float32"}
    assert all(u.dtype == target.dtype for target, u in updates)
    step = function([], [], updates=updates)
    for _ in range(STEPS):
        step()
    # each step rounds to 2**-24; adadelta's first steps divide two small numbers and carry more
    np.testing.assert_allclose(p.get_value(), formula(START), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("case", CASES)
def test_a_hundred_steps_equal_torch(case: str) -> None:
    torch = pytest.importorskip("torch", reason="a comparison with torch.optim")
    _, formula, name, options = CASES[case]
    p = torch.tensor(START, requires_grad=True)
    theirs = getattr(torch.optim, name)([p], **options)
    for _ in range(STEPS):
        theirs.zero_grad()
        (((torch.tensor(A) @ p - torch.tensor(TARGET)) ** 2).sum() / 2).backward()
        theirs.step()
    np.testing.assert_allclose(formula(START), p.detach().numpy(), rtol=1e-9, atol=1e-12)


def test_a_shared_rate_is_a_schedule() -> None:
    rate, p = shared(np.float64(0.5), "rate"), shared(np.zeros(2, np.float32), "p")
    gradient_of_p = T.constant(np.ones(2, np.float32))
    step = function([], [], updates=SGD(rate).updates([gradient_of_p], [p]))
    step()
    rate.set_value(np.float64(0.25))
    step()
    assert p.get_value().tolist() == [-0.75, -0.75]
    assert p.get_value().dtype == np.float32


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_is_named_after_its_parameter(name: str) -> None:
    W, b = shared(np.zeros((2, 2)), "layer0.W"), shared(np.zeros(2), "layer0.b")
    updates = optimizer(name).updates((W.sum() + b.sum()) ** 2, [W, b])
    names = [target.name for target, _ in updates]
    assert len(set(names)) == len(names)
    assert all(
        n in ("adam.step", "layer0.W", "layer0.b") or str(n).startswith(("layer0.W.", "layer0.b.")) for n in names
    )


def test_wrong_use() -> None:
    p = shared(np.zeros(2), "p")
    with pytest.raises(ConfigError, match=r"no optimizer 'adamm'\n  optimizers: sgd, adagrad"):
        optimizer("adamm")
    with pytest.raises(ConfigError, match="nesterov needs a momentum"):
        SGD(nesterov=True)
    with pytest.raises(GradientError, match="0 gradients meet 1 parameters"):
        SGD().updates([], [p])
