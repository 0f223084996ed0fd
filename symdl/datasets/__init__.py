"""Data sets that are at hand without a download, and readers of files that a user brings."""

from symdl.datasets.digits import binary_digits, digits, digits_halves, digits_split, nudged_digits, pooled_digits
from symdl.datasets.idx import read_idx, write_idx
from symdl.datasets.kaggle import KaggleDigits, read_kaggle_digits, write_submission
from symdl.datasets.mnist import mnist
from symdl.datasets.npz import read_npz
from symdl.datasets.patches import patches, whitened
from symdl.datasets.playground import bumps, circle, gauss, plane, spiral, xor
from symdl.datasets.sentences import Vocabulary, sentences, sentences_split
from symdl.datasets.split import FewLabels, Split, few_labels
from symdl.datasets.toys import AVOCADO, avocado, bars_and_stripes, logic_gates

__all__ = [
    "AVOCADO",
    "FewLabels",
    "KaggleDigits",
    "Split",
    "Vocabulary",
    "avocado",
    "bars_and_stripes",
    "binary_digits",
    "bumps",
    "circle",
    "digits",
    "digits_halves",
    "digits_split",
    "few_labels",
    "gauss",
    "logic_gates",
    "mnist",
    "nudged_digits",
    "patches",
    "plane",
    "pooled_digits",
    "read_idx",
    "read_kaggle_digits",
    "read_npz",
    "sentences",
    "sentences_split",
    "spiral",
    "whitened",
    "write_idx",
    "write_submission",
    "xor",
]
