"""An LSTM that reads digits row by row, from top to bottom: what it thinks after each row."""

import numpy as np

import symdl
import symdl.tensor as T
from symdl.datasets import digits_split
from symdl.zoo import LSTMClassifier


def main(epochs: int = 30, units: int = 64) -> float:
    split = digits_split(seed=0)
    model = LSTMClassifier(steps=8, inputs=8, units=units, epochs=epochs)
    print(model.fit(split.x_train, split.y_train, validation=0.1, verbose=0))
    print(f"test accuracy {model.score(split.x_test, split.y_test):.4f}")

    reader, top = model.model.layers
    rows = T.tensor("rows", dtype="float32", shape=(None, None, 8))
    judge = symdl.function([rows], top(reader(rows)))  # the same layers on sequences of any length
    digit, label = split.x_test[:1].reshape(1, 8, 8), split.y_test[0]
    for n in range(1, 9):
        p = judge(digit[:, :n])[0]
        picture = "".join(" .:-=+*#%@"[int(9 * v)] * 2 for v in digit[0, n - 1])
        print(f"{picture}  a {label}? {p[label]:.2f}; likeliest {np.argmax(p)} {p.max():.2f}")
    return model.score(split.x_test, split.y_test)


if __name__ == "__main__":
    main()
