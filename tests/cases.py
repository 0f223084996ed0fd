"""The table of cases: each op that is not elementwise, as users reach it, beside NumPy's way of saying the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from agree import Case
from cases_linalg import LINALG

import symdl
import symdl.tensor as T
from symdl import convolution
from symdl.graph.expr import OPS, make
from symdl.ops.identities import copied


def _accumulated(x: Any) -> Any:
    """float32 is summed as float64, and small integers as 64-bit ones."""
    return x.astype("float64") if x.dtype == np.float32 else x


def _sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.asarray(np.sum(_accumulated(x), axis=axis, keepdims=keepdims))


def _set(x: Any, index: Any, v: Any) -> Any:
    out = x.copy()
    out[index] = v
    return out


def _inc(x: Any, index: Any, v: Any) -> Any:
    out = x.copy()
    np.add.at(out, index, v)
    return out


def _softmax(x: Any, axis: Any) -> Any:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _onehot(n: Any, classes: int) -> Any:
    return (n[..., None] == np.arange(classes)).astype("float64")


M = ((3, 4),)
VIEWS = [
    Case("transpose", lambda x: x.T, np.transpose, M),
    Case("transpose axes", lambda x: x.transpose(1, 2, 0), lambda x: x.transpose(1, 2, 0), [(2, 3, 4)]),
    Case("dimshuffle", lambda x: x.dimshuffle(1, "x", 0), lambda x: x.T[:, None], M),
    Case("dimshuffle drops", lambda x: x.dimshuffle(1), lambda x: x[0], [(1, 4)]),
    Case("swapaxes", lambda x: x.swapaxes(0, -1), lambda x: x.swapaxes(0, -1), [(2, 3, 4)]),
    Case("moveaxis", lambda x: T.moveaxis(x, (0, 1), (-1, 0)), lambda x: np.moveaxis(x, (0, 1), (-1, 0)), [(2, 3, 4)]),
    Case("expand_dims", lambda x: T.expand_dims(x, (0, 2)), lambda x: np.expand_dims(x, (0, 2)), M),
    Case("squeeze", lambda x: x.squeeze(), np.squeeze, [(1, 3, 1)]),
    Case("broadcast_to", lambda x: T.broadcast_to(x, (2, 3, 4)), lambda x: np.broadcast_to(x, (2, 3, 4)), [(3, 1)]),
    Case("slice", lambda x: x[1:, ::-2], lambda x: x[1:, ::-2], M),
    Case("slice empty", lambda x: x[2:1, 5:], lambda x: x[2:1, 5:], M),
    Case("index", lambda x: x[-1, 2], lambda x: x[-1, 2], M),
    Case("flip", lambda x: T.flip(x, 1), lambda x: np.flip(x, 1), M),
    Case("pad", lambda x: T.pad(x, ((1, 0), (2, 3))), lambda x: np.pad(x, ((1, 0), (2, 3))), M),
    Case("tile", lambda x: T.tile(x, (2, 3, 1)), lambda x: np.tile(x, (2, 3, 1)), M),
    Case("tile none", lambda x: T.tile(x, (0, 2)), lambda x: np.tile(x, (0, 2)), M),
    Case("repeat", lambda x: x.repeat(3, 0), lambda x: x.repeat(3, 0), M),
    Case("repeat flat", lambda x: x.repeat(2), lambda x: x.repeat(2), M),
    Case("reshape", lambda x: x.reshape((2, -1)), lambda x: x.reshape(2, -1), M),
    Case("reshape pairs", lambda x: x.reshape((-1, 2, 2)), lambda x: x.reshape(-1, 2, 2), M),
    Case("flatten", lambda x: x.flatten(2), lambda x: x.reshape(len(x), x[0].size), [(2, 3, 4)]),
    Case("empty reshape", lambda x: x.reshape((0, 7)), lambda x: x.reshape(0, 7), [(0, 4)]),
    Case("roll", lambda x: T.roll(x, -3, 1), lambda x: np.roll(x, -3, 1), M),
    Case("diagonal", lambda x: T.diagonal(x, 1), lambda x: np.diagonal(x, 1), M),
    Case("diagonals", lambda x: x.diagonal(-1, 2, 0), lambda x: x.diagonal(-1, 2, 0), [(3, 2, 4)]),
    Case("roll flat", lambda x: T.roll(x, -3), lambda x: np.roll(x, -3), M),
    Case("diag of a vector", lambda x: T.diag(x, -1), lambda x: np.diag(x, -1), [(3,)]),
    Case("tril", lambda x: T.tril(x, -1), lambda x: np.tril(x, -1), M),
    Case("triu", lambda x: T.triu(x), np.triu, [(2, 3, 4)]),
    Case("hypot", lambda x: T.hypot(x, x[::-1]), lambda x: np.sqrt(x * 1.0 * x + x[::-1] * 1.0 * x[::-1]).astype(np.hypot(x, x).dtype), M, exact=False),
    Case("average", lambda x: [T.average(x, 0, [1.0, 2.5]), T.average(x), T.average(x, weights=x**2 + 1)],
         lambda x: [np.average(x, 0, [1.0, 2.5]), np.average(x), np.average(x, weights=x**2 + 1)], [(2, 3)], exact=False),
    Case("count_nonzero", lambda x: [T.count_nonzero(x > 1), T.count_nonzero(x - x[0], 1)], lambda x: [np.count_nonzero(x > 1), np.count_nonzero(x - x[0], 1)], [(2, 3)]),
    Case("diff", lambda x: T.diff(x, 2), lambda x: np.diff(x, 2), [(2, 5)]),
]  # fmt: skip
JOINS = [
    Case("concatenate", lambda x, y: T.concatenate([x, y, x], 1), lambda x, y: np.concatenate([x, y, x], 1), [(3, 4), (3, 1)]),
    Case("join", lambda x, y: T.join(0, x, y), lambda x, y: np.concatenate([x, y]), [(2, 4), (0, 4)]),
    Case("stack", lambda x, y: T.stack([x, y], -1), lambda x, y: np.stack([x, y], -1), [(3, 4), (3, 4)]),
    Case("split", lambda x: T.split(x, 3, 1), lambda x: np.split(x, 3, 1), [(2, 6)]),
    Case("split at", lambda x: T.split(x, [1, 4]), lambda x: np.split(x, [1, 4]), [(5, 2)]),
    Case("hstack", lambda x, y: T.hstack([x, y]), lambda x, y: np.hstack([x, y]), [(3, 4), (3, 2)]),
    Case("vstack", lambda x, y: T.vstack([x, y]), lambda x, y: np.vstack([x, y]), [(3, 4), (4,)]),
]  # fmt: skip
POSITIONS = [
    Case("arange", lambda x: x * T.arange(x.shape[0]).astype(x.dtype), lambda x: x * np.arange(len(x)).astype(x.dtype), [(4,)]),
    Case("extent", lambda x: x * T.cast(x.shape[0], x.dtype), lambda x: x * np.asarray(len(x), x.dtype), M),
    Case("eye", lambda x: T.eye(x.shape[0], x.shape[1], 1), lambda x: np.eye(x.shape[0], x.shape[1], 1), M),
    Case("ones_like", lambda x: T.ones_like(x) + T.zeros_like(x), np.ones_like, M),
    Case("one_hot", lambda n: T.one_hot(n, 4), lambda n: _onehot(n, 4), [(2, 3)], integers=(0,)),
    Case("linspace", lambda x: x * T.linspace(0, 1, 5).astype(x.dtype), lambda x: x * np.linspace(0, 1, 5).astype(x.dtype),
         [(5,)], exact=False),
]  # fmt: skip
INDEXED = [
    Case("gather", lambda x, n: x[n], lambda x, n: x[n], [(3, 4), (5,)], integers=(1,)),
    Case("gather axis 1", lambda x, n: x[:, n], lambda x, n: x[:, n], [(2, 3), (2, 2)], integers=(1,)),
    Case("gather apart", lambda x, n, m: x[n, :, m], lambda x, n, m: x[n, :, m], [(3, 2, 3), (4,), (2, 1)], integers=(1, 2)),
    Case("take", lambda x, n: T.take(x, n - 1, 1), lambda x, n: np.take(x, n - 1, 1), [(2, 3), (4,)], integers=(1,)),
    Case("take flat", lambda x, n: T.take(x, n), lambda x, n: np.take(x, n), [(2, 3), (4,)], integers=(1,)),
    Case("one a row", lambda x, n: x[T.arange(n.shape[0]), n], lambda x, n: x[np.arange(len(x)), n], [(4, 3), (4,)], integers=(1,)),
    Case("set", lambda x, v: T.set_subtensor(x[1:, ::2], v), lambda x, v: _set(x, np.s_[1:, ::2], v), [(3, 4), (2, 1)]),
    Case("inc", lambda x, v: T.inc_subtensor(x[::-2, 1], v), lambda x, v: _inc(x, np.s_[::-2, 1], v), [(3, 4), (2,)]),
    Case("scatter set", lambda x, v: T.set_subtensor(x[[2, 0]], v), lambda x, v: _set(x, [2, 0], v), [(3, 4), (2, 4)]),
    Case("scatter add", lambda x, v, n: T.inc_subtensor(x[n], v), lambda x, v, n: _inc(x, n, v), [(3, 2), (5, 2), (5,)],
         integers=(2,)),
]  # fmt: skip
REDUCTIONS = [
    Case("sum", lambda x: x.sum(), _sum, M),
    Case("sum axis", lambda x: x.sum(axis=(0, -1), keepdims=True), lambda x: _sum(x, (0, -1), True), [(2, 3, 4)]),
    Case("sum of none", lambda x: x.sum(axis=0), lambda x: _sum(x, 0), [(0, 3)]),
    Case("prod", lambda x: x.prod(axis=1), lambda x: np.prod(_accumulated(x), axis=1), [(3, 3)]),
    Case("max", lambda x: x.max(axis=1), lambda x: x.max(axis=1), M),
    Case("min", lambda x: x.min(axis=0, keepdims=True), lambda x: x.min(axis=0, keepdims=True), M),
    Case("max all", lambda x: T.max(x), np.max, M),
    Case("max_and_argmax", lambda x: T.max_and_argmax(x, 1), lambda x: (x.max(1), x.argmax(1)), M),
    Case("min_and_argmin", lambda x: [x.argmin(), x.min()], lambda x: [x.argmin(), x.min()], M),
    Case("argmax", lambda x: x.argmax(0, keepdims=True), lambda x: x.argmax(0, keepdims=True), M),
    Case("ptp", lambda x: T.ptp(x, 1), lambda x: np.ptp(x, 1), M),
    Case("any", lambda x: [(x > 1).any(), T.any(x, axis=0)], lambda x: [(x > 1).any(), x.any(axis=0)], M),
    Case("all", lambda x: [(x > -1).all(1), T.all(x)], lambda x: [(x > -1).all(1), x.all()], M),
    Case("mean", lambda x: x.mean(axis=1), lambda x: _accumulated(x).mean(axis=1), M, exact=False),
    Case("var", lambda x: x.var(axis=0, ddof=1), lambda x: x.var(axis=0, ddof=1), M, exact=False),
    Case("std", lambda x: x.std(keepdims=True), lambda x: x.std(keepdims=True), M, exact=False),
    Case("cumsum", lambda x: [x.cumsum(), x.cumsum(1)], lambda x: [_accumulated(x).cumsum(), _accumulated(x).cumsum(1)], M),
    Case("norm", lambda x: T.norm(x, axis=1), lambda x: np.sqrt(np.square(x * 1.0).sum(1)), M, exact=False),
    Case("trace", lambda x: T.trace(x), lambda x: _sum(np.diagonal(x)), [(3, 3)]),
    Case("traces", lambda x: x.trace(1, 0, 2), lambda x: _sum(x.diagonal(1, 0, 2), -1), [(3, 2, 4)]),
    Case("softmax", lambda x: T.softmax(x), lambda x: _softmax(x, -1), M, exact=False),
    Case("softmax all", lambda x: T.softmax(x, (0, 1)), lambda x: _softmax(x, (0, 1)), M, exact=False),
    Case("log_softmax", lambda x: T.log_softmax(x, 0), lambda x: np.log(_softmax(x, 0)), M, exact=False),
    Case("logsumexp", lambda x: T.logsumexp(x, 1, keepdims=True), lambda x: np.log(np.exp(x).sum(1, keepdims=True)), M,
         exact=False),
    Case("crossentropy", lambda x, n: T.categorical_crossentropy(T.softmax(x), n),
         lambda x, n: -np.log(_softmax(x, -1)[np.arange(len(x)), n]), [(4, 3), (4,)], integers=(1,), exact=False),
    Case("crossentropy of rows", lambda x, t: T.categorical_crossentropy(T.softmax(x), t),
         lambda x, t: -(t * np.log(_softmax(x, -1))).sum(1), [(4, 3), (4, 3)], exact=False),
]  # fmt: skip
CONTRACTIONS = [
    Case("dot", lambda x, y: T.dot(x, y), np.dot, [(3, 4), (4, 2)], exact=False),
    Case("matrix vector", lambda x, y: x @ y, np.dot, [(3, 4), (4,)], exact=False),
    Case("vector matrix", lambda x, y: x @ y, np.dot, [(3,), (3, 4)], exact=False),
    Case("inner product", lambda x, y: x @ y, np.dot, [(5,), (5,)], exact=False),
    Case("dot of stacks", lambda x, y: T.dot(x, y), np.dot, [(2, 3, 4), (5, 4, 2)], exact=False),
    Case("scalar dot", lambda x, y: T.dot(x, y), np.dot, [(), (2, 2)]),
    Case("matmul", lambda x, y: x @ y, np.matmul, [(2, 1, 3, 4), (5, 4, 2)], exact=False),
    Case("matmul vector", lambda x, y: x @ y, np.matmul, [(4,), (2, 4, 3)], exact=False),
    Case("batched_dot", T.batched_dot, np.matmul, [(2, 3, 4), (2, 4, 3)], exact=False),
    Case("tensordot", lambda x, y: T.tensordot(x, y, [[0, 2], [1, 0]]), lambda x, y: np.tensordot(x, y, ((0, 2), (1, 0))),
         [(2, 3, 4), (4, 2, 5)], exact=False),
    Case("tensordot 0", lambda x, y: T.tensordot(x, y, 0), lambda x, y: np.tensordot(x, y, 0), [(2,), (3,)]),
    Case("outer", T.outer, np.outer, [(2,), (3, 2)]),
    Case("inner", T.inner, np.inner, [(2, 3), (4, 3)], exact=False),
    Case("vdot", T.vdot, np.vdot, [(2, 3), (6,)], exact=False),
    Case("einsum", lambda x, y: T.einsum("nij,jn->ni", x, y), lambda x, y: np.einsum("nij,jn->ni", x, y), [(2, 3, 4), (4, 2)],
         exact=False),
    Case("einsum of one", lambda x: T.einsum("ijk->kj", x), lambda x: _sum(x, 0).T, [(2, 3, 4)], exact=False),
    Case("dot of none", T.dot, np.dot, [(3, 0), (0, 2)]),
]  # fmt: skip
IDENTITIES = [
    Case("disconnected_grad", lambda x: x + T.disconnected_grad(x) * 0, lambda x: x + x * 0, M),
    Case("assume", lambda x: T.assume(x, lower=-1e9, finite=True) * 2, lambda x: x * 2, M),
    Case("copy", lambda x: x + copied(x), lambda x: x + x, M),
    Case("zero_grad", lambda x: x + T.zero_grad(x) * 0, lambda x: x + x * 0, M),
    Case("grad_scale", lambda x: T.grad_scale(x * x, 1.0) * 2, lambda x: x * x * 2, M),
    Case("grad_clip", lambda x: T.grad_clip(x, -9, 9) * 2, lambda x: x * 2, M),
]
SORTED = [
    Case("sort", lambda x: [x.sort(), T.sort(x, 0), T.sort(x, None)], lambda x: [np.sort(x), np.sort(x, 0), np.sort(x, None)], M),
    Case("argsort", lambda x: x.argsort(0), lambda x: np.argsort(x, 0, kind="stable"), M),
    Case("topk", lambda x: T.topk_and_argtopk(x, 2, 0), lambda x: (np.sort(x, 0)[:-3:-1], np.flip(np.argsort(x, 0), 0)[:2]), M),
    Case("smallest", lambda x: T.topk(x, -2), lambda x: np.sort(x)[:, :2], M),
    Case("median", lambda x: [T.median(x), T.median(x, 1, True)], lambda x: [np.median(x), np.median(x, 1, keepdims=True)], M,
         exact=False),
    Case("searchsorted", lambda x, v: T.searchsorted(T.sort(x), v, "right"), lambda x, v: np.searchsorted(np.sort(x), v, "right"),
         [(5,), (2, 3)]),
    Case("take_along_axis", lambda x, n: T.take_along_axis(x, n, 0), lambda x, n: np.take_along_axis(x, n, 0), [(3, 4), (2, 4)],
         integers=(1,)),
]  # fmt: skip


def _recurrence(a: Any, g: Any) -> Any:
    out = g * 1
    for k in range(1, len(g)):
        out[k] = g[k] + a[k] * out[k - 1]
    return out


GRIDS = [
    Case("cumprod", lambda x: [x.cumprod(), T.cumprod(x, 1)], lambda x: [_accumulated(x).cumprod(), _accumulated(x).cumprod(1)], M,
         exact=False),
    Case("cumprod of zeros", lambda x, n: T.cumprod(x * n, 0), lambda x, n: _accumulated(x * n).cumprod(0), [(4, 3), (4, 3)],
         integers=(1,), exact=False),
    Case("linear_recurrence", lambda a, g: make(OPS["linear_recurrence"], (a, g), axis=0),
         _recurrence, [(3, 2), (3, 2)], exact=False),
    Case("choose", lambda n, x: T.choose(n % 2, [x, x * 2]), lambda n, x: np.choose(n % 2, [x, x * 2]), [(4,), (3, 4)], integers=(0,)),
    Case("fill_diagonal", lambda x, v: [T.fill_diagonal(x, v), T.fill_diagonal_offset(x, v, 1)],
         lambda x, v: [np.where(np.eye(x.shape[0], x.shape[1], k, dtype=bool), v, x) for k in (0, 1)], [(3, 4), ()]),
    Case("pad edge", lambda x: T.pad(x, ((2, 1), (0, 3)), "edge"), lambda x: np.pad(x, ((2, 1), (0, 3)), "edge"), M),
    Case("pad reflect", lambda x: T.pad(x, ((2, 1), (5, 3)), "reflect"), lambda x: np.pad(x, ((2, 1), (5, 3)), "reflect"), M),
    Case("pad symmetric", lambda x: T.pad(x, ((4, 1), (0, 3)), "symmetric"), lambda x: np.pad(x, ((4, 1), (0, 3)), "symmetric"), M),
    Case("pad wrap", lambda x: T.pad(x, ((4, 1), (0, 3)), "wrap"), lambda x: np.pad(x, ((4, 1), (0, 3)), "wrap"), M),
    Case("meshgrid", lambda x, y: [*T.meshgrid(x, y), *T.meshgrid(x, y, indexing="ij")],
         lambda x, y: [*np.meshgrid(x, y), *np.meshgrid(x, y, indexing="ij")], [(3,), (2,)]),
    Case("indices", lambda n: [*T.unravel_index(n, (3, 4)), *T.unravel_index(n, (3, 4), "F"),
                               T.ravel_multi_index((n, n), (3, 4)), T.ravel_multi_index((n, n + 3), (3, 4), "wrap", "F"),
                               T.ravel_multi_index((n, n + 3), (3, 4), "clip")],
         lambda n: [*np.unravel_index(n, (3, 4)), *np.unravel_index(n, (3, 4), "F"), np.ravel_multi_index((n, n), (3, 4)),
                    np.ravel_multi_index((n, n + 3), (3, 4), "wrap", "F"), np.ravel_multi_index((n, n + 3), (3, 4), "clip")],
         [(5,)], integers=(0,), floats=False),
    Case("grids", lambda n: [*T.mgrid[0:3, 1:9:2], *T.ogrid[: n[0] * 0 + 2, 1:4], T.tri(3, 4, 1) * n[0], T.tril_indices(3)[0]],
         lambda n: [*np.mgrid[0:3, 1:9:2], *np.ogrid[:2, 1:4], np.tri(3, 4, 1) * n[0], np.tril_indices(3)[0]], [(5,)],
         integers=(0,), floats=False),
]  # fmt: skip
COUNTED = [
    Case("compress", lambda x: [T.compress(x[0] > 0, x, 1), T.compress(x[:, 0] > 0, x)],
         lambda x: [np.compress(x[0] > 0, x, 1), np.compress(x[:, 0] > 0, x)], M),
    Case("repeat each", lambda x, n: T.repeat(x, n, 0), lambda x, n: np.repeat(x, n, 0), [(3, 2), (3,)], integers=(1,)),
    Case("nonzero", lambda x: [*T.nonzero(x > 0), T.flatnonzero(x > 0)], lambda x: [*np.nonzero(x > 0), np.flatnonzero(x > 0)], M),
    Case("nonzero_values", lambda x: T.nonzero_values(x), lambda x: x[np.nonzero(x)], M),
    Case("mask", lambda x: [x[x > 0], x[1, x[1] > 0], x[None, :, x[1] > 0]],
         lambda x: [x[x > 0], x[1, x[1] > 0], x[None, :, x[1] > 0]], M),
    Case("mask set", lambda x, v: [T.set_subtensor(x[x > 0], v), T.inc_subtensor(x[x[:, 0] > 0], v)],
         lambda x, v: [np.where(x > 0, v, x), np.where(x[:, :1] > 0, x + v, x)], [(3, 4), ()]),
    Case("mask inc", lambda x: T.inc_subtensor(x[x > 0], x[x > 0]), lambda x: np.where(x > 0, x + x, x), M),
    Case("unique", lambda x: T.unique(x, True, True, True), lambda x: np.unique(x, True, True, True), [(5,)]),
    Case("bincount", lambda n, w: [T.bincount(n), T.bincount(n, w, 5)], lambda n, w: [np.bincount(n), np.bincount(n, w * 1.0, 5)],
         [(6,), (6,)], integers=(0,), exact=False),
    Case("sizes from data", lambda x, n: [x[: n.sum() - 1], x[-n[0] - 1 :], T.zeros((n.max(), 2)) + x[0]],
         lambda x, n: [x[: n.sum() - 1], x[-n[0] - 1 :], np.zeros((n.max(), 2)) + x[0]], [(5,), (3,)], integers=(1,)),
]  # fmt: skip


def _running(x: Any) -> Any:
    rows, state = [], np.zeros_like(x[0])
    for row in x:
        state = row - state
        rows.append(state)
    return np.stack(rows)


CONTROL = [
    Case("scan", lambda x: symdl.scan(lambda row, s: row - s, x, T.zeros_like(x[0]))[0], _running, M),
    Case("ifelse", lambda x: symdl.ifelse(x[0, 0] > 0, x * 2, x + 1), lambda x: x * 2 if x[0, 0] > 0 else x + 1, M),
]


def _pooled(x: Any, fold: Any) -> Any:
    """Windows of 2 x 3 side by side."""
    rows, columns = x.shape[-2] // 2, x.shape[-1] // 3
    cut = x[..., : 2 * rows, : 3 * columns].reshape(*x.shape[:-2], rows, 2, columns, 3)
    return fold(cut, axis=(-3, -1))


def _sliding(x: Any, size: int) -> Any:
    return np.lib.stride_tricks.sliding_window_view(x, size, -1)


def _twice(x: Any) -> Any:
    """Twice as many places along the last two axes, linearly between them."""
    x = x * 1.0
    for axis in (2, 3):
        after = np.concatenate([np.delete(x, 0, axis), np.take(x, [-1], axis)], axis)
        x = np.stack([x, (x + after) / 2], axis + 1).reshape(*x.shape[:axis], -1, *x.shape[axis + 1 :])
    return x


def _around(x: Any) -> Any:
    """x with one place of 0 on either side of its last two axes."""
    return np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))


CONVOLVED = [
    Case("convolve", lambda x, f: T.conv2d(x, f, border_mode=1, subsample=(2, 1), num_groups=2),
         lambda x, f: convolution.convolve(_around(x), f, (2, 1), (-1, -1), 2), [(2, 4, 4, 3), (2, 2, 3, 2)]),
    Case("convolve_filters", lambda x, y: make(OPS["convolve_filters"], (x, y), steps=(1,), spacing=(1,), groups=1, shape=(2,)),
         lambda x, y: convolution.convolve_filters(x, y, (1,), (1,), 1, (2,)), [(2, 2, 4), (2, 3, 3)]),
    Case("convolve_images", lambda y, f: T.conv1d_transpose(y, f, input_dilation=2, filter_flip=False),
         lambda y, f: convolution.convolve_images(f, y, (2,), (1,), 1, (6,)), [(2, 3, 3), (3, 2, 2)]),
    Case("unshared", lambda x, f: T.conv1d(x, f, unshared=True, filter_flip=False),
         lambda x, f: np.einsum("ncyu,oycu->noy", _sliding(x, 2), f), [(2, 2, 4), (2, 3, 2, 2)], exact=False),
    Case("pool", lambda x: [T.pool_2d(x, (2, 3)), T.pool_2d(x, (2, 3), mode="sum")],
         lambda x: [_pooled(x, np.max), _pooled(x, np.sum)], [(2, 5, 6)], exact=False),
    Case("pool overlapping", lambda x: T.pool_1d(x, 3, stride=1, pad=1),
         lambda x: np.stack([x[:, max(k - 1, 0) : k + 2].max(1) for k in range(x.shape[1])], 1), [(2, 4)]),
    Case("pool of large windows", lambda x: [T.pool_1d(x, 17, stride=2), T.pool_1d(x, 17, stride=2, mode="sum")],
         lambda x: [_sliding(x, 17)[:, ::2].max(-1), _sliding(x, 17)[:, ::2].sum(-1)], [(2, 20)], exact=False),
    Case("covering", lambda w: make(OPS["covering"], (w,), axis=0, start=-1, step=1, spacing=1, extent=4, fill=0),
         lambda w: np.array([[w[1, 0], w[0, 1]], [w[2, 0], w[1, 1]], [0, w[2, 1]], [0, 0]], w.dtype), [(3, 2)]),
    Case("interleave", lambda x, y: make(OPS["interleave"], (x, y), axis=1, extent=5),
         lambda x, y: np.insert(x, (1, 2), y, axis=1), [(2, 3), (2, 2)]),
    Case("images2neibs", lambda x: T.images2neibs(x, (1, 2), (1, 1)),
         lambda x: _sliding(x, 2).reshape(-1, 2), [(2, 1, 3, 4)]),
    Case("bilinear_upsampling", lambda x: T.bilinear_upsampling(x, 2), _twice, [(1, 2, 2, 3)], exact=False),
]  # fmt: skip
CASES = (
    CONTROL
    + CONVOLVED
    + IDENTITIES
    + VIEWS
    + JOINS
    + POSITIONS
    + INDEXED
    + REDUCTIONS
    + CONTRACTIONS
    + SORTED
    + GRIDS
    + COUNTED
    + LINALG
)
