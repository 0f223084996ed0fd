"""Connectionist temporal classification (Graves and others 2006): theano.tensor.nnet.ctc, as formulas instead of a library."""

from __future__ import annotations

from typing import Any

import symdl.tensor as T
from symdl.control import scan
from symdl.graph.expr import Expr
from symdl.theano.values import as_tensor_variable

NEVER = -1e30  # the logarithm of the probability of what cannot be; finite, so that differences of two are no NaN


def ctc(activations: Any, labels: Any, input_lengths: Any) -> Expr:
    """For each example minus the log-probability of its labels: a sum over all ways to spread them over time.

    activations: (time, example, class), of which the softmax is taken; class 0 is the blank. labels: (example, place),
    rows filled up with numbers below 0. input_lengths: so many times of each example count.
    """
    x, y, lengths = as_tensor_variable(activations), as_tensor_variable(labels), as_tensor_variable(input_lengths)
    log_p = T.log_softmax(x, axis=2)
    known = T.ge(y, 0)
    count = T.sum(T.cast(known, "int64"), axis=1)
    y = T.where(known, y, 0)
    rows, places = y.shape
    blanks = T.zeros_like(y)
    states = T.concatenate([T.stack([blanks, y], axis=2).reshape((rows, 2 * places)), blanks[:, :1]], axis=1)
    row = T.arange(rows)
    far = T.concatenate(
        [T.zeros((rows, 2), "bool"), T.and_(T.ne(states[:, 2:], 0), T.ne(states[:, 2:], states[:, :-2]))], 1
    )
    never = T.full((rows, 2), NEVER, x.dtype)

    def step(now: Expr, time: Expr, before: Expr) -> Expr:
        near = T.concatenate([never[:, :1], before[:, :-1]], axis=1)
        skipped = T.where(far, T.concatenate([never, before[:, :-2]], axis=1), NEVER)
        paths = T.logaddexp(T.logaddexp(before, near), skipped)
        return T.where(T.lt(time, lengths)[:, None], paths + now[row[:, None], states], before)

    place = T.arange(2 * places + 1)
    begun = T.cast(T.broadcast_to(T.where(T.eq(place, 0), 0.0, NEVER), (rows, 2 * places + 1)), x.dtype)
    # the state before the first time is that of a blank from which nothing but the first two states is near
    every, _ = scan(step, [log_p, T.arange(x.shape[0])], begun)
    last = every[-1]
    whole = last[row, 2 * count]
    return -T.logaddexp(whole, T.where(T.gt(count, 0), last[row, T.maximum(2 * count - 1, 0)], NEVER))
