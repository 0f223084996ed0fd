"""Autoencoders of handwritten digits: a linear one finds the principal components, a denoising one repairs what is lost."""

from typing import Any

import numpy as np

from symdl import plot
from symdl.datasets import digits_split
from symdl.zoo import Autoencoder, DenoisingAutoencoder


def main(iterations: int = 300, epochs: int = 100) -> np.ndarray:
    split = digits_split(seed=0)
    x, test = split.x_train, split.x_test

    linear = Autoencoder(sizes=(64, 8), activation="linear", output="linear", solver="l-bfgs", epochs=iterations)
    linear.fit(x, verbose=0)
    spread = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    print(f"8 numbers an image: mean squared error {linear.evaluate(x)['mse']:.5f}")
    print(f"8 principal components:                {(spread[8:] ** 2).sum() / x.size:.5f}")

    settings: dict[str, Any] = {"sizes": (64, 100), "tied": True, "loss": "binary_crossentropy", "epochs": epochs}
    plain, denoising = Autoencoder(**settings), DenoisingAutoencoder(corruption=0.4, **settings)
    lost = np.where(np.random.default_rng(0).random(test.shape) < 0.4, 0, test).astype("float32")
    for name, model in (("plain", plain), ("denoising", denoising)):
        model.fit(x, verbose=0)
        error = ((model.reconstruct(lost) - test) ** 2).mean()
        print(f"{name:<9} autoencoder, 40 % of the pixels lost: mean squared error {error:.4f}")

    plot.reconstructions(lost[:12], denoising.reconstruct(lost[:12])).figure.savefig("autoencoder.png")
    return denoising.filters


if __name__ == "__main__":
    main()
