"""Linear algebra as users call it: matrices stand on the last two axes, axes before them are batches.

Integers become float64. What LAPACK refuses (a singular matrix, one that is not positive definite) raises
numpy.linalg.LinAlgError when the function runs, and nothing shared has changed then. The routines and their gradients are
in `lapack`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symdl.errors import DtypeError, ShapeError
from symdl.graph.expr import Expr, as_expr, constant, described, make, results
from symdl.graph.methods import declared
from symdl.ops.contractions import matmul
from symdl.ops.declare import cast_to, common_dtype, float_of, spread
from symdl.ops.elementwise import abs, ne, sqr
from symdl.ops.extents import axes_in, axis_in
from symdl.ops.functions import sqrt
from symdl.ops.indexing import getitem
from symdl.ops.lapack import (
    CHOLESKY,
    DET,
    EIGH,
    EXPM,
    INV,
    LSTSQ,
    PINV,
    QR,
    SINGULAR,
    SLOGDET,
    SOLVE,
    SOLVE_TRIANGULAR,
    SVD,
    transposed,
)
from symdl.ops.reductions import max, min, sum
from symdl.ops.shaping import concatenate, expand_dims, eye, moveaxis, reshape
from symdl.types import Extent


def _matrices(name: str, *values: Any) -> list[Expr]:
    """Operands as float matrices of one dtype."""
    exprs = [as_expr(v) for v in values]
    dtype = float_of(common_dtype(exprs), "divide")
    for e in exprs:
        if e.type.dtype == "bool":
            raise DtypeError(f"{name}: {e!r} is bool", [described(e)])
        if e.type.ndim < 2:
            raise ShapeError(f"{name}: {e!r} is no matrix", [described(e)])
    return [cast_to(e, dtype) for e in exprs]


def _with_column(name: str, a: Any, b: Any) -> tuple[Expr, Expr, bool]:
    """(a, b as a matrix, whether b is one vector)."""
    b = as_expr(b)
    single = b.type.ndim == 1
    a, b = _matrices(name, a, expand_dims(b, -1) if single else b)
    return a, b, single


def _without_column(x: Expr, single: bool) -> Expr:
    return getitem(x, (..., 0)) if single else x


@declared("solve")
def solve(a: Any, b: Any, assume_a: str = "gen", lower: bool = False) -> Expr:
    """The x with a x = b; b is a vector, or matrices with a column a right-hand side.

    assume_a: "gen"; "pos" (symmetric and positive definite, by Cholesky factors, only half of a being read: the lower one
    whatever `lower` says); "sym" and "her" are taken as "gen". Relative error about cond(a) * 2^-53 (float64).
    Raises LinAlgError when called where a is singular.
    """
    if assume_a not in ("gen", "sym", "her", "pos"):
        raise ShapeError(f"solve: assume_a cannot be {assume_a!r}", (), "choices: gen, sym, her, pos")
    a, b, single = _with_column("solve", a, b)
    if assume_a == "pos":
        factor = make(CHOLESKY, (a,))
        half = make(SOLVE_TRIANGULAR, (factor, b), lower=True, unit=False)
        return _without_column(make(SOLVE_TRIANGULAR, (transposed(factor), half), lower=False, unit=False), single)
    return _without_column(make(SOLVE, (a, b)), single)


def solve_triangular(a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False) -> Expr:
    """The x with a x = b (trans 1 or "T": a^T x = b) for a triangular a, whose other half is not looked at.

    unit_diagonal: a's diagonal is 1 and is not looked at. Raises LinAlgError when called where a is singular.
    """
    a, b, single = _with_column("solve_triangular", a, b)
    if trans not in (0, 1, 2, "N", "T", "C", False, True):
        raise ShapeError(f"solve_triangular: trans cannot be {trans!r}", (), "choices: 0, 1, 2, N, T, C")
    turned = trans not in (0, "N", False)
    x = make(SOLVE_TRIANGULAR, (transposed(a) if turned else a, b), lower=lower != turned, unit=unit_diagonal)
    return _without_column(x, single)


def cho_solve(c_and_lower: tuple[Any, bool], b: Any) -> Expr:
    """The x with a x = b, given (factor, lower), a Cholesky factor of a and whether it is the lower one."""
    factor, lower = c_and_lower
    half = solve_triangular(factor, b, trans=not lower, lower=lower)
    return solve_triangular(factor, half, trans=lower, lower=lower)


@declared("inv")
def inv(a: Any) -> Expr:
    """The inverse of square matrices. solve(a, b) is quicker and more accurate than inv(a) @ b."""
    return make(INV, tuple(_matrices("inv", a)))


@declared("pinv")
def pinv(a: Any, rcond: float | None = None) -> Expr:
    """The pseudo-inverse (Moore and Penrose); singular values up to rcond times the largest count as 0 (NumPy's default)."""
    return make(PINV, tuple(_matrices("pinv", a)), rcond=rcond)


@declared("cholesky")
def cholesky(a: Any, lower: bool = True) -> Expr:
    """The lower triangular L with a = L L^T, or (lower=False) its transpose.

    a is symmetric and positive definite, else LinAlgError when called; only its lower half is read, and the gradient is
    that of a symmetric a.
    """
    factor = make(CHOLESKY, tuple(_matrices("cholesky", a)))
    return factor if lower else transposed(factor)


@declared("det")
def det(a: Any) -> Expr:
    """The determinant. log(det(a)) and the like are computed from slogdet, without overflow.

    The gradient is det(a) inv(a)^T: LinAlgError when called for a singular a.
    """
    return make(DET, tuple(_matrices("det", a)))


@declared("slogdet")
def slogdet(a: Any) -> tuple[Expr, Expr]:
    """(sign, log|det(a)|): det(a) = sign * exp(logarithm), which may be too large or small for a float."""
    sign, logarithm = results(make(SLOGDET, tuple(_matrices("slogdet", a))))
    return sign, logarithm


@declared("eigh")
def eigh(a: Any, UPLO: str = "L") -> tuple[Expr, Expr]:
    """(eigenvalues in ascending order, eigenvectors as columns) of symmetric matrices; only the lower half is read
    (UPLO "U": the upper one).

    The gradient is that of a symmetric a; that of vectors is infinite where eigenvalues meet. Signs of vectors are LAPACK's.
    """
    (a,) = _matrices("eigh", a)
    values, vectors = results(make(EIGH, (_half("eigh", a, UPLO),)))
    return values, vectors


@declared("eigvalsh")
def eigvalsh(a: Any, UPLO: str = "L") -> Expr:
    """The eigenvalues of symmetric matrices, in ascending order."""
    return eigh(a, UPLO)[0]


def _half(name: str, a: Expr, half: str) -> Expr:
    if half not in ("L", "U"):
        raise ShapeError(f"{name}: UPLO cannot be {half!r}", (), "choices: L, U")
    return a if half == "L" else transposed(a)


@declared("svd")
def svd(a: Any, full_matrices: bool = False, compute_uv: bool = True) -> Any:
    """(u, s, vt) with a = u @ diag(s) @ vt, s in descending order; s alone if compute_uv is False.

    As many singular vectors as the shorter side has: full_matrices=True raises ShapeError, since the others have no
    gradient. Gradients of vectors are infinite where singular values meet.
    """
    if full_matrices:
        raise ShapeError("svd: full_matrices=True is not supported", (), "full_matrices=False gives those that matter.")
    (a,) = _matrices("svd", a)
    return results(make(SVD, (a,))) if compute_uv else make(SINGULAR, (a,))


@declared("svdvals")
def svdvals(a: Any) -> Expr:
    """The singular values in descending order."""
    return make(SINGULAR, tuple(_matrices("svdvals", a)))


@declared("qr")
def qr(a: Any, mode: str = "reduced") -> Any:
    """(q, r) with a = q @ r, q's columns orthonormal, as many as the shorter side has; r alone if mode is "r".

    The gradient wants the leading square block of r to be regular, and known extents where a has more columns than rows.
    """
    if mode not in ("reduced", "r"):
        raise ShapeError(f"qr: mode cannot be {mode!r}", (), "choices: reduced, r")
    q, r = results(make(QR, tuple(_matrices("qr", a))))
    return (q, r) if mode == "reduced" else r


def lstsq(a: Any, b: Any, rcond: float | None = None) -> Expr:
    """The x that makes |a x - b| least, the shortest of several; b is a vector or a matrix with a column a problem.

    rcond: singular values up to rcond times the largest count as 0 (NumPy's default). NumPy's other results are
    b - a @ x and svdvals(a).
    """
    a, b, single = _with_column("lstsq", a, b)
    if a.type.ndim != 2 or b.type.ndim != 2:
        raise ShapeError("lstsq: takes one matrix, no batches", [described(a), described(b)])
    return _without_column(make(LSTSQ, (a, b), rcond=rcond), single)


@declared("expm")
def expm(a: Any) -> Expr:
    """The exponential of square matrices, by scaling and squaring (Al-Mohy and Higham, 2009)."""
    return make(EXPM, tuple(_matrices("expm", a)))


@declared("matrix_power")
def matrix_power(a: Any, n: int) -> Expr:
    """a @ a @ ... @ a, n times, by repeated squaring; for n < 0 of the inverse, for 0 the identity."""
    (a,) = _matrices("matrix_power", a)
    if not isinstance(n, int):
        raise ShapeError(f"matrix_power: n must be an int, not {n!r}", [described(a)])
    if n < 0:
        a, n = inv(a), -n
    if n == 0:
        return spread(eye(a.type.shape[-1], dtype=a.type.dtype), a.type.shape, (a.type.ndim - 2, a.type.ndim - 1))
    out: Expr | None = None
    while n:
        if n & 1:
            out = a if out is None else matmul(out, a)
        n >>= 1
        a = matmul(a, a) if n else a
    assert out is not None
    return out


def matrix_dot(*matrices: Any) -> Expr:
    """The product of several matrices, from the left."""
    first, *rest = matrices
    out = as_expr(first)
    for m in rest:
        out = matmul(out, m)
    return out


@declared("kron")
def kron(a: Any, b: Any) -> Expr:
    """The Kronecker product of vectors or matrices: a block a[i, j] * b for each element of a."""
    a, b = as_expr(a), as_expr(b)
    if not 1 <= a.type.ndim == b.type.ndim <= 2:
        raise ShapeError("kron: takes two vectors or two matrices", [described(a), described(b)])
    if a.type.ndim == 1:
        return reshape(expand_dims(a, 1) * expand_dims(b, 0), (a.shape[0] * b.shape[0],))
    blocks = getitem(a, (slice(None), None, slice(None), None)) * getitem(b, (None, slice(None), None, slice(None)))
    return reshape(blocks, (a.shape[0] * b.shape[0], a.shape[1] * b.shape[1]))


def block_diag(*matrices: Any) -> Expr:
    """Matrices along the diagonal of a larger one, zeros elsewhere."""
    parts = [as_expr(m) for m in matrices]
    for p in parts:
        if p.type.ndim != 2:
            raise ShapeError(f"block_diag: {p!r} is no matrix", [described(p)])
    dtype = common_dtype(parts)
    widths: list[Extent] = [p.type.shape[1] for p in parts]
    rows = []
    for k, p in enumerate(parts):
        zero = constant(0, dtype)
        row = [cast_to(p, dtype) if j == k else spread(zero, (p.type.shape[0], w), ()) for j, w in enumerate(widths)]
        rows.append(concatenate(row, 1))
    return concatenate(rows, 0)


def matrix_norm(a: Any, ord: Any = "fro") -> Expr:
    """The norm of matrices: "fro" (root of the sum of squares), "nuc" (sum of singular values), 2 and -2 (the largest and
    smallest singular value), 1, -1 (column sums of magnitudes), inf, -inf (row sums)."""
    (a,) = _matrices("matrix_norm", a)
    if ord == "fro":
        return sqrt(sum(a * a, (-2, -1)))
    if ord == "nuc":
        return sum(svdvals(a), -1)
    if ord in (2, -2):
        return getitem(svdvals(a), (..., 0 if ord == 2 else -1))
    if ord in (1, -1):
        return (max if ord > 0 else min)(sum(abs(a), -2), -1)
    if ord in (np.inf, -np.inf):
        return (max if ord > 0 else min)(sum(abs(a), -1), -1)
    raise ShapeError(f"matrix_norm: ord cannot be {ord!r}", (), 'choices: "fro", "nuc", 2, -2, 1, -1, inf, -inf')


@declared("norm")
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Expr:
    """NumPy's norms. ord None: the root of the sum of squares, over all axes or those that are given.

    Along one axis, (sum |x|^ord)^(1 / ord) of a vector: the largest and the smallest |x| for inf and -inf, how many are
    not 0 for 0. Along two, those of matrix_norm. Raises ShapeError where there is neither one axis nor two.
    """
    x = as_expr(x)
    x = cast_to(x, float_of(x.type.dtype))
    if axis is None and ord is None:
        return sqrt(sum(sqr(x), keepdims=keepdims))
    axes = axes_in(x, axis, "norm")
    if len(axes) == 2:
        order = axes if axis is None else [axis_in(x, a, "norm") for a in axis]  # the first counts rows
        found = matrix_norm(moveaxis(x, tuple(order), (-2, -1)), "fro" if ord is None else ord)
        return expand_dims(found, tuple(axes)) if keepdims else found
    if len(axes) != 1:
        raise ShapeError(f"norm: {len(axes)} axes of {x!r} hold neither vectors nor matrices", [described(x)])
    if ord is None or ord == 2:
        return sqrt(sum(sqr(x), axes, keepdims=keepdims))
    if not isinstance(ord, int | float):
        raise ShapeError(f"norm: ord of vectors is a number, not {ord!r}", [described(x)])
    if ord in (np.inf, -np.inf):
        return (max if ord > 0 else min)(abs(x), axes, keepdims=keepdims)
    if ord == 0:
        return sum(cast_to(ne(x, 0), x.type.dtype), axes, keepdims=keepdims)
    if ord == 1:
        return sum(abs(x), axes, keepdims=keepdims)
    powers: Expr = sum(abs(x) ** ord, axes, keepdims=keepdims) ** (1 / ord)
    return powers
