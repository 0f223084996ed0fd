"""Every message as a new user meets it: a mistake in train.py, and the whole text that it gets (golden/errors.txt).

SYMDL_UPDATE_GOLDEN=1 pytest tests/test_errors.py writes the texts anew: read the difference before you commit it.
"""

from __future__ import annotations

import os
import pickle
import re
import warnings
from functools import cache
from pathlib import Path

import pytest

from symdl.errors import SymdlError

GOLDEN = Path(__file__).parent / "golden" / "errors.txt"
UPDATE = bool(os.environ.get("SYMDL_UPDATE_GOLDEN"))
MARK = "=== "
START = """\
import numpy as np
import symdl
import symdl.tensor as T
from symdl import function, grad, shared
"""  # every snippet begins with these four lines; the mistake is on its last one

MISTAKES: dict[str, str] = {
    # ---- values at the call ----
    "a text for a float input": 'x = T.dvector("x")\nf = function([x], x * 2)\nf("a")',
    "a list of texts": 'x = T.dvector("x")\nf = function([x], x * 2)\nf(["1.5", "2"])',
    "None for an input": 'x = T.dvector("x")\nf = function([x], x * 2)\nf(None)',
    "a list of objects": 'x = T.dvector("x")\nf = function([x], x * 2)\nf([object(), object()])',
    "a dictionary for an input": 'x = T.dvector("x")\nf = function([x], x * 2)\nf({"x": 1.0})',
    "an array of objects": 'x = T.dvector("x")\nf = function([x], x * 2)\nf(np.array([1.0, 2.0], dtype=object))',
    "a fraction": 'from fractions import Fraction\nx = T.dscalar("x")\nf = function([x], x * 2)\nf(Fraction(1, 3))',
    "an integer of thousands of digits": 'x = T.dscalar("x")\nf = function([x], x * 2)\nf(10**5000)',
    "an integer of thousands of digits in arithmetic": 'x = T.dscalar("x")\ny = x * 10**5000',
    "an integer beyond int64 in a list": 'i = T.lvector("i")\nf = function([i], i * 2)\nf([2**70, 1])',
    "complex numbers": 'x = T.dvector("x")\nf = function([x], x * 2)\nf(np.array([1j, 2]))',
    "rows of different lengths": 'x = T.dmatrix("x")\nf = function([x], x * 2)\nf([[1, 2], [3]])',
    "an expression for a value": 'x = T.dvector("x")\nf = function([x], x * 2)\ny = T.dvector("y")\nf(y)',
    "floats for an int32 input": 'y = T.ivector("y")\nf = function([y], y + 1)\nf(np.array([0.5, 1.0]))',
    "a float number for an integer": 'n = T.lscalar("n")\nf = function([n], n + 1)\nf(1.5)',
    "float64 for a float32 input": 'x = T.fmatrix("x")\nf = function([x], x * 2)\nf(np.zeros((2, 3)))',
    "an integer too large for its dtype": 'y = T.bvector("y")\nf = function([y], y + 1)\nf([1, 300])',
    "floats for a bool input": 'm = T.tensor("m", "bool", shape=(None,))\nf = function([m], ~m)\nf(np.array([0.0, 1.0]))',
    "too few axes": 'x = T.dmatrix("x")\nf = function([x], x.sum(axis=1))\nf([1, 2, 3])',
    "an axis of another length than stated": 'x = T.tensor("images", "float64", shape=(None, 784))\nf = function([x], x * 2)\nf(np.zeros((10, 64)))',
    "a strict input": 'x = T.dvector("x")\nf = function([symdl.In(x, strict=True)], x)\nf([1.0])',
    "a sparse matrix": 'from scipy.sparse import eye_array\nx = T.dmatrix("x")\nf = function([x], x * 2)\nf(eye_array(3, format="csr"))',
    "a value is missing": 'x, y = T.dvectors("x", "y")\nf = function([x, y], x + y)\nf([1.0])',
    "too many values": 'x, y = T.dvectors("x", "y")\nf = function([x, y], x + y, name="step")\nf([1.0], [2.0], [3.0])',
    "an unknown keyword": 'x, rate = T.dvector("x"), T.dscalar("rate")\nf = function([x, rate], x * rate)\nf([1.0], ratte=2)',
    "one value given twice": 'x = T.dvector("x")\nf = function([x], x * 2)\nf([1.0], x=[2.0])',
    # ---- devices ----
    "a device that is none": 'x = T.dvector("x")\nf = function([x], x * 2, device="gpu")',
    "a device as an option that is none": 'symdl.config.device = "gpu0"',
    "a GPU where no package for it is": 'from unittest.mock import patch\nimport symdl.backends.drivers as drivers\nwith patch.object(drivers, "installed", return_value=False): drivers.installed_driver()',
    "an index past the end on a GPU": 'x, i = T.dvector("x"), T.lvector("i")\nf = function([x, i], x[i], device="cuda-emulated")\nf([1.0, 2.0], [0, 5])',
    # ---- sizes at the call ----
    "a sum of unequal lengths": 'x, y = T.dvectors("x", "y")\nf = function([x, y], x + y)\nf([1, 2, 3], [1, 2])',
    "a row is not stretched unless it says so": 'x, b = T.dmatrices("x", "b")\nf = function([x, b], x + b)\nf(np.ones((4, 3)), np.ones((1, 3)))',
    "a product at the call": 'x = T.dmatrix("images")\nW = shared(np.zeros((500, 10)), "weights")\nf = function([x], x @ W)\nf(np.zeros((32, 784)))',
    "labels and images of unequal number": 'x, y = T.dmatrix("x"), T.ivector("y")\np = T.softmax(x)\nf = function([x, y], p[T.arange(y.shape[0]), y])\nf(np.zeros((5, 3)), np.zeros(4, "int32"))',
    "a label that is no class": 'x, y = T.dmatrix("x"), T.ivector("y")\np = T.softmax(x)\nf = function([x, y], p[T.arange(y.shape[0]), y])\nf(np.zeros((3, 3)), [0, 1, 3])',
    "an index past the end at the call": 'x = T.dvector("x")\nf = function([x], x[5])\nf([1, 2, 3])',
    "an integer input as an index": 'x, i = T.dvector("x"), T.lscalar("i")\nf = function([x, i], x[i])\nf([1, 2, 3], 7)',
    "reshape at the call": 'x = T.dmatrix("x")\nf = function([x], x.reshape((-1, 4)))\nf(np.ones((3, 3)))',
    "concatenate at the call": 'x, y = T.dmatrices("x", "y")\nf = function([x, y], T.concatenate([x, y]))\nf(np.ones((2, 3)), np.ones((2, 4)))',
    "the largest of nothing": 'x = T.dvector("x")\nf = function([x], x.max())\nf([])',
    "an update of another length": 'x = T.dvector("x")\nb = shared(np.zeros(3), "b")\nf = function([x], updates=[(b, b * 0 + x)])\nf([1, 2])',
    "an update straight from an input": 'x = T.dvector("x")\nb = shared(np.zeros(3), "b")\nf = function([x], updates=[(b, x)])\nf([1, 2])',
    "a branch of another length": 'x, y, n = T.dvector("x"), T.dvector("y"), T.lscalar("n")\nf = function([x, y, n], symdl.ifelse(n > 0, x, y))\nf([1, 2], [1], 0)',
    "a product inside a loop at the call": 'x, W, h = T.dmatrix("x"), T.dmatrix("W"), T.dvector("h")\nout, _ = symdl.scan(lambda row, state: T.tanh(row @ W + state), x, h)\nf = function([x, W, h], out)\nf(np.ones((5, 3)), np.ones((4, 2)), np.ones(2))',
    "a state inside a loop at the call": 'x, W, h = T.dmatrix("x"), T.dmatrix("W"), T.dvector("h")\nout, _ = symdl.scan(lambda row, state: T.tanh(row @ W + state), x, h)\nf = function([x, W, h], out)\nf(np.ones((5, 3)), np.ones((3, 2)), np.ones(4))',
    "an index past the end inside a loop": 'x, i = T.dmatrix("x"), T.lvector("i")\nout, _ = symdl.scan(lambda k: x[k] * 2, i)\nf = function([x, i], out)\nf(np.ones((2, 3)), [0, 5])',
    "a product in a loop in a branch": 'x, W, n = T.dmatrix("x"), T.dmatrix("W"), T.lscalar("n")\nout = symdl.ifelse(n > 0, symdl.scan(lambda row: row @ W, x)[0], x)\nf = function([x, W, n], out)\nf(np.ones((5, 3)), np.ones((4, 3)), 1)',
    # ---- declaring a function ----
    "an input is missing": 'x, y = T.dvectors("x", "y")\nf = function([x], x + y)',
    "another variable of the same name": 'x = T.dvector("x")\ny = x * 2\nx = T.dvector("x")\nf = function([x], y)',
    "an input of nearly the right name": 'weight, weights = T.dvector("weight"), T.dvector("weights")\nf = function([weight], weights * 2)',
    "an unused input": 'x, y = T.dvectors("x", "y")\nf = function([x, y], x * 2)',
    "inputs not in a list": 'x = T.dvector("x")\nf = function(x, x * 2)',
    "a number among the inputs": 'x = T.dvector("x")\nf = function([x, 3], x * 2)',
    "an expression among the inputs": 'x = T.dvector("x")\nf = function([x * 2], x * 2 + 1)',
    "a shared value among the inputs": 'W = shared(np.zeros(3), "W")\nf = function([W], W * 2)',
    "an input given twice": 'x = T.dvector("x")\nf = function([x, x], x * 2)',
    "a text among the outputs": 'x = T.dvector("x")\nf = function([x], [x, "loss"])',
    "updates that are no pairs": 'W = shared(np.zeros(3), "W")\nf = function([], updates=[W, W + 1])',
    "an update of a variable": 'x = T.dvector("x")\nf = function([x], updates=[(x, x + 1)])',
    "two updates of one value": 'W = shared(np.zeros(3), "W")\nf = function([], updates=[(W, W + 1), (W, W * 2)])',
    "an update of another dtype": 'W = shared(np.zeros(3, "float32"), "W")\nx = T.dvector("x")\nf = function([x], updates=[(W, W - 0.1 * x)])',
    "an update of another number of axes": 'b = shared(np.zeros(3), "b")\nx = T.dmatrix("x")\nf = function([x], updates=[(b, b - x)])',
    "an update of another shape": 'b = shared(np.zeros((3, 1)), "b")\nf = function([], updates=[(b, b.T)])',
    "givens of another dtype": 'x = T.fvector("x")\ndata = shared(np.zeros(3), "data")\nf = function([], x * 2, givens={x: data})',
    "givens of another number of axes": 'x = T.dvector("x")\ndata = shared(np.zeros((3, 3)), "data")\nf = function([], x * 2, givens={x: data})',
    "givens for an expression": 'x = T.dvector("x")\ny = x * 2\nf = function([x], y + 1, givens={y: x})',
    "an update of an input without a first value": 'x = T.dscalar("x")\nf = function([symdl.In(x, update=x + 1)], x)',
    "an unknown mode": 'x = T.dvector("x")\nf = function([x], x, mode="FAST")',
    "an unknown on_unused_input": 'x = T.dvector("x")\nf = function([x], x, on_unused_input="maybe")',
    # ---- gradients ----
    "a gradient of what is not used": 'x, y = T.dvectors("x", "y")\nloss = (x ** 2).sum()\ng = grad(loss, y)',
    "a cost that is no scalar": 'x = T.dvector("x")\nloss = x ** 2\ng = grad(loss, x)',
    "a gradient for integers": 'n = T.lvector("n")\nloss = (n * 1.5).sum()\ng = grad(loss, n)',
    "a cost of integers": 'x = T.dvector("x")\ncost = T.argmax(x)\ng = grad(cost, x)',
    "a gradient for a number": 'x = T.dvector("x")\ng = grad(x.sum(), 3)',
    "a gradient through steps": 'x = T.dvector("x")\nright = (x > 0).mean()\ng = grad(right, x)',
    "a misspelt disconnected_inputs": 'x = T.dvector("x")\ng = grad(x.sum(), x, disconnected_inputs="zero")',
    # ---- expressions are not values ----
    "if": 'x = T.dscalar("x")\nif x > 0: pass',
    "and": 'x, y = T.dscalars("x", "y")\nz = x > 0 and y > 0',
    "a chain of comparisons": 'x = T.dscalar("x")\nz = 0 < x < 1',
    "for": 'x = T.dvector("x")\nfor row in x: pass',
    "len": 'x = T.dvector("x")\nn = len(x)',
    "len of a scalar": 'x = T.dscalar("x")\nn = len(x)',
    "item assignment": 'x = T.dvector("x")\nx[0] = 1',
    "float": 'x = T.dvector("x")\nv = float(x.sum())',
    "range": 'x = T.dvector("x")\nfor i in range(x.shape[0]): pass',
    "np.array": 'x = T.dvector("x")\na = np.array(x)',
    "np.asarray of a list": 'x = T.dscalar("x")\na = np.asarray([x, x])',
    "np.linalg": 'x = T.dmatrix("x")\ny = np.linalg.eig(x)',
    "np.add.reduce": 'x = T.dvector("x")\ny = np.add.reduce(x)',
    "out=": 'x = T.dvector("x")\ny = np.exp(x, out=np.zeros(3))',
    "an attribute that is set": 'x = T.dvector("x")\nx.dtype = "float32"',
    # ---- building: sizes ----
    "a product while building": 'images = T.tensor("images", "float32", shape=(None, 784))\nweights = shared(np.zeros((500, 784), "float32"), "weights")\nh = images @ weights',
    "a product that no transpose mends": 'a, b = shared(np.zeros((2, 3)), "a"), shared(np.zeros((4, 5)), "b")\nc = T.dot(a, b)',
    "a product with a scalar": 'a, b = T.dmatrix("a"), T.dscalar("b")\nc = a @ b',
    "a sum while building": 'a, b = shared(np.zeros((2, 3)), "a"), shared(np.zeros((2, 4)), "b")\nc = a + b',
    "a sum with an array": 'a = shared(np.zeros(3), "a")\nc = a * np.arange(4)',
    "where while building": 'a, b = shared(np.zeros(3), "a"), shared(np.zeros(2), "b")\nc = T.where(a > 0, a, b)',
    "where with == of Python": 'x = T.ivector("x")\ny = T.where(x == 3, 1.0, 0.0)',
    "an index past the end": 'a = shared(np.zeros((3, 4)), "a")\nb = a[3]',
    "too many indices": 'x = T.dvector("x")\ny = x[0, 1]',
    "a float as an index": 'x = T.dvector("x")\ny = x[1.0]',
    "a mask of too many axes": 'x = T.dvector("x")\nm = T.tensor("m", "bool", (None, 3))\ny = x[m]',
    "a text as an index": 'x = T.dvector("x")\ny = x["a"]',
    "two ellipses": 'x = T.dtensor3("x")\ny = x[..., 0, ...]',
    "a slice step of zero": 'x = T.dvector("x")\ny = x[::0]',
    "a reshape that cannot be": 'a = shared(np.zeros((3, 4)), "a")\nb = a.reshape((5, 2))',
    "a reshape with a rest": 'a = shared(np.zeros((3, 4)), "a")\nb = a.reshape((5, -1))',
    "a reshape with two unknowns": 'a = shared(np.zeros((3, 4)), "a")\nb = a.reshape((-1, -1))',
    "concatenate while building": 'a, b = shared(np.zeros((2, 3)), "a"), shared(np.zeros((2, 4)), "b")\nc = T.concatenate([a, b])',
    "concatenate of scalars": 'a, b = T.dscalars("a", "b")\nc = T.concatenate([a, b])',
    "concatenate of nothing": "c = T.concatenate([])",
    "stack of unequal shapes": 'a, b = shared(np.zeros(2), "a"), shared(np.zeros(3), "b")\nc = T.stack([a, b])',
    "squeeze of a long axis": 'a = shared(np.zeros((3, 1)), "a")\nb = a.squeeze(0)',
    "an axis that is not there": 'x = T.dmatrix("x")\ny = x.sum(axis=2)',
    "an axis named twice": 'x = T.dmatrix("x")\ny = x.sum(axis=(0, -2))',
    "an axis that is no integer": 'x = T.dmatrix("x")\ny = x.mean(axis="rows")',
    "transpose of too few axes": 'x = T.dtensor3("x")\ny = x.transpose(0, 1)',
    "dimshuffle that drops a long axis": 'x = shared(np.zeros((2, 3)), "x")\ny = x.dimshuffle(1)',
    "the largest along an axis without entries": 'a = shared(np.zeros((3, 0)), "a")\nb = a.max(axis=1)',
    "a matrix where a vector is due": 'x = T.dvector("x")\ny = T.diagonal(x)',
    "split into unequal parts": 'a = shared(np.zeros(5), "a")\nb = T.split(a, 2)',
    "set_subtensor of what is not indexed": 'x = T.dvector("x")\ny = T.set_subtensor(x, 0.0)',
    "set_subtensor of the wrong length": 'a = shared(np.zeros(5), "a")\nb = T.set_subtensor(a[:2], np.zeros(3))',
    "a size that is no integer": 'x = T.dvector("x")\ny = T.zeros((x.sum(),))',
    "a size that is a float": "y = T.zeros((2.5, 3))",
    # ---- building: dtypes ----
    "a text in arithmetic": 'x = T.dscalar("x")\ny = x ** "2"',
    "None in arithmetic": 'x = T.dscalar("x")\ny = x + None',
    "a number too large for its peers": 'x = T.tensor("x", "uint8", shape=(None,))\ny = x + 256',
    "a complex number in arithmetic": 'x = T.dvector("x")\ny = x * 1j',
    "bits of floats": 'x = T.dvector("x")\ny = x & 1',
    "minus of bools": 'x = T.dvector("x")\ny = (x > 0) - (x < 0)',
    "sum of ==": 'x, y = T.ivectors("x", "y")\nz = T.sum(x == y)',
    "float16": 'x = T.tensor("x", "float16", shape=(None,))',
    "complex": 'x = T.tensor("x", "complex128", shape=(None,))',
    "a dtype that is none": 'x = T.tensor("x", "float46")',
    "a cast to object": 'x = T.dvector("x")\ny = x.astype(object)',
    # ---- variables and shared values ----
    "a shape where the name should be": "x = T.matrix((3, 4))",
    "a negative extent": 'x = T.tensor("x", "float64", shape=(-1, 3))',
    "shared of a text": 'W = shared("weights")',
    "shared of an expression": 'x = T.dvector("x")\nW = shared(x * 2, "W")',
    "shared of None": 'W = shared(None, "W")',
    "shared of float16": 'W = shared(np.zeros(3, "float16"), "W")',
    "shared of another shape": 'W = shared(np.zeros((2, 3)), "W", shape=(None, 4))',
    "set_value of another shape": 'W = shared(np.zeros((2, 3)), "W")\nW.set_value(np.zeros((3, 3)))',
    "set_value of other axes": 'W = shared(np.zeros((2, 3)), "W")\nW.set_value(np.zeros(6))',
    "set_value of another kind": 'n = shared(np.zeros(3, "int32"), "n")\nn.set_value(np.array([0.5, 1, 2]))',
    # ---- options and extras ----
    "a package that is not installed": 'from unittest.mock import patch\nimport symdl.extras\nwith patch("symdl.extras.installed", return_value=False): symdl.extras.load("sklearn.datasets", "the digits")',
    "an option that is not there": 'symdl.config.floatx = "float32"',
    "a value that an option does not take": 'symdl.config.floatX = "float16"',
    # ---- NaN guards and stability reports ----
    "a NaN that a guard finds": 'x = T.dvector("x")\nf = function([x], T.log(x - 3).sum() * 2, name="loss", nan_guard=True)\nf([4.0, 2.5])',
    "an infinity in an update": 'x = T.dmatrix("x")\nW = shared(np.ones((2, 2)), "W")\nf = function([x], updates={W: W - T.exp(x @ W)}, nan_guard=True)\nf([[1.0, 2.0], [500.0, 300.0]])',
    "an infinity that becomes a NaN": 'x, y = T.dvectors("x", "y")\nf = function([x, y], T.exp(x) * T.log(y), nan_guard=True, precision="plain")\nf([800.0], [1.0])',
    "a value that is lost on the way": 'x = T.dvector("x")\nf = function([x], T.sqrt(x * x[::-1]), nan_guard=True, precision="plain")\nf([2.0**600, 2.0**500])',
    "a NaN in an input": 'x = T.dvector("x")\nf = function([x], x * 2, nan_guard=True)\nf([1.0, np.nan])',
    "a guard that is none": 'x = T.dvector("x")\nf = function([x], x * 2, nan_guard="yes")',
    "a range that ends before it begins": 'x = T.dscalar("x")\nsymdl.stability_report(T.exp(x), {x: (1, 0)})',
    "a variable without a range": 'x, y = T.dscalars("x", "y")\nsymdl.stability_report(x * y, {x: (0, 1)})',
    "a comparison as a fact": 'x = T.dscalar("x")\ny = symdl.assume(x >= 0)',
    # ---- loops and branches ----
    "a loop without a number of steps": 'h = T.dvector("h")\nsymdl.scan(lambda s: s * 2, outputs_info=h)',
    "a state that loses an axis": 'x, h = T.dmatrix("x"), T.dvector("h")\nsymdl.scan(lambda row, state: (row * state).sum(), x, h)',
    "a state of another length": 'W = shared(np.ones((3, 4)), "W")\nh = shared(np.ones(3), "h")\nsymdl.scan(lambda state: state @ W, outputs_info=h, n_steps=5)',
    "more outputs than outputs_info": 'x, h = T.dmatrix("x"), T.dvector("h")\nsymdl.scan(lambda row, state: [row + state, row], x, [h])',
    "taps into the future of an output": 'h = T.dmatrix("h")\nsymdl.scan(lambda state: state, outputs_info={"initial": h, "taps": [1]}, n_steps=3)',
    "too few rows for the taps": 'h = shared(np.ones((2, 4)), "h")\nsymdl.scan(lambda a, b: a + b, outputs_info={"initial": h, "taps": [-1, -3]}, n_steps=3)',
    "a scalar as a sequence": 'x = T.dscalar("x")\nsymdl.scan(lambda row: row, x)',
    "strict, and a weight that is not passed": 'x = T.dmatrix("x")\nW = shared(np.ones((3, 4)), "W")\nsymdl.scan(lambda row: row @ W, x, strict=True)',
    "more steps than a sequence has": 'x = shared(np.ones((3, 4)), "x")\nsymdl.scan(lambda row: row, x, n_steps=5)',
    "more steps than a sequence has at the call": 'x, n = T.dmatrix("x"), T.lscalar("n")\nout, _ = symdl.scan(lambda row: row * 2, x, n_steps=n)\nf = function([x, n], out)\nf(np.ones((3, 4)), 5)',
    "a number of steps that is no integer": 'n = T.dscalar("n")\nsymdl.scan(lambda: n, n_steps=n)',
    "a step that returns a text": 'x = T.dmatrix("x")\nsymdl.scan(lambda row: "row", x)',
    "a condition with axes": 'x = T.dvector("x")\nsymdl.ifelse(x > 0, x, -x)',
    "branches of other shapes": 'x = T.dscalar("x")\nsymdl.ifelse(x > 0, T.zeros((3,)), T.zeros((4,)))',
    "branches with other numbers of values": 'x = T.dscalar("x")\nsymdl.ifelse(x > 0, [x], [x, x])',
    "until of an array": 'x = T.dmatrix("x")\nsymdl.scan(lambda row: (row, symdl.until(row > 0)), x)',
}
SECRETS = re.compile(r"0x[0-9a-f]{6,}|/(?:work|tmp|home|root|usr)/|site-packages|<symdl|\b\d{12,}\b")


