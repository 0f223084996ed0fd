"""All ops: importing this package declares them."""

from symdl.ops import contractions, elementwise, extents, indexing, normalized, reductions, shaping, views

__all__ = ["contractions", "elementwise", "extents", "indexing", "normalized", "reductions", "shaping", "views"]
