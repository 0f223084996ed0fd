"""Theano's random streams: RandomStreams, whose numbers are those of NumPy's RandomState, and MRG_RandomStreams (MRG31k3p).

Every draw has a state of its own, a shared value that each call of a function moves on, and each step of a loop that uses
it, wherever the draw was written. Seeds and numbers are Theano's own. Gradients do not flow through draws, but through the
bounds of a uniform number and the moments of a normal one of MRG they do.
"""

from __future__ import annotations

import operator
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from symdl.config import config
from symdl.errors import ConfigError, InputError, ShapeError
from symdl.graph.expr import Expr, as_expr, variable
from symdl.ops.declare import cast_to
from symdl.ops.elementwise import bitwise_and, cast, gt, le, lt, minimum, ne, where
from symdl.ops.extents import as_extent, as_shape, expr_of
from symdl.ops.functions import cos, log, sin, sqrt
from symdl.ops.identities import disconnected_grad
from symdl.ops.reductions import cumsum
from symdl.ops.reductions import sum as total
from symdl.ops.scan import rows_of
from symdl.ops.shaping import broadcast_to, concatenate, full, iota, zeros
from symdl.ops.sorting import argsort
from symdl.runtime.storage import SharedVariable, restored
from symdl.theano.mersenne import STATE, Machine, brought, drawn, words_of
from symdl.theano.mrg import MOST, PRIMES, integers, next_draw, streams_from
from symdl.theano.shaping import permute_row_elements
from symdl.theano.values import as_tensor_variable
from symdl.theano.variables import Sizes
from symdl.types import Extent, Shape, TensorType, broadcast, floor_divide, product

SEEDS = 2**30  # the seeds of draws are below
DEVIATION = 0.87962566103423978  # of a normal number on condition that it is below 2


class StreamState(SharedVariable):
    """The state of one draw."""

    __slots__ = ()
    in_each_step = True


class RandomStateSharedVariable(StreamState):
    """The state of a draw whose value is a numpy.random.RandomState. Each get_value gives one of its own."""

    __slots__ = ()

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """A generator in this state; set_value puts one back that was seeded or drawn from."""
        return brought(Machine(0), super().get_value())

    def set_value(self, value: Any, borrow: bool = False) -> None:
        """Go on from the state of a generator."""
        super().set_value(words_of(value) if isinstance(value, Machine) else value)


def random_state(value: Machine, name: str | None = None) -> StreamState:
    """theano.shared of a RandomState."""
    made = restored(words_of(value), name, STATE, (), RandomStateSharedVariable)
    assert isinstance(made, StreamState)
    return made


def random_state_type(name: str | None = None) -> Expr:
    """A variable that stands for a RandomState: an input In(variable, value=RandomState(seed), update=...)."""
    return variable(name, STATE.shape, STATE.dtype)


def _size(size: Any) -> Any:
    """A shape as symdl takes it."""
    if isinstance(size, Expr) and size.type.ndim == 1 and isinstance(size.type.shape[0], int):
        return [size[k] for k in range(size.type.shape[0])]
    if isinstance(size, list | tuple) and not isinstance(size, Sizes):
        return [n if isinstance(n, Expr) else int(n) for n in size]
    return list(size) if isinstance(size, Sizes) else size


def _shape(what: str, size: Any, ndim: Any, *parameters: Expr) -> Shape:
    """The shape of a draw: size, in which -1 stands for the parameters' own extent; without one, theirs."""
    common = broadcast(what, [p.type.shape for p in parameters])[0]
    if size is None:
        return common
    sizes = _size(size)
    if isinstance(sizes, list):
        back = len(common) - len(sizes)
        sizes = [common[k + back] if type(n) is int and n == -1 and k + back >= 0 else n for k, n in enumerate(sizes)]
    shape = as_shape(sizes, what)
    if ndim is not None and int(ndim) != len(shape):
        raise ShapeError(f"{what}: size has {len(shape)} axes, and ndim={ndim}")
    if len(shape) < len(common):
        raise ShapeError(f"{what}: size has {len(shape)} axes, its parameters {len(common)}")
    return shape


