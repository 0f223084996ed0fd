"""How well a filter is an edge: the Gabor function that fits it best, and how much of the filter it explains."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from symdl.errors import ShapeError

Array = np.ndarray[Any, np.dtype[Any]]
SPECTRUM = 32  # points of the padded spectrum in which the first frequency is looked up


class Gabor(NamedTuple):
    """a exp(-u^2 / (2 width^2) - v^2 / (2 length^2)) cos(2 pi frequency u + phase), with (u, v) the places (column - x,
    row - y) turned by `angle`: u runs across the edge. r2: 1 - (what it leaves of the filter) / (the filter), in squares."""

    y: float
    x: float
    angle: float
    frequency: float
    phase: float
    width: float
    length: float
    a: float
    r2: float

    def image(self, rows: int, columns: int) -> Array:
        """The function at the pixels of an image."""
        return _gabor(np.array(self[:8]), *np.mgrid[:rows, :columns])


def fit_gabor(filter: Array) -> Gabor:
    """The Gabor function nearest to filter[rows, columns] less its mean, by least squares from four starts.

    A start has the frequency at which the filter's spectrum is largest, and its centre of mass. A filter that is constant
    has r2 = 0. Raises ShapeError unless the filter is a matrix of at least 3 by 3.
    """
    from scipy.optimize import least_squares  # noqa: PLC0415  # half a second, for those who fit

    if filter.ndim != 2 or min(filter.shape) < 3:
        raise ShapeError(f"fit_gabor: a filter of shape {filter.shape} is no matrix of at least 3 by 3")
    w = np.asarray(filter, np.float64) - np.mean(filter)
    size = float((w**2).sum())
    rows, columns = w.shape
    y, x = np.mgrid[:rows, :columns]
    if size == 0:
        return Gabor((rows - 1) / 2, (columns - 1) / 2, 0, 0, 0, 1, 1, 0, 0)
    weight = np.abs(w) / np.abs(w).sum()
    fy, fx = _frequency(w)
    span = float(max(rows, columns))
    low = [-2, -2, -4, 0, -7, 0.5, 0.5, -50 * np.abs(w).max()]
    high = [rows + 2, columns + 2, 4, 0.6, 7, 0.8 * span, 1.2 * span, 50 * np.abs(w).max()]
    best: tuple[float, Array] = (np.inf, np.zeros(8))
    for deviation in (0.15 * span, 0.3 * span):
        for phase in (0.0, np.pi / 2):
            frequency = min(max(float(np.hypot(fx, fy)), 0.03), 0.6)
            centre = float((weight * y).sum()), float((weight * x).sum())
            angle = float(np.arctan2(fy, fx))
            start = [*centre, angle, frequency, phase, max(deviation, 0.51), max(deviation, 0.51), np.abs(w).max()]
            found = least_squares(
                lambda p: (_gabor(p, y, x) - w).ravel(),
                start,
                _slopes(y, x),
                bounds=(low, high),
                ftol=1e-4,
                xtol=1e-4,
                max_nfev=60,
            )
            if found.cost < best[0]:
                best = float(found.cost), found.x
    cy, cx, angle, frequency, phase, width, length, a = map(float, best[1])
    return Gabor(cy, cx, angle, frequency, phase, width, length, a, 1 - 2 * best[0] / size)


def gabor_r2(filters: Array) -> Array:
    """r2 of the best Gabor function of each of filters[n, pixels], square images, or [n, rows, columns]: float64[n]."""
    images = np.asarray(filters)
    if images.ndim == 2:
        side = round(images.shape[1] ** 0.5)
        if side * side != images.shape[1]:
            raise ShapeError(f"gabor_r2: filters of {images.shape[1]} pixels are no square images")
        images = images.reshape(-1, side, side)
    return np.array([fit_gabor(image).r2 for image in images])


def _frequency(w: Array) -> tuple[float, float]:
    """(fy, fx), in cycles a pixel, at which the spectrum is largest; fx >= 0."""
    power = np.abs(np.fft.rfft2(w, (SPECTRUM, SPECTRUM)))
    ky, kx = np.unravel_index(np.argmax(power), power.shape)
    return float(np.fft.fftfreq(SPECTRUM)[ky]), float(kx) / SPECTRUM


def _gabor(p: Array, y: Array, x: Array) -> Array:
    cy, cx, angle, frequency, phase, width, length, a = p
    u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
    v = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
    envelope = np.exp(-(u**2) / (2 * width**2) - v**2 / (2 * length**2))
    value: Array = a * envelope * np.cos(2 * np.pi * frequency * u + phase)
    return value


def _slopes(y: Array, x: Array) -> Any:
    """The Jacobian of `_gabor` in its eight parameters: (p) -> [pixels, 8]."""

    def slopes(p: Array) -> Array:
        cy, cx, angle, frequency, phase, width, length, a = p
        c, s = np.cos(angle), np.sin(angle)
        u, v = (x - cx) * c + (y - cy) * s, (y - cy) * c - (x - cx) * s
        envelope = np.exp(-(u**2) / (2 * width**2) - v**2 / (2 * length**2))
        wave, turn = np.cos(2 * np.pi * frequency * u + phase), np.sin(2 * np.pi * frequency * u + phase)
        by_u = a * envelope * (-u / width**2 * wave - 2 * np.pi * frequency * turn)
        by_v = a * envelope * (-v / length**2) * wave
        columns = [
            -s * by_u - c * by_v,
            -c * by_u + s * by_v,
            v * by_u - u * by_v,
            -2 * np.pi * u * a * envelope * turn,
            -a * envelope * turn,
            a * envelope * wave * u**2 / width**3,
            a * envelope * wave * v**2 / length**3,
            envelope * wave,
        ]
        return np.stack([column.ravel() for column in columns], axis=1)

    return slopes
