"""RandomStream: random numbers in formulas, in Theano's vocabulary, the same on every machine.

Every method call is a stream of numbers of its own: the n-th draw of a RandomStream has the serial number n. The state,
a key and a count of calls, is one shared value, whose count grows by 1 at each call of a compiled function that draws
(its `default_update`). A number is a formula of key, count, serial number and its place in its array (`symdl.philox`), so
it does not depend on vector width, threads, or what it is fused with. Gradients do not flow through draws, but through
loc and scale, low and high they do.
"""

from __future__ import annotations

import math
import operator
import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from symdl.config import config
from symdl.errors import DtypeError, InputError, ShapeError, axes, kind_of
from symdl.graph.clock import clocks
from symdl.graph.expr import Expr, as_expr, checked_dtype, constant, described, make
from symdl.ops.declare import cast_to, is_float, spread
from symdl.ops.elementwise import bitwise_and, bitwise_or, cast, ge, gt, lt, where
from symdl.ops.extents import as_shape, expr_of
from symdl.ops.functions import erfinv
from symdl.ops.indexing import take
from symdl.ops.random import PERMUTATION, draw
from symdl.ops.reductions import cumsum
from symdl.ops.reductions import sum as total
from symdl.ops.shaping import expand_dims, iota, one_hot
from symdl.philox import SERIALS
from symdl.runtime.storage import SharedVariable, shared
from symdl.types import Shape, broadcast, show_extent

Sized = Any  # a shape: an int, a sequence of ints and integer expressions, or None
ROOT_HALF = math.erf(math.sqrt(2))  # the probability of |z| < 2


