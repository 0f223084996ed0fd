"""Names of Theano beyond what most programs use: special functions, CTC, gradients of convolutions, and what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy import special

import symdl.theano as module_under_test
from symdl.errors import DtypeError, InputError
from symdl.theano.variables import take_off

theano: Any = module_under_test
TT: Any = theano.tensor
RNG = np.random.default_rng(0)
take_off()
pytestmark = pytest.mark.usefixtures("in_theanos_words")


SPECIAL: dict[str, tuple[Any, list[Any], int]] = {  # SciPy's, operands, which operand has a gradient
    "gamma": (special.gamma, [[0.5, 1.5, 4.0]], 0),
    "gammainc": (special.gammainc, [[0.5, 2.0], [1.0, 3.0]], 1),
    "gammaincc": (special.gammaincc, [[0.5, 2.0], [1.0, 3.0]], 1),
    "gammal": (lambda k, x: special.gammainc(k, x) * special.gamma(k), [[0.5, 2.0], [1.0, 3.0]], 1),
    "gammau": (lambda k, x: special.gammaincc(k, x) * special.gamma(k), [[0.5, 2.0], [1.0, 3.0]], 1),
    "chi2sf": (special.chdtrc, [[1.0, 5.0], [2.0, 3.0]], 0),
    "erfcinv": (special.erfcinv, [[0.2, 1.0, 1.7]], 0),
    "j0": (special.j0, [[0.5, 3.0]], 0),
    "j1": (special.j1, [[0.5, 3.0]], 0),
    "jv": (special.jv, [[1.5, 2.0], [0.5, 3.0]], 1),
    "i0": (special.i0, [[0.5, 3.0]], 0),
    "i1": (special.i1, [[0.5, 3.0]], 0),
    "iv": (special.iv, [[1.5, 2.0], [0.5, 3.0]], 1),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_functions(name: str) -> None:
    by_scipy, operands, which = SPECIAL[name]
    arrays = [np.array(a) for a in operands]
    if name == "chi2sf":
        by_scipy = lambda x, k: special.chdtrc(k, x)  # noqa: E731  # SciPy has the operands the other way round
    xs = [TT.dvector() for _ in arrays]
    y = getattr(TT, name)(*xs)
    f = theano.function(xs, [y, theano.grad(y.sum(), xs[which])])
    value, slope = f(*arrays)
    np.testing.assert_array_equal(value, by_scipy(*arrays))
    step = np.zeros(len(arrays))
    step[which] = 1e-6
    above, below = (by_scipy(*(a + s * h for a, h in zip(arrays, step, strict=True))) for s in (1, -1))
    np.testing.assert_allclose(slope, (above - below) / 2e-6, rtol=1e-6, atol=1e-8)


def test_a_special_function_stretches_an_operand() -> None:
    x = TT.dscalar("x")
    y = TT.gammainc(np.array([1.0, 2.0]), x)
    f = theano.function([x], [y, theano.grad(y.sum(), x)])
    value, slope = f(1.5)
    np.testing.assert_array_equal(value, special.gammainc([1.0, 2.0], 1.5))
    np.testing.assert_allclose(slope, np.exp(-1.5) + 1.5 * np.exp(-1.5))


def by_enumeration(log_p: Any, labels: list[int]) -> float:
    """Minus the logarithm of the sum over all paths that give the labels."""
    total = -np.inf
    for path in itertools.product(range(log_p.shape[1]), repeat=len(log_p)):
        if [k for k, _ in itertools.groupby(path) if k] == labels:
            total = np.logaddexp(total, sum(log_p[t, c] for t, c in enumerate(path)))
    return -float(total)


def test_ctc() -> None:
    """Repeated labels, none at all, and fewer times than the longest example has."""
    activations = RNG.normal(size=(4, 4, 3))
    labels = np.array([[1, 1], [2, -1], [1, 2], [-1, -1]], "int32")
    lengths = np.array([4, 3, 2, 4], "int32")
    a, y, n = TT.dtensor3(), TT.imatrix(), TT.ivector()
    cost = theano.tensor.nnet.ctc.ctc(a, y, n)
    f = theano.function([a, y, n], [cost, theano.grad(cost.sum(), a)])
    found, slope = f(activations, labels, lengths)
    log_p = activations - np.log(np.exp(activations).sum(2, keepdims=True))
    wanted = [by_enumeration(log_p[: lengths[b], b], [k for k in labels[b].tolist() if k >= 0]) for b in range(4)]
    np.testing.assert_allclose(found, wanted)
    moved = activations.copy()
    moved[1, 0, 2] += 1e-6
    np.testing.assert_allclose(slope[1, 0, 2], (f(moved, labels, lengths)[0].sum() - found.sum()) / 1e-6, rtol=1e-4)
    assert not slope[3, 1].any()  # a time that does not count


def test_functions_of_theano() -> None:
    m = RNG.normal(size=(3, 5))
    np.testing.assert_allclose(TT.cov(TT.as_tensor_variable(m)).eval(), np.cov(m))
    often, much = np.array([1, 0, 3, 2, 1]), np.array([0.5, 2.0, 1.0, 0.25, 3.0])
    weighted: list[dict[str, Any]] = [{"fweights": often}, {"aweights": much}, {"fweights": often, "aweights": much}]
    for settings in weighted:
        for below in (0, 1, 2):
            wanted = np.cov(m, ddof=below, **settings)
            np.testing.assert_allclose(TT.cov(m, ddof=below, **settings).eval(), wanted, rtol=1e-13)
    with pytest.raises(TypeError, match="fweights are float64"):
        TT.cov(m, fweights=much)
    with pytest.raises(ValueError, match="aweights has 2 axes"):
        TT.cov(m, aweights=m)
    np.testing.assert_allclose(TT.cov(TT.as_tensor_variable(m), rowvar=False, bias=True).eval(), np.cov(m.T, bias=True))
    np.testing.assert_allclose(TT.bartlett(6).eval(), np.bartlett(6), atol=1e-15)
    assert TT.bartlett(1).eval() == [1.0]
    np.testing.assert_array_equal(TT.horizontal_stack(m, m).eval(), np.hstack([m, m]))
    np.testing.assert_array_equal(TT.vertical_stack(m, m).eval(), np.vstack([m, m]))
    assert [int(v.eval()) for v in TT.divmod(TT.constant(7), 2)] == [3, 1]
    assert int(TT.ceil_intdiv(TT.constant(7), 2).eval()) == 4
    assert TT.get_vector_length(TT.as_tensor_variable([1, 2])) == 2
    x = TT.dvector("x")
    np.testing.assert_allclose(theano.function([x], x.exp() + x.arcsinh() + x.log1p())(m[0] ** 2), sum(
        g(m[0] ** 2) for g in (np.exp, np.arcsinh, np.log1p)
    ))  # fmt: skip
    np.testing.assert_array_equal(TT.nnet.nnet.prepend_1_to_each_row(m).eval(), np.hstack([np.ones((3, 1)), m]))
    spd = m @ m.T
    lower = TT.slinalg.Cholesky()(TT.as_tensor_variable(spd))
    np.testing.assert_allclose(
        TT.slinalg.Solve("lower_triangular")(lower, m).eval(), np.linalg.solve(np.linalg.cholesky(spd), m)
    )
    np.testing.assert_allclose(TT.nlinalg.MatrixInverse()(TT.as_tensor_variable(spd)).eval(), np.linalg.inv(spd))


def test_convolutions_of_gradients() -> None:
    """The gradients of conv3d that Theano has as functions are those of grad."""
    x, w = TT.tensor5("x"), TT.tensor5("w")
    y = TT.nnet.conv3d(x, w, subsample=(1, 2, 1))
    g = TT.ones_like(y)
    shape, filters = (2, 3, 4, 5, 4), (2, 3, 2, 2, 3)
    of_x = TT.nnet.abstract_conv.conv3d_grad_wrt_inputs(g, w, shape, subsample=(1, 2, 1))
    of_w = TT.nnet.abstract_conv.conv3d_grad_wrt_weights(x, g, filters, subsample=(1, 2, 1))
    f = theano.function([x, w], [of_x, theano.grad(y.sum(), x), of_w, theano.grad(y.sum(), w)])
    found = f(RNG.normal(size=shape), RNG.normal(size=filters))
    np.testing.assert_allclose(found[0], found[1], atol=1e-12)
    np.testing.assert_allclose(found[2], found[3], atol=1e-12)
    border = TT.nnet.abstract_conv.border_mode_to_pad
    assert border("half", 2, (3, 5)) == ((1, 1), (2, 2))
    assert border((1, (0, 2)), 2, (3, 3)) == ((1, 1), (0, 2))


def test_what_is_refused_may_be_a_base() -> None:
    """A program may define ops of a kind that symdl does not have, as long as it makes none."""

    class Kernel(theano.gpuarray.basic_ops.GpuKernelBase, theano.Op):  # type: ignore[misc]  # of a module made when loaded
        __props__ = ()

    with pytest.raises(InputError, match="GpuKernelBase"):
        Kernel()
    assert TT.inplace.add_inplace(1, 2).eval() == 3


def test_strict_loops() -> None:
    """strict forbids shared values only: fn may use variables that it was not given."""
    x, w = TT.dvector("x"), TT.dscalar("w")
    rows, _ = theano.scan(lambda a: a * w, sequences=x, strict=True)
    np.testing.assert_array_equal(theano.function([x, w], rows)([1.0, 2.0], 3.0), [3.0, 6.0])


@pytest.mark.parametrize(
    ("use", "kind", "says"),
    [
        (lambda: TT.zvector("x"), DtypeError, "real and the imaginary"),
        (lambda: TT.nlinalg.eig(TT.matrix()), DtypeError, "complex"),
        (lambda: TT.TensorType("float16", (False,)), DtypeError, "float32 or float64"),
        (lambda: theano.shared(np.zeros(2, "complex64")), DtypeError, "complex64"),
        (lambda: theano.sparse.csr_matrix("x"), InputError, "toarray"),
        (lambda: theano.sparse.basic.structured_dot(1, 2), InputError, "sparse.basic.structured_dot"),
        (lambda: theano.typed_list.TypedListType(TT.fvector)(), InputError, "T.stack"),
        (lambda: TT.fft.rfft(TT.matrix()), InputError, "numpy.fft"),
        (lambda: theano.gof.WrapLinkerMany([], []), InputError, "MonitorMode"),
        (lambda: TT.nnet.sigmod, AttributeError, "near: sigmoid"),
    ],
)
def test_what_is_refused(use: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        use()


def test_ops_of_cudnn() -> None:
    """The recipe of DCGAN's deconvolution: a descriptor, room for the result, the gradient's op; of two modules."""
    rng = np.random.default_rng(3)
    images, filters = TT.constant(rng.normal(size=(2, 3, 6, 6))), TT.constant(rng.normal(size=(4, 3, 3, 3)))
    for basic, dnn in (
        (theano.sandbox.cuda.basic_ops, theano.sandbox.cuda.dnn),
        (theano.gpuarray.basic_ops, theano.gpuarray.dnn),
    ):
        room = (
            basic.gpu_alloc_empty if basic is theano.sandbox.cuda.basic_ops else basic.gpu_alloc_empty(None, "float64")
        )
        for mode in ("conv", "cross"):
            desc = dnn.GpuDnnConvDesc(border_mode=(1, 1), subsample=(2, 2), conv_mode=mode)(filters.shape)
            x, w = TT.tensor4(dtype="float64"), TT.tensor4(dtype="float64")
            y = dnn.dnn_conv(x, w, border_mode=(1, 1), subsample=(2, 2), conv_mode=mode)
            made = dnn.GpuDnnConv()(basic.GpuContiguous()(x), w, room(*y.shape), desc)
            g = TT.cos(y)
            back = dnn.GpuDnnConvGradI()(w, g, room(*x.shape), desc)
            weights = dnn.GpuDnnConvGradW()(x, g, room(*w.shape), desc, 2.0, 1.0)
            want = theano.grad(TT.sin(y).sum(), [x, w])
            got = theano.function([x, w], [made, back, weights, y, want[0], 2 * want[1]])(images.eval(), filters.eval())
            for a, b in zip(got[:3], got[3:], strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def test_a_view_with_a_gradient_of_its_own() -> None:
    """ViewOp, as LSTMs of the time clip gradients with it; nothing of it runs in Python."""

    class Clip(theano.compile.ViewOp):  # type: ignore[misc]  # a name that is made when the package is loaded
        def __init__(self, bound: float) -> None:
            self.bound = bound

        def grad(self, inputs: Any, output_gradients: Any) -> list[Any]:
            return [TT.clip(g, -self.bound, self.bound) for g in output_gradients]

    x = TT.vector()
    y = Clip(1.5)(x)
    assert theano.compile.ops.ViewOp()(x) is x
    f = theano.function([x], [y, theano.grad((y**3).sum(), x)])
    for found, wanted in zip(f([0.5, -2.0, 1.0]), ([0.5, -2.0, 1.0], [0.75, 1.5, 1.5]), strict=True):
        np.testing.assert_allclose(found, wanted)


def test_widths_of_integers() -> None:
    assert (
        theano.configdefaults.local_bitwidth() == theano.gof.cmodule.local_bitwidth() == np.dtype(np.intp).itemsize * 8
    )


def test_the_package_is_in_itself() -> None:
    assert theano.theano is theano  # for `from theano import theano`


def test_reshape_takes_a_shape_by_name_and_a_number_of_axes() -> None:
    x = TT.matrix("x")
    f = theano.function(
        [x], [x.reshape(shape=(3, -1)), x.reshape((6,), 1), x.reshape((2, -1), ndim=2), x.reshape(1, 6)]
    )
    assert [a.shape for a in f(np.ones((2, 3)))] == [(3, 2), (6,), (2, 3), (1, 6)]


def test_eigenvalues_by_a_class_of_ones_own() -> None:
    class Symmetric(TT.nlinalg.Eig):  # type: ignore[misc]  # the base is a name made when symdl.theano is loaded
        _numop = staticmethod(np.linalg.eigh)

        def grad(self, inputs: Any, g_outputs: Any) -> Any:
            (g, _), (_, v) = g_outputs, self(*inputs)
            return [TT.dot(v * g, v.T)]

    x = TT.matrix("x")
    w, v = Symmetric()(x)
    a = np.array([[2.0, 1.0], [1.0, 2.0]])
    f = theano.function([x], [w, TT.dot(v * w, v.T), theano.grad(w[1], x)])
    for found, wanted in zip(f(a), (np.array([1.0, 3.0]), a, np.full((2, 2), 0.5)), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-15)
    of_any = theano.function([x], TT.nlinalg.Eig()(x))
    np.testing.assert_allclose(of_any(np.diag([1.0, 2.0]))[0], [1, 2])
    with pytest.raises(DtypeError, match="complex"):
        of_any(np.array([[0.0, 1.0], [-1.0, 0.0]]))


def test_a_type_of_another_dtype() -> None:
    kind = TT.matrix("x").type.clone(dtype="int32")
    assert (kind.dtype, kind.broadcastable) == ("int32", (False, False))
