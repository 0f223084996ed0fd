"""Small pieces of the two photographs that ship with scikit-learn, whitened: what a sparse autoencoder finds edges in.

The recipe of Olshausen and Field, 1996 (whitening), and of the sparse autoencoder exercise of Ng, 2011 (scaling).
"""

from __future__ import annotations

import numpy as np

from symdl import extras
from symdl.datasets.split import Array
from symdl.errors import ConfigError

BORDER = 8  # pixels at the edge of a photograph that no patch touches: whitening wraps around there
CUTOFF = 200.0  # cycles per 512 pixels beyond which whitening lets little through


def patches(n: int = 10_000, size: int = 10, seed: int = 0) -> Array:
    """n patches of size by size pixels in 0.1..0.9, float64[n, size size], drawn by `seed` at random places.

    The photographs are made grey and whitened; each patch loses its mean; all are cut at three standard deviations and
    scaled linearly, so that 0 is at 0.5.
    Raises ConfigError for n < 1 or a size that the photographs have no room for, MissingDependencyError without
    scikit-learn or Pillow.
    """
    extras.load("PIL", "the photographs")  # scikit-learn reads them through Pillow
    photographs = extras.load("sklearn.datasets", "the photographs").load_sample_images().images
    grey = [whitened(photograph.mean(axis=2) / 255) for photograph in photographs]
    room = min(min(image.shape) for image in grey) - 2 * BORDER
    if n < 1 or not 1 <= size < room:
        raise ConfigError(f"patches: n {n} must be at least 1, and size {size} in 1..{room - 1}")
    rng = np.random.default_rng(seed)
    out = np.empty((n, size * size))
    for row in out:
        image = grey[rng.integers(len(grey))]
        top, left = (rng.integers(BORDER, extent - size - BORDER) for extent in image.shape)
        row[:] = image[top : top + size, left : left + size].ravel()
    out -= out.mean(axis=1, keepdims=True)
    bound = 3 * out.std()
    return (np.clip(out / (bound or 1.0), -1, 1) + 1) * 0.4 + 0.1


def whitened(image: Array) -> Array:
    """A grey image[rows, columns] with amplitudes of frequency f times f exp(-(f / 200)^4), over its deviation.

    f is in cycles per 512 pixels. The spectrum of photographs falls as 1 / f: this makes it flat up to the cutoff.
    """
    rows, columns = image.shape
    f = 512 * np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns))
    white: Array = np.fft.ifft2(np.fft.fft2(image) * f * np.exp(-((f / CUTOFF) ** 4))).real
    white /= white.std()
    return white
