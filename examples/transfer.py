"""A network that knows digits 0 to 4 learns 5 to 9 from ten of each: its first convolution stays as it is."""

from symdl.datasets import digits_split, few_labels
from symdl.zoo import LeNet, transferred


def main(epochs: int = 20, fine_tuning: int = 100) -> float:
    split = digits_split(seed=0)
    low, asked = split.y_train < 5, split.y_test >= 5
    known = LeNet(classes=5, activation="relu", epochs=epochs)
    known.fit(split.x_train[low], split.y_train[low], verbose=0)
    known.save("low_digits.safetensors")

    few = few_labels(split.x_train[~low], split.y_train[~low] - 5, 10)
    settings = {"epochs": fine_tuning, "batch_size": 10}
    model = transferred(LeNet.load("low_digits.safetensors"), frozen=["conv0"], head=2, **settings)
    scratch = LeNet(known.config, **settings)
    x, y = split.x_test[asked], split.y_test[asked] - 5
    for name, one in (("from digits 0 to 4", model), ("from scratch", scratch)):
        one.fit(few.x, few.y, verbose=0)
        print(f"{name:<18} {one.score(x, y):.4f} of the test digits 5 to 9 right")
    print("conv0 moved:", bool((known.parameters[0].get_value() != model.parameters[0].get_value()).any()))
    return model.score(x, y)


if __name__ == "__main__":
    main()