def _float(dtype: Any, *parameters: Expr) -> str:
    """A dtype, or the widest of floatX and the parameters'."""
    if dtype is None:
        return str(np.result_type(config.floatX, *(p.type.dtype for p in parameters)).name)
    return config.floatX if dtype == "floatX" else str(np.dtype(dtype).name)


def _weak(value: Any) -> Expr:
    """A parameter; a Python number asks for no more digits than floatX has."""
    return as_tensor_variable(cast_to(value, config.floatX) if type(value) is float else value)


# ---- draws from a RandomState: (the state after, the numbers) ----


def uniform(
    random_state: Expr, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: Any = None, dtype: Any = None
) -> tuple[Expr, Expr]:
    """In [low, high)."""
    bounds = _weak(low), _weak(high)
    return drawn("uniform", _float(dtype, *bounds), random_state, _shape("uniform", size, ndim, *bounds), *bounds)


def normal(
    random_state: Expr, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: Any = None, dtype: Any = None
) -> tuple[Expr, Expr]:
    """avg + std z."""
    moments = _weak(avg), _weak(std)
    return drawn("normal", _float(dtype, *moments), random_state, _shape("normal", size, ndim, *moments), *moments)


def binomial(
    random_state: Expr, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: Any = None, dtype: Any = "int64",
    prob: Any = None,
) -> tuple[Expr, Expr]:  # fmt: skip
    """How often an event of probability p happens in n trials."""
    given = as_tensor_variable(n), as_tensor_variable(p if prob is None else prob)
    return drawn("binomial", _whole(dtype), random_state, _shape("binomial", size, ndim, *given), *given)


def poisson(
    random_state: Expr, size: Any = None, lam: Any = 1.0, ndim: Any = None, dtype: Any = "int64"
) -> tuple[Expr, Expr]:
    """Counts of mean lam."""
    mean = as_tensor_variable(1.0 if lam is None else lam)
    return drawn("poisson", _whole(dtype), random_state, _shape("poisson", size, ndim, mean), mean)


def random_integers(
    random_state: Expr, size: Any = None, low: Any = 0, high: Any = 1, ndim: Any = None, dtype: Any = "int64"
) -> tuple[Expr, Expr]:
    """An integer in low..high."""
    ends = as_tensor_variable(low), as_tensor_variable(high)
    return drawn("random_integers", _whole(dtype), random_state, _shape("random_integers", size, ndim, *ends), *ends)


def choice(
    random_state: Expr, size: Any = None, a: Any = 2, replace: bool = True, p: Any = None, ndim: Any = None,
    dtype: Any = "int64",
) -> tuple[Expr, Expr]:  # fmt: skip
    """Elements of a, or of 0..a-1, with probabilities p."""
    weights = as_tensor_variable(np.zeros(0) if p is None else p)
    shape = _shape("choice", () if size is None else size, ndim)
    return drawn("choice", _whole(dtype), random_state, shape, as_tensor_variable(a), as_expr(replace), weights)


def permutation(
    random_state: Expr, size: Any = None, n: Any = 1, ndim: Any = None, dtype: Any = "int64"
) -> tuple[Expr, Expr]:
    """0..n-1 in an order of its own for each element of size, along a last axis."""
    shape = _shape("permutation", () if size is None else size, None)
    count = as_extent(n, "permutation")
    return drawn("permutation", _whole(dtype), random_state, shape, expr_of(count), rows=(count,))


def multinomial(
    random_state: Expr, size: Any = None, n: Any = 1, pvals: Any = (0.5, 0.5), ndim: Any = None, dtype: Any = "int64"
) -> tuple[Expr, Expr]:
    """How often each category comes up in n draws."""
    trials, p = as_tensor_variable(n), as_tensor_variable(pvals)
    shape = _shape("multinomial", size, ndim, trials, p[..., 0])
    return drawn("multinomial", _whole(dtype), random_state, shape, trials, p, rows=(p.type.shape[-1],))


