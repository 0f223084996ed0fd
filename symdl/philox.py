"""Random numbers as a formula of an index, in NumPy: the definition that every machine must meet.

Philox4x32-10 (Salmon, Moraes, Dror and Shaw, 2011) turns a key of two words and a counter of four into four random
words, a word having 32 bits. For one draw

    key = (low, high) of the stream's key,    counter = (block low, serial + 2^20 block high, count low, count high)

where `serial` numbers the draws of a stream, `count` the calls of compiled functions, and `block` follows from the place
of an element in its array, in C order. Philox is a bijection for each key, so no two elements, draws or calls of one
stream share words (below 2^20 draws and 2^44 blocks).

Sixteen blocks side by side serve one run of elements, so that vectors of any width up to 16 use all four words:

    32 bits    element p: block 16 (p // 64) + p % 16, word (p // 16) % 4
    64 bits    element p: block 16 (p // 32) + p % 16, words 0 and 1 if (p // 16) % 2 == 0, else 2 and 3; the first is low

Normal numbers come in pairs (Box and Muller, 1958), r cos t and r sin t with r = sqrt(-2 ln u). float32: words 0 and 1
give elements p and p + 16 of a run, words 2 and 3 the next two; u = 2^-32 w + 2^-33 and t / 2 pi = 2^-32 w', rounded to
float32 within its quadrant. float64: words 0 and 1 give u = 2^-53 (w + 1), words 2 and 3 t / 2 pi = 2^-53 w', of the upper
53 bits of 64 each. So |z| <= 6.8 and 8.6.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any
Words = tuple[Array, Array, Array, Array]
ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)  # what the key grows by each round: golden ratio, sqrt(3) - 1
LANES = 16  # blocks that serve one run of elements
WORD = (1 << 32) - 1
SERIALS = 20  # bits of the counter's second word that hold the serial of a draw


def philox(counter: Words, key: tuple[Array, Array]) -> Words:
    """Philox4x32-10: four random words. Words are uint64 arrays of numbers below 2^32."""
    c0, c1, c2, c3 = (np.asarray(c, np.uint64) for c in counter)
    k0, k1 = (np.asarray(k, np.uint64) for k in key)
    low, half = np.uint64(WORD), np.uint64(32)
    for _ in range(ROUNDS):
        first, second = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1, c2, c3 = (second >> half) ^ c1 ^ k0, second & low, (first >> half) ^ c3 ^ k1, first & low
        k0, k1 = (k0 + np.uint64(WEYL[0])) & low, (k1 + np.uint64(WEYL[1])) & low
    return c0, c1, c2, c3


def _block_words(key: Array, count: Array, serial: Array, place: Array, run: int) -> tuple[Array, Words]:
    """(which sixteenth of its run an element is in, the four words of its block); `run` elements share 16 blocks."""
    key, count, serial, place = (np.asarray(v, np.uint64) for v in (key, count, serial, place))
    low, half = np.uint64(WORD), np.uint64(32)
    block = place // np.uint64(run) * np.uint64(LANES) + place % np.uint64(LANES)
    second = (serial + ((block >> half) << np.uint64(SERIALS))) & low
    words = philox((block & low, second, count & low, count >> half), (key & low, key >> half))
    return place // np.uint64(LANES) % np.uint64(run // LANES), words


def word32(key: Array, count: Array, serial: Array, place: Array) -> Array:
    """uint32: the random word of an element."""
    part, words = _block_words(key, count, serial, place, 64)
    return np.asarray(np.choose(part.astype(np.int64), words)).astype(np.uint32)[()]


def word64(key: Array, count: Array, serial: Array, place: Array) -> Array:
    """uint64: the two random words of an element."""
    part, (w0, w1, w2, w3) = _block_words(key, count, serial, place, 32)
    half = np.uint64(32)
    return np.where(part == 0, w0 | w1 << half, w2 | w3 << half)[()]


def normal32(key: Array, count: Array, serial: Array, place: Array) -> Array:
    """float32: a standard normal number, computed in float64 from u and t as they stand above and rounded once."""
    part, (w0, w1, w2, w3) = _block_words(key, count, serial, place, 64)
    radius: Array = np.where(part < 2, w0, w2)
    radius = radius.astype(np.float32) * np.float32(2**-32) + np.float32(2**-33)
    angle: Array = np.where(part < 2, w1, w3)
    angle = angle.astype(np.int64)
    quadrant = (angle + (1 << 29)) >> 30
    turn = (angle - (quadrant << 30)).astype(np.float32).astype(np.float64) * 2.0**-32
    return _box_muller(radius.astype(np.float64), quadrant, turn, part % np.uint64(2)).astype(np.float32)[()]


def normal64(key: Array, count: Array, serial: Array, place: Array) -> Array:
    """float64: a standard normal number."""
    part, (w0, w1, w2, w3) = _block_words(key, count, serial, place, 32)
    half, unused = np.uint64(32), np.uint64(11)
    radius = (((w0 | w1 << half) >> unused) + np.uint64(1)).astype(np.float64) * 2.0**-53
    angle = ((w2 | w3 << half) >> unused).astype(np.int64)
    quadrant = (angle + (1 << 50)) >> 51
    turn = (angle - (quadrant << 51)).astype(np.float64) * 2.0**-53
    return _box_muller(radius, quadrant, turn, part)[()]


def _box_muller(u: Array, quadrant: Array, turn: Array, part: Array) -> Array:
    """sqrt(-2 ln u) times the cosine (part 0) or sine (part 1) of a quarter of a turn * quadrant + turn."""
    quarter = (quadrant + np.where(part == 0, 1, 0)) & 3  # cos x = sin(x + a quarter)
    angle = turn * (2 * np.pi)
    size = np.where(quarter & 1, np.cos(angle), np.sin(angle))
    return np.sqrt(-2 * np.log(u)) * np.where(quarter & 2, -size, size)
