"""A hundred units that look at small patches of photographs, rarely active each: they become edges."""

import numpy as np

from symdl import plot
from symdl.datasets import patches
from symdl.zoo import SparseAutoencoder
from symdl.zoo.gabor import gabor_r2


def main(examples: int = 5000, units: int = 100, iterations: int = 120) -> np.ndarray:
    model = SparseAutoencoder(sizes=(100, units), epochs=iterations)
    print(f"before: {np.mean(gabor_r2(model.filters) > 0.5):.0%} of the units are edges")
    model.fit(patches(examples))
    print(f"after:  {np.mean(gabor_r2(model.filters) > 0.5):.0%} (a Gabor function explains more than half of each)")

    plot.filters(model.filters.T).figure.savefig("sparse_autoencoder.png")
    return model.filters


if __name__ == "__main__":
    main()
