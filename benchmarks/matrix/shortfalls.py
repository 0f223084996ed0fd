"""Why cells fall short of a peer or of the machine's limit: one table, which the summary quotes beside each of them."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Any

BY_PEER, BY_LIMIT = "ratio", "share"
DEARER = 1.25  # times as long as plain, from which on it is the digits that cost
# What fell short, patterns of labels that are tried in order, and the cause.
CAUSES: tuple[tuple[str, str, str], ...] = (
    (BY_PEER, "E2 chain*", "peers whose tanh is right are counted only; without, their formula is shorter"),
    (BY_PEER, "E2 sum of two*", "memory: whose output happens to lie in pages that are there already"),
    (BY_PEER, "E4 sum *", "float32 is added up as float64: twice the additions, where memory is not the bound"),
    (BY_PEER, "E4 mean 10000000 *", "float32 is added up as float64: twice the additions, where memory is not the bound"),
    (BY_PEER, "E4 mean *", "float32 is added up as float64: twice the additions, where memory is not the bound"),
    (BY_PEER, "E4 max 1000x1000 axis 0", "32 rows are gone down together, so as many streams are read; a peer goes along one after the other"),
    (BY_PEER, "E4 argmax *", "a NaN wins and the place of the best group is kept, beside one comparison a vector: memory"),
    (BY_PEER, "E4 softmax * axis 0", "largest, sum and quotient are passes over all rows, not over columns that stay in a cache"),
    (BY_PEER, "E4 var 3x1000000 axis 0", "differences and squares are float64, in twice as many vectors as a peer's float32: 11 cycles for 16 columns, where memory takes 9"),
    (BY_PEER, "E4 gather*", "which is ahead depends on where arrays happen to lie: in turns on one array NumPy takes 1.05 to 1.09 times as long"),
    (BY_PEER, "C1 import", "what compiles, and llvmlite (a quarter of the time), is loaded at once, for every program makes a function: the peer loads its compiler then"),
    (BY_PEER, "C1 installed", "sympy, 77 MiB with mpmath, by which formulas are proved and read"),
    (BY_PEER, "C3 *", "optimized code is made beside the last steps, on the one processor that they have; from a cache, all 32 take 38 ms instead of 92 to 108"),
    (BY_PEER, "E5 *x*x*", "too few rows or columns for whole tiles: the peers' kernels are for other shapes"),
    (BY_PEER, "E5 *", "both near the peak of sums of products: which is ahead changes from run to run"),
    (BY_PEER, "E4 var *", "sums are float64, in two passes over a row or column that lies in a cache"),
    (BY_PEER, "E6 *, both gradients", "borders, the image's scaling and the cost are passes over memory, up to a fifth of the time"),
    (BY_PEER, "E6 *", "what a piece sees is copied with its border: 3 to 5 % of the time"),
    (BY_PEER, "I MLP*", "products that read all weights for few rows: memory"),
    (BY_LIMIT, "E2 sum of two*", "three streams, of which one is written: a copy has two"),
    (BY_LIMIT, "E4 argmax * axis 0", "two comparisons and two choices a vector, 3.5 cycles of which memory has 2.5"),
    (BY_LIMIT, "E4 argmax *", "one stream is read, where a copy has two in flight; where a row ends, lanes are compared and its best group is searched"),
    (BY_LIMIT, "E4 softmax 1000000x3 axis 0", "columns of three lie three numbers apart and are gathered and scattered: exponentials take 1.6 of 2.7 ms, quotients 0.8; side by side 3 x 1e6 take 0.7 in all"),
    (BY_LIMIT, "E4 logsumexp 3x1000000 axis 0", "three exponentials and a logarithm a result: 1.3 ns, of which memory has 0.2"),
    (BY_LIMIT, "E4 softmax *axis 0", "an exponential, a quotient and what float32 has lost beside a difference: 0.3 ns a number, of which memory has 0.1 to 0.2"),
    (BY_LIMIT, "E4 *1000000x3*", "rows of three numbers: shuffles and many results cost more than memory"),
    (BY_LIMIT, "E4 *3x1000000 axis 0", "three rows are read and one is written: four streams, where a copy has two"),
    (BY_LIMIT, "E4 * 1000x1000 axis 0", "32 rows are gone down together: as many streams are read"),
    (BY_LIMIT, "E4 max *", "one stream is read, where a copy has two in flight"),
    (BY_LIMIT, "E4 sum *", "one stream is read, where a copy has two in flight; float32 is added up as float64"),
    (BY_LIMIT, "E4 mean *", "one stream is read, where a copy has two in flight; float32 is added up as float64"),
    (BY_LIMIT, "E4 cumsum*", "totals within vectors, in float64: ten additions and six shuffles for each vector read, 14 cycles where a copy has five"),
    (BY_LIMIT, "E4 gather*", "4096 rows of 512 bytes in no order: caches foresee none of them"),
    (BY_LIMIT, "E4 scatter-add*", "a copy of all rows, then 4096 of them again in no order"),
    (BY_LIMIT, "E5 1x*", "one row reads 1.6 MB of weights, more than a second-level cache holds: one stream at 115 GB/s. Threads that share the columns take 9 to 31 us for one's 14, as rows of 2 KB meet in the sets of their caches"),
    (BY_LIMIT, "E5 *", "copying both operands takes 3 to 5 %, tiles alone reach 93 to 98 % on what is copied: parts of C, which they add to, come from memory"),
    (BY_LIMIT, "E6 lenet 1", "25 products a result: a tile of 5 x 4 vectors is written, and begun, after 250 cycles of sums"),
    (BY_LIMIT, "E6 lenet 1, both gradients", "45 % of the time are the images', whose one channel shares no load (a quarter of the peak); borders, scaling and cost are passes over memory"),
    (BY_LIMIT, "E6 depthwise", "nine products a result take 1.1 of a copy's time, in rows of 28 that fill 32 lanes; loads and stores cross cache lines, and wait for the third-level cache beside them"),
    (BY_LIMIT, "E6 max pooling", "rows of 12 fill three quarters of a vector, whose loads and stores cross cache lines; compared so that a NaN wins"),
    (BY_LIMIT, "E6 resnet stride 2", "setting even and odd places apart takes 8 %; tiles reach 92 % of what is made all along an image"),
    (BY_LIMIT, "E6 resnet stride 2, both gradients", "gradients of a stride copy all windows, or add them back: 58 to 65 %"),
    (BY_LIMIT, "E6 resnet 1x1", "a product of 256x64x784 an image: an inner axis of 64 is short, and each result is written to memory"),
    (BY_LIMIT, "E6 resnet 1x1, both gradients", "the images' product copies 256 x 784 results for 64 rows (75 %); scaling and cost are passes over memory"),
    (BY_LIMIT, "E6 *, both gradients", "borders, the image's scaling and the cost are passes over memory, up to a fifth of the time, besides tiles at 70 to 95 %"),
    (BY_LIMIT, "E6 *", "3 to 5 % of the time are copies of what a piece sees, with its border; tiles themselves reach 80 to 97 %, less where places do not fill their runs"),
)  # fmt: skip


def reason(row: dict[str, Any], what: str = BY_PEER) -> str:
    """The cause, as far as it is known. what: whether a peer is ahead or the limit is far."""
    times = row.get("us", {})
    if what == BY_PEER and row.get("plain_ratio", 2.0) <= 1 and times["symdl"] > DEARER * times["symdl plain"]:
        return f"the digits that precision='right' keeps: plain comes to {row['plain_ratio']:.2f}"
    found = (why for short, pattern, why in CAUSES if short == what and fnmatch(row["cell"], pattern))
    return next(found, "not explained")
