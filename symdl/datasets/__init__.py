"""Data sets that are at hand without a download, and readers of files that a user brings."""

from symdl.datasets.digits import digits, digits_split
from symdl.datasets.idx import read_idx, write_idx
from symdl.datasets.mnist import mnist
from symdl.datasets.split import Split

__all__ = ["Split", "digits", "digits_split", "mnist", "read_idx", "write_idx"]
