"""LeNet on handwritten digits, shifted by a pixel while it learns: its accuracy, and the filters that it found."""

from symdl import plot
from symdl.datasets import digits_split
from symdl.nn import confusion_text
from symdl.zoo import LeNet


def main(epochs: int = 30) -> float:
    split = digits_split(seed=0)
    model = LeNet(filters=(8, 16), epochs=epochs, shift=1)
    print(model.fit(split.x_train, split.y_train, validation=0.1, verbose=0))
    print(f"test accuracy {model.score(split.x_test, split.y_test):.4f}")
    print(confusion_text(model.confusion(split.x_test, split.y_test)))
    plot.filters(model.parameters[0]).figure.savefig("lenet.png")
    return model.score(split.x_test, split.y_test)


if __name__ == "__main__":
    main()
