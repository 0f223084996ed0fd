"""The readers, one subject a file: importing this package enters all of them."""

from symdl.meaning.readers import arithmetic, functions, reductions, selection, views

__all__ = ["arithmetic", "functions", "reductions", "selection", "views"]
