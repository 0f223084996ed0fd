"""The engines: symdl, and its peers on the CPU."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.matrix.engine import (
    Array,
    Descent,
    Differentiating,
    Engine,
    Formula,
    Run,
    by_adam,
    cell,
    names_of,
    orders,
)


class Numpy(Engine):
    name = "numpy"

    def namespace(self) -> SimpleNamespace:
        from scipy import special

        def softmax(x: Array, axis: int = -1) -> Array:
            e = np.exp(x - x.max(axis=axis, keepdims=True))
            return e / e.sum(axis=axis, keepdims=True)

        def scatter_add(x: Array, rows: Array, v: Array) -> Array:
            out = x.copy()
            np.add.at(out, rows, v)
            return out

        return names_of(
            np,
            sigmoid=special.expit,
            erf=special.erf,
            relu=lambda x: np.maximum(x, 0),
            softmax=softmax,
            logsumexp=lambda x, axis=None: special.logsumexp(x, axis=axis),
            scatter_add=scatter_add,
        )

    def compiled(self, formula: Formula, arrays: Sequence[Array]) -> Run:
        return functools.partial(formula, self.m, *arrays)


class Symdl(Differentiating):
    name = "symdl"
    precision = "right"

    def namespace(self) -> SimpleNamespace:
        import symdl
        import symdl.tensor as T
        from symdl.config import config

        config.threads = self.threads
        stream = T.RandomStream(seed=1)
        return names_of(
            T,
            scatter_add=lambda x, rows, v: T.inc_subtensor(x[rows], v),
            conv2d=lambda x, w, **how: T.correlate(x, w, **how),
            max_pool=lambda x: T.pool_2d(x, 2),
            stop=T.disconnected_grad,
            bernoulli=lambda p: stream.bernoulli(p.shape, p).astype(p.dtype),
            lstm=lambda x, h, w, b: symdl.scan(lambda row, *s: list(cell(self.m, row, *s, w, b)), x, [h, h])[0][0][-1],
            gradient=lambda f, x: symdl.grad(f(x), x),
            jacobian=lambda f, x: T.jacobian(f(x), x),
        )

    def _variables(self, arrays: Sequence[Array]) -> list[Any]:
        import symdl.tensor as T

        return [T.tensor(f"x{k}", dtype=str(a.dtype), shape=(None,) * a.ndim) for k, a in enumerate(arrays)]

    def compiled(self, formula: Formula, arrays: Sequence[Array]) -> Run:
        import symdl

        variables = self._variables(arrays)
        f = symdl.function(variables, formula(self.m, *variables), precision=self.precision)
        return functools.partial(f, *arrays)

    def stepper(self, descent: Descent, batch: Sequence[Array]) -> Callable[..., Any]:
        return self._stepper(descent, batch, many=False)

    def _stepper(self, descent: Descent, batch: Sequence[Array], many: bool) -> Any:
        import symdl
        from symdl import nn

        shared = [symdl.shared(p, f"p{k}") for k, p in enumerate(descent.parameters)]
        states = [symdl.shared(s, f"s{k}") for k, s in enumerate(descent.states)]
        variables = self._variables(batch)
        cost, after = descent.parts(self.m, shared, states, variables)
        optimizer = nn.Adam(descent.rate) if descent.adam else nn.SGD(descent.rate)
        moves = [*optimizer.updates(cost, shared), *zip(states, after, strict=True)]
        return symdl.function(variables, [cost] if many else cost, updates=moves, precision=self.precision)

    def epoch(self, descent: Descent, data: Sequence[Array], size: int) -> Run:
        from symdl.sweeps import Sweep

        sweep = Sweep(self._stepper(descent, data, many=True), data, size)
        order = orders(len(data[0]), size)
        return lambda: np.float32(sweep(order().ravel())[-1, 0])


class Plain(Symdl):
    name = "symdl plain"
    precision = "plain"


class Torch(Differentiating):
    name = "torch"
    package = "torch"

    def namespace(self) -> SimpleNamespace:
        import torch
        from torch.nn import functional

        torch.set_num_threads(self.threads)

        def lstm(x: Any, h: Any, w: Any, b: Any) -> Any:
            columns = w.T.contiguous()
            parts = [columns[:, : x.shape[2]], columns[:, x.shape[2] :], b, torch.zeros_like(b)]
            states = h[None], h[None]
            return torch.lstm(x, states, parts, True, 1, 0.0, True, False, False)[0][-1]

        own = {
            n: getattr(torch, n)
            for n in "exp log log1p tanh sin sqrt abs where sigmoid erf relu matmul cumsum argsort".split()
        }
        return SimpleNamespace(
            **own,
            maximum=lambda x, y: torch.clamp(x, min=y) if isinstance(y, int | float) else torch.maximum(x, y),
            sum=lambda x, axis=None: x.sum() if axis is None else x.sum(axis),
            mean=lambda x, axis=None: x.mean() if axis is None else x.mean(axis),
            max=lambda x, axis=None: x.max() if axis is None else x.amax(axis),
            argmax=lambda x, axis=None: x.argmax(axis),
            var=lambda x, axis=None: x.var(correction=0) if axis is None else x.var(axis, correction=0),
            softmax=lambda x, axis=-1: torch.softmax(x, axis),
            logsumexp=lambda x, axis=None: torch.logsumexp(x, tuple(range(x.ndim)) if axis is None else axis),
            take=lambda x, rows, axis=0: x[rows],
            scatter_add=lambda x, rows, v: x.index_add(0, rows, v),
            transpose=lambda x: x.T,
            reshape=lambda x, shape: x.reshape(shape),
            concatenate=lambda parts, axis=0: torch.cat(parts, axis),
            conv2d=lambda x, w, border_mode="valid", subsample=1, filter_dilation=1, num_groups=1: functional.conv2d(
                x, w, None, subsample, w.shape[-1] // 2 * _one(filter_dilation) if border_mode == "half" else 0,
                filter_dilation, num_groups),
            max_pool=lambda x: functional.max_pool2d(x, 2),
            stop=lambda x: x.detach(),
            bernoulli=torch.bernoulli,
            lstm=lstm,
            gradient=lambda f, x: torch.func.grad(f)(x),
            jacobian=lambda f, x: torch.func.jacrev(f)(x),
        )  # fmt: skip

    def given(self, arrays: Sequence[Array]) -> list[Any]:
        import torch

        return [torch.from_numpy(np.array(a)) for a in arrays]

    def _made(self, f: Callable[..., Any]) -> Callable[..., Any]:
        return f

    def compiled(self, formula: Formula, arrays: Sequence[Array]) -> Run:
        import torch

        run = self._made(functools.partial(formula, self.m))
        given = self.given(arrays)

        def call() -> Any:
            with torch.no_grad():
                return run(*given)

        return call

    def stepper(self, descent: Descent, batch: Sequence[Array]) -> Callable[..., Any]:
        import torch

        own, states = [p.requires_grad_() for p in self.given(descent.parameters)], self.given(descent.states)
        cost = self._made(lambda states, *x: descent.parts(self.m, own, states, x))
        move: Any = (torch.optim.Adam if descent.adam else torch.optim.SGD)(own, descent.rate, fused=True)

        def call(*given: Any) -> Any:
            value, states[:] = cost(states, *given)
            move.zero_grad()
            value.backward()
            move.step()
            return value.detach()

        return call

    def epoch(self, descent: Descent, data: Sequence[Array], size: int) -> Run:
        import torch

        step, given, order = self.stepper(descent, data), self.given(data), orders(len(data[0]), size)

        def call() -> Any:
            for rows in torch.from_numpy(order()):
                value = step(*(x[rows] for x in given))
            return value

        return call


def _one(pair: Any) -> int:
    return int(pair if isinstance(pair, int) else pair[0])


class TorchCompiled(Torch):
    """At its best: compiled for the very shapes of a cell, and nothing is left of the cells before, which share a formula's
    code: after eight of them dynamo would compile no more and run eagerly."""

    name = "torch.compile"

    def _made(self, f: Callable[..., Any]) -> Callable[..., Any]:
        import torch

        torch._dynamo.reset()
        return torch.compile(f, dynamic=self.open_sizes)  # type: ignore[no-any-return]  # torch's functions are Any here


class Jax(Differentiating):
    name = "jax"
    package = "jax"

    def namespace(self) -> SimpleNamespace:
        import jax
        import jax.numpy as jnp
        import jax.scipy.special as special

        jax.config.update("jax_enable_x64", True)
        layout = ("NCHW", "OIHW", "NCHW")

        def conv2d(
            x: Any,
            w: Any,
            border_mode: str = "valid",
            subsample: Any = 1,
            filter_dilation: Any = 1,
            num_groups: int = 1,
        ) -> Any:
            around = w.shape[-1] // 2 * _one(filter_dilation) if border_mode == "half" else 0
            return jax.lax.conv_general_dilated(
                x, w, (_one(subsample),) * 2, [(around, around)] * 2, None, (_one(filter_dilation),) * 2, layout,
                feature_group_count=num_groups)  # fmt: skip

        def max_pool(x: Any) -> Any:
            return jax.lax.reduce_window(x, -np.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

        return names_of(
            jnp,
            sigmoid=jax.nn.sigmoid,
            erf=special.erf,
            relu=jax.nn.relu,
            softmax=jax.nn.softmax,
            logsumexp=special.logsumexp,
            scatter_add=lambda x, rows, v: x.at[rows].add(v),
            conv2d=conv2d,
            max_pool=max_pool,
            stop=jax.lax.stop_gradient,
            lstm=lambda x, h, w, b: jax.lax.scan(lambda s, row: (cell(self.m, row, *s, w, b), None), (h, h), x)[0][0],
            gradient=lambda f, x: jax.grad(f)(x),
            jacobian=lambda f, x: jax.jacrev(f)(x),
        )

    def compiled(self, formula: Formula, arrays: Sequence[Array]) -> Run:
        import jax

        run, given = jax.jit(functools.partial(formula, self.m)), self.given(arrays)
        return lambda: run(*given).block_until_ready()

    def given(self, arrays: Sequence[Array]) -> list[Any]:
        import jax

        return [jax.numpy.asarray(a) for a in arrays]

    def stepper(self, descent: Descent, batch: Sequence[Array]) -> Callable[..., Any]:
        import jax

        move = jax.jit(self._mover(descent), donate_argnums=0)
        state = self._state(descent)

        def call(*given: Any) -> Any:
            *state[:], value = move(*state, *given)
            return value.block_until_ready()

        return call

    def epoch(self, descent: Descent, data: Sequence[Array], size: int) -> Run:
        import jax

        move = self._mover(descent)

        @functools.partial(jax.jit, donate_argnums=0)
        def sweep(own: Any, key: Any, order: Any, *given: Any) -> Any:
            def one(carried: Any, rows: Any) -> Any:
                *carried, value = move(*carried, *(x[rows] for x in given))
                return tuple(carried), value

            carried, values = jax.lax.scan(one, (own, key), order)
            return *carried, values[-1]

        state, order, given = self._state(descent), orders(len(data[0]), size), self.given(data)

        def call() -> Any:
            *state[:], value = sweep(*state, order(), *given)
            return value.block_until_ready()

        return call

    def _state(self, descent: Descent) -> list[Any]:
        """Parameters with what the optimizer keeps and the states, and a key of random numbers."""
        import jax

        own = self.given(descent.parameters)
        moments = [[jax.numpy.zeros_like(p) for p in own] for _ in range(2)] if descent.adam else []
        kept = [jax.numpy.float32(0), *moments] if descent.adam else []
        return [(own, kept, self.given(descent.states)), jax.random.key(1)]

    def _mover(self, descent: Descent) -> Callable[..., Any]:
        import jax

        rate = descent.rate

        def drawn(key: Any) -> Callable[[Any], Any]:
            keys = [key]

            def bernoulli(p: Any) -> Any:
                keys[0], own = jax.random.split(keys[0])
                return jax.random.bernoulli(own, p).astype(p.dtype)

            return bernoulli

        def move(state: Any, key: Any, *given: Any) -> Any:
            own, kept, states = state
            key, now = jax.random.split(key)
            m = SimpleNamespace(**vars(self.m), bernoulli=drawn(now))
            cost = functools.partial(descent.parts, m, states=states, arrays=given)
            (value, after), slopes = jax.value_and_grad(cost, has_aux=True)(own)
            if not descent.adam:
                return ([p - rate * g for p, g in zip(own, slopes, strict=True)], kept, after), key, value
            count = kept[0] + 1
            made = [
                by_adam(p, g, a, b, count, rate, jax.numpy.sqrt)
                for p, g, a, b in zip(own, slopes, *kept[1:], strict=True)
            ]
            return ([x[0] for x in made], [count, [x[1] for x in made], [x[2] for x in made]], after), key, value

        return move


class Pytensor(Differentiating):
    name = "pytensor"
    package = "pytensor"

    def namespace(self) -> SimpleNamespace:
        import pytensor
        import pytensor.tensor as pt
        from pytensor.gradient import disconnected_grad

        return names_of(
            pt,
            softmax=lambda x, axis=-1: pt.special.softmax(x, axis=axis),
            relu=lambda x: pt.maximum(x, 0),
            transpose=lambda x: x.T,
            scatter_add=lambda x, rows, v: pt.inc_subtensor(x[rows], v),
            stop=disconnected_grad,
            lstm=lambda x, h, w, b: pytensor.scan(
                lambda row, *s: list(cell(self.m, row, *s, w, b)), x, [h, h], return_updates=False
            )[0][-1],
            gradient=lambda f, x: pytensor.grad(f(x), x),
            jacobian=lambda f, x: pytensor.gradient.jacobian(f(x), x),
        )

    def _variables(self, arrays: Sequence[Array]) -> list[Any]:
        import pytensor.tensor as pt

        return [pt.tensor(f"x{k}", dtype=str(a.dtype), shape=(None,) * a.ndim) for k, a in enumerate(arrays)]

    def compiled(self, formula: Formula, arrays: Sequence[Array]) -> Run:
        import pytensor

        variables = self._variables(arrays)
        f = pytensor.function(variables, formula(self.m, *variables), trust_input=True)
        return functools.partial(f, *arrays)

    def stepper(self, descent: Descent, batch: Sequence[Array]) -> Callable[..., Any]:
        import pytensor

        variables = self._variables(batch)
        cost, moves = self._moves(descent, variables)
        return pytensor.function(variables, cost, updates=moves, trust_input=True)  # type: ignore[no-any-return]  # as torch's

    def epoch(self, descent: Descent, data: Sequence[Array], size: int) -> Run:
        import pytensor
        import pytensor.tensor as pt

        rows, order = pt.lvector("rows"), orders(len(data[0]), size)
        cost, moves = self._moves(descent, [pytensor.shared(np.array(a))[rows] for a in data])
        f = pytensor.function([rows], cost, updates=moves, trust_input=True)

        def call() -> Any:
            for batch in order():
                value = f(batch)
            return value

        return call

    def _moves(self, descent: Descent, variables: Sequence[Any]) -> tuple[Any, list[tuple[Any, Any]]]:
        import pytensor

        shared = [pytensor.shared(np.array(p), f"p{k}") for k, p in enumerate(descent.parameters)]
        states = [pytensor.shared(np.array(s), f"s{k}") for k, s in enumerate(descent.states)]
        cost, after = descent.parts(self.m, shared, states, variables)
        slopes, rate = pytensor.grad(cost, shared), descent.rate
        narrow = np.float32(rate) if descent.parameters[0].dtype == np.float32 else rate
        moves: list[tuple[Any, Any]] = list(zip(states, after, strict=True))
        if descent.adam:
            count = pytensor.shared(np.float32(0))
            moves.append((count, count + np.float32(1)))
            for p, g in zip(shared, slopes, strict=True):
                a, b = (pytensor.shared(np.zeros_like(p.get_value())) for _ in range(2))
                moves += zip((p, a, b), by_adam(p, g, a, b, count + np.float32(1), narrow, self.m.sqrt), strict=True)
        else:
            moves += [(p, p - narrow * g) for p, g in zip(shared, slopes, strict=True)]
        return cost, moves


ENGINES: tuple[type[Engine], ...] = (Symdl, Plain, Numpy, Pytensor, Jax, Torch, TorchCompiled)
