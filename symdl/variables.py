"""Constructors of variables: the empty places of a formula, filled when it is computed.

A name says dtype and number of axes, as in Theano: dvector is float64 with one axis. Prefixes: b int8, w int16,
i int32, l int64, f float32, d float64; without one the dtype is config.floatX, or what dtype= says. Extents are
unknown, except those of 1 in row and col. A plural makes several: x, y = vectors("x", "y").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from symdl.config import config
from symdl.errors import ShapeError
from symdl.graph.expr import Expr, checked_dtype, variable
from symdl.ops.extents import as_extent

Constructor = Callable[..., Expr]
Several = Callable[..., list[Expr]]


def tensor(name: str | None = None, dtype: Any = None, shape: Sequence[Any] = ()) -> Expr:
    """A variable of any dtype and shape: T.tensor("images", "float32", shape=(None, 784)).

    None marks an unknown extent. An extent may also be another variable's, such as x.shape[0]: both must then agree
    when called. dtype is config.floatX unless given. Raises DtypeError and ShapeError for what is neither.
    """
    if name is not None and not isinstance(name, str):
        raise ShapeError(
            f"a variable's name is a text, not {name!r}", (), 'T.tensor("x", dtype="float32", shape=(None, 3))'
        )
    extents = [n if n is None else as_extent(n, "tensor") for n in shape]
    for n in extents:
        if isinstance(n, int) and n < 0:
            raise ShapeError(f"tensor: an extent of {n}", (), "None stands for an unknown extent.")
    return variable(name, extents, checked_dtype(config.floatX if dtype is None else dtype))


def _one(title: str, shape: tuple[int | None, ...], fixed: str | None = None) -> Constructor:
    """The constructor of this name."""

    def floating(name: str | None = None, dtype: Any = None) -> Expr:
        return tensor(name, dtype, shape)

    def typed(name: str | None = None) -> Expr:
        return tensor(name, fixed, shape)

    make = typed if fixed else floating
    kind = fixed or "floatX (or dtype=)"
    axes = {0: "no axis", 1: "1 axis"}.get(len(shape), f"{len(shape)} axes")
    ones = "".join(f", axis {k} of extent 1" for k, n in enumerate(shape) if n == 1)
    make.__name__ = make.__qualname__ = title
    make.__doc__ = f"A variable with {axes}{ones}, of dtype {kind}."
    return make


def _several(title: str, one: Constructor) -> Several:
    """The plural of a constructor."""

    def make(*names: Any, **options: Any) -> list[Expr]:
        if len(names) == 1 and isinstance(names[0], int):
            return [one(None, **options) for _ in range(names[0])]
        chosen = names[0] if len(names) == 1 else names  # a single text is one name a letter, as in Theano
        return [one(n, **options) for n in chosen]

    make.__name__ = make.__qualname__ = title
    make.__doc__ = f'Several: x, y = {title}("x", "y"), {title}(2) without names, {title}("xy") one a letter.'
    return make


scalar = _one("scalar", ())
vector = _one("vector", (None,))
row = _one("row", (1, None))
col = _one("col", (None, 1))
matrix = _one("matrix", (None, None))
tensor3 = _one("tensor3", (None, None, None))
tensor4 = _one("tensor4", (None, None, None, None))
bscalar = _one("bscalar", (), "int8")
bvector = _one("bvector", (None,), "int8")
brow = _one("brow", (1, None), "int8")
bcol = _one("bcol", (None, 1), "int8")
bmatrix = _one("bmatrix", (None, None), "int8")
btensor3 = _one("btensor3", (None, None, None), "int8")
btensor4 = _one("btensor4", (None, None, None, None), "int8")
wscalar = _one("wscalar", (), "int16")
wvector = _one("wvector", (None,), "int16")
wrow = _one("wrow", (1, None), "int16")
wcol = _one("wcol", (None, 1), "int16")
wmatrix = _one("wmatrix", (None, None), "int16")
wtensor3 = _one("wtensor3", (None, None, None), "int16")
wtensor4 = _one("wtensor4", (None, None, None, None), "int16")
iscalar = _one("iscalar", (), "int32")
ivector = _one("ivector", (None,), "int32")
irow = _one("irow", (1, None), "int32")
icol = _one("icol", (None, 1), "int32")
imatrix = _one("imatrix", (None, None), "int32")
itensor3 = _one("itensor3", (None, None, None), "int32")
itensor4 = _one("itensor4", (None, None, None, None), "int32")
lscalar = _one("lscalar", (), "int64")
lvector = _one("lvector", (None,), "int64")
lrow = _one("lrow", (1, None), "int64")
lcol = _one("lcol", (None, 1), "int64")
lmatrix = _one("lmatrix", (None, None), "int64")
ltensor3 = _one("ltensor3", (None, None, None), "int64")
ltensor4 = _one("ltensor4", (None, None, None, None), "int64")
fscalar = _one("fscalar", (), "float32")
fvector = _one("fvector", (None,), "float32")
frow = _one("frow", (1, None), "float32")
fcol = _one("fcol", (None, 1), "float32")
fmatrix = _one("fmatrix", (None, None), "float32")
ftensor3 = _one("ftensor3", (None, None, None), "float32")
ftensor4 = _one("ftensor4", (None, None, None, None), "float32")
dscalar = _one("dscalar", (), "float64")
dvector = _one("dvector", (None,), "float64")
drow = _one("drow", (1, None), "float64")
dcol = _one("dcol", (None, 1), "float64")
dmatrix = _one("dmatrix", (None, None), "float64")
dtensor3 = _one("dtensor3", (None, None, None), "float64")
dtensor4 = _one("dtensor4", (None, None, None, None), "float64")

scalars = _several("scalars", scalar)
vectors = _several("vectors", vector)
rows = _several("rows", row)
cols = _several("cols", col)
matrices = _several("matrices", matrix)
tensor3s = _several("tensor3s", tensor3)
tensor4s = _several("tensor4s", tensor4)
bscalars = _several("bscalars", bscalar)
bvectors = _several("bvectors", bvector)
brows = _several("brows", brow)
bcols = _several("bcols", bcol)
bmatrices = _several("bmatrices", bmatrix)
btensor3s = _several("btensor3s", btensor3)
btensor4s = _several("btensor4s", btensor4)
wscalars = _several("wscalars", wscalar)
wvectors = _several("wvectors", wvector)
wrows = _several("wrows", wrow)
wcols = _several("wcols", wcol)
wmatrices = _several("wmatrices", wmatrix)
wtensor3s = _several("wtensor3s", wtensor3)
wtensor4s = _several("wtensor4s", wtensor4)
iscalars = _several("iscalars", iscalar)
ivectors = _several("ivectors", ivector)
irows = _several("irows", irow)
icols = _several("icols", icol)
imatrices = _several("imatrices", imatrix)
itensor3s = _several("itensor3s", itensor3)
itensor4s = _several("itensor4s", itensor4)
lscalars = _several("lscalars", lscalar)
lvectors = _several("lvectors", lvector)
lrows = _several("lrows", lrow)
lcols = _several("lcols", lcol)
lmatrices = _several("lmatrices", lmatrix)
ltensor3s = _several("ltensor3s", ltensor3)
ltensor4s = _several("ltensor4s", ltensor4)
fscalars = _several("fscalars", fscalar)
fvectors = _several("fvectors", fvector)
frows = _several("frows", frow)
fcols = _several("fcols", fcol)
fmatrices = _several("fmatrices", fmatrix)
ftensor3s = _several("ftensor3s", ftensor3)
ftensor4s = _several("ftensor4s", ftensor4)
dscalars = _several("dscalars", dscalar)
dvectors = _several("dvectors", dvector)
drows = _several("drows", drow)
dcols = _several("dcols", dcol)
dmatrices = _several("dmatrices", dmatrix)
dtensor3s = _several("dtensor3s", dtensor3)
dtensor4s = _several("dtensor4s", dtensor4)
