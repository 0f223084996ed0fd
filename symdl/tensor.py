"""The names a user writes: `import symdl.tensor as T`. Theano's and NumPy's vocabulary, each function declared in ops/."""

# A table of names reads better side by side than one a line.
# fmt: off
# isort: off
from __future__ import annotations

from symdl import linalg, random, random as shared_randomstreams
from symdl.passes.vectorized import vectorize_graph
from symdl.graph.expr import as_expr as as_tensor, as_expr as as_tensor_variable, constant
from symdl.derivatives.gradient import grad
from symdl.derivatives.jacobians import Lop, Rop, hessian, hessian_vector_product, jacobian
from symdl.ops.contractions import (
    batched_dot, batched_dot as batched_matmul, dot, einsum, inner, matmul, outer, tensordot, vdot,
)
from symdl.ops.convolutions import (
    causal_conv1d, conv1d, conv1d_transpose, conv2d, conv2d_transpose, conv3d, conv3d_transpose, correlate,
    depthwise_conv2d, separable_conv2d,
)
from symdl.ops.elementwise import (
    abs, abs as abs_, abs as absolute, add, bitwise_and as and_, bitwise_and, bitwise_or, bitwise_or as or_,
    bitwise_xor, bitwise_xor as xor, cast, clip, eq, eq as equal, floor_div, floor_div as floor_divide,
    floor_div as int_div, ge, ge as greater_equal, gt as greater, gt, invert as bitwise_not, invert, isfinite,
    isinf, isnan, le, le as less_equal, left_shift, logical_and, logical_not, logical_or, logical_xor,
    lt as less, lt, maximum, minimum, mod, mod as remainder, mul, mul as multiply, ne, ne as neq,
    ne as not_equal, neg, neg as negative, pow, pow as power, reciprocal as inv, reciprocal, right_shift,
    sign as sgn, sign, sqr, sqr as square, sub, sub as subtract, true_div as divide, true_div, where as switch,
    where,
)
from symdl.ops.extents import shape, size
from symdl.ops.facts import assume
from symdl.ops.formulas import (
    allclose, average, binary_crossentropy, categorical_crossentropy, count_nonzero, diag, diagonal, diff, elu, fill,
    hard_sigmoid, hstack, hypot, iround, isclose, linspace, logit, nan_to_num, norm, positive, relu, roll, selu, softsign, to_one_hot, trace,
    tril, triu, vstack,
    gelu, hard_tanh, leaky_relu, mish, relu6, sigmoid_binary_crossentropy, silu, silu as swish, ultra_fast_sigmoid,
)
from symdl.ops.functions import (
    arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, ceil, cos, cosh, deg2rad, digamma,
    digamma as psi, erf, erfc, erfcx, erfinv, exp, exp2, expm1, floor, gammaln, log, log10, log1mexp, log1p,
    log2, logaddexp, rad2deg, round, round_half_even as rint, round_half_even, sigmoid, sin, sinh, softplus,
    sqrt, tan, tanh, trigamma as tri_gamma, trigamma, trunc, xlogy,
)
from symdl.ops.grids import (
    choose, compress, fill_diagonal, fill_diagonal_offset, meshgrid, mgrid, ogrid, ravel_multi_index, tri, tril_indices,
    triu_indices, unravel_index,
)
from symdl.ops.identities import disconnected_grad, grad_clip, grad_scale, zero_grad as consider_constant, zero_grad
from symdl.ops.images import bilinear_upsampling, images2neibs, neibs2images, upsampling
from symdl.ops.indexing import embedding, inc_subtensor, set_subtensor, take, take_along_axis
from symdl.ops.normalization import (
    batch_normalization, batch_normalization_test, batch_normalization_train, group_normalization,
    instance_normalization, layer_normalization, local_response_normalization, maxout,
)
from symdl.ops.linear_algebra import kron
from symdl.ops.normalized import log_softmax, log_softmax as logsoftmax, logsumexp, softmax
from symdl.ops.pooling import pool_1d, pool_2d, pool_3d
from symdl.ops.recurrences import cumprod
from symdl.ops.reductions import (
    all, any, argmax, argmin, cumsum, max as amax, max, max_and_argmax, mean, min as amin, min, min_and_argmin,
    prod, ptp, std, sum, var,
)
from symdl.ops.shaping import (
    alloc, arange, atleast_1d, broadcast_to, concatenate, dimshuffle, expand_dims, eye, eye as identity,
    flatten, flatten as ravel, flip, full, full_like, identity_like, join, moveaxis, one_hot, ones, ones_like,
    pad, repeat, reshape, shape_padleft, shape_padright, split, squeeze, stack, swapaxes, tile, transpose,
    zeros, zeros_like,
)
from symdl.ops.sorting import (
    argsort, argtopk, bincount, flatnonzero, median, nonzero, nonzero_values, searchsorted, sort, topk, topk_and_argtopk,
    unique,
)
from symdl.random import RandomStream
from symdl.variables import (
    bcol, bcols, bmatrices, bmatrix, brow, brows, bscalar, bscalars, btensor3, btensor3s, btensor4, btensor4s,
    bvector, bvectors, col, cols, dcol, dcols, dmatrices, dmatrix, drow, drows, dscalar, dscalars, dtensor3,
    dtensor3s, dtensor4, dtensor4s, dvector, dvectors, fcol, fcols, fmatrices, fmatrix, frow, frows, fscalar,
    fscalars, ftensor3, ftensor3s, ftensor4, ftensor4s, fvector, fvectors, icol, icols, imatrices, imatrix,
    irow, irows, iscalar, iscalars, itensor3, itensor3s, itensor4, itensor4s, ivector, ivectors, lcol, lcols,
    lmatrices, lmatrix, lrow, lrows, lscalar, lscalars, ltensor3, ltensor3s, ltensor4, ltensor4s, lvector,
    lvectors, matrices, matrix, row, rows, scalar, scalars, tensor, tensor3, tensor3s, tensor4, tensor4s,
    vector, vectors, wcol, wcols, wmatrices, wmatrix, wrow, wrows, wscalar, wscalars, wtensor3, wtensor3s,
    wtensor4, wtensor4s, wvector, wvectors,
)

