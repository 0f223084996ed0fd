"""Linear algebra under NumPy's names: T.linalg.solve, T.linalg.cholesky, ... Matrices stand on the last two axes."""

from __future__ import annotations

from symdl.ops.contractions import einsum, matmul, outer, tensordot
from symdl.ops.formulas import diagonal, trace
from symdl.ops.linear_algebra import (
    block_diag,
    cho_solve,
    cholesky,
    det,
    eigh,
    eigvalsh,
    expm,
    inv,
    kron,
    lstsq,
    matrix_dot,
    matrix_norm,
    matrix_power,
    norm,
    pinv,
    qr,
    slogdet,
    solve,
    solve_triangular,
    svd,
    svdvals,
)

__all__ = [
    "block_diag",
    "cho_solve",
    "cholesky",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "einsum",
    "expm",
    "inv",
    "kron",
    "lstsq",
    "matmul",
    "matrix_dot",
    "matrix_norm",
    "matrix_power",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
]
