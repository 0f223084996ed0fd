"""Data sets that can be written down: logic gates, ripe avocados, and the bars and stripes of a grid."""

from __future__ import annotations

import numpy as np

from symdl.datasets.playground import generator
from symdl.datasets.split import Array
from symdl.errors import ConfigError

AVOCADO = ("height", "squishiness", "colour")
RIPE_FROM, RIPE_TO, DARK_FROM = 0.35, 0.8, 0.45


def logic_gates() -> tuple[Array, dict[str, Array]]:
    """The four pairs of inputs, float32[4, 2], and what each gate makes of them, int64[4].

    Rows: 00, 01, 10, 11. Gates: and, or, nand, nor, xor, xnor. A threshold unit computes the first four, and no
    threshold unit the last two (Minsky and Papert, 1969).
    """
    a, b = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    gates = {"and": a & b, "or": a | b, "nand": 1 - (a & b), "nor": 1 - (a | b), "xor": a ^ b, "xnor": 1 - (a ^ b)}
    return np.stack([a, b], axis=1).astype("float32"), {name: y.astype("int64") for name, y in gates.items()}


def avocado(n: int = 500, seed: int = 0, noise: float = 0.0) -> tuple[Array, Array]:
    """Avocados, x float32[n, 3], and whether they are ripe, y int64[n].

    The columns, named in AVOCADO: height, uniform in 0.7..1.3 decimetres; squishiness, uniform in 0 (a stone) to 1
    (mash); colour, uniform in 0 (bright green) to 1 (black). An avocado is ripe when 0.35 < squishiness < 0.8 and
    colour > 0.45; its height says nothing. A fraction `noise` of the labels, drawn at random, is turned over.
    A linear classifier cannot know the upper bound of squishiness; one hidden layer can.
    Raises ConfigError for n < 1 or a negative noise.
    """
    rng = generator("avocado", n, seed, noise)
    x = np.stack([rng.uniform(0.7, 1.3, n), rng.uniform(0, 1, n), rng.uniform(0, 1, n)], axis=1)
    ripe = (x[:, 1] > RIPE_FROM) & (x[:, 1] < RIPE_TO) & (x[:, 2] > DARK_FROM)
    turned = rng.uniform(0, 1, n) < noise
    return x.astype("float32"), (ripe ^ turned).astype("int64")


def bars_and_stripes(n: int = 4) -> tuple[Array, Array]:
    """All patterns of n by n pixels whose rows, or whose columns, are each all 0 or all 1; and their probabilities.

    Patterns float32[2^(n+1) - 2, n n], rows first, then columns; p float64, of sum 1: rows or columns by the toss of a
    coin, then one toss for each line, so 2^-(n+1), and twice that for all 0 and all 1, which come both ways. The
    entropy is (n + 1) log 2 - 2^(1-n) log 2. (MacKay, 2003, section 43.3.)
    Raises ConfigError unless 1 <= n <= 12.
    """
    if not 1 <= n <= 12:
        raise ConfigError(f"bars_and_stripes: n {n} is not in 1..12")
    lines = (np.arange(2**n)[:, None] >> np.arange(n)[::-1]) & 1  # every row of n bits, in counting order
    rows = np.repeat(lines[:, :, None], n, axis=2)
    columns = rows.transpose(0, 2, 1)[1:-1]  # all 0 and all 1 are there already
    patterns = np.concatenate([rows, columns]).reshape(-1, n * n).astype("float32")
    p = np.full(len(patterns), 2.0 ** -(n + 1))
    p[[0, 2**n - 1]] *= 2
    return patterns, p
