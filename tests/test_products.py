"""Contractions: any notation of two operands becomes one matrix product, or elementwise products and a sum."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from programs import calls, program_of, three_ways

import symdl
import symdl.tensor as T
from symdl.graph.expr import variable
from symdl.graph.walks import topological
from symdl.ops.contractions import CONTRACT, contract, parse
from symdl.rules.products import matrix_form, matrix_products

SIZES = {"i": 2, "j": 3, "k": 4, "l": 1, "m": 5, "n": 0, "r": 3, "s": 2, "c": 4}
ONE_PRODUCT = [
    "i k, k j -> i j", "k i, k j -> i j", "i k, j k -> i j", "i k, k j -> j i", "m i k, m k j -> m i j",
    "i m k, k m j -> j m i", "i k l, l k j -> i j", "i k m, j -> i j", "i m, k m j -> k i j", "i l k, k j -> i l j",
    "i k, k j m -> m i j", "k m i, m k j -> i j", "n i k, n k j -> n i j", "i n, n j -> i j",
    "i k c m, c m k j -> i j c", "r i s k, i s r c -> s k c", "s i r k, r k j s -> s i j",
]  # fmt: skip
NO_PRODUCT = [
    "i, i ->", "i, j -> i j", "i k, k -> i", "k, k j -> j", "i j, i j -> i j", "i j, i j -> i", "i j, i j ->", ", i -> i",
    ", ->", "i j, j -> i j", "i j, -> i j", "i m, j k -> j", "n, n ->", "n k, k -> n",
]  # fmt: skip


def operands(notation: str, dtype: str, known: bool) -> tuple[list[Any], list[Any]]:
    letters, _ = parse(notation)
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 4, [SIZES[v] for v in own]).astype(dtype) for own in letters]
    leaves = [
        variable(f"x{k}", tuple(n if known or n < 2 else None for n in a.shape), dtype) for k, a in enumerate(arrays)
    ]
    return leaves, arrays


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("notation", ONE_PRODUCT + NO_PRODUCT)
def test_the_run_form_is_the_contraction(notation: str, known: bool) -> None:
    leaves, _ = operands(notation, "float64", known)
    whole = contract(*leaves, notation=notation)
    run = matrix_form(whole)
    assert run.type == whole.type or not known
    left = [n for n in topological(run) if n.op is CONTRACT]
    for n in left:
        (a, b), out = parse(n.params["notation"])
        assert len(set(a) - set(b)) == len(set(b) - set(a)) == len(set(a) & set(b) - set(out)) == 1
        assert set(out) == set(a) ^ set(b) | (set(a) & set(b) & set(out))
    assert matrix_products([run], {}) == [run]


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "bool"])
def test_every_notation_in_every_mode(dtype: str) -> None:
    """All notations in one function; small whole numbers, so that every dtype is exact."""
    inputs: list[Any] = []
    values: list[Any] = []
    outputs = []
    for notation in ONE_PRODUCT + NO_PRODUCT:
        leaves, arrays = operands(notation, dtype, known=False)
        inputs += leaves
        values += arrays
        outputs.append(contract(*leaves, notation=notation))
    found = three_ways(inputs, outputs, values)
    for k, notation in enumerate(ONE_PRODUCT + NO_PRODUCT):
        expected = np.einsum(notation.replace(" ", ""), *(v.astype(np.int64) for v in values[2 * k : 2 * k + 2]))
        np.testing.assert_array_equal(found[k], expected.astype(dtype), err_msg=notation)


def test_what_can_be_a_product_is_one_call() -> None:
    for notation in ("i k, k j -> i j", "m i k, m k j -> m i j", "i k l, l k j -> i j", "i k, k j m -> m i j"):
        leaves, _ = operands(notation, "float64", known=False)
        assert calls(program_of(leaves, [contract(*leaves, notation=notation)])) == ["matmul"], notation


def test_what_is_no_product_is_no_call() -> None:
    for notation in NO_PRODUCT:
        leaves, _ = operands(notation, "float64", known=False)
        assert calls(program_of(leaves, [contract(*leaves, notation=notation)])) == [], notation


def test_gradients_of_all_pairs_of_three_indices() -> None:
    """i, j, k on either operand and in the result, where a gradient exists: the run form differentiates as the op."""
    x, y = T.matrix("x"), T.matrix("y")
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    outputs = []
    for left, right in itertools.product(["i k", "k i"], ["k j", "j k", "k i", "i k"]):
        for out in ["i j", "j i", "i", "k", "k i", ""]:
            if set(out.split()) <= set(left.split()) | set(right.split()):
                z = contract(x, y, notation=f"{left}, {right} -> {out}")
                outputs += symdl.grad(T.sqr(z).sum(), [x, y])
    assert len(outputs) > 40
    three_ways([x, y], outputs, [a, b], rtol=1e-9)


def test_sizes_of_grouped_indices_are_products() -> None:
    x, y = T.tensor3("x"), T.tensor3("y")
    z = matrix_form(contract(x, y, notation="i a b, a b j -> i j"))
    shapes = [n.type.shape for n in topological(z) if n.op is CONTRACT]
    assert shapes == [(x.type.shape[0], y.type.shape[2])]
    inner = next(n for n in topological(z) if n.op is CONTRACT).inputs[0].type.shape[1]
    assert inner is math.prod(x.type.shape[1:])


def test_a_product_that_is_read_across_only_is_made_that_way() -> None:
    """As the gradient of weights that stand in two layers, the second time transposed."""
    x, y, w = T.matrix("x"), T.matrix("y"), T.matrix("w")
    batches, other = T.tensor3("batches"), T.tensor3("other")
    once, both = (x @ y).T + w, x @ w
    of_batches = batches @ other
    for inputs, outputs, results in (
        ([x, y, w], [once], [once]),
        ([x, w], [both.T + 1, both], [both]),  # one product, for it is read as it lies, too
        ([batches, other], [of_batches.transpose(0, 2, 1) + 1], [of_batches.transpose(0, 2, 1)]),
        ([batches, other], [of_batches.transpose(1, 2, 0) + 1], [of_batches]),  # whose vectors would be of batches
    ):
        made = [n for n in topological(*matrix_products(outputs, {})) if n.op is CONTRACT]
        assert [n.type.shape for n in made] == [r.type.shape for r in results]
        rng = np.random.default_rng(0)
        three_ways(inputs, outputs, [rng.integers(0, 4, (3, 3, 3)[: i.ndim]).astype(float) for i in inputs])
