"""A small convolutional network that reads sentences: what it makes of words in another order."""

from symdl.zoo import SentenceCNN
from symdl.zoo.data import read


def main(epochs: int = 10) -> float:
    split = read("sentences")
    model = SentenceCNN(epochs=epochs)
    print(model.fit(split.x_train, split.y_train, verbose=0))
    accuracy = model.score(split.x_test, split.y_test)
    print(f"test accuracy {accuracy:.4f} (counts of words know little: the order decides)")
    print(f"{'true':>5} {'p(1)':>6}")
    for label, p in zip(split.y_test[:8], model.predict_proba(split.x_test[:8]), strict=True):
        print(f"{label:>5} {p[1]:>6.3f}")
    return accuracy


if __name__ == "__main__":
    main()