class RandomStream:
    """A source of random numbers for formulas.

        srng = RandomStream(seed=1)
        noise = srng.normal((n, 3))          # an expression
        f = function([x], x + noise)         # each call has noise of its own

    seed: 0 to 2^64 - 1; from the operating system if None. `size` is a shape of ints and integer expressions such as
    x.shape[0]; None stands for the common shape of the parameters. Two functions that draw from one stream take turns in
    its counts. `no_default_updates=True` keeps a function at the same numbers. It pickles, with its state.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.state: SharedVariable = shared(_state(seed), "random state")
        self.state.default_update = self.state + constant([0, 1], "uint64")
        self._serial = 0
        self._lock = threading.Lock()

    # ---- state ----

    def seed(self, seed: int | None = None) -> None:
        """Begin anew with a seed: what has been compiled draws what it would draw of RandomStream(seed)."""
        self.state.set_value(_state(seed))

    def get_state(self) -> tuple[int, int]:
        """(seed, count of calls): all that the next numbers depend on."""
        key, count = self.state.get_value().tolist()
        return key, count

    def set_state(self, state: Sequence[int]) -> None:
        """Go on where get_state was called."""
        key, count = state
        self.state.set_value(np.array([_word(key, "seed"), _word(count, "count")], np.uint64))

    def updates(self) -> list[tuple[SharedVariable, Expr]]:
        """The (state, next state) pairs, for functions made with no_default_updates."""
        assert self.state.default_update is not None  # set with the state
        return [(self.state, self.state.default_update)]

    @property
    def state_updates(self) -> list[tuple[SharedVariable, Expr]]:
        """The same under Theano's name."""
        return self.updates()

    def __getstate__(self) -> dict[str, Any]:
        return {"state": self.state, "_serial": self._serial}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        key, count = self.get_state()
        return f"RandomStream(seed={key}, count={count})"

    # ---- draws ----

    def words(self, size: Sized, bits: int = 32) -> Expr:
        """uint32 or uint64: random bits, as the generator gives them."""
        if bits not in (32, 64):
            raise DtypeError(f"RandomStream.words: {bits} bits; words have 32 or 64")
        return self._draw(f"uint{bits}", as_shape(size, "RandomStream.words"))

    def uniform(
        self, size: Sized = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None, dtype: Any = None
    ) -> Expr:
        """low + (high - low) u, in [low, high), with u = 2^-24 (word >> 8) in float32, 2^-53 (word >> 11) of a word of
        64 bits in float64. dtype: the wider of floatX and the parameters' unless given."""
        name = _float(dtype, low, high, what="uniform")
        shape = _size(size, ndim, "uniform", low, high)
        u = self._unit(name, shape)
        if _is(low, 0) and _is(high, 1):
            return u
        bottom, top = cast_to(low, name), cast_to(high, name)
        if _is(low, 0):
            return u * top  # below top, for a product with u <= 1 - 2^-24 rounds down from it
        x = bottom + u * (top - bottom)
        return where(lt(x, top), x, bottom)  # what rounds up to `high` is moved to the other end

    def normal(
        self, size: Sized = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None, dtype: Any = None,
        *, loc: Any = None, scale: Any = None,
    ) -> Expr:  # fmt: skip
        """avg + std z, z standard normal, |z| <= 6.8 in float32 and 8.6 in float64; loc and scale are NumPy's names.

        z is within 4 ulp of sqrt(-2 ln u) cos t, or sin t, of the same words (`symdl.philox`).
        """
        avg, std = avg if loc is None else loc, std if scale is None else scale
        name = _float(dtype, avg, std, what="normal")
        z = self._draw(name, _size(size, ndim, "normal", avg, std))
        z = z if _is(std, 1) else z * cast_to(std, name)
        return z if _is(avg, 0) else z + cast_to(avg, name)

    def truncated_normal(
        self, size: Sized = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None, dtype: Any = None
    ) -> Expr:
        """avg + std z, z standard normal on condition that |z| < 2: z = sqrt(2) erfinv(u erf(sqrt(2))), u in (-1, 1) an odd
        multiple of 2^-24 (float32) or 2^-53 (float64)."""
        name = _float(dtype, avg, std, what="truncated_normal")
        step = 2.0**-24 if name == "float32" else 2.0**-53
        u = self._unit(name, _size(size, ndim, "truncated_normal", avg, std)) * 2 + (step - 1)
        z = erfinv(u * ROOT_HALF) * math.sqrt(2)
        return z * cast_to(std, name) + cast_to(avg, name)

    def bernoulli(self, size: Sized = None, p: Any = 0.5, ndim: int | None = None, dtype: Any = "bool") -> Expr:
        """Whether an event of probability p happens: word < 2^32 p rounded down, always if p >= 1, never if p <= 0 or
        NaN. bool unless dtype is given."""
        shape = _size(size, ndim, "bernoulli", p)
        return cast(_happens(self._draw("uint32", shape), p), checked_dtype(dtype))

    def binomial(
        self, size: Sized = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None, dtype: Any = "int64"
    ) -> Expr:
        """How often an event of probability p happens in n trials: n words an element, along a last axis."""
        shape, name = _size(size, ndim, "binomial", p), checked_dtype(dtype)
        if isinstance(n, int | np.integer) and n < 0:
            raise InputError(f"RandomStream.binomial: {n} is no number of trials", (), "n counts them, 0 or more.")
        (trials,) = as_shape(n, "RandomStream.binomial")
        if trials == 1:
            return cast(_happens(self._draw("uint32", shape), p), name)
        each = _happens(
            self._draw("uint32", (*shape, trials)), expand_dims(as_expr(p), -1) if as_expr(p).type.shape else p
        )
        return cast(total(cast(each, "int64"), axis=-1), name)

    def integers(
        self, size: Sized = None, low: Any = 0, high: Any = None, ndim: int | None = None, dtype: Any = "int64"
    ) -> Expr:
        """low + floor(2^-64 (high - low) word), a word of 64 bits: in [low, high), or in [0, low) if high is None.

        No number's probability is off by more than 2^-64. Raises ShapeError where high <= low is known.
        """
        low, high = (0, low) if high is None else (low, high)
        shape, name = _size(size, ndim, "integers", low, high), checked_dtype(dtype)
        ends = [operator.index(e) if isinstance(e, int | np.integer) else None for e in (low, high)]
        if ends[0] is not None and ends[1] is not None and ends[0] >= ends[1]:
            raise ShapeError(f"RandomStream.integers: there is no integer n with {ends[0]} <= n < {ends[1]}")
        first, last = _integer(low, "integers"), _integer(high, "integers")
        span: Any = cast(last, "uint64") - cast(first, "uint64")
        small = False
        if ends[0] is not None and ends[1] is not None:
            span = ends[1] - ends[0]
            small = span < 1 << 32
        above = _upper_product(self._draw("uint64", shape), span, small)
        return cast(cast(above, "int64") + first, name)

    def random_integers(
        self, size: Sized = None, low: Any = 0, high: Any = 1, ndim: int | None = None, dtype: Any = "int64"
    ) -> Expr:
        """An integer in low..high, both included, as in Theano."""
        return self.integers(size, low, high + 1, ndim, dtype)

    def multinomial(
        self, size: Sized = None, n: Any = 1, pvals: Any = (0.5, 0.5), ndim: int | None = None, dtype: Any = "int64"
    ) -> Expr:
        """How often each category comes up in n draws: size and then the categories, the last axis of pvals.

        A draw is the category k with pvals[0] + ... + pvals[k-1] <= u < pvals[0] + ... + pvals[k]; the last takes what
        is left. size None: a row for each row of pvals.
        """
        p = _probabilities(pvals)
        shape = _size(size, ndim, "multinomial", p[..., 0])
        (draws,) = as_shape(n, "RandomStream.multinomial")
        if draws == 1:
            return one_hot(self._category(shape, p), p.type.shape[-1], checked_dtype(dtype))
        each = one_hot(self._category((*shape, draws), expand_dims(p, -2)), p.type.shape[-1], "int64")
        return cast(total(each, axis=-2), checked_dtype(dtype))

    def choice(
        self, size: Sized = None, a: Any = 2, replace: bool = True, p: Any = None, ndim: int | None = None,
        dtype: Any = None,
    ) -> Expr:  # fmt: skip
        """Elements of the vector a, or of 0..a-1 if a is a number, with probabilities p (all equal if None).

        replace=False: no element twice, which needs size to be one extent and p to be None: the first of a permutation.
        """
        options = as_expr(a)
        count = options.type.shape[0] if options.type.shape else as_shape(a, "RandomStream.choice")[0]
        shape = _size(size, ndim, "choice")
        if replace and p is None:
            index = self.integers(shape, 0, expr_of(count))
        elif replace:
            p = _probabilities(p)
            gap = p.type.shape[0] - count
            if p.type.ndim != 1 or (isinstance(gap, int) and gap):
                head = f"RandomStream.choice: {show_extent(count)} elements have probabilities of shape {_shown(p.type.shape)}"
                raise ShapeError(head, [described(p)])
            index = self._category(shape, p)
        elif p is None and len(shape) == 1:
            if isinstance(count, int) and isinstance(shape[0], int) and shape[0] > count:
                raise ShapeError(f"RandomStream.choice: {shape[0]} of {count} elements, and none twice")
            index = take(self.permutation(n=expr_of(count)), iota(shape, 0))  # by index: it fails where there are fewer
        else:
            remedy = "Without p and with one axis, replace=False is the beginning of a permutation."
            raise ShapeError("RandomStream.choice: replace=False takes one axis and no p", (), remedy)
        found = take(options, index) if options.type.shape else index
        return found if dtype is None else cast(found, checked_dtype(dtype))

    def permutation(self, size: Sized = None, n: Any = None, ndim: int | None = None, dtype: Any = "int64") -> Expr:
        """0..n-1 in an order of its own for each element of size, along a last axis. n has to be given: NumPy's
        permutation(50) is permutation(n=50), and size comes first in Theano.

        Fisher and Yates, inside out (Durstenfeld 1964): for i = 0, 1, ... the number i changes places with the one at
        j = floor(2^-64 (i + 1) word). n < 2^32.
        """
        if n is None:
            remedy = "permutation(n=50) is one order of 50 numbers, permutation((3,), 50) are three."
            raise InputError("RandomStream.permutation: n, how many numbers are put in order, is missing", (), remedy)
        (count,) = as_shape(n, "RandomStream.permutation")
        shape = (*(_size(size, ndim, "permutation") if size is not None else ()), count)
        word = self._draw("uint64", shape)
        chosen = _upper_product(word, cast(iota(shape, len(shape) - 1) + 1, "uint64"), small=True)
        return cast(make(PERMUTATION, (cast(chosen, "int64"),)), checked_dtype(dtype))

    def shuffle_row_elements(self, x: Any) -> Expr:
        """x, the elements of each row (along the last axis) in an order drawn for that row."""
        x = as_expr(x)
        if not x.type.shape or x.type.ndim > 2:
            raise ShapeError("RandomStream.shuffle_row_elements: takes a vector or a matrix", [described(x)])
        order = self.permutation(x.type.shape[:-1], x.type.shape[-1])
        if x.type.ndim == 1:
            return take(x, order)
        shuffled: Expr = x[iota(order.type.shape, 0), order]
        return shuffled

    # ---- parts ----

    def _draw(self, kind: str, shape: Shape) -> Expr:
        """The next draw of this stream."""
        with self._lock:
            serial = self._serial
            self._serial += 1
        if serial >> SERIALS:
            raise InputError(
                f"RandomStream: more than 2^{SERIALS} draws", (), "Make another stream, with another seed."
            )
        round_ = None  # of the loops that are being written
        for clock in clocks():
            round_ = clock.index if round_ is None else round_ * expr_of(clock.steps) + clock.index
            clock.drawn[self.state] = None
        return draw(kind, self.state[0], self.state[1], serial, shape, round_)

    def _unit(self, dtype: str, shape: Shape) -> Expr:
        """u in [0, 1), a multiple of 2^-24 (float32) or 2^-53 (float64)."""
        if dtype == "float32":
            return cast(self._draw("uint32", shape) >> 8, dtype) * 2.0**-24
        return cast(self._draw("uint64", shape) >> 11, dtype) * 2.0**-53

    def _category(self, shape: Shape, p: Expr) -> Expr:
        """int64: the number of sums p[..., 0] + ... + p[..., k], the last left out, that u reaches."""
        below = cumsum(p, axis=-1)[..., :-1]
        u = expand_dims(self._unit(below.type.dtype, shape), -1)
        return total(cast(ge(u, below), "int64"), axis=-1)


