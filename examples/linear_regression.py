"""Linear regression by the gradient, beside LAPACK's least squares."""

import numpy as np

from symdl.zoo import LinearRegression
from symdl.zoo.data import read


def main(iterations: int = 500) -> float:
    split = read("diabetes")  # ten measurements of 442 patients, and how their illness went on
    model = LinearRegression(epochs=iterations)
    print(model.fit(split.x_train, split.y_train, verbose=0))
    ones = np.ones((len(split.x_train), 1))
    exact = np.linalg.lstsq(np.hstack([split.x_train, ones]), split.y_train, rcond=None)[0]
    print(f"{'weight':>8} {'gradient':>10} {'LAPACK':>10}")
    for k, (w, best) in enumerate(zip(model.parameters[0].get_value()[:, 0], exact[:-1], strict=True)):
        print(f"{k:>8} {w:>10.3f} {best:>10.3f}")
    measures = model.evaluate(split.x_test, split.y_test)
    print(f"held out: r2 {measures['r2']:.4f}, mean squared error {measures['mse']:.1f}")
    return measures["r2"]


if __name__ == "__main__":
    main()
