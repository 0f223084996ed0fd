"""Why a model answers as it does: how much each number of the input moves the score of a class.

Models are functions of expressions: what their last layer makes with softmax or sigmoid is left out (`parts.logits`), so
that a score is a class's evidence. x holds examples [n, ...]; target is a class, or one for each example.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.derivatives.gradient import grad
from symdl.errors import ConfigError, ShapeError
from symdl.functions import Function, function
from symdl.plot.canvas import Array
from symdl.plot.parts import applied, examples, like, logits


def score_gradient(model: Any, x: Array) -> Function:
    """f(x, target) = (scores, gradients): score of each example's class, and its derivative by the example."""
    variable, target = like(x), T.tensor("target", dtype="int64", shape=(None,))
    scores = logits(model)(variable)
    if scores.ndim == 1:
        scores = scores.dimshuffle(0, "x")
    if scores.ndim != 2:
        raise ShapeError(f"the model's scores have {scores.ndim} axes; they must be [n, classes]")
    chosen = scores[T.arange(variable.shape[0]), target]
    return function([variable, target], [chosen, grad(chosen.sum(), variable)])


def saliency_map(model: Any, x: Any, target: Any = 0) -> Array:
    """The derivative of the score of class `target` by each number of x, of x's shape (Simonyan, Vedaldi, Zisserman, 2014)."""
    given, x = np.shape(x), examples(x, model)
    gradient = score_gradient(model, x)
    return applied(lambda *a: gradient(*a)[1], x, targets(target, x)).reshape(given)


def integrated_gradients(model: Any, x: Any, target: Any = 0, baseline: Any = 0.0, steps: int = 64) -> Array:
    """(x - b) times the mean of the score's gradient between the baseline b and x (Sundararajan, Taly and Yan, 2017).

    Its sum over an example is score(x) - score(b), up to the error of integration: Gauss and Legendre's rule with `steps`
    points, all but exact for smooth models, about 1 / steps for kinks as those of relu.
    Raises ConfigError for steps < 1.
    """
    if steps < 1:
        raise ConfigError(f"integrated_gradients: steps {steps} must be at least 1")
    given, x = np.shape(x), examples(x, model)
    start = np.broadcast_to(np.asarray(baseline, x.dtype), x.shape)
    gradient = score_gradient(model, x)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    out: Array = np.empty_like(x)
    for k, label in enumerate(targets(target, x)):
        share = ((nodes + 1) / 2).reshape(-1, *[1] * (x.ndim - 1))
        line = (start[k] + share * (x[k] - start[k])).astype(x.dtype)
        slopes = applied(lambda *a: gradient(*a)[1], line, np.full(steps, label))
        out[k] = (x[k] - start[k]) * np.tensordot(weights / 2, slopes.astype(np.float64), 1)
    return out.reshape(given)


def occlusion_map(
    predict: Callable[[Array], Any],
    image: Any,
    target: int = 0,
    window: tuple[int, int] = (3, 3),
    stride: int = 1,
    fill: float = 0.0,
    channels_last: bool = False,
) -> Array:
    """How much the score of a class falls when a window of the image is covered, [rows, columns]: the mean over the
    windows that cover a pixel (Zeiler and Fergus, 2014).

    predict: from images [n, ...] to scores [n, classes] or [n]. image: [rows, columns], [channels, rows, columns], or
    [rows, columns, channels] with channels_last=True. The windows stand `stride` apart and at the borders, and are
    filled with `fill`.
    Raises ConfigError for windows that do not fit, ShapeError for other images.
    """
    image = examples(image)
    if image.ndim not in (2, 3):
        raise ShapeError(f"occlusion_map: {list(image.shape)} is no image")
    moved = np.moveaxis(image, -1, 0) if channels_last and image.ndim == 3 else image
    rows, columns = moved.shape[-2:]
    if not (1 <= window[0] <= rows and 1 <= window[1] <= columns and stride >= 1):
        raise ConfigError(f"occlusion_map: window {window}, stride {stride} do not fit an image of {rows} x {columns}")
    places = [
        (top, left)
        for top in sorted({*range(0, rows - window[0], stride), rows - window[0]})
        for left in sorted({*range(0, columns - window[1], stride), columns - window[1]})
    ]
    covered = np.repeat(moved[None], len(places) + 1, axis=0)
    for one, (top, left) in zip(covered, places, strict=False):  # the last stays whole
        one[..., top : top + window[0], left : left + window[1]] = fill
    if channels_last and image.ndim == 3:
        covered = np.ascontiguousarray(np.moveaxis(covered, 1, -1))
    scores = applied(predict, covered).astype(np.float64)
    scores = scores if scores.ndim == 1 else scores[:, target]
    falls, times = np.zeros((rows, columns)), np.zeros((rows, columns))
    for fall, (top, left) in zip(scores[-1] - scores[:-1], places, strict=True):
        falls[top : top + window[0], left : left + window[1]] += fall
        times[top : top + window[0], left : left + window[1]] += 1
    out: Array = falls / np.maximum(times, 1)
    return out


def targets(target: Any, x: Array) -> Array:
    """One class for each example. Raises ShapeError for as many as do not fit."""
    classes = np.asarray(target, np.int64)
    if classes.ndim > 1 or (classes.ndim and len(classes) != len(x)):
        raise ShapeError(f"{len(x)} examples meet {classes.size} targets")
    return np.ascontiguousarray(np.broadcast_to(classes, len(x)))
