"""Theano's random streams: RandomStreams and MRG_RandomStreams, over symdl.RandomStream.

Differences of meaning: the numbers are others than Theano's, as each stream has one state, not one for each draw; the
`rng` of a draw is that state.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import symdl.random
from symdl.config import config
from symdl.expr import Expr, as_expr
from symdl.ops.elementwise import cast
from symdl.ops.sorting import argsort
from symdl.storage import SharedVariable
from symdl.theano.tensors import as_tensor_variable
from symdl.theano.variables import Sizes


class _States(type):
    def __instancecheck__(cls, thing: Any) -> bool:
        return isinstance(thing, SharedVariable) and thing.name == "random state" and thing.default_update is not None


class RandomStateSharedVariable(metaclass=_States):
    """The shared value that a random stream draws by."""


class Generator:
    """What rng.get_value() gives: a state that may be seeded and set back."""

    def __init__(self, state: Any) -> None:
        self.state = np.array(state)

    def seed(self, seed: Any = None) -> None:
        """Begin anew."""
        self.state = symdl.random.RandomStream(_word(seed)).state.get_value()

    def get_state(self) -> Any:
        """The state as an array."""
        return self.state.copy()


class StateOf:
    """The state of the stream that a draw comes from, as a shared value of generators."""

    def __init__(self, state: SharedVariable) -> None:
        self.shared = state
        self.name = state.name

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Generator:
        """A copy of the state."""
        return Generator(self.shared.get_value())

    def set_value(self, value: Any, borrow: bool = False) -> None:
        """Go on from a state."""
        self.shared.set_value(value.state if isinstance(value, Generator) else value)

    @property
    def default_update(self) -> Any:
        return self.shared.default_update


def _word(seed: Any) -> int | None:
    """A seed for symdl: an integer of any sign, or the first of six of Theano's."""
    if seed is None:
        return None
    return int(np.asarray(seed).ravel()[0]) & ((1 << 64) - 1)


def _size(size: Any) -> Any:
    """A shape as symdl takes it."""
    if isinstance(size, Expr) and size.type.ndim == 1 and isinstance(size.type.shape[0], int):
        return [size[k] for k in range(size.type.shape[0])]
    if isinstance(size, list | tuple) and not isinstance(size, Sizes):
        return [n if isinstance(n, Expr) else int(n) for n in size]
    return list(size) if isinstance(size, Sizes) else size


class RandomStreams(symdl.random.RandomStream):
    """theano.tensor.shared_randomstreams.RandomStreams and sandbox.rng_mrg.MRG_RandomStreams."""

    def __init__(self, seed: Any = 12345, no_warn: bool = False, use_cuda: Any = None) -> None:
        super().__init__(_word(seed))
        self.default_instance_seed = seed
        self.rstate = self.state

    def seed(self, seed: Any = None) -> None:
        """Begin anew with a seed."""
        super().seed(_word(seed if seed is not None else self.default_instance_seed))

    def __getitem__(self, item: Any) -> StateOf:
        return StateOf(self.state)

    def set_rstate(self, seed: Any) -> None:
        """Begin anew with a seed, as MRG names it."""
        self.seed(seed)

    def updates(self) -> list[tuple[SharedVariable, Expr]]:
        """The (state, next state) pairs."""
        return super().updates()

    def _marked(self, drawn: Expr) -> Expr:
        """A draw that knows its state, as Theano's do: .rng and .update."""
        drawn.rng = StateOf(self.state)
        drawn.update = self.updates()[0]
        return drawn

    def uniform(
        self,
        size: Any = None,
        low: Any = 0.0,
        high: Any = 1.0,
        ndim: Any = None,
        dtype: Any = None,
        nstreams: Any = None,
        **_: Any,
    ) -> Expr:
        """In [low, high)."""
        return self._marked(super().uniform(_size(size), low, high, None, _float(dtype)))

    def normal(
        self,
        size: Any = None,
        avg: Any = 0.0,
        std: Any = 1.0,
        ndim: Any = None,
        dtype: Any = None,
        nstreams: Any = None,
        **_: Any,
    ) -> Expr:
        """avg + std z."""
        return self._marked(super().normal(_size(size), avg, std, None, _float(dtype)))

    def truncated_normal(
        self,
        size: Any = None,
        avg: Any = 0.0,
        std: Any = 1.0,
        ndim: Any = None,
        dtype: Any = None,
        nstreams: Any = None,
        **_: Any,
    ) -> Expr:
        """avg + std z with |z| < 2."""
        return self._marked(super().truncated_normal(_size(size), avg, std, None, _float(dtype)))

    def binomial(
        self,
        size: Any = None,
        n: Any = 1,
        p: Any = 0.5,
        ndim: Any = None,
        dtype: Any = "int64",
        nstreams: Any = None,
        prob: Any = None,
        **_: Any,
    ) -> Expr:
        """How often an event of probability p happens in n trials."""
        chance = p if prob is None else prob
        drawn = super().binomial(_size(size), n, chance, None, "int64")
        return self._marked(cast(drawn, config.floatX if dtype == "floatX" else dtype))

    def multinomial(
        self,
        size: Any = None,
        n: Any = 1,
        pvals: Any = None,
        ndim: Any = None,
        dtype: Any = "int64",
        nstreams: Any = None,
        **_: Any,
    ) -> Expr:
        """How often each category comes up in n draws."""
        p = as_tensor_variable((0.5, 0.5) if pvals is None else pvals)
        return self._marked(cast(super().multinomial(_size(size), n, p), config.floatX if dtype == "floatX" else dtype))

    def choice(
        self,
        size: Any = 1,
        a: Any = 2,
        replace: bool = True,
        p: Any = None,
        ndim: Any = None,
        dtype: Any = None,
        nstreams: Any = None,
        **_: Any,
    ) -> Expr:
        """Elements of a, or of 0..a-1."""
        return self._marked(super().choice(_size(size), a, replace, p, None, dtype))

    def random_integers(
        self, size: Any = None, low: Any = 0, high: Any = 1, ndim: Any = None, dtype: Any = "int64", **_: Any
    ) -> Expr:
        """An integer in low..high."""
        return self._marked(super().random_integers(_size(size), low, as_expr(high), None, dtype))

    def permutation(self, size: Any = None, n: Any = 1, ndim: Any = None, dtype: Any = "int64", **_: Any) -> Expr:
        """0..n-1 in an order of its own."""
        return self._marked(super().permutation(_size(size), n, None, dtype))

    def shuffle_row_elements(self, input: Any) -> Expr:  # Theano's name
        """The elements of each row in an order drawn for it."""
        return self._marked(super().shuffle_row_elements(as_tensor_variable(input)))

    def multinomial_wo_replacement(
        self,
        size: Any = None,
        n: Any = 1,
        pvals: Any = None,
        replace: bool = False,
        ndim: Any = None,
        dtype: Any = "int64",
        **_: Any,
    ) -> Expr:
        """n categories of each row, none twice, with probabilities that are weighted by what is left: the n largest of
        log(p) - log(-log(u)) (Gumbel; Yellott 1977)."""
        p = as_tensor_variable(pvals)
        u = symdl.random.RandomStream.uniform(self, list(p.shape), dtype=p.type.dtype)
        keys = np.log(p) - np.log(-np.log(u))
        order = argsort(-keys, axis=-1)[:, : int(n)]
        return self._marked(cast(order, dtype))


def _float(dtype: Any) -> Any:
    return config.floatX if dtype in (None, "floatX") else dtype