def _whole(dtype: Any) -> str:
    return config.floatX if dtype == "floatX" else str(np.dtype(dtype).name)


class _Journals(threading.local):
    """Of the steps that are being called: where each stream stood before its first draw in them."""

    running: tuple[dict[Streams, Any], ...] = ()


_journals = _Journals()


def seeded_once(step: Callable[..., Any]) -> Callable[..., Any]:
    """The step of a loop as symdl may call it, several times until its types are known: each call takes the same seeds."""
    journal: dict[Streams, Any] = {}

    def called(*args: Any) -> Any:
        for stream, (count, seeds) in journal.items():
            del stream.state_updates[count:]
            stream.stand(seeds)
        before, _journals.running = _journals.running, (*_journals.running, journal)
        try:
            return step(*args)
        finally:
            _journals.running = before

    return called


class Streams(ABC):
    """What both kinds of streams have: draws, each with a state that moves on."""

    def __init__(self) -> None:
        self.state_updates: list[Any] = []

    @abstractmethod
    def where(self) -> Any:
        """What the seeds of the next draws follow from."""

    @abstractmethod
    def stand(self, place: Any) -> None:
        """Go on from what `where` gave."""

    def note(self) -> None:
        """Said before each draw."""
        for journal in _journals.running:
            if self not in journal:
                journal[self] = len(self.state_updates), self.where()

    def updates(self) -> list[Any]:
        """What moves the states on, for functions made with no_default_updates."""
        return list(self.state_updates)


class RandomStreams(Streams):
    """theano.tensor.shared_randomstreams.RandomStreams: every draw has a RandomState, seeded by one of the streams'."""

    def __init__(self, seed: Any = None, no_warn: bool = False) -> None:
        super().__init__()
        self.default_instance_seed = seed
        self.gen_seedgen = Machine(seed)

    def where(self) -> Any:
        """The state of the generator of seeds."""
        return self.gen_seedgen.get_state()

    def stand(self, place: Any) -> None:
        """Put it back."""
        self.gen_seedgen.set_state(place)

    def seed(self, seed: Any = None) -> None:
        """Begin anew: each draw's state follows from this seed."""
        seeds = Machine(self.default_instance_seed if seed is None else seed)
        for state, _ in self.state_updates:
            state.set_value(Machine(int(seeds.randint(SEEDS))))

    def __getitem__(self, item: RandomStateSharedVariable) -> Machine:
        return item.get_value()  # type: ignore[no-any-return]  # of a class whose base gives arrays

    def __setitem__(self, item: RandomStateSharedVariable, value: Machine) -> None:
        item.set_value(value)

    def gen(self, draw: Callable[..., tuple[Expr, Expr]], *args: Any, **options: Any) -> Expr:
        """A draw by a function of (a state, ...) that gives (the state after, numbers). It knows its state: .rng, .update."""
        self.note()
        state = random_state(Machine(int(self.gen_seedgen.randint(SEEDS))))
        after, numbers = draw(state, *args, **options)
        state.default_update = after
        self.state_updates.append((state, after))
        numbers.rng, numbers.update = state, (state, after)
        return numbers

    def shuffle_row_elements(self, input: Any) -> Expr:  # Theano's name
        """The elements of each row in an order drawn for it."""
        x = as_tensor_variable(input)
        order = self.permutation(x.shape[:-1], x.shape[-1])  # type: ignore[attr-defined]  # set below
        return permute_row_elements(x, order)


def _method(draw: Callable[..., tuple[Expr, Expr]]) -> Callable[..., Expr]:
    def method(self: RandomStreams, *args: Any, **options: Any) -> Expr:
        return self.gen(draw, *args, **options)

    method.__name__, method.__doc__ = draw.__name__, draw.__doc__
    return method


for _draw in (uniform, normal, binomial, poisson, random_integers, choice, permutation, multinomial):
    setattr(RandomStreams, _draw.__name__, _method(_draw))


