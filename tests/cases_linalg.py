"""Cases of linear algebra, as in `cases`."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from agree import Case

import symdl.tensor as T


def _of(x: Any) -> Any:
    """A symmetric and positive definite matrix made of any."""
    return x @ x.swapaxes(-1, -2) + T.eye(x.type.shape[-1], dtype=x.dtype)


def _norms(a: Any) -> list[Any]:
    return [
        np.linalg.norm(a, axis=(0, 2)),
        np.linalg.norm(a, 1, axis=(2, 0), keepdims=True),
        np.linalg.norm(a),
        np.linalg.norm(a[0], "nuc"),
        np.linalg.norm(a[0, 0], 1, axis=0, keepdims=True),
    ]


def _spd(x: Any) -> Any:
    """The same in NumPy."""
    return x @ x.swapaxes(-1, -2) + np.eye(x.shape[-1]).astype(x.dtype if x.dtype.kind == "f" else "float64")


S = ((3, 3),)
B = ((2, 3, 3),)
LINALG = [
    Case("solve", lambda a, b: T.linalg.solve(_of(a), b), lambda a, b: np.linalg.solve(_spd(a), b), [(3, 3), (3, 2)], exact=False),
    Case("solve vector", lambda a, b: T.linalg.solve(_of(a), b, "pos"), lambda a, b: np.linalg.solve(_spd(a), b),
         [(3, 3), (3,)], exact=False),
    Case("solve batches", lambda a, b: T.linalg.solve(_of(a), b), lambda a, b: np.linalg.solve(_spd(a), b),
         [(2, 3, 3), (1, 3, 2)], exact=False),
    Case("solve_triangular", lambda a, b: T.linalg.solve_triangular(T.tril(a, -1) + 2 * T.eye(3), b, lower=True),
         lambda a, b: np.linalg.solve(np.tril(a, -1) + 2 * np.eye(3), b), [(3, 3), (3, 2)], exact=False),
    Case("solve_triangular turned", lambda a, b: T.linalg.solve_triangular(T.tril(a, -1) + 2 * T.eye(3), b, 1, True),
         lambda a, b: np.linalg.solve(np.tril(a, -1).T + 2 * np.eye(3), b), [(3, 3), (3,)], exact=False),
    Case("solve_triangular unit", lambda a, b: T.linalg.solve_triangular(a, b, unit_diagonal=True),
         lambda a, b: np.linalg.solve(np.triu(a, 1) + np.eye(3), b), [(3, 3), (3, 2)], exact=False),
    Case("cho_solve", lambda a, b: T.linalg.cho_solve((T.linalg.cholesky(_of(a), False), False), b),
         lambda a, b: np.linalg.solve(_spd(a), b), [(3, 3), (3,)], exact=False),
    Case("inverse", lambda a: T.linalg.inv(_of(a)), lambda a: np.linalg.inv(_spd(a)), B, exact=False),
    Case("cholesky", lambda a: T.linalg.cholesky(_of(a)), lambda a: np.linalg.cholesky(_spd(a)), B, exact=False),
    Case("determinants", lambda a: [T.linalg.det(_of(a)), T.log(T.linalg.det(_of(a))), T.linalg.slogdet(_of(a))[1]],
         lambda a: [np.linalg.det(_spd(a)), np.linalg.slogdet(_spd(a))[1], np.linalg.slogdet(_spd(a))[1]], B, exact=False),
    Case("eigh", lambda a: [T.linalg.eigh(_of(a))[0], abs(T.linalg.eigh(_of(a))[1])],
         lambda a: [np.linalg.eigh(_spd(a))[0], abs(np.linalg.eigh(_spd(a))[1])], B, exact=False),
    Case("svd", lambda a: [T.linalg.svd(a)[1], abs(T.linalg.svd(a)[0]), abs(T.linalg.svd(a)[2]), T.linalg.svdvals(a)],
         lambda a: [np.linalg.svd(a)[1], *(abs(v) for v in np.linalg.svd(a, full_matrices=False)[::2]), np.linalg.svd(a)[1]],
         [(2, 4, 3)], exact=False),
    Case("svd wide", lambda a: [T.linalg.svd(a)[1], abs(T.linalg.svd(a)[0]), abs(T.linalg.svd(a)[2])],
         lambda a: [np.linalg.svd(a)[1], *(abs(v) for v in np.linalg.svd(a, full_matrices=False)[::2])], [(2, 4)], exact=False),
    Case("qr", lambda a: T.linalg.qr(a), np.linalg.qr, [(2, 4, 3)], exact=False),
    Case("qr square", lambda a: T.linalg.qr(a), np.linalg.qr, S, exact=False),
    Case("pinv", lambda a: T.linalg.pinv(a), np.linalg.pinv, [(4, 3)], exact=False),
    Case("pinv wide", lambda a: T.linalg.pinv(a), np.linalg.pinv, [(2, 4)], exact=False),
    Case("lstsq", lambda a, b: T.linalg.lstsq(a, b), lambda a, b: np.linalg.lstsq(a * 1.0, b * 1.0)[0], [(5, 3), (5, 2)], exact=False),
    Case("lstsq wide", lambda a, b: T.linalg.lstsq(a, b), lambda a, b: np.linalg.lstsq(a * 1.0, b * 1.0)[0], [(2, 4), (2,)],
         exact=False),
    Case("expm", lambda a: T.linalg.expm(a / 4), lambda a: scipy.linalg.expm(a / 4), S, exact=False),
    Case("matrix_power", lambda a: [T.linalg.matrix_power(a, 3), T.linalg.matrix_power(_of(a), -1), T.linalg.matrix_power(a, 0)],
         lambda a: [a @ a @ a * 1.0, np.linalg.inv(_spd(a)), np.eye(len(a))], S, exact=False),
    Case("kron", lambda a, b: T.kron(a, b), np.kron, [(2, 3), (3, 2)]),
    Case("block_diag", lambda a, b: T.linalg.block_diag(a, b), scipy.linalg.block_diag, [(2, 3), (1, 2)]),
    Case("norms of vectors", lambda a: [T.linalg.norm(a, k, 1) for k in (None, 1, 2, 3, 0.5, np.inf, -np.inf, 0)],
         lambda a: [np.linalg.norm(a * 1.0, k, 1) for k in (None, 1, 2, 3, 0.5, np.inf, -np.inf, 0)], [(3, 4)], exact=False),
    Case("norms as NumPy's", _norms, lambda a: _norms(a * 1.0), [(3, 4, 2)], exact=False),
    Case("matrix norms", lambda a: [T.linalg.matrix_norm(a, k) for k in ("fro", "nuc", 2, -2, 1, np.inf)],
         lambda a: [np.linalg.norm(a * 1.0, k) for k in ("fro", "nuc", 2, -2, 1, np.inf)], [(3, 4)], exact=False),
]  # fmt: skip