__all__ = [  # noqa: RUF022  # sorted, but not one a line
    "Lop", "RandomStream", "Rop", "abs", "abs_", "absolute", "add", "all", "allclose", "alloc", "amax", "amin", "and_",
    "any", "arange", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin",
    "argsort", "argtopk", "as_tensor", "as_tensor_variable", "assume", "atleast_1d", "average", "batch_normalization",
    "batch_normalization_test", "batch_normalization_train", "batched_dot", "batched_matmul", "bcol", "bcols",
    "bilinear_upsampling", "binary_crossentropy", "bincount", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor",
    "bmatrices", "bmatrix", "broadcast_to", "brow", "brows", "bscalar", "bscalars", "btensor3", "btensor3s", "btensor4",
    "btensor4s", "bvector", "bvectors", "cast", "categorical_crossentropy", "causal_conv1d", "ceil", "choose", "clip",
    "col", "cols", "compress", "concatenate", "consider_constant", "constant", "conv1d", "conv1d_transpose", "conv2d",
    "conv2d_transpose", "conv3d", "conv3d_transpose", "correlate", "cos", "cosh", "count_nonzero", "cumprod", "cumsum",
    "dcol", "dcols", "deg2rad", "depthwise_conv2d", "diag", "diagonal", "diff", "digamma", "dimshuffle",
    "disconnected_grad", "divide", "dmatrices", "dmatrix", "dot", "drow", "drows", "dscalar", "dscalars", "dtensor3",
    "dtensor3s", "dtensor4", "dtensor4s", "dvector", "dvectors", "einsum", "elu", "embedding", "eq", "equal", "erf",
    "erfc", "erfcx", "erfinv", "exp", "exp2", "expand_dims", "expm1", "eye", "fcol", "fcols", "fill", "fill_diagonal",
    "fill_diagonal_offset", "flatnonzero", "flatten", "flip", "floor", "floor_div", "floor_divide", "fmatrices",
    "fmatrix", "frow", "frows", "fscalar", "fscalars", "ftensor3", "ftensor3s", "ftensor4", "ftensor4s", "full",
    "full_like", "fvector", "fvectors", "gammaln", "ge", "gelu", "grad", "grad_clip", "grad_scale", "greater",
    "greater_equal", "group_normalization", "gt", "hard_sigmoid", "hard_tanh", "hessian", "hessian_vector_product",
    "hstack", "hypot", "icol", "icols", "identity", "identity_like", "images2neibs", "imatrices", "imatrix",
    "inc_subtensor", "inner", "instance_normalization", "int_div", "inv", "invert", "iround", "irow", "irows",
    "iscalar", "iscalars", "isclose", "isfinite", "isinf", "isnan", "itensor3", "itensor3s", "itensor4", "itensor4s",
    "ivector", "ivectors", "jacobian", "join", "kron", "layer_normalization", "lcol", "lcols", "le", "leaky_relu",
    "left_shift", "less", "less_equal", "linalg", "linspace", "lmatrices", "lmatrix", "local_response_normalization",
    "log", "log10", "log1mexp", "log1p", "log2", "log_softmax", "logaddexp", "logical_and", "logical_not", "logical_or",
    "logical_xor", "logit", "logsoftmax", "logsumexp", "lrow", "lrows", "lscalar", "lscalars", "lt", "ltensor3",
    "ltensor3s", "ltensor4", "ltensor4s", "lvector", "lvectors", "matmul", "matrices", "matrix", "max",
    "max_and_argmax", "maximum", "maxout", "mean", "median", "meshgrid", "mgrid", "min", "min_and_argmin", "minimum",
    "mish", "mod", "moveaxis", "mul", "multiply", "nan_to_num", "ne", "neg", "negative", "neibs2images", "neq",
    "nonzero", "nonzero_values", "norm", "not_equal", "ogrid", "one_hot", "ones", "ones_like", "or_", "outer", "pad",
    "pool_1d", "pool_2d", "pool_3d", "positive", "pow", "power", "prod", "psi", "ptp", "rad2deg", "random", "ravel",
    "ravel_multi_index", "reciprocal", "relu", "relu6", "remainder", "repeat", "reshape", "right_shift", "rint", "roll",
    "round", "round_half_even", "row", "rows", "scalar", "scalars", "searchsorted", "selu", "separable_conv2d",
    "set_subtensor", "sgn", "shape", "shape_padleft", "shape_padright", "shared_randomstreams", "sigmoid",
    "sigmoid_binary_crossentropy", "sign", "silu", "sin", "sinh", "size", "softmax", "softplus", "softsign", "sort",
    "split", "sqr", "sqrt", "square", "squeeze", "stack", "std", "sub", "subtract", "sum", "swapaxes", "swish",
    "switch", "take", "take_along_axis", "tan", "tanh", "tensor", "tensor3", "tensor3s", "tensor4", "tensor4s",
    "tensordot", "tile", "to_one_hot", "topk", "topk_and_argtopk", "trace", "transpose", "tri", "tri_gamma", "trigamma",
    "tril", "tril_indices", "triu", "triu_indices", "true_div", "trunc", "ultra_fast_sigmoid", "unique",
    "unravel_index", "upsampling", "var", "vdot", "vector", "vectorize_graph", "vectors", "vstack", "wcol", "wcols",
    "where", "wmatrices", "wmatrix", "wrow", "wrows", "wscalar", "wscalars", "wtensor3", "wtensor3s", "wtensor4",
    "wtensor4s", "wvector", "wvectors", "xlogy", "xor", "zero_grad", "zeros", "zeros_like",
]
