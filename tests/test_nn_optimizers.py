"""Optimizers against their formulas in plain NumPy, and against torch where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import symdl.tensor as T
from symdl.errors import ConfigError, GradientError
from symdl.functions import function
from symdl.nn import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Nadam, Optimizer, RMSprop, schedules
from symdl.nn.optimizers import OPTIMIZERS, optimizer
from symdl.runtime.storage import shared

Array = Any
STEPS = 100
A = np.random.default_rng(0).standard_normal((6, 4))
TARGET = np.random.default_rng(1).standard_normal((6, 3))
START = np.random.default_rng(2).standard_normal((4, 3))


def sgd(p: Array, rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False, decay: float = 0.0) -> Array:
    v = np.zeros_like(p)
    for _ in range(STEPS):
        g = gradient(p)
        v = momentum * v + g
        p = p - rate * decay * p - rate * (g + momentum * v if nesterov else v)
    return p


def adagrad(p: Array, rate: float = 0.1, start: float = 0.1, epsilon: float = 1e-7) -> Array:
    s = np.full_like(p, start)
    for _ in range(STEPS):
        g = gradient(p)
        s = s + g**2
        p = p - rate * g / (np.sqrt(s) + epsilon)
    return p


def rmsprop(p: Array, momentum: float = 0.0, centered: bool = False) -> Array:
    s, m, v = np.zeros_like(p), np.zeros_like(p), np.zeros_like(p)
    for _ in range(STEPS):
        g = gradient(p)
        s, m = 0.99 * s + 0.01 * g**2, 0.99 * m + 0.01 * g
        v = momentum * v + g / (np.sqrt(s - m**2 if centered else s) + 1e-7)
        p = p - 0.01 * v
    return p


def adadelta(p: Array, rate: float = 1.0, rho: float = 0.95, epsilon: float = 1e-6) -> Array:
    s, a = np.zeros_like(p), np.zeros_like(p)
    for _ in range(STEPS):
        g = gradient(p)
        s = rho * s + (1 - rho) * g**2
        d = np.sqrt(a + epsilon) / np.sqrt(s + epsilon) * g
        a = rho * a + (1 - rho) * d**2
        p = p - rate * d
    return p


def adam(
    p: Array, rate: float = 0.01, b2: float = 0.999, amsgrad: bool = False, decay: float = 0.0, epsilon: float = 1e-7
) -> Array:
    m, v, largest = np.zeros_like(p), np.zeros_like(p), np.zeros_like(p)
    for t in range(1, STEPS + 1):
        g = gradient(p)
        m = 0.9 * m + 0.1 * g
        v = b2 * v + (1 - b2) * g**2
        largest = np.maximum(largest, v)
        root = np.sqrt((largest if amsgrad else v) / (1 - b2**t))
        p = p - rate * decay * p - rate * (m / (1 - 0.9**t)) / (root + epsilon)
    return p


def adamax(p: Array) -> Array:
    m, u = np.zeros_like(p), np.zeros_like(p)
    for t in range(1, STEPS + 1):
        g = gradient(p)
        m, u = 0.9 * m + 0.1 * g, np.maximum(0.999 * u, np.abs(g) + 1e-7)
        p = p - 0.01 / (1 - 0.9**t) * m / u
    return p


def nadam(p: Array) -> Array:
    m, v, product = np.zeros_like(p), np.zeros_like(p), 1.0
    for t in range(1, STEPS + 1):
        g = gradient(p)
        mu, following = (0.9 * (1 - 0.5 * 0.96 ** (k * 0.004)) for k in (t, t + 1))
        product *= mu
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        d = following * m / (1 - product * following) + (1 - mu) * g / (1 - product)
        p = p - 0.01 * d / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)
    return p


def gradient(p: Array) -> Array:
    """Of sum((A p - TARGET)**2) / 2."""
    return A.T @ (A @ p - TARGET)


EPS = {"lr": 0.01, "eps": 1e-7}
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
    "adagrad": (Adagrad(0.1), adagrad, "Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.1, "eps": 1e-7}),
    "rmsprop": (RMSprop(0.01, rho=0.99), rmsprop, "RMSprop", {"alpha": 0.99, **EPS}),
    "rmsprop with momentum": (
        RMSprop(0.01, rho=0.99, momentum=0.9),
        lambda p: rmsprop(p, momentum=0.9),
        "RMSprop",
        {"alpha": 0.99, "momentum": 0.9, **EPS},
    ),
    "rmsprop centered": (
        RMSprop(0.01, rho=0.99, centered=True),
        lambda p: rmsprop(p, centered=True),
        "RMSprop",
        {"alpha": 0.99, "centered": True, **EPS},
    ),
    "adadelta": (Adadelta(1.0, epsilon=1e-6), adadelta, "Adadelta", {"lr": 1.0, "rho": 0.95}),
    "adam": (Adam(0.01), adam, "Adam", EPS),
    "amsgrad": (
        Adam(0.01, beta_2=0.9, amsgrad=True),
        lambda p: adam(p, b2=0.9, amsgrad=True),
        "Adam",
        {"amsgrad": True, "betas": (0.9, 0.9), **EPS},
    ),
    "adamw": (AdamW(0.01, weight_decay=0.1), lambda p: adam(p, decay=0.1), "AdamW", {"weight_decay": 0.1, **EPS}),
    "adamax": (Adamax(0.01), adamax, "Adamax", EPS),
    "nadam": (Nadam(0.01), nadam, "NAdam", EPS),
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
    counters = (f"{choice.name}.step", f"{choice.name}.product")
    assert {u.dtype for target, u in updates if target.name not in counters} == {"float32"}
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
    loose = 1e-9 if case == "nadam" else 1e-12  # torch keeps the product of the mu_t in float32
    np.testing.assert_allclose(formula(START), p.detach().numpy(), rtol=1e-9, atol=loose)


def test_a_shared_rate_is_a_schedule() -> None:
    rate, p = shared(np.float64(0.5), "rate"), shared(np.zeros(2, np.float32), "p")
    gradient_of_p = T.constant(np.ones(2, np.float32))
    step = function([], [], updates=SGD(rate).updates([gradient_of_p], [p]))
    step()
    rate.set_value(np.float64(0.25))
    step()
    assert p.get_value().tolist() == [-0.75, -0.75]
    assert p.get_value().dtype == np.float32


# ---- clipping, decay, schedules ----

BOUND = 2.0


def clipped_descent(how: str) -> list[Array]:
    """Ten steps of descent on two parameters, in NumPy; the gradients are 3 p and 4 q."""
    p, q = START.copy(), START[:2] * 2
    for _ in range(10):
        g, h = 3 * p, 4 * q
        if how == "clipvalue":
            g, h = np.clip(g, -BOUND, BOUND), np.clip(h, -BOUND, BOUND)
        else:
            norms = [float(np.linalg.norm(v)) for v in (g, h)]
            both = float(np.hypot(norms[0], norms[1]))
            sizes = [both, both] if how == "global_clipnorm" else norms
            g, h = (v * min(1, BOUND / size) for v, size in zip((g, h), sizes, strict=True))
        p, q = p - 0.1 * g, q - 0.1 * h
    return [p, q]


@pytest.mark.parametrize("how", ["clipvalue", "clipnorm", "global_clipnorm"])
def test_clipping_is_its_formula(how: str) -> None:
    p, q = shared(START, "p"), shared(START[:2] * 2, "q")
    choice = SGD(0.1, **{how: BOUND})  # type: ignore[arg-type]  # a float for each of the three
    step = function([], [], updates=choice.updates(1.5 * (p * p).sum() + 2 * (q * q).sum(), [p, q]))
    for _ in range(10):
        step()
    for found, expected in zip((p, q), clipped_descent(how), strict=True):
        np.testing.assert_allclose(found.get_value(), expected, rtol=1e-12)


def test_weight_decay_shrinks_what_has_no_gradient() -> None:
    p = shared(START, "p")
    step = function([], [], updates=SGD(0.1, weight_decay=0.5).updates([T.zeros_like(p)], [p]))
    step()
    np.testing.assert_allclose(p.get_value(), 0.95 * START, rtol=1e-15)


SCHEDULES: dict[str, tuple[Any, Callable[[int], float]]] = {
    "exponential": (schedules.ExponentialDecay(0.5, 4, 0.7), lambda t: 0.5 * 0.7 ** (t / 4)),
    "staircase": (schedules.ExponentialDecay(0.5, 4, 0.7, staircase=True), lambda t: 0.5 * 0.7 ** (t // 4)),
    "inverse": (schedules.InverseTimeDecay(0.5, 4, 2.0), lambda t: 0.5 / (1 + 2 * t / 4)),
    "piecewise": (schedules.PiecewiseConstantDecay([2, 5], [0.5, 0.3, 0.1]), lambda t: 0.5 if t <= 2 else 0.3 if t <= 5 else 0.1),
    "polynomial": (schedules.PolynomialDecay(0.5, 6, 0.1, 2.0), lambda t: 0.4 * (1 - min(t, 6) / 6) ** 2 + 0.1),
    "cosine": (schedules.CosineDecay(0.5, 6, 0.1), lambda t: 0.5 * (0.45 * (1 + np.cos(np.pi * min(t, 6) / 6)) + 0.1)),
    "warm cosine": (
        schedules.CosineDecay(0.0, 6, 0.0, warmup_target=0.5, warmup_steps=3),
        lambda t: 0.5 * t / 3 if t < 3 else 0.25 * (1 + np.cos(np.pi * min(t - 3, 6) / 6)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_their_formulas_as_numbers_and_in_a_step(name: str) -> None:
    schedule, formula = SCHEDULES[name]
    p = shared(np.zeros((), np.float64), "p")
    step = function([], [], updates=SGD(schedule).updates([T.constant(np.float64(-1))], [p]))
    total = 0.0
    for t in range(10):
        assert schedule(t) == pytest.approx(formula(t), rel=1e-14)
        step()
        total += formula(t)
        assert float(p.get_value()) == pytest.approx(total, rel=1e-13)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_is_named_after_its_parameter(name: str) -> None:
    W, b = shared(np.zeros((2, 2)), "layer0.W"), shared(np.zeros(2), "layer0.b")
    updates = optimizer(name).updates((W.sum() + b.sum()) ** 2, [W, b])
    names = [target.name for target, _ in updates]
    assert len(set(names)) == len(names)
    assert all(
        n in (f"{name}.step", f"{name}.product", "layer0.W", "layer0.b")
        or str(n).startswith(("layer0.W.", "layer0.b."))
        for n in names
    )


def test_wrong_use() -> None:
    p = shared(np.zeros(2), "p")
    with pytest.raises(ConfigError, match=r"no optimizer 'adamm'\n  optimizers: sgd, adagrad"):
        optimizer("adamm")
    with pytest.raises(ConfigError, match="nesterov needs a momentum"):
        SGD(nesterov=True)
    with pytest.raises(ConfigError, match="clipnorm 1, clipvalue 2: one of them may be given"):
        SGD(clipnorm=1, clipvalue=2)
    with pytest.raises(ConfigError, match=r"learning_rate -0\.1 is no number of at least 0"):
        Adam(-0.1)
    with pytest.raises(ConfigError, match="2 boundaries meet 2 values"):
        schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2])
    with pytest.raises(GradientError, match="0 gradients meet 1 parameters"):
        SGD().updates([], [p])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_states_have_the_shape_of_an_open_parameter_and_lend_out_no_array(name: str) -> None:
    p = shared(np.ones((2, 3), np.float32), "p", shape=(None, 3))
    states = [s for s, _ in optimizer(name).updates((p * p).sum(), [p]) if s is not p and s.type.ndim]
    assert all(s.get_value().shape == (2, 3) and s.dtype == "float32" for s in states)
    assert not any(s.borrowed for s in [p, *states])  # or each call would look whether an input is the same memory
