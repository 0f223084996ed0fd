"""A Boltzmann machine of digits as bits: what it knows, measured exactly, estimated, and seen in what it dreams."""

from symdl import plot
from symdl.datasets import binary_digits
from symdl.zoo import RBM


def main(epochs: int = 60, runs: int = 200) -> float:
    split = binary_digits(seed=0)
    rbm = RBM(sizes=(64, 20), particles=100, epochs=epochs)
    rbm.fit(split.x_train, verbose=0)

    exact = rbm.log_partition()  # a sum over the 2^20 states of the hidden units
    likelihood = rbm.log_likelihood(split.x_test, exact).mean()
    print(f"log Z            exact      {exact:.3f}")
    print(f"                 annealed   {rbm.annealed(split.x_train, runs=runs)}")
    print(f"log p(x), test   {likelihood:.2f} nats an image of 64 bits (the same pixels, independent: -25.25)")
    print(f"pseudo-likelihood {rbm.score_samples(split.x_test).mean():.2f}")

    plot.samples(rbm.sample(100, steps=500)).figure.savefig("rbm.png")
    return float(likelihood)


if __name__ == "__main__":
    main()
