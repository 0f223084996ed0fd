"""A training step of a perceptron (relu, softmax cross-entropy, Adam or SGD, float32) in symdl, torch, JAX and PyTensor, as
`first_call` makes it in a new process: 784-512-128-10 with 256 rows, from the same weights and data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

RATE, FIRST, SECOND, TINY = 1e-3, 0.9, 0.999, 1e-8  # of Adam (Kingma and Ba 2015)
SGD_RATE = 0.05
Step = Callable[[Any, Any], float]


@dataclass(frozen=True)
class Net:
    """What is trained: extents of the layers, rows of a step, and of all the data."""

    sizes: tuple[int, ...]
    batch: int
    rows: int


NETS = {
    "mnist": Net((784, 512, 128, 10), 256, 256),
}


@cache
def data(net: Net = NETS["mnist"]) -> tuple[Any, Any, list[Any]]:
    """Images, labels, and weights and biases in turn: copy what is to change."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((net.rows, net.sizes[0]), np.float32)
    y = rng.integers(0, net.sizes[-1], net.rows).astype(np.int32)
    weights = []
    for a, b in zip(net.sizes, net.sizes[1:], strict=False):
        weights += [(rng.standard_normal((a, b)) / np.sqrt(a)).astype(np.float32), np.zeros(b, np.float32)]
    return x, y, weights


def symdl_step(net: Net, optimizer: str) -> Step:
    import symdl
    import symdl.tensor as T

    x, y = T.fmatrix("x"), T.ivector("y")
    params = [symdl.shared(w, f"w{k}") for k, w in enumerate(data(net)[2])]
    h: Any = x
    for k in range(0, len(params), 2):
        h = h @ params[k] + params[k + 1]
        h = T.softmax(h) if k == len(params) - 2 else T.where(h > 0, h, 0)
    loss = -T.log(h[T.arange(y.shape[0]), y]).mean()
    gradients = symdl.grad(loss, params)
    if optimizer == "sgd":
        updates = [(p, p - SGD_RATE * g) for p, g in zip(params, gradients, strict=True)]
    else:
        count = symdl.shared(np.float32(0), "count")
        t = count + 1
        updates = [(count, t)]
        for p, g in zip(params, gradients, strict=True):
            m, v = (symdl.shared(np.zeros_like(p.get_value()), name) for name in ("m", "v"))
            new_m, new_v = FIRST * m + (1 - FIRST) * g, SECOND * v + (1 - SECOND) * g * g
            scale = T.sqrt(new_v) / T.sqrt(1 - SECOND**t) + TINY
            updates += [(m, new_m), (v, new_v), (p, p - RATE / (1 - FIRST**t) * new_m / scale)]
    return symdl.function([x, y], loss, updates=updates)  # type: ignore[return-value]  # an array of one number will do


def torch_step(net: Net, optimizer: str, compiled: bool) -> Step:
    import torch

    params = [torch.from_numpy(w.copy()).requires_grad_() for w in data(net)[2]]
    if optimizer == "sgd":
        update: Any = torch.optim.SGD(params, SGD_RATE, fused=True)
    else:
        update = torch.optim.Adam(params, RATE, (FIRST, SECOND), TINY, fused=True)

    def forward(x: Any, y: Any, params: Any) -> Any:
        h = x
        for k in range(0, len(params), 2):
            h = torch.addmm(params[k + 1], h, params[k])
            if k < len(params) - 2:
                h = torch.relu(h)
        return torch.nn.functional.cross_entropy(h, y)

    run = torch.compile(forward) if compiled else forward

    def step(images: Any, labels: Any) -> float:
        loss = run(torch.from_numpy(images), torch.from_numpy(labels).long(), params)
        update.zero_grad()
        loss.backward()
        update.step()
        return float(loss.detach())

    return step


def jax_step(net: Net, optimizer: str) -> Step:
    import jax
    import jax.numpy as jnp

    params = [jnp.array(w) for w in data(net)[2]]
    state = [(params, [jnp.zeros_like(p) for p in params], [jnp.zeros_like(p) for p in params], jnp.float32(0))]

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        h = x
        for k in range(0, len(params), 2):
            h = h @ params[k] + params[k + 1]
            if k < len(params) - 2:
                h = jax.nn.relu(h)
        return -jnp.mean(jax.nn.log_softmax(h)[jnp.arange(y.shape[0]), y])

    def update(state: Any, x: Any, y: Any) -> Any:
        params, first, second, count = state
        loss, gradients = jax.value_and_grad(loss_of)(params, x, y)
        if optimizer == "sgd":
            return loss, ([p - SGD_RATE * g for p, g in zip(params, gradients, strict=True)], first, second, count)
        t = count + 1
        first = [FIRST * m + (1 - FIRST) * g for m, g in zip(first, gradients, strict=True)]
        second = [SECOND * v + (1 - SECOND) * g * g for v, g in zip(second, gradients, strict=True)]
        rate, scale = RATE / (1 - FIRST**t), jnp.sqrt(1 - SECOND**t)
        new = [p - rate * m / (jnp.sqrt(v) / scale + TINY) for p, m, v in zip(params, first, second, strict=True)]
        return loss, (new, first, second, t)

    run = jax.jit(update, donate_argnums=0)

    def step(images: Any, labels: Any) -> float:
        loss, state[0] = run(state[0], images, labels)
        return float(loss)

    return step


def pytensor_step(net: Net, optimizer: str) -> Step:
    import pytensor
    import pytensor.tensor as pt

    x, y = pt.fmatrix("x"), pt.ivector("y")
    params = [pytensor.shared(w) for w in data(net)[2]]
    h = x
    for k in range(0, len(params), 2):
        h = h @ params[k] + params[k + 1]
        if k < len(params) - 2:
            h = pt.maximum(h, np.float32(0))
    loss = -pt.special.log_softmax(h, axis=1)[pt.arange(y.shape[0]), y].mean()
    gradients = pytensor.grad(loss, params)
    one = np.float32(1)
    if optimizer == "sgd":
        updates = [(p, p - np.float32(SGD_RATE) * g) for p, g in zip(params, gradients, strict=True)]
    else:
        count = pytensor.shared(np.float32(0))
        t = count + one
        updates = [(count, t)]
        for p, g in zip(params, gradients, strict=True):
            m, v = (pytensor.shared(np.zeros_like(p.get_value())) for _ in "mv")
            new_m = np.float32(FIRST) * m + np.float32(1 - FIRST) * g
            new_v = np.float32(SECOND) * v + np.float32(1 - SECOND) * g * g
            scale = pt.sqrt(new_v) / pt.sqrt(one - np.float32(SECOND) ** t) + np.float32(TINY)
            new = p - np.float32(RATE) / (one - np.float32(FIRST) ** t) * new_m / scale
            updates += [(m, new_m), (v, new_v), (p, new.astype("float32"))]
    return pytensor.function([x, y], loss, updates=updates)  # type: ignore[no-any-return]  # no types
