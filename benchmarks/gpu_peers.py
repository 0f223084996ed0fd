"""The perceptron of `benchmarks.gpu` in torch and jax, and how long they take on a GPU.

Both are given the weights and the batch as arrays; a step gives the loss and moves the weights.
"""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

Array = Any
ROUNDS, RUNS = 5, 50


def torch_with_gpu() -> Any:
    """torch, where it is installed and sees a GPU."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    return torch if torch.cuda.is_available() else None


def torch_step(
    torch: Any, weights: Sequence[Array], x0: Array, y0: Array, rate: float, device: str = "cuda"
) -> Callable[[], Any]:
    """A step without arguments."""
    params = [p for w in weights for p in (torch.tensor(w, device=device), torch.zeros(w.shape[1], device=device))]
    x, y = torch.tensor(x0, device=device), torch.tensor(y0, device=device).long()
    for p in params:
        p.requires_grad_()

    def step() -> Any:
        h = x
        for k in range(0, len(params), 2):
            h = h @ params[k] + params[k + 1]
            h = torch.relu(h) if k < len(params) - 2 else h
        loss = torch.nn.functional.cross_entropy(h, y)
        with torch.no_grad():
            for p, g in zip(params, torch.autograd.grad(loss, params), strict=True):
                p.sub_(rate * g)
        return loss.detach()

    return step


def torch_seconds(torch: Any, run: Callable[[], Any]) -> float:
    """Of one run, by events: the best of several rounds."""
    for _ in range(10):
        run()
    best = math.inf
    for _ in range(ROUNDS):
        start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(RUNS):
            run()
        stop.record()
        torch.cuda.synchronize()
        best = min(best, start.elapsed_time(stop) / 1e3 / RUNS)
    return best


def jax_with_gpu() -> Any:
    """jax, where it is installed and sees a GPU."""
    if importlib.util.find_spec("jax") is None:
        return None
    import jax

    return jax if jax.default_backend() == "gpu" else None


def jax_step(jax: Any, weights: Sequence[Array], x0: Array, y0: Array, rate: float) -> Callable[[], Any]:
    """A step without arguments, which keeps its weights."""
    jnp = jax.numpy
    x, y = jnp.asarray(x0), jnp.asarray(y0)
    state = [[p for w in weights for p in (jnp.asarray(w), jnp.zeros(w.shape[1], jnp.float32))]]

    def loss_of(params: Any) -> Any:
        h = x
        for k in range(0, len(params), 2):
            h = h @ params[k] + params[k + 1]
            h = jnp.maximum(h, 0) if k < len(params) - 2 else h
        return -jax.nn.log_softmax(h)[jnp.arange(len(y)), y].mean()

    @jax.jit  # type: ignore[untyped-decorator]  # JAX is not typed here
    def moved(params: Any) -> Any:
        loss, slopes = jax.value_and_grad(loss_of)(params)
        return [p - rate * g for p, g in zip(params, slopes, strict=True)], loss

    def step() -> Any:
        state[0], loss = moved(state[0])
        return loss

    return step


def jax_seconds(jax: Any, run: Callable[[], Any]) -> float:
    """Of one run, by the clock of the host, with the device kept busy: the best of several rounds."""
    for _ in range(5):
        jax.block_until_ready(run())
    best = math.inf
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(RUNS):
            last = run()
        jax.block_until_ready(last)
        best = min(best, (time.perf_counter() - start) / RUNS)
    return best
