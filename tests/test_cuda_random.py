"""Random streams on a GPU, emulated or real, are the CPU's: words, uniforms, permutations and the rest bit for bit."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from test_random import DRAWS

import symdl.tensor as T
from symdl import function, scan
from symdl.philox import MULTIPLIERS, ROUNDS, word32, word64
from symdl.random import RandomStream

TRANSFORMED = ("normal", "truncated")  # pass through log, sqrt and sin, or through erfinv


@cache
def every_draw(device: str, n: int) -> dict[str, Any]:
    """All kinds of draws in one function of one stream, at its second call."""
    size, r = T.lscalar("n"), RandomStream(3)
    f = function([size], {name: build(r, size) for name, build in DRAWS.items()}, device=device)
    f(n)
    found: dict[str, Any] = f(n)
    return found


@pytest.mark.parametrize("name", DRAWS)
def test_every_draw_is_the_cpus(gpu: str, name: str) -> None:
    for n in (1, 70):
        here, there = every_draw("cpu", n)[name], every_draw(gpu, n)[name]
        assert (there.dtype, there.shape) == (here.dtype, here.shape)
        if any(word in name for word in TRANSFORMED):
            np.testing.assert_allclose(there, here, rtol=4 * np.finfo(here.dtype).eps, atol=0)
        else:
            np.testing.assert_array_equal(there, here)


@pytest.mark.parametrize("n", [3, 65, 513, 5000])
def test_words_are_those_of_the_definition(gpu: str, n: int) -> None:
    r, size = RandomStream(11), T.lscalar("n")
    drawn = [r.words((n,)), r.words((size,)), r.words((n // 5 + 1, 5), 64), r.words((size, 2, 3)).T]
    fixed, open_, narrow, deep = function([size], drawn, device=gpu)(n)
    np.testing.assert_array_equal(fixed, word32(11, 0, 0, np.arange(n)))
    np.testing.assert_array_equal(open_, word32(11, 0, 1, np.arange(n)))
    np.testing.assert_array_equal(narrow.ravel(), word64(11, 0, 2, np.arange(narrow.size)))
    np.testing.assert_array_equal(deep.T.ravel(), word32(11, 0, 3, np.arange(6 * n)))


@pytest.mark.parametrize("bits", [32, 64])
def test_a_thread_takes_all_that_a_block_of_words_makes(bits: int) -> None:
    f = function([], RandomStream(11).words((200,), bits), device="cuda-emulated")
    kernel = next(text for text in f.source("llvm").split("define ")[1:] if f"random_word{bits}" in text.split("(")[0])
    assert kernel.count(f"store i{bits} ") == 128 // bits
    assert kernel.count(str(MULTIPLIERS[0])) == ROUNDS
    assert "@symdl_random" not in kernel


def drawn_in_a_loop(device: str) -> list[Any]:
    """Two calls of a function that draws in each step of a loop, inside of sums, and for an order of rows."""
    r = RandomStream(5)
    walk, updates = scan(lambda s: s + r.uniform((4,)), None, [T.zeros((4,))], n_steps=7)
    x = T.arange(200).reshape((20, 10)).astype("float32")
    kept = x * r.bernoulli((20, 10), 0.5).astype("float32")
    rows = T.arange(128.0) * r.uniform((9, 128)) + r.normal((9, 128)) * r.words((9, 128))
    shuffled = x[r.permutation((), 20)]
    f = function([], [walk, kept.sum(axis=0), kept.sum(), shuffled, rows], updates=updates, device=device)
    return [*f(), *f()]


def test_draws_in_loops_and_in_what_uses_them(gpu: str) -> None:
    for here, there in zip(drawn_in_a_loop("cpu"), drawn_in_a_loop(gpu), strict=True):
        np.testing.assert_array_equal(there, here)