def _count(what: str, n: Any) -> Extent:
    """How many trials a draw has."""
    if np.ndim(n) if not isinstance(n, Expr) else n.type.ndim:
        raise InputError(f"{what}: n is one number", remedy="RandomStreams draws with an n for each element.")
    return as_extent(n, what)


def _probabilities(what: str, name: str, given: Any) -> Expr:
    """Rows of probabilities along the last axis, through which no gradient flows."""
    if given is None:
        raise InputError(f"{what}: {name} is missing", remedy=f"{name} holds the probability of each category.")
    p = as_tensor_variable(given)
    if not p.type.ndim:
        raise ShapeError(f"{what}: {name} is one number", remedy="Give the probability of each category.")
    return disconnected_grad(p)


def _chosen(weights: Expr, u: Expr) -> Expr:
    """[row, k]: where the numbers of column `row` of u fall among a row's weights."""
    ends = cumsum(cast(weights, "float64"), axis=1)
    return minimum(total(cast(le(ends[:, None], u.T[:, :, None]), "int64"), axis=2), expr_of(weights.type.shape[1]) - 1)


def _chosen_once(weights: Expr, u: Expr) -> Expr:
    """The same, none twice in a row."""
    count, categories = u.type.shape[0], weights.type.shape[1]
    if not isinstance(count, int):
        raise InputError("choice: without replacement, size must be known while the function is built")
    if isinstance(categories, int) and count > categories:
        raise ConfigError(f"choice: {count} of {categories} categories, none twice")
    places = broadcast_to(iota((categories,), 0), weights.type.shape)
    found = []
    for k in range(count):
        found.append(_chosen(weights, u[k : k + 1]))
        left = where(ne(places, found[-1]), weights, 0)
        weights = left / total(left, axis=1, keepdims=True)
    return concatenate(found, 1)