def _state(seed: int | None) -> Any:
    """A fresh state. Raises InputError for what is no seed."""
    return np.array([int.from_bytes(os.urandom(8), "little") if seed is None else _word(seed, "seed"), 0], np.uint64)


def _word(value: Any, what: str) -> int:
    try:
        found = operator.index(value)
    except TypeError:
        raise InputError(f"RandomStream: a {what} is an integer, not {kind_of(value)}") from None
    if not 0 <= found < 1 << 64:
        raise InputError(f"RandomStream: the {what} {found} is not in 0 <= {what} < 2^64")
    return found


def _size(size: Sized, ndim: int | None, what: str, *parameters: Any) -> Shape:
    """A draw's shape: size, or the parameters' common shape. No number may serve two elements: ShapeError if it would."""
    shapes = [as_expr(v).type.shape for v in parameters]
    title = f"RandomStream.{what}"
    shape = broadcast(title, shapes)[0] if size is None else as_shape(size, title)
    if ndim is not None and ndim != len(shape):
        raise ShapeError(f"{title}: size has {axes(len(shape))}, and ndim={ndim}")
    for own, v in zip(shapes, parameters, strict=True):
        wide = len(own) > len(shape) or any(
            n == 1 != m for n, m in zip(shape[len(shape) - len(own) :], own, strict=True)
        )
        if wide:
            parts = [described(v)] if isinstance(v, Expr) else []
            raise ShapeError(f"{title}: a parameter of shape {_shown(own)} does not fit size {_shown(shape)}", parts)
    return shape


