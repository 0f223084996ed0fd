"""A threshold unit by hand, a perceptron that learns, and one that cannot: xor."""

from symdl.datasets import gauss, xor
from symdl.zoo import Perceptron
from symdl.zoo.threshold import truth_table


def main(epochs: int = 50) -> float:
    print("x1 x2  " + "  ".join(f"{gate:>4}" for gate in ("and", "or", "nand", "xor")))
    tables = [truth_table(gate) for gate in ("and", "or", "nand", "xor")]  # xor: two layers of the others
    for k, (a, b) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        print(f" {a}  {b}  " + "  ".join(f"{table[k]:>4}" for table in tables))

    for name, (x, y) in (("two clouds", gauss(400, seed=1)), ("xor", xor(400, seed=1))):
        model = Perceptron(features=2, classes=2, epochs=epochs)
        history = model.fit(x, y, verbose=0)
        made = round(sum(history.history["mistakes"]) * len(x))
        print(f"{name}: {made} mistakes in {len(history.records)} epochs{f', then {history.stopped}' if history.stopped else ''};"
              f" {model.score(x, y):.3f} right")  # fmt: skip
    return model.score(x, y)


if __name__ == "__main__":
    main()
