"""A variational autoencoder with two numbers an image: its bound, the exact likelihood, and the plane of its images."""

import numpy as np

from symdl import plot
from symdl.datasets import binary_digits
from symdl.zoo import VariationalAutoencoder


def main(epochs: int = 150, samples: int = 500) -> np.ndarray:
    split = binary_digits(seed=0)
    model = VariationalAutoencoder(code=2, epochs=epochs)
    model.fit(split.x_train, verbose=0)

    measures = model.evaluate(split.x_test)
    print(f"nats a test digit: bound {measures['elbo']:.3f}, of which divergence {measures['kl']:.3f}")
    print(f"with {samples} samples  {model.importance_bound(split.x_test, samples).mean():.3f}")
    print(f"exactly           {model.exact_log_likelihood(split.x_test).mean():.3f}")

    axis = np.linspace(-2, 2, 15)
    plane = model.inverse_transform([(a, b) for a in axis for b in axis])
    plot.samples(plane).figure.savefig("variational_autoencoder.png")
    return plane


if __name__ == "__main__":
    main()
