"""Routines of linear algebra and their gradients: factors, solutions, determinants, spectra, by NumPy and SciPy.

What LAPACK refuses (a singular matrix, one that is not positive definite) raises numpy.linalg.LinAlgError when the
function runs. Gradients: Giles (2008), Murray (2016, Cholesky), Townsend (2016, SVD), Walter and Lehmann (2018, QR),
Golub and Pereyra (1973, pseudo-inverse), Najfeld and Havel (1995, exponential).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symdl.graph.expr import Expr, Inferred, Op, make, register, results
from symdl.ops.contractions import matmul
from symdl.ops.declare import differentiable
from symdl.ops.elementwise import eq, where
from symdl.ops.extents import exprs_of
from symdl.ops.formulas import tril, triu
from symdl.ops.functions import exp
from symdl.ops.indexing import getitem
from symdl.ops.reductions import sum
from symdl.ops.shaping import concatenate, expand_dims, eye, iota, swapaxes, zeros_like
from symdl.ops.views import reshape_to
from symdl.types import Fact, Results, Shape, TensorType, at_most, broadcast, equal, smallest

Pullback = Callable[..., tuple[Expr | None, ...]]

# ---- types ----


def _square(name: str) -> Callable[..., Inferred]:
    """A square matrix to one of its shape."""

    def infer(a: TensorType, **_: Any) -> Inferred:
        return a, _is_square(name, a.shape)

    return infer


def _is_square(name: str, shape: Shape) -> tuple[Fact, ...]:
    facts: list[Fact] = []
    equal(shape[-2], shape[-1], f"{name}: {{0}} has {{left}} rows and {{right}} columns", facts)
    return tuple(facts)


def _solved(name: str) -> Callable[..., Inferred]:
    """a x = b: the type of x, b being a matrix (a column a right-hand side)."""

    def infer(a: TensorType, b: TensorType, **_: Any) -> Inferred:
        facts = list(_is_square(name, a.shape))
        equal(a.shape[-1], b.shape[-2], f"{name}: {{0}} has {{left}} rows, {{1}} has {{right}}", facts)
        lead, more = broadcast(name, [a.shape[:-2], b.shape[:-2]])
        return TensorType(b.dtype, (*lead, *b.shape[-2:])), (*facts, *more)

    return infer


def _routine(
    name: str, arguments: tuple[str, ...], infer: Callable[..., Inferred], doc: str, numpy: Callable[..., Any],
    pullback: Pullback, **more: Any,
) -> Op:  # fmt: skip
    def pulled(g: Any, y: Expr, *inputs: Expr, **params: Any) -> tuple[Expr | None, ...]:
        found = pullback(g, y, *inputs, **params)
        return tuple(h if differentiable(x) else None for h, x in zip(found, inputs, strict=True))

    return register(Op(name, "routine", arguments, infer, doc, reference=numpy, pullback=pulled, **more))


def transposed(a: Expr) -> Expr:
    """The transposed matrices."""
    return swapaxes(a, -1, -2)


def _symmetric(a: Expr) -> Expr:
    return (a + transposed(a)) / 2


def _lead(b: Expr, like: Expr) -> Expr:
    """The gradient of an operand whose batch axes were stretched: summed over them."""
    extra = b.type.ndim - like.type.ndim
    if extra:
        b = sum(b, tuple(range(extra)))
    grown = [
        k for k, (n, m) in enumerate(zip(b.type.shape[:-2], like.type.shape[:-2], strict=True)) if m == 1 and n != 1
    ]
    return sum(b, tuple(grown), keepdims=True) if grown else b


# ---- solving ----


def _solve_numpy(a: Any, b: Any) -> Any:
    if a.shape[-1]:
        return np.linalg.solve(a, b)
    return np.zeros((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:]), b.dtype)


def _pull_solve(g: Expr, y: Expr, a: Expr, b: Expr) -> tuple[Expr, Expr]:
    back = make(SOLVE, (transposed(a), g))
    return _lead(-matmul(back, transposed(y)), a), _lead(back, b)


SOLVE = _routine(
    "solve", ("a", "b"), _solved("solve"), "The x with a x = b, by LU factors with pivoting.", _solve_numpy, _pull_solve
)


def _solve_triangular_numpy(a: Any, b: Any, *, lower: bool, unit: bool) -> Any:
    from scipy.linalg import solve_triangular as by_scipy  # noqa: PLC0415  # SciPy loads at its first use

    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    wide = np.broadcast_to(a, (*lead, *a.shape[-2:])), np.broadcast_to(b, (*lead, *b.shape[-2:]))
    out = np.empty(wide[1].shape, b.dtype)
    for k in np.ndindex(lead):
        out[k] = (
            by_scipy(wide[0][k], wide[1][k], lower=lower, unit_diagonal=unit, check_finite=False) if out[k].size else 0
        )
    return out


def _pull_solve_triangular(g: Expr, y: Expr, a: Expr, b: Expr, *, lower: bool, unit: bool) -> tuple[Expr, Expr]:
    back = make(SOLVE_TRIANGULAR, (transposed(a), g), lower=not lower, unit=unit)
    to_a = _lead(-matmul(back, transposed(y)), a)
    k = -1 if unit else 0
    return (tril(to_a, k) if lower else triu(to_a, -k)), _lead(back, b)


SOLVE_TRIANGULAR = _routine(
    "solve_triangular", ("a", "b"), _solved("solve_triangular"),
    "The x with a x = b for a triangular a, whose other half is not looked at.", _solve_triangular_numpy,
    _pull_solve_triangular,
)  # fmt: skip


def _pull_inv(g: Expr, y: Expr, a: Expr) -> tuple[Expr]:
    return (-matmul(matmul(transposed(y), g), transposed(y)),)


INV = _routine("matrix_inverse", ("a",), _square("inv"), "The inverse of a matrix.", np.linalg.inv, _pull_inv)


def _pull_cholesky(g: Expr, y: Expr, a: Expr) -> tuple[Expr]:
    inner = tril(matmul(transposed(y), g))
    inner = inner - inner * eye(y.type.shape[-1], dtype=y.type.dtype) / 2
    right = make(
        SOLVE_TRIANGULAR, (transposed(y), transposed(inner)), lower=False, unit=False
    )  # (inner L^-1)^T = L^-T inner^T
    return (_symmetric(make(SOLVE_TRIANGULAR, (transposed(y), transposed(right)), lower=False, unit=False)),)


CHOLESKY = _routine(
    "cholesky_lower", ("a",), _square("cholesky"), "The lower triangular L with a = L L^T; only a's lower half is read.",
    np.linalg.cholesky, _pull_cholesky,
)  # fmt: skip

# ---- determinants ----


def _slogdet_infer(a: TensorType) -> Inferred:
    one = TensorType(a.dtype, a.shape[:-2])
    return Results((one, one)), _is_square("slogdet", a.shape)


def _slogdet_numpy(a: Any) -> tuple[Any, Any]:
    sign, logarithm = np.linalg.slogdet(a)
    return np.asarray(sign, a.dtype), np.asarray(logarithm, a.dtype)


def _pull_slogdet(g: Any, y: Expr, a: Expr) -> tuple[Expr | None]:
    _, to_log = g
    return (None if to_log is None else expand_dims(to_log, (-2, -1)) * transposed(make(INV, (a,))),)


SLOGDET = _routine(
    "slogdet_of", ("a",), _slogdet_infer, "The sign of a determinant and the logarithm of its magnitude.", _slogdet_numpy,
    _pull_slogdet,
)  # fmt: skip


def _det_definition(a: Expr) -> Expr:
    sign, logarithm = results(make(SLOGDET, (a,)))
    return sign * exp(logarithm)


DET = _routine(
    "det_of", ("a",), lambda a: (TensorType(a.dtype, a.shape[:-2]), _is_square("det", a.shape)), "The determinant.",
    lambda a: np.asarray(np.linalg.det(a), a.dtype),
    lambda g, y, a: (expand_dims(g * y, (-2, -1)) * transposed(make(INV, (a,))),), definition=_det_definition,
)  # fmt: skip

# ---- spectra ----


def _eigh_infer(a: TensorType) -> Inferred:
    return Results((TensorType(a.dtype, a.shape[:-1]), a)), _is_square("eigh", a.shape)


def _gaps(values: Expr) -> Expr:
    """1 / (v[j] - v[i]), 0 on the diagonal."""
    gap = expand_dims(values, -2) - expand_dims(values, -1)
    on = eq(iota(gap.type.shape, gap.type.ndim - 2), iota(gap.type.shape, gap.type.ndim - 1))
    return where(on, 0, 1 / where(on, 1, gap))


def _pull_eigh(g: Any, y: Expr, a: Expr) -> tuple[Expr | None]:
    values, vectors = results(y)
    to_values, to_vectors = g
    parts = []
    if to_values is not None:
        parts.append(matmul(vectors * expand_dims(to_values, -2), transposed(vectors)))
    if to_vectors is not None:
        inner = _gaps(values) * matmul(transposed(vectors), to_vectors)
        parts.append(matmul(matmul(vectors, inner), transposed(vectors)))
    return (_symmetric(parts[0] + parts[1] if len(parts) == 2 else parts[0]) if parts else None,)


EIGH = _routine(
    "eigh_of", ("a",), _eigh_infer, "Eigenvalues (ascending) and eigenvectors (columns) of a symmetric matrix.",
    lambda a: tuple(np.linalg.eigh(a)), _pull_eigh,
)  # fmt: skip


def _svd_infer(a: TensorType) -> Inferred:
    *lead, n, m = a.shape
    k = smallest(n, m)
    return Results(tuple(TensorType(a.dtype, (*lead, *s)) for s in ((n, k), (k,), (k, m)))), ()


def _pull_svd(g: Any, y: Expr, a: Expr) -> tuple[Expr | None]:
    u, s, vt = results(y)
    to_u, to_s, to_vt = g
    rows, columns = a.type.shape[-2:]
    gaps = _gaps(s * s)
    inner: list[Expr] = []
    outer: list[Expr] = []
    if to_s is not None:
        inner.append(expand_dims(to_s, -2) * eye(s.type.shape[-1], dtype=s.type.dtype))
    if to_u is not None:
        turned = matmul(transposed(u), to_u)
        inner.append(gaps * (turned - transposed(turned)) * expand_dims(s, -2))
        beside = to_u - matmul(u, turned)  # (1 - U U^T) of the gradient
        if rows != s.type.shape[-1]:
            outer.append(matmul(beside / expand_dims(s, -2), vt))
    if to_vt is not None:
        turned = matmul(vt, transposed(to_vt))
        inner.append(expand_dims(s, -1) * gaps * (turned - transposed(turned)))
        beside = to_vt - matmul(transposed(turned), vt)
        if columns != s.type.shape[-1]:
            outer.append(matmul(u, beside / expand_dims(s, -1)))
    if not inner:
        return (None,)
    total = matmul(matmul(u, _total(inner)), vt)
    return (_total([total, *outer]),)


def _total(parts: list[Expr]) -> Expr:
    out = parts[0]
    for p in parts[1:]:
        out = out + p
    return out


SVD = _routine(
    "svd_of", ("a",), _svd_infer, "Singular values and vectors, as many as the shorter side has.",
    lambda a: tuple(np.linalg.svd(a, full_matrices=False)), _pull_svd,
)  # fmt: skip


def _singular_infer(a: TensorType) -> Inferred:
    return TensorType(a.dtype, (*a.shape[:-2], smallest(*a.shape[-2:]))), ()


def _pull_singular(g: Expr, y: Expr, a: Expr) -> tuple[Expr]:
    u, _, vt = results(make(SVD, (a,)))
    return (matmul(u * expand_dims(g, -2), vt),)


SINGULAR = _routine(
    "singular_values", ("a",), _singular_infer, "Singular values, the largest first.",
    lambda a: np.linalg.svd(a, compute_uv=False), _pull_singular,
)  # fmt: skip


def _qr_infer(a: TensorType) -> Inferred:
    *lead, n, m = a.shape
    k = smallest(n, m)
    return Results((TensorType(a.dtype, (*lead, n, k)), TensorType(a.dtype, (*lead, k, m)))), ()


def _pull_qr(g: Any, y: Expr, a: Expr) -> tuple[Expr]:
    """Walter and Lehmann (2018); a wide matrix [X, Y] is taken as Q [R_X, R_Y]."""
    q, r = results(y)
    to_q, to_r = g
    to_q = zeros_like(q) if to_q is None else to_q
    to_r = zeros_like(r) if to_r is None else to_r
    rows, columns = a.type.shape[-2:]
    if not at_most(columns, rows):
        (square,) = exprs_of((smallest(rows, columns),))
        lead = (slice(None),) * (a.type.ndim - 1)
        left, right = (*lead, slice(None, square)), (*lead, slice(square, None))
        to_q = to_q + matmul(getitem(a, right), transposed(getitem(to_r, right)))
        first = _pull_tall(q, getitem(r, left), to_q, getitem(to_r, left))
        return (reshape_to(concatenate([first, matmul(q, getitem(to_r, right))], -1), a.type.shape),)
    return (_pull_tall(q, r, to_q, to_r),)


def _pull_tall(q: Expr, r: Expr, to_q: Expr, to_r: Expr) -> Expr:
    inner = matmul(r, transposed(to_r)) - matmul(transposed(to_q), q)
    low = tril(inner, -1)
    whole = to_q + matmul(q, low + transposed(low) + tril(triu(inner)))
    return transposed(make(SOLVE_TRIANGULAR, (r, transposed(whole)), lower=False, unit=False))


QR = _routine(
    "qr_of", ("a",), _qr_infer, "a = Q R: orthonormal columns and an upper triangle; R's diagonal may have any signs.",
    lambda a: tuple(np.linalg.qr(a)), _pull_qr,
)  # fmt: skip

# ---- least squares ----


def _pinv_infer(a: TensorType, *, rcond: float | None) -> Inferred:
    return TensorType(a.dtype, (*a.shape[:-2], a.shape[-1], a.shape[-2])), ()


def _pinv_numpy(a: Any, *, rcond: float | None) -> Any:
    return np.linalg.pinv(a) if rcond is None else np.linalg.pinv(a, rcond)


def _pull_pinv(g: Expr, y: Expr, a: Expr, *, rcond: float | None) -> tuple[Expr]:
    yt, gt = transposed(y), transposed(g)
    out = -matmul(matmul(yt, g), yt)
    left = matmul(gt, matmul(y, yt))
    right = matmul(matmul(yt, y), gt)
    return (out + left - matmul(a, matmul(y, left)) + right - matmul(matmul(right, y), a),)


PINV = _routine(
    "pseudo_inverse",
    ("a",),
    _pinv_infer,
    "The pseudo-inverse (Moore and Penrose) of a matrix.",
    _pinv_numpy,
    _pull_pinv,
)


def _lstsq_infer(a: TensorType, b: TensorType, *, rcond: float | None) -> Inferred:
    facts: list[Fact] = []
    equal(a.shape[0], b.shape[0], "lstsq: {0} has {left} rows, {1} has {right}", facts)
    return TensorType(a.dtype, (a.shape[1], b.shape[1])), tuple(facts)


def _pull_lstsq(g: Expr, y: Expr, a: Expr, b: Expr, *, rcond: float | None) -> tuple[Expr, Expr]:
    back = make(PINV, (a,), rcond=rcond)
    z = matmul(transposed(back), g)
    beside = b - matmul(a, y)
    to_a = matmul(beside, transposed(matmul(back, z))) - matmul(z, transposed(y))
    along = matmul(transposed(back), y)
    return to_a + matmul(along, transposed(g - matmul(back, matmul(a, g)))), z


LSTSQ = _routine(
    "least_squares", ("a", "b"), _lstsq_infer, "The shortest x that makes |a x - b| least, a column of b at a time.",
    lambda a, b, *, rcond: np.linalg.lstsq(a, b, rcond=rcond)[0], _pull_lstsq,
)  # fmt: skip


def _expm_numpy(a: Any) -> Any:
    from scipy.linalg import expm as by_scipy  # noqa: PLC0415  # SciPy loads at its first use

    return by_scipy(a)


def _pull_expm(g: Expr, y: Expr, a: Expr) -> tuple[Expr]:
    """The upper right block of exp [[a^T, g], [0, a^T]] (Najfeld and Havel, 1995)."""
    n = a.type.shape[-1]
    at = transposed(a)
    whole = concatenate([concatenate([at, g], -1), concatenate([zeros_like(a), at], -1)], -2)
    lead = (slice(None),) * (a.type.ndim - 2)
    return (getitem(make(EXPM, (whole,)), (*lead, slice(None, n), slice(n, None))),)


EXPM = _routine("expm_of", ("a",), _square("expm"), "The exponential of a matrix.", _expm_numpy, _pull_expm)
