"""Which steps a convolution and its gradients become."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agree import agree, leaf
from programs import calls, program_of

import symdl
import symdl.tensor as T


def numbers(*shape: int, dtype: str = "float64", seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def test_a_layer_and_its_gradients_are_three_calls() -> None:
    x, f = T.ftensor4("x"), T.ftensor4("f")
    y = T.conv2d(x, f)
    program = program_of([x, f], [y, *T.grad(T.sum(T.sqr(y)), [x, f])])
    assert sorted(calls(program)) == ["convolve", "convolve_filters", "convolve_images"]


@pytest.mark.parametrize("filters", [(6, 1, 3, 2), (48, 4, 3, 2)])
def test_images_of_single_channels_or_few_outputs_are_gathered(filters: tuple[int, ...]) -> None:
    """Of each group; where a step lies between results, they are not."""
    x, f = numbers(2, 3 * filters[1], 9, 12), numbers(*filters)
    for step, holes, flipped, expected in (
        (1, 1, True, ["convolve"]),
        (1, 2, False, ["convolve"]),
        (2, 1, True, ["convolve_images"]),
    ):
        a, b = leaf("x", x, known=True), leaf("f", f, known=True)
        y = T.conv2d(a, b, subsample=step, filter_dilation=holes, filter_flip=flipped, num_groups=3)
        (g,) = T.grad(T.sum(T.sin(T.cos(y))), [a])
        assert calls(program_of([a, b], [g]))[1:] == expected
        agree([g], {a: x, b: f}, ulps=64)


@pytest.mark.parametrize("outputs", [4, 17])
def test_images_within_their_border_are_gathered_with_less_of_it(outputs: int) -> None:
    """Of as many results as places, whatever the number of outputs. Where a border is cut off on one side, too."""
    x, f = numbers(2, 3, 9, 12), numbers(outputs, 3, 3, 5)
    for holes, flipped, part in ((1, True, (0, 9)), (2, False, (0, 9)), (1, False, (1, 9)), (1, True, (0, 4))):
        a, b = leaf("x", x, known=True), leaf("f", f, known=True)
        y = T.conv2d(a[:, :, slice(*part)], b, border_mode="half", filter_dilation=holes, filter_flip=flipped)
        (g,) = T.grad(T.sum(T.sin(T.cos(y))), [a])
        program = program_of([a, b], [g])
        assert calls(program)[1:] == ["convolve"]
        border = (2 * holes, 4 * holes)
        wide = {(2, outputs, part[1] - part[0] + border[0], 12 + border[1])}
        assert wide <= {b.shape for b in program.buffers.values()}  # not twice the border
        agree([g], {a: x, b: f}, ulps=64)


def test_a_part_of_a_convolution_is_one_of_less_border() -> None:
    """Where the part reaches into the images, where it begins within the border, and where channels are left out, which is
    cut off afterwards."""
    x, f = numbers(2, 3, 9, 12), numbers(4, 3, 3, 3)
    a, b = leaf("x", x, known=True), leaf("f", f, known=True)
    y = T.conv2d(a, b, border_mode="full")
    for part in (y[:, :, 1:-1, 1:-1], y[:, :, 2:-2, 1:], y[:, :, 4:, 1:], y[:, 1:, 1:-1, 1:-1], y[:, :, 1:-1:2, 1:-1]):
        agree([part], {a: x, b: f}, ulps=64)


def test_images_of_many_outputs_are_added_up() -> None:
    a, b = leaf("x", numbers(2, 3, 9, 12), known=True), leaf("f", numbers(17, 3, 3, 2), known=True)
    (g,) = T.grad(T.sum(T.sqr(T.conv2d(a, b))), [a])
    assert calls(program_of([a, b], [g]))[1:] == ["convolve_images"]


def test_another_batch_or_image_needs_no_compilation() -> None:
    x, f = T.ftensor4("x"), T.ftensor4("f")
    run = symdl.function([x, f], T.conv2d(x, f, border_mode="same", subsample=2))
    for shape, filters in (((1, 2, 5, 5), (3, 2, 3, 3)), ((4, 1, 8, 3), (2, 1, 1, 2)), ((0, 1, 4, 4), (1, 1, 2, 2))):
        a, b = numbers(*shape, dtype="float32"), numbers(*filters, dtype="float32")
        assert run(a, b).shape == (shape[0], filters[0], -(-shape[2] // 2), -(-shape[3] // 2))
