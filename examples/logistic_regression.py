"""Softmax regression written as formulas: the loss of the textbook, its gradient, one compiled step."""

import numpy as np

import symdl
import symdl.tensor as T
from symdl import plot
from symdl.datasets import digits_split

split = digits_split(seed=0)
x, y = T.matrix("x", dtype="float32"), T.lvector("y")
W = symdl.shared(np.zeros((64, 10), "float32"), "W")
b = symdl.shared(np.zeros(10, "float32"), "b")

probabilities = T.softmax(x @ W + b)
loss = -T.log(probabilities)[T.arange(y.shape[0]), y].mean()
gW, gb = symdl.grad(loss, [W, b])

step = symdl.function([x, y], loss, updates=[(W, W - 0.5 * gW), (b, b - 0.5 * gb)])
predict = symdl.function([x], T.argmax(probabilities, axis=1))

for epoch in range(201):
    value = step(split.x_train, split.y_train)
    if epoch % 50 == 0:
        print(f"epoch {epoch:>3}: loss {float(value):.4f}")
print(f"test accuracy {np.mean(predict(split.x_test) == split.y_test):.4f}")
# for each digit, the pixels that speak for it (white) and against it (black)
plot.filters(W, columns=5).figure.savefig("logistic_regression.png")
