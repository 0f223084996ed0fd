"""The digits as a script for Keras' Sequential: only the imports differ. Its losses are the picture."""

from symdl import plot
from symdl.datasets import digits_split
from symdl.nn import Sequential
from symdl.nn.layers import Dense, Dropout


def main(epochs: int = 40) -> float:
    split = digits_split(seed=0)
    model = Sequential(
        [Dense(100, activation="relu", input_shape=(64,)), Dropout(0.2), Dense(10, activation="softmax")]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.summary()
    history = model.fit(split.x_train, split.y_train, batch_size=32, epochs=epochs, validation_split=0.1, verbose=0)
    print({name: round(values[-1], 4) for name, values in history.history.items()})
    loss, accuracy = model.evaluate(split.x_test, split.y_test, verbose=0)
    print(f"test loss {loss:.4f}, accuracy {accuracy:.4f}")
    plot.learning_curve(history).figure.savefig("keras_digits.png")
    return float(accuracy)


if __name__ == "__main__":
    main()