class MRG_RandomStreams(Streams):  # noqa: N801  # Theano's name
    """theano.sandbox.rng_mrg.MRG_RandomStreams. seed: a number in 1..2147462578, or six of them."""

    def __init__(self, seed: Any = 12345, use_cuda: Any = None) -> None:
        super().__init__()
        self.default_instance_seed = seed
        self.set_rstate(seed)

    def where(self) -> Any:
        """Where the next draw begins."""
        return self.rstate

    def stand(self, place: Any) -> None:
        """Let it begin there."""
        self.rstate = place

    def set_rstate(self, seed: Any) -> None:
        """Where the next draw begins. Raises ValueError where one of the two recurrences would stand still."""
        six = [operator.index(s) for s in seed] if np.ndim(seed) else [operator.index(seed)] * 6
        if len(six) != 6:
            raise InputError(f"seed: {len(six)} numbers", remedy="Give one integer, or six: three for each recurrence.")
        for prime, part in zip(PRIMES, (six[:3], six[3:]), strict=True):
            if not any(part) or not all(0 <= s < prime for s in part):
                raise ConfigError(f"seed: three numbers below {prime}, not all 0, are asked for, not {part}")
        self.rstate = np.array(six, np.int32)

    def seed(self, seed: Any = None) -> None:
        """Begin anew with a seed."""
        self.set_rstate(self.default_instance_seed if seed is None else seed)
        for state, *_ in self.state_updates:
            state.set_value(self._begun(state.type.shape[0]))

    def _begun(self, count: int) -> Any:
        """The first states of a draw of so many streams."""
        made = streams_from(self.rstate, count)
        self.rstate = next_draw(self.rstate)
        return made

    def n_streams(self, size: Any) -> int:
        """How many streams a draw of this size has: a sixth of its elements, if they are known, and at most 15360."""
        if not isinstance(size, list | tuple) or not all(type(n) is int for n in size):
            return MOST
        count = int(np.prod(size, dtype=object))
        return min(count // 6 if count > 6 else count, MOST)

    def _unit(self, shape: Shape, dtype: str, streams: int, used: Expr | None = None) -> Expr:
        """u in (0, 1): a multiple of 2^-31."""
        self.note()
        state = restored(self._begun(max(streams, 1)), None, TensorType("int32", (max(streams, 1), 6)), (), StreamState)
        count = product(shape)
        numbers, after = integers(state, count, used)
        state.default_update = after
        self.state_updates.append((state, after, shape, streams))
        norm = np.float32(4.6566126e-10) if dtype == "float32" else 2.0**-31
        u = disconnected_grad(cast(numbers, dtype) * norm).reshape(shape)
        u.rstate, u.update = state, (state, after)
        return u

    def uniform(
        self, size: Any, low: Any = 0.0, high: Any = 1.0, ndim: Any = None, dtype: Any = None, nstreams: Any = None,
        target: Any = None,
    ) -> Expr:  # fmt: skip
        """In (low, high)."""
        bounds = _weak(low), _weak(high)
        name = _float(dtype, *bounds)
        shape = _shape("uniform", size, ndim)
        if any(isinstance(n, int) and n <= 0 for n in shape):
            raise ShapeError(
                f"uniform: size {shape} leaves nothing to draw", remedy="Each extent of size is 1 or more."
            )
        u = self._unit(shape, name, nstreams or self.n_streams(size))
        if type(low) in (int, float) and low == 0 and type(high) in (int, float) and high == 1:
            return u
        bottom, top = cast(bounds[0], name), cast(bounds[1], name)
        if len(broadcast("uniform", [bottom.type.shape, top.type.shape])[0]) > len(shape):
            raise ShapeError("uniform: low and high have more axes than size")
        return u * (top - bottom) + bottom

    def binomial(
        self, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: Any = None, dtype: Any = "int64", nstreams: Any = None,
        prob: Any = None, **options: Any,
    ) -> Expr:  # fmt: skip
        """How often an event of probability p happens in n trials: n draws, summed. Theano's own stops at n = 1."""
        chance = as_tensor_variable(p if prob is None else prob)
        if type(n) is int and n == 1:
            happened = lt(self.uniform(chance.shape if size is None else size, nstreams=nstreams, **options), chance)
            return cast(happened, _whole(dtype))
        trials = (_count("binomial", n), *_shape("binomial", size, ndim, chance))
        u = self.uniform([expr_of(k) for k in trials], nstreams=nstreams or self.n_streams(trials), **options)
        return cast(total(cast(lt(u, chance), "int64"), axis=0), _whole(dtype))

    def multinomial(
        self, size: Any = None, n: Any = 1, pvals: Any = None, ndim: Any = None, dtype: Any = "int64",
        nstreams: Any = None, **options: Any,
    ) -> Expr:  # fmt: skip
        """How often each category comes up in n draws, for each row of pvals. size: the axes before that of the
        categories, if they are not those of pvals; Theano's own takes a matrix only, and no size."""
        p = _probabilities("multinomial", "pvals", pvals)
        shape, count = _shape("multinomial", size, ndim, p[..., 0]), _count("multinomial", n)
        u = self.uniform((expr_of(product(shape) * count),), nstreams=nstreams, **options).reshape((count, *shape, 1))
        ends = cumsum(cast(p, "float64"), axis=-1)
        before = concatenate([zeros((*p.type.shape[:-1], 1)), ends[..., :-1]], -1)
        hit = bitwise_and(gt(ends, u), le(before, u))
        return cast(total(cast(hit, "int64"), axis=0), _whole(dtype))

    def choice(
        self, size: Any = 1, a: Any = None, replace: bool = True, p: Any = None, ndim: Any = None,
        dtype: Any = "int64", nstreams: Any = None, **options: Any,
    ) -> Expr:  # fmt: skip
        """Elements of a, or of 0..a-1: size of them with probabilities p, or a row of so many for each row of p.

        Without replacement none comes twice: what is left is weighted by what is left. Theano's own has only this form,
        of a matrix p.
        """
        values = None if a is None else as_tensor_variable(a)
        if p is None:
            if values is None:
                raise InputError("choice: nothing to choose from", remedy="Give the probabilities p, or a.")
            categories = as_extent(a, "choice") if values.type.ndim == 0 else values.type.shape[0]
            p = full((categories,), 1 / cast(expr_of(categories), "float64"))
        weights = _probabilities("choice", "p", p)
        if weights.type.ndim > 2:
            raise ShapeError(
                f"choice: p has {weights.type.ndim} axes", remedy="Give one row of probabilities, or a matrix."
            )
        shape = _shape("choice", () if size is None else size, ndim if weights.type.ndim == 1 else None)
        count, single = product(shape), weights.type.ndim == 1
        if not single and (len(shape) != 1 or ndim not in (None, 2)):
            raise ShapeError("choice: a matrix p gives a matrix, and size is the number of its columns")
        weights = weights[None] if single else weights
        rows, categories = weights.type.shape
        u = self.uniform((expr_of(rows * count),), nstreams=nstreams, **options).reshape((count, rows))
        found = _chosen(weights, u) if replace else _chosen_once(weights, u)
        found = found.reshape(shape) if single else found
        if values is not None and values.type.ndim:
            found = values[found]
        return cast(found, _whole(dtype))

    def multinomial_wo_replacement(
        self, size: Any = None, n: Any = 1, pvals: Any = None, ndim: Any = None, dtype: Any = "int64",
        nstreams: Any = None, **options: Any,
    ) -> Expr:  # fmt: skip
        """The old name of choice."""
        return self.choice(n, None, False, pvals, ndim, dtype, nstreams, **options)

    def normal(
        self, size: Any, avg: Any = 0.0, std: Any = 1.0, ndim: Any = None, dtype: Any = None, nstreams: Any = None,
        truncate: bool = False, **options: Any,
    ) -> Expr:  # fmt: skip
        """avg + std z, by the angle and the radius of pairs (Box and Muller 1958); truncate: |z| < 2."""
        moments = _weak(avg), _weak(std)
        name = _float(dtype, *moments)
        shape = _shape("normal", size, ndim)
        count = product(shape)
        half = floor_divide(count + 1, 2)
        u = self._unit((2 * half,), name, nstreams or MOST)
        radius, angle = sqrt(-2.0 * log(rows_of(u, 0, half))), rows_of(u, half, half) * np.array(2.0 * np.pi, name)
        turned = concatenate([cos(angle), sin(angle)])
        z = concatenate([radius, radius]) * turned
        if truncate:
            z = self._within(z, turned, half, name, nstreams or MOST)
        z = rows_of(z, 0, count).reshape(shape)
        return z * cast(moments[1], name) + cast(moments[0], name)

    def _within(self, z: Expr, turned: Expr, half: Extent, name: str, streams: int) -> Expr:
        """z with other radii where |z| > 2. Theano has each half's good numbers first, then those that were drawn anew."""
        bad = cast(gt(abs(z), 2.0), "int64")
        number = cumsum(bad)  # of those that are drawn anew, up to each place
        u = self._unit((2 * half,), name, streams, used=number[-1])
        lower = np.array(np.exp(-2.0), name)
        anew = sqrt(-2.0 * log(u * (np.array(1.0, name) - lower) + lower))
        fixed = where(bad, anew[number - bad] * turned, z)
        order = concatenate([argsort(rows_of(bad, 0, half)), argsort(rows_of(bad, half, half)) + expr_of(half)])
        return fixed[order]

    def truncated_normal(
        self, size: Any, avg: Any = 0.0, std: Any = 1.0, ndim: Any = None, dtype: Any = None, nstreams: Any = None,
        **options: Any,
    ) -> Expr:  # fmt: skip
        """A normal number of this mean and deviation on condition that it is less than two deviations of its own away."""
        return self.normal(size, avg, std / DEVIATION, ndim, dtype, nstreams, truncate=True, **options)
