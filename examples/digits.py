"""Train a multilayer perceptron on handwritten digits, judge it on digits it has not seen, keep its weights."""

from symdl.datasets import digits_split
from symdl.nn import EarlyStopping, confusion_text
from symdl.zoo import MLP

split = digits_split(seed=0)
model = MLP(sizes=(64, 100, 10), activation="relu", dropout=0.1, epochs=60)
history = model.fit(
    split.x_train, split.y_train, validation=0.1, callbacks=[EarlyStopping(patience=10, restore_best_weights=True)]
)

print(history)
print(f"test accuracy {model.score(split.x_test, split.y_test):.4f}")
print(confusion_text(model.confusion(split.x_test, split.y_test)))

model.save("digits.safetensors")
print("the first test digits are", MLP.load("digits.safetensors").predict(split.x_test[:10]))
