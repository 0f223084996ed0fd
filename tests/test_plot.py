"""Pictures are what they show: the arrays and lines on the axes, drawn without a screen."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl import plot
from symdl.errors import ConfigError, DataError, ShapeError
from symdl.nn import Sequential, layers
from symdl.plot.curves import round_ticks
from symdl.plot.terrain import random_direction
from symdl.zoo.likelihood import Annealed

Array = np.ndarray[Any, np.dtype[Any]]
# matplotlib 3.9 meets newer versions of what it uses with names that these deprecate
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:matplotlib.*")


@pytest.fixture
def ax() -> Iterator[Any]:
    """Axes of a figure that no screen shows."""
    matplotlib = pytest.importorskip("matplotlib", reason="pictures are drawn with it: pip install symdl[plot]")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    yield axes
    figure.canvas.draw()  # whatever was put on the axes can be drawn
    plt.close("all")


def picture(ax: Any) -> Array:
    """The one image on the axes."""
    (image,) = ax.get_images()
    return np.asarray(image.get_array())


# ---- tiles ----


def test_tiles_stand_in_rows() -> None:
    images = np.stack([np.full((2, 3), float(k)) for k in range(5)])
    found = plot.tiled(images, columns=2, scale="all", fill=9)
    assert found.shape == (3 * 2 + 2, 2 * 3 + 1)
    np.testing.assert_array_equal(found[3:5, 4:7], 3 / 4)
    np.testing.assert_array_equal(found[6:8, 4:7], 9)  # no sixth
    np.testing.assert_array_equal(found[:, 3], 9)
    np.testing.assert_array_equal(plot.tiled(images, gap=0, scale="none").shape, (4, 9))  # 3 and 2
    colours = plot.tiled(np.ones((2, 4, 4, 3)), scale="none")
    assert colours.shape == (4, 9, 3)


def test_scales_of_tiles() -> None:
    images = np.array([[[-1.0, 3]], [[0, 0]], [[10, 20]]])
    wanted: dict[Any, Any] = {
        "each": [0, 1, 0, 0, 0, 1],
        "symmetric": [0.5 - 1 / 6, 1, 0.5, 0.5, 0.75, 1],
        "all": [0, 4 / 21, 1 / 21, 1 / 21, 11 / 21, 1],
        "none": [-1, 3, 0, 0, 10, 20],
    }
    for scale, values in wanted.items():
        np.testing.assert_allclose(plot.tiled(images, 3, gap=0, scale=scale)[0], values)
    wrong: list[dict[str, Any]] = [{"scale": "log"}, {"columns": 0}, {"gap": -1}]
    for bad in wrong:
        with pytest.raises(ConfigError):
            plot.tiled(images, **bad)
    for shape in ((3,), (0, 2, 2), (2, 3, 4, 2)):
        with pytest.raises(ShapeError):
            plot.tiled(np.zeros(shape))


def test_filters_of_dense_and_convolutional_layers(ax: Any, rng: np.random.Generator) -> None:
    W = rng.standard_normal((12, 5))
    images = plot.filter_images(W, (3, 4))
    np.testing.assert_array_equal(images[2], W[:, 2].reshape(3, 4))
    assert plot.filter_images(rng.standard_normal((16, 3))).shape == (3, 4, 4)
    kernel = rng.standard_normal((6, 2, 5, 4))
    np.testing.assert_array_equal(plot.filter_images(kernel)[2 * 3 + 1], kernel[3, 1])
    colour = rng.standard_normal((6, 3, 5, 4))
    np.testing.assert_array_equal(plot.filter_images(colour)[1], colour[1].transpose(1, 2, 0))
    small = rng.standard_normal((6, 1, 3, 3))  # three columns are no colours
    np.testing.assert_array_equal(plot.filter_images(small), small[:, 0])
    np.testing.assert_array_equal(plot.filter_images(np.repeat(small, 3, axis=1))[4, :, :, 1], small[4, 0])
    for shape, size in (((12, 5), None), ((3,), None), ((12, 2), (5, 2))):
        with pytest.raises(ShapeError):
            plot.filter_images(np.zeros(shape), size)
    assert plot.filters(symdl.shared(kernel), ax=ax) is ax
    np.testing.assert_allclose(picture(ax), plot.tiled(plot.filter_images(kernel), 2, scale="symmetric", fill=np.nan))
    ax.clear()
    layer = layers.Dense(4, input_dim=9)
    layer(T.tensor("x", shape=(None, 9)))
    plot.filters(layer, ax=ax)
    assert picture(ax).shape == (2 * 3 + 1, 2 * 3 + 1)
    assert np.isnan(picture(ax)).sum() == 2 * 7 - 1  # between tiles the ground is seen, which is no weight's colour


def test_samples_and_reconstructions(ax: Any, rng: np.random.Generator) -> None:
    x, again = rng.random((4, 64)), rng.random((4, 64))
    assert plot.reconstructions(x, again, ax=ax) is ax
    found = picture(ax)
    assert found.shape == (17, 35)
    np.testing.assert_array_equal(found[:8, 9:17], x[1].reshape(8, 8))
    np.testing.assert_array_equal(found[9:, 27:], again[3].reshape(8, 8))
    with pytest.raises(ShapeError, match=r"\[4, 8, 8\] examples meet \[3, 8, 8\]"):
        plot.reconstructions(x, again[:3], ax=ax)
    ax.clear()
    plot.samples(rng.random((6, 3, 5, 4)), columns=6, ax=ax, title="after 1000 steps")
    assert picture(ax).shape == (5, 29, 3)
    assert ax.get_title() == "after 1000 steps"


def test_a_picture_without_axes_makes_its_own(ax: Any) -> None:
    assert plot.samples(np.zeros((1, 4))) is not ax


# ---- curves ----

HISTORY = {"loss": [1.0, 0.5, 0.25], "val_loss": [1.2, float("nan"), 0.5], "accuracy": [0.2, 0.6, 0.8]}


def test_learning_curves_are_lines(ax: Any) -> None:
    assert plot.learning_curve(HISTORY, ["loss", "accuracy"], ax=ax) is ax
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert list(lines) == ["loss", "val_loss", "accuracy"]
    np.testing.assert_array_equal(lines["val_loss"].get_ydata(), HISTORY["val_loss"])
    np.testing.assert_array_equal(lines["loss"].get_xdata(), [1, 2, 3])
    assert all(float(tick).is_integer() for tick in ax.get_xticks())
    assert lines["loss"].get_color() == lines["val_loss"].get_color() != lines["accuracy"].get_color()
    with pytest.raises(DataError, match="has no acc\n  It holds loss, val_loss, accuracy"):
        plot.learning_curve(HISTORY, ["acc"], ax=ax)


def test_learning_curves_as_svg() -> None:
    class History:
        history = HISTORY

    text = plot.learning_curve_svg(History())
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    paths = {p.get("stroke-dasharray"): p.get("d", "") for p in root.iter(f"{space}path") if p.get("stroke-linecap")}
    assert list(paths) == [None, "5 3"]
    assert paths["5 3"].count("M") == 2  # the gap of the nan
    heights = [float(part.split()[1].rstrip("h0") or 0) for part in paths[None].replace("M", "L").split("L")[1:]]
    assert heights == sorted(heights)  # a falling loss goes down the page
    assert heights[1] - heights[0] == pytest.approx(2 * (heights[2] - heights[1]), abs=0.2)
    assert [t.text for t in root.iter(f"{space}text")][-2:] == ["loss", "val_loss"]
    assert plot.learning_curve_svg({}) == ""
    assert plot.learning_curve_svg({"loss": [float("inf")]}) == ""
    assert ElementTree.fromstring(plot.learning_curve_svg({"a<b": [3.0]}, ["a<b"])) is not None


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0.013, 0.9), (-3e-9, 7e-9), (5, 5), (0, 0), (99.5, 100), (1e20, 3e20)]
)
def test_ticks_are_round_and_reach_around(low: float, high: float) -> None:
    ticks = round_ticks(low, high)
    assert 3 <= len(ticks) <= 8
    assert ticks[0] <= low + 1e-9 * abs(low)
    assert ticks[-1] >= high - 1e-9 * abs(high)
    step = ticks[1] - ticks[0]
    assert round(step / 10 ** np.floor(np.log10(step) + 1e-9), 6) in (1, 2, 5, 10)


# ---- classes ----


def test_confusion_is_scikit_learns(ax: Any) -> None:
    pytest.importorskip("sklearn", reason="the matrix is scikit-learn's: pip install symdl[zoo]")
    labels, predicted = [0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0]
    assert plot.confusion(labels, predicted, names=["a", "b", "c"], ax=ax) is ax
    np.testing.assert_array_equal(picture(ax), [[1, 1, 0], [0, 1, 0], [1, 0, 2]])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "predict",
    [
        lambda p: (p[:, 0] > 0).astype(int),
        lambda p: 1 / (1 + np.exp(-p[:, 0])),
        lambda p: 1 / (1 + np.exp(-p[:, :1])),
        lambda p: np.stack([p[:, 0] < 0, p[:, 0] >= 0], axis=1).astype(float),
        lambda p: np.stack([-p[:, 0], p[:, 1], p[:, 0]], axis=1),
    ],
)
def test_boundary_shows_what_a_model_says(ax: Any, predict: Any) -> None:
    pytest.importorskip("sklearn", reason="the display is scikit-learn's: pip install symdl[zoo]")
    x = np.array([[-1.0, 0], [1, 2], [2, -1]])
    found = plot.boundary(predict, x, [0, 1, 2], resolution=20, names=("height", "colour"), ax=ax)
    assert found is ax
    assert ax.get_xlabel() == "height"
    points = ax.collections[-1]
    np.testing.assert_array_equal(np.asarray(points.get_offsets()), x)
    left, right = ax.get_xlim()
    assert left <= -1.5
    assert right >= 2.5
    for wrong in (lambda p: 1.0, lambda p: p[:3], lambda p: p[None]):
        with pytest.raises(ShapeError, match="predict answers"):
            plot.boundary(wrong, x, resolution=20, ax=ax)
    with pytest.raises(ShapeError, match="not in the plane"):
        plot.boundary(predict, np.zeros((3, 3)), ax=ax)


# ---- maps and units ----


def test_maps_are_symmetric_about_white(ax: Any) -> None:
    values = np.array([[0.0, -3], [1, 2]])
    assert plot.heat(values, title="map", ax=ax) is ax
    (bar,) = (other for other in ax.figure.axes if other is not ax)
    assert bar.get_ylim() == (-np.abs(values).max(), np.abs(values).max())
    np.testing.assert_array_equal(picture(ax), values)
    assert ax.get_images()[0].get_clim() == (-3, 3)
    ax.clear()
    channels = np.stack([values, -2 * values, np.zeros((2, 2))])
    plot.heat(channels, ax=ax)
    np.testing.assert_array_equal(picture(ax), -2 * values)


def test_pictures_of_a_convolutional_network(ax: Any, rng: np.random.Generator) -> None:
    x = rng.standard_normal((12, 8, 8, 1))
    model = Sequential([layers.Conv2D(3, 3, activation="relu"), layers.Flatten(), layers.Dense(4, "softmax")])
    model(T.tensor("x", dtype="float64", shape=(None, 8, 8, 1)))
    plot.saliency(model, x[0], 2, ax=ax)
    np.testing.assert_allclose(picture(ax), plot.saliency_map(model, x[:1], 2)[0, :, :, 0])
    ax.clear()
    plot.integrated(model, x[0], 2, ax=ax)
    np.testing.assert_allclose(picture(ax), plot.integrated_gradients(model, x[:1], 2)[0, :, :, 0])
    ax.clear()
    plot.deconvolved(model, x[0], "conv2d", 1, ax=ax)
    assert ax.get_title() == "layer conv2d, unit 1"
    np.testing.assert_allclose(picture(ax), plot.deconvnet(model, x[:1], 0, 1)[0, :, :, 0])
    ax.clear()
    plot.activations(model, x[0], "conv2d", columns=3, ax=ax)
    assert picture(ax).shape == (6, 20)
    ax.clear()
    plot.activations(model, x[0], -1, size=(2, 2), ax=ax)
    assert picture(ax).shape == (2, 2)
    with pytest.raises(ShapeError, match="4 units do not make 3 rows of 3"):
        plot.activations(model, x[0], -1, size=(3, 3), ax=ax)
    ax.clear()
    plot.top_nine(model, x, "conv2d", 0, ax=ax)
    np.testing.assert_allclose(picture(ax), plot.tiled(plot.top_patches(model, x, 0, 0).patches, scale="all"))
    ax.clear()
    plot.occlusion(lambda images: images[:, 4, 4], x[0, :, :, 0], window=(1, 1), ax=ax)
    assert np.flatnonzero(picture(ax)).tolist() == [36]


# ---- terrain ----


def quadratic(rng: np.random.Generator) -> tuple[Any, list[Any]]:
    W, b = symdl.shared(rng.standard_normal((3, 2)), "W"), symdl.shared(rng.standard_normal(2), "b")
    return symdl.function([], (W**2).sum() + 3 * (b**2).sum()), [W, b]


def test_the_terrain_is_the_loss_over_a_plane(rng: np.random.Generator) -> None:
    loss, parameters = quadratic(rng)
    before = [p.get_value() for p in parameters]
    found = plot.terrain(loss, parameters, steps=5, span=2.0, seed=4)
    for p, w in zip(parameters, before, strict=True):
        np.testing.assert_array_equal(p.get_value(), w)
    np.testing.assert_allclose(found.a, [-2, -1, 0, 1, 2])
    assert found.loss[2, 2] == pytest.approx(float(loss()))
    generator = np.random.default_rng(4)
    (u, zero), (v, _) = random_direction(before, generator), random_direction(before, generator)
    np.testing.assert_array_equal(zero, 0)
    for k in range(2):  # filters are columns
        assert np.linalg.norm(u[:, k]) == pytest.approx(np.linalg.norm(before[0][:, k]))
    W = before[0] + found.a[4] * u + found.b[1] * v
    assert found.loss[1, 4] == pytest.approx((W**2).sum() + 3 * (before[1] ** 2).sum())
    assert found.path.shape == (0, 2)
    kernel = [rng.standard_normal((4, 2, 3, 3))]
    (d,) = random_direction(kernel, generator)
    np.testing.assert_allclose(
        np.linalg.norm(d.reshape(4, -1), axis=1), np.linalg.norm(kernel[0].reshape(4, -1), axis=1)
    )


def test_a_way_in_a_plane_is_seen_whole(rng: np.random.Generator, ax: Any) -> None:
    loss, parameters = quadratic(rng)
    final = [p.get_value() for p in parameters]
    directions = [[rng.standard_normal(w.shape) for w in final] for _ in range(2)]
    way = [
        [w + s * t * u + t * v for w, u, v in zip(final, *directions, strict=True)]
        for s, t in [(3, 1), (1, 0.7), (2, 0.1), (0, 0)]
    ]
    found = plot.terrain(loss, parameters, way, steps=9)
    assert found.explained == pytest.approx(1)
    lengths = [np.sqrt(sum(((p - w) ** 2).sum() for p, w in zip(place, final, strict=True))) for place in way]
    np.testing.assert_allclose(np.linalg.norm(found.path, axis=1), lengths, atol=1e-12)
    assert found.a[0] < found.path[:, 0].min() <= found.path[:, 0].max() < found.a[-1]
    assert found.b[0] < 0 < found.b[-1]
    assert plot.loss_terrain(found, ax=ax) is ax
    (line, cross) = ax.get_lines()
    np.testing.assert_array_equal(line.get_xydata(), found.path)
    np.testing.assert_array_equal(cross.get_xydata(), [[0, 0]])
    assert "100% of the way" in ax.get_title()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("first direction", "second direction")
    beside = plot.terrain(loss, parameters, way, directions="filters", steps=3)
    assert 0 <= beside.explained < 1


def test_terrains_of_odd_losses(rng: np.random.Generator, ax: Any) -> None:
    _, parameters = quadratic(rng)
    plot.loss_terrain(plot.terrain(lambda: 2.0, parameters, steps=3), ax=ax)
    ax.clear()
    heights = iter([float("nan"), -1.0, 2, 3, 4, 5, 6, float("inf"), 8])
    plot.loss_terrain(plot.terrain(lambda: next(heights), parameters, steps=3), ax=ax)


def test_a_failing_loss_leaves_the_parameters(rng: np.random.Generator) -> None:
    _, parameters = quadratic(rng)
    before = [p.get_value() for p in parameters]

    def broken() -> float:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        plot.terrain(broken, parameters, steps=3)
    for p, w in zip(parameters, before, strict=True):
        np.testing.assert_array_equal(p.get_value(), w)
    for settings in ({"steps": 1}, {"span": 0.0}, {"directions": "pca"}, {"directions": "path"}):
        with pytest.raises(ConfigError, match="terrain: "):
            plot.terrain(broken, parameters, **settings)
    with pytest.raises(ShapeError, match="other shapes than the parameters"):
        plot.terrain(broken, parameters, [[np.zeros(3)], [np.zeros(3)]])


# ---- annealing ----


def test_the_runs_of_an_estimate_add_up_to_it(ax: Any) -> None:
    weights = np.array([1.0, 3.0, 2.0, 2.5])
    drawn = plot.ais(Annealed(weights), exact=2.2, ax=ax)
    dots, line, exact = drawn.get_lines()
    np.testing.assert_array_equal(dots.get_ydata(), weights)
    np.testing.assert_allclose(line.get_ydata(), [np.log(np.exp(weights[:k]).mean()) for k in (1, 2, 3, 4)])
    assert line.get_ydata()[-1] == pytest.approx(Annealed(weights).log_partition)
    assert set(exact.get_ydata()) == {2.2}
    with pytest.raises(ShapeError, match=r"log weights of shape \[1, 4\] are not \[runs\]"):
        plot.ais(weights[None])
