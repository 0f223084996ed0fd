"""The three products that convolutions are made of, by every machine: in pieces, along borders, by threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agree import FLOATS, leaf
from programs import program_of

import symdl
import symdl.tensor as T
from symdl import convolution
from symdl.backends.cpu.backend import CpuBackend
from symdl.graph.expr import OPS, make, variable
from symdl.ir.program import Call
from symdl.pipeline.compilation import Graph, compiled, lowered

PRODUCTS = ("convolve", "convolve_filters", "convolve_images")


def numbers(*shape: int, dtype: str = "float64", seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def cases() -> Any:
    """Products of all three kinds over sizes drawn at random: (extents, steps, spacing, groups, dtype)."""
    rng = np.random.default_rng(3)
    for k in range(24):
        axes, groups = 1 + k % 3, int(rng.choice([1, 1, 2, 3]))
        steps = tuple(map(int, rng.integers(1, 3, axes)))
        spacing = tuple(map(int, rng.choice([-2, -1, 1, 1, 2], axes)))
        yield axes, groups, steps, spacing, (*FLOATS, "int32")[k // 3 % 3]


@pytest.mark.parametrize("name", convolution.ROLES)
@pytest.mark.parametrize(("steps", "spacing", "groups"), [((1, 1), (-1, -1), 1), ((2, 1), (1, -2), 2)])
def test_what_an_element_is_made_of(name: str, steps: Any, spacing: Any, groups: int) -> None:
    """`met` says which numbers of an operand change an element of the product."""
    images, filters = (2, 2 * groups, 5, 6), (2 * groups, 2, 2, 3)
    results = (2, 2 * groups, *convolution.result_extents(images[2:], filters[2:], steps, spacing))
    shapes = [dict(zip("xfy", (images, filters, results), strict=True))[role] for role in convolution.ROLES[name]]
    shape = () if name == "convolve" else (shapes[-1][2:],)

    def product(*operands: Any) -> Any:
        return np.asarray(convolution.PRODUCTS[name](*operands, steps, spacing, groups, *shape))

    ones = [np.ones(s) for s in shapes[:-1]]
    before = product(*ones)
    for k, operand in enumerate(ones):
        changes = []
        for j in range(operand.size):
            operand.flat[j] = 2
            changes.append((product(*ones) != before).reshape(-1))
            operand.flat[j] = 1
        for at in range(before.size):
            expected = np.flatnonzero([c[at] for c in changes])
            np.testing.assert_array_equal(convolution.met(name, k, at, shapes, steps, spacing, groups), expected)


@pytest.mark.parametrize(("axes", "groups", "steps", "spacing", "dtype"), list(cases()))
def test_products_of_any_sizes_on_every_machine(axes: int, groups: int, steps: Any, spacing: Any, dtype: str) -> None:
    """One function for all sizes, which are numbers at run time."""
    rng = np.random.default_rng([axes, groups, *steps])
    x, f, y = (variable(n, (None,) * (axes + 2), dtype) for n in "xfy")
    how = {"steps": steps, "spacing": spacing, "groups": groups}
    outputs = [
        make(OPS["convolve"], (x, f), **how),
        make(OPS["convolve_filters"], (x, y), shape=f.type.shape[2:], **how),
        make(OPS["convolve_images"], (f, y), shape=x.type.shape[2:], **how),
    ]
    run = symdl.function([x, f, y], outputs)
    by_program = symdl.function([x, f, y], outputs, mode="interpreter")

    def draw(*shape: int) -> Any:  # whole numbers: sums are exact
        return rng.integers(-4, 5, shape).astype(dtype)

    for trial in range(5):
        filters = tuple(map(int, rng.integers(1, 4, axes)))
        results = [int(n) for n in rng.integers(1, (50, 13, 5)[axes - 1], axes)]
        rows = zip(results, filters, steps, spacing, strict=True)
        images = tuple((m - 1) * k + (u - 1) * abs(d) + 1 + int(rng.integers(0, k)) for m, u, k, d in rows)
        n, channels, each = (int(rng.choice(v)) for v in ([0, 1, 2, 5], [0, 1, 2, 7, 20], [1, 2, 6, 30]))
        if trial == 0:
            n, channels, each = 2, 3, 7
        given = (
            draw(n, groups * channels, *images), draw(groups * each, channels, *filters), draw(n, groups * each, *results)
        )  # fmt: skip
        a, b, c = given
        expected = [
            convolution.convolve(a, b, steps, spacing, groups),
            convolution.convolve_filters(a, c, steps, spacing, groups, filters),
            convolution.convolve_images(b, c, steps, spacing, groups, images),
        ]
        for way in (run, by_program) if trial < 2 else (run,):
            for name, found, wanted in zip(PRODUCTS, way(*given), expected, strict=True):
                np.testing.assert_array_equal(found, wanted, err_msg=f"{name} of {[v.shape for v in given]}")


@pytest.mark.parametrize("dtype", FLOATS)
def test_large_products_in_pieces(dtype: str) -> None:
    """More rows than a piece holds, filters larger than a cache, few outputs, filters of one place."""
    x, f, y = (variable(n, (None,) * 4, dtype) for n in "xfy")
    for shapes, step in (
        (((2, 70, 12, 12), (130, 70, 3, 3)), 1), (((1, 300, 6, 6), (40, 300, 2, 2)), 1), (((2, 3, 40, 41), (5, 3, 5, 5)), 2),
        (((3, 40, 9, 7), (30, 40, 1, 1)), 1), (((1, 2, 3, 700), (2, 2, 1, 9)), 1),
    ):  # fmt: skip
        how: dict[str, Any] = {"steps": (step, step), "spacing": (-1, -1), "groups": 1}
        a, b = (numbers(*s, dtype=dtype) for s in shapes)
        c = numbers(*convolution.convolve(a, b, **how).shape, dtype=dtype, seed=1)
        run = symdl.function(
            [x, f, y],
            [
                make(OPS["convolve"], (x, f), **how),
                make(OPS["convolve_filters"], (x, y), shape=f.type.shape[2:], **how),
                make(OPS["convolve_images"], (f, y), shape=x.type.shape[2:], **how),
            ],
        )
        wide = [v.astype("float64") for v in (a, b, c)]
        expected = [
            convolution.convolve(wide[0], wide[1], **how),
            convolution.convolve_filters(wide[0], wide[2], shape=b.shape[2:], **how),
            convolution.convolve_images(wide[1], wide[2], shape=a.shape[2:], **how),
        ]
        for found, wanted in zip(run(a, b, c), expected, strict=True):
            bound = 60 * np.finfo(dtype).eps * np.abs(wanted).max()
            np.testing.assert_allclose(found, wanted, rtol=0, atol=float(bound))


def test_processors_with_shorter_vectors(lesser: CpuBackend) -> None:
    x, f, y = (variable(n, (None,) * 4, "float32") for n in "xfy")
    for steps, spacing, groups in (((1, 1), (-1, -1), 1), ((2, 1), (1, 2), 2), ((2, 2), (1, -2), 2)):
        how: dict[str, Any] = {"steps": steps, "spacing": spacing, "groups": groups}
        outputs = (
            make(OPS["convolve"], (x, f), **how),
            make(OPS["convolve_filters"], (x, y), shape=f.type.shape[2:], **how),
            make(OPS["convolve_images"], (f, y), shape=x.type.shape[2:], **how),
        )
        run = compiled(lowered(Graph((x, f, y), (), outputs, ())), lesser)
        for n, channels, each, images, filters in (
            (2, 3, 5, (12, 13), (3, 3)),
            (1, 8, 30, (9, 6), (2, 2)),
            (3, 1, 1, (20, 33), (5, 5)),
        ):
            a = numbers(n, channels * groups, *images, dtype="float32")
            b = numbers(each * groups, channels, *filters, dtype="float32")
            c = convolution.convolve(a, b, **how)
            status, found = run.execute(run.bind([a, b, c]))
            assert status == 0
            expected = [
                c,
                convolution.convolve_filters(a, c, shape=filters, **how),
                convolution.convolve_images(b, c, shape=images, **how),
            ]
            for got, wanted in zip(found, expected, strict=True):
                np.testing.assert_allclose(got, wanted, rtol=0, atol=float(5e-6 * np.abs(wanted).max()))


def test_results_do_not_depend_on_threads() -> None:
    x, f = T.ftensor4("x"), T.ftensor4("f")
    y = T.conv2d(x, f, border_mode="half", subsample=(1, 2))
    run = symdl.function([x, f], [y, *T.grad(T.sum(T.sqr(y)), [x, f])])
    given = numbers(7, 6, 20, 18, dtype="float32"), numbers(25, 6, 3, 4, dtype="float32")
    before = symdl.config.threads
    try:
        found = []
        for threads in (1, 2, 3):
            symdl.config.threads = threads
            found.append([np.array(v) for v in run(*given)])
    finally:
        symdl.config.threads = before
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("sides", [(5, 6), (4, 10), (4, 14), (2, 35)])
def test_nothing_but_the_operands_is_read(sides: tuple[int, int]) -> None:
    """Here NaN stands around the images. Results fill no vector, or an odd number of runs, overlapping ones too."""
    count = 3 * 4 * sides[0] * sides[1]
    room = np.full(count + 128, np.nan, "float32")
    x = room[64 : 64 + count].reshape(3, 4, *sides)
    x[...] = numbers(3, 4, *sides, dtype="float32")
    f = numbers(8, 4, 2, 3, dtype="float32")
    a, b = leaf("x", x), leaf("f", f)
    y = T.conv2d(a, b)
    run = symdl.function([a, b], [y, *T.grad(T.sum(T.sqr(y)), [a, b])])
    again = [np.array(v) for v in run(x.copy(), f)]
    assert all(np.isfinite(v).all() for v in again)
    for found, wanted in zip(run(x, f), again, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("flipped", [True, False])
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_filter_that_slides_gives_the_same_bits(dtype: str, flipped: bool) -> None:
    """Of one channel and output, as of a channel each, in images of any size; in pieces of several images, and of rows of one.
    A second output is what keeps a filter from sliding. Nothing but the operands is read."""
    x, f = T.tensor4("x", dtype), T.tensor4("f", dtype)
    for count, groups, rows, columns in (
        (3, 5, 3, 18), (2, 7, 4, 19), (1, 1, 9, 34), (2, 3, 5, 35), (1, 2, 8, 50), (1, 1, 40, 83), (1, 1, 3, 130), (140, 5, 16, 30),
        (1, 1, 700, 258),
    ):  # fmt: skip
        number = count * groups * rows * columns
        room = np.full(number + 128, np.nan, dtype)
        images = room[64 : 64 + number].reshape(count, groups, rows, columns)
        images[...] = numbers(*images.shape, dtype=dtype)
        images[0, 0, rows // 2, columns // 2] = np.inf
        filters = numbers(groups, 1, 3, 3, dtype=dtype)
        run = symdl.function([x, f], T.conv2d(x, f, num_groups=groups, filter_flip=flipped))
        found = run(images, filters)
        wanted = run(images, np.repeat(filters, 2, axis=0))[:, ::2]
        np.testing.assert_array_equal(found, wanted)
        assert np.isfinite(found).sum() >= found.size - 9


def around(x: Any, border: int) -> Any:
    return np.pad(x, ((0, 0), (0, 0), (border, border), (border, border)))


@pytest.mark.parametrize("flipped", [True, False])
@pytest.mark.parametrize("dtype", FLOATS)
def test_borders_made_by_the_way_are_those_that_stand_in_memory(dtype: str, flipped: bool) -> None:
    """To the bit, of filters that slide and of all others; nothing around the images is read. A filter that is not finite meets
    zeros, too."""
    x, f = T.tensor4("x", dtype), T.tensor4("f", dtype)
    for border, step, count, groups, channels, outputs, rows, columns, side in (
        (1, 1, 3, 5, 1, 1, 3, 5, 3), (2, 1, 2, 7, 1, 1, 4, 19, 3), (1, 1, 2, 3, 1, 1, 9, 40, 3), (1, 1, 1, 2, 1, 1, 8, 50, 3),
        (2, 1, 1, 2, 1, 1, 8, 50, 3), (1, 1, 1, 1, 1, 1, 40, 83, 3), (3, 1, 1, 2, 1, 1, 6, 20, 3), (1, 1, 1, 1, 1, 1, 1, 1, 3),
        (1, 1, 1, 1, 1, 1, 700, 258, 3), (1, 1, 140, 5, 1, 1, 16, 28, 3), (1, 2, 2, 3, 1, 1, 9, 33, 3), (2, 1, 2, 1, 3, 4, 9, 17, 5),
        (1, 1, 2, 2, 3, 8, 24, 32, 3), (1, 2, 2, 1, 4, 9, 30, 28, 3), (1, 1, 2, 1, 8, 30, 7, 7, 3), (1, 1, 2, 1, 3, 5, 4, 3, 1),
        (2, 2, 1, 2, 3, 5, 13, 41, 4), (1, 1, 1, 1, 64, 70, 40, 20, 3),
    ):  # fmt: skip
        how: dict[str, Any] = {"subsample": step, "num_groups": groups, "filter_flip": flipped}
        run = symdl.function([x, f], T.conv2d(x, f, border_mode=border, **how))
        plain = symdl.function([x, f], T.conv2d(x, f, **how))
        shape = count, groups * channels, rows, columns
        room = np.full(int(np.prod(shape)) + 128, np.nan, dtype)
        images = room[64:-64].reshape(shape)
        images[...] = numbers(*shape, dtype=dtype)
        filters = numbers(groups * outputs, channels, side, side, dtype=dtype)
        np.testing.assert_array_equal(run(images, filters), plain(around(images, border), filters))
        filters[-1, 0, 0, side - 1] = np.inf
        np.testing.assert_array_equal(run(images, filters), plain(around(images, border), filters))


def test_borders_made_by_the_way_on_processors_with_shorter_vectors(lesser: CpuBackend) -> None:
    x, f = T.ftensor4("x"), T.ftensor4("f")
    for border, step, groups, channels, outputs, rows, columns, side in (
        (1, 1, 5, 1, 1, 9, 19, 3), (2, 2, 2, 3, 5, 13, 21, 4), (1, 1, 1, 3, 5, 4, 3, 1), (1, 1, 1, 8, 30, 7, 7, 3),
    ):  # fmt: skip
        how: dict[str, Any] = {"subsample": step, "num_groups": groups}
        images = numbers(2, groups * channels, rows, columns, dtype="float32")
        filters = numbers(groups * outputs, channels, side, side, dtype="float32")
        found = []
        for given, mode in ((images, border), (around(images, border), 0)):
            run = compiled(lowered(Graph((x, f), (), (T.conv2d(x, f, border_mode=mode, **how),), ())), lesser)
            status, (y,) = run.execute(run.bind([given, filters]))
            assert status == 0
            found.append(y)
        np.testing.assert_array_equal(*found)


def test_a_border_is_made_by_the_way_where_only_convolutions_see_it() -> None:
    """And what it is around lies in memory anyway."""
    x, f, g = T.ftensor4("x"), T.ftensor4("f"), T.ftensor4("g")
    y = T.conv2d(x, f, border_mode=1)
    for outputs, expected in (
        ([y], [True]),
        ([y, T.conv2d(x, g, border_mode=1, subsample=2)], [True, True]),
        ([y, *T.grad(T.sum(T.sqr(y)), [f])], [False, False]),
        ([T.conv2d(T.sin(x), f, border_mode=1)], [False]),
        ([T.conv2d(y, g, border_mode="half")], [True, True]),
    ):
        program = program_of([x, f, g], outputs)
        assert [bool(s.borders) for s in program.steps if isinstance(s, Call) and s.window] == expected


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("step", [1, 2])
def test_results_made_all_along_an_image(step: int, dtype: str) -> None:
    """Of rows that fill no runs, in one piece or several, by any number of threads; what stands between rows is left out. A
    number that is not finite is met by its own windows only, and nothing but the operands is read."""
    x, f = T.tensor4("x", dtype), T.tensor4("f", dtype)
    run = symdl.function([x, f], T.conv2d(x, f, subsample=step, filter_flip=step == 1))
    before = symdl.config.threads
    for channels, outputs, rows, columns, sides in (
        (3, 5, 7, 7, (3, 3)), (1, 7, 40, 6, (3, 2)), (8, 64, 61, 5, (2, 3)), (64, 130, 28, 28, (3, 3)), (2, 3, 9, 19, (1, 1)),
        (5, 1, 30, 7, (4, 5)), (2, 13, 3, 3, (3, 3)), (4, 6, 2, 7, (2, 2)),
    ):  # fmt: skip
        images = (rows - 1) * step + sides[0], (columns - 1) * step + sides[1] + step - 1
        count = 3 * channels * images[0] * images[1]
        room = np.full(count + 128, np.nan, dtype)
        a = room[64 : 64 + count].reshape(3, channels, *images)
        a[...] = numbers(*a.shape, dtype=dtype)
        b = numbers(outputs, channels, *sides, dtype=dtype)
        how: dict[str, Any] = {"steps": (step,) * 2, "spacing": (-1 if step == 1 else 1,) * 2, "groups": 1}
        wanted = convolution.convolve(a.astype("float64"), b.astype("float64"), **how)
        bound = 60 * np.finfo(dtype).eps * np.abs(wanted).max()
        try:
            for threads in (1, 2):
                symdl.config.threads = threads
                np.testing.assert_allclose(run(a, b), wanted, rtol=0, atol=float(bound))
        finally:
            symdl.config.threads = before
        finite = np.array(run(a, b))
        a[1, 0, images[0] // 2, images[1] - step] = np.inf
        found = run(a, b)
        touched = ~np.isfinite(found)
        np.testing.assert_array_equal(found[~touched], finite[~touched])
        wanted = convolution.convolve(a.astype("float64"), b.astype("float64"), **how)
        np.testing.assert_array_equal(touched, ~np.isfinite(wanted))