def _shown(shape: Shape) -> str:
    return f"({', '.join(map(show_extent, shape))})"


def _float(dtype: Any, *parameters: Any, what: str) -> str:
    """The dtype given, or the wider of floatX and the parameters'."""
    if dtype is None:
        strong = [v for v in parameters if type(v) not in (int, float)]
        return str(np.result_type(config.floatX, *(as_expr(v).type.dtype for v in strong)).name)
    name = checked_dtype(dtype)
    if not is_float(name):
        raise DtypeError(f"RandomStream.{what}: makes floats, not {name}")
    return name


def _integer(value: Any, what: str) -> Expr:
    """An integer parameter as int64."""
    e = as_expr(value)
    if is_float(e.type.dtype) or e.type.dtype == "bool":
        raise DtypeError(f"RandomStream.{what}: takes integers, not {e.type.dtype}", [described(e)])
    return cast(e, "int64")


def _is(value: Any, number: float) -> bool:
    """Whether a parameter is this number as written."""
    return type(value) in (int, float) and value == number


def _probabilities(p: Any) -> Expr:
    """Probabilities along a last axis, as floats."""
    e = as_expr(p)
    if not e.type.shape:
        raise ShapeError("RandomStream: probabilities of categories stand along an axis", [described(e)])
    return e if is_float(e.type.dtype) else cast(e, "float64")


def _happens(word: Expr, p: Any) -> Expr:
    """bool: word < 2^32 p rounded down; always for p >= 1."""
    if isinstance(p, int | float):
        return spread(constant(True), word.type.shape, ()) if p >= 1 else lt(word, int(p * 2.0**32) if p > 0 else 0)
    p = as_expr(p)
    p = p if is_float(p.type.dtype) else cast(p, "float64")
    inside = bitwise_and(gt(p, 0), lt(p, 1))
    limit = cast(where(inside, p, cast(0, p.type.dtype)) * 2.0**32, "uint32")
    return bitwise_or(lt(word, limit), ge(p, 1))


def _upper_product(word: Any, span: Any, small: bool) -> Any:
    """floor(2^-64 word span) for uint64; small: span < 2^32."""
    upper, lower = word >> 32, word & 0xFFFFFFFF
    if small:
        return (upper * span + (lower * span >> 32)) >> 32
    high, low = span >> 32, span & 0xFFFFFFFF
    middle = upper * low + (lower * low >> 32)
    other = lower * high + (middle & 0xFFFFFFFF)
    return upper * high + (middle >> 32) + (other >> 32)


RandomStreams = MRG_RandomStreams = RandomStream  # Theano's names
