"""All ops: importing this package declares them."""

from symdl.ops import (
    contractions,
    elementwise,
    extents,
    formulas,
    functions,
    indexing,
    normalized,
    random,
    reductions,
    shaping,
    views,
)

__all__ = [
    "contractions",
    "elementwise",
    "extents",
    "formulas",
    "functions",
    "identities",
    "indexing",
    "normalized",
    "random",
    "reductions",
    "shaping",
    "views",
]