def text_of(name: str) -> str:
    """The class and the whole message that the mistake gets."""
    code = compile(START + MISTAKES[name] + "\n", "train.py", "exec")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            exec(code, {"__name__": "train"})
        except SymdlError as error:
            return f"{type(error).__name__}: {error}"
        except Exception as error:  # noqa: BLE001  # what NumPy or Python said instead is a finding
            return f"NOT SYMDL'S: {type(error).__name__}: {error}"
    return "NO ERROR"


@cache
def golden() -> dict[str, str]:
    """Name -> whole text."""
    if UPDATE:
        texts = [f"{MARK}{name}\n{text_of(name)}\n" for name in MISTAKES]
        GOLDEN.write_text("\n".join(texts), encoding="utf-8")
    found = re.split(f"^{MARK}", GOLDEN.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {block.partition("\n")[0]: block.partition("\n")[2].strip() for block in found}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_whole_message(name: str) -> None:
    text = text_of(name)
    assert text == golden()[name]
    assert not SECRETS.search(text)
    assert not text.startswith("NO")


def test_no_text_is_left_over() -> None:
    assert list(golden()) == list(MISTAKES)


WITHOUT_PARTS = {  # no expression takes part
    "a loop without a number of steps", "a step that returns a text",
    "a number among the inputs", "a text among the outputs", "an unknown mode", "an unknown on_unused_input",
    "a gradient for a number", "a misspelt disconnected_inputs", "where with == of Python", "concatenate of nothing",
    "a size that is a float", "sum of ==", "float16", "complex", "a dtype that is none", "a cast to object",
    "a shape where the name should be", "a negative extent", "shared of a text", "shared of None", "shared of float16",
    "shared of another shape", "a package that is not installed", "an option that is not there", "a value that an option does not take",
    "a guard that is none", "a device that is none", "a device as an option that is none", "a GPU where no package for it is",
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_every_expression_that_takes_part_has_its_line(name: str) -> None:
    with pytest.raises(SymdlError) as caught:
        exec(compile(START + MISTAKES[name] + "\n", "train.py", "exec"), {"__name__": "train"})
    parts = caught.value.parts
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert bool(parts) is (name not in WITHOUT_PARTS)
    placeless = [p[0] for p in parts if not re.fullmatch(r"train\.py:\d+", p[2])]
    assert [p for p in placeless if p != "the value" and not re.fullmatch(r"-?\d+(\.\d+)?", p)] == []
