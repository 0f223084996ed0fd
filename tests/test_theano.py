"""symdl.theano: programs in Theano's words, and Theano's names."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor
import symdl.theano as module_under_test
from symdl.errors import GradientError
from symdl.theano.variables import take_off

theano: Any = module_under_test  # its names are made when it is loaded
TT: Any = theano.tensor
ROOT = Path(__file__).resolve().parent.parent
RNG = np.random.default_rng(0)
take_off()  # other tests meet symdl's own classes
pytestmark = pytest.mark.usefixtures("in_theanos_words")


def test_what_is_put_on_comes_off() -> None:
    x = symdl.tensor.vector("x")
    assert hasattr(x, "tag")
    assert repr(x * 2) == "Elemwise{mul,no_inplace}.0"
    take_off()
    assert not hasattr(x, "tag")
    assert repr(x * 2) == "x * 2"


# ---- names ----

MUST = """
theano: function shared In Out scan map reduce foldl foldr grad clone config Op Apply Variable Mode OpFromGraph dot pp Param
    OrderedUpdates scan_checkpoints _asarray __version__ printing gradient ifelse tensor compile gof scalar sandbox tests
tensor: scalar vector row col matrix tensor3 tensor4 tensor5 bscalar ivector lmatrix fmatrix dtensor3 itensor4 wvector vectors
    scalars matrices dmatrices iscalars tensor TensorType TensorVariable TensorConstant SharedVariable constant
    as_tensor_variable as_tensor cast shape specify_shape add sub mul true_div int_div mod pow neg inv sqr square sqrt abs_ sgn
    exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh deg2rad
    rad2deg ceil floor trunc round iround clip maximum minimum largest smallest switch where eq neq lt le gt ge and_ or_ xor
    invert isnan isinf isclose allclose erf erfc erfinv erfcx gammaln psi sum prod mean var std min max argmin argmax
    max_and_argmax any all ptp cumsum cumprod dot tensordot outer batched_dot batched_tensordot arange zeros ones zeros_like
    ones_like eye identity_like alloc fill reshape flatten dimshuffle transpose concatenate join stack stacklists split tile
    repeat squeeze shape_padleft shape_padright shape_padaxis patternbroadcast addbroadcast unbroadcast set_subtensor
    inc_subtensor take nonzero nonzero_values flatnonzero sort argsort diag tri tril triu roll choose permute_row_elements mgrid
    ogrid grad Rop Lop jacobian hessian verify_grad consider_constant get_scalar_constant_value NotScalarConstantError Elemwise
    DimShuffle nnet signal shared_randomstreams extra_ops nlinalg slinalg basic elemwise opt sharedvar subtensor xlogx
tensor.nnet: sigmoid hard_sigmoid ultra_fast_sigmoid softmax logsoftmax softplus relu elu selu softsign softmax_with_bias
    categorical_crossentropy binary_crossentropy sigmoid_binary_crossentropy crossentropy_softmax_1hot confusion_matrix conv2d
    conv3d conv2d_transpose h_softmax bn conv abstract_conv neighbours nnet conv3d2d Conv3D sigm Softmax
tensor.nnet.bn: batch_normalization batch_normalization_train batch_normalization_test
tensor.nnet.conv: conv2d ConvOp
tensor.nnet.abstract_conv: conv2d_grad_wrt_inputs conv2d_grad_wrt_weights AbstractConv2d_gradInputs AbstractConv3d_gradInputs
tensor.nnet.neighbours: images2neibs neibs2images
tensor.signal.pool: pool_2d pool_3d max_pool_2d Pool max_pool_2d_same_size
tensor.signal.downsample: max_pool_2d DownsampleFactorMax
tensor.shared_randomstreams: RandomStreams RandomStateSharedVariable
tensor.extra_ops: repeat to_one_hot cumsum cumprod diff bincount squeeze
tensor.nlinalg: det matrix_inverse trace diag eigh svd qr pinv
tensor.slinalg: cholesky solve expm kron
sandbox.rng_mrg: MRG_RandomStreams
gradient: grad disconnected_grad zero_grad grad_clip grad_scale DisconnectedType NullType grad_undefined grad_not_implemented
    jacobian hessian verify_grad consider_constant DisconnectedInputError
printing: Print debugprint pp pprint pydotprint min_informative_str
ifelse: ifelse
scan_module: scan until
scan_module.scan_utils: until clone equal_computations
compile: function Mode SharedVariable mode sharedvalue nanguardmode io optdb get_default_mode
compile.nanguardmode: NanGuardMode
compile.mode: Mode get_mode get_default_mode
compile.sharedvalue: shared SharedVariable
compile.ops: as_op
gof: Variable Apply Op Type Constant graph local_optimizer COp MissingInputError
gof.graph: inputs ancestors is_same_graph io_toposort Variable Constant
gof.op: get_debug_values Op
scalar: upcast identity as_scalar add mul UnaryScalarOp
tests.unittest_tools: verify_grad assert_allclose seed_rng fetch_seed InferShapeTester
misc.pkl_utils: dump load
updates: OrderedUpdates
"""


@pytest.mark.parametrize("line", [" ".join(part.split()) for part in re.findall(r"^\S.*(?:\n +.*)*", MUST, re.M)])
def test_names(line: str) -> None:
    """What several of the public programs use is there, also for `from theano.x import name`."""
    name, _, names = line.partition(": ")
    full = "symdl.theano" + ("" if name == "theano" else f".{name}")
    missing = [n for n in names.split() if not hasattr(sys.modules[full], n)]
    assert missing == []


def test_a_part_named_like_a_function_leaves_the_function() -> None:
    # The import statement is what is tested; the module is made when the package is loaded.
    from symdl.theano.tensor.var import TensorVariable  # type: ignore[import-not-found]

    assert TensorVariable is TT.TensorVariable
    assert callable(TT.var)


def test_script_runs_unchanged(tmp_path: Path) -> None:
    """python -m symdl.theano: aliases, flags and arguments."""
    script = tmp_path / "old.py"
    script.write_text(
        "import sys\nimport theano\nimport theano.tensor as T\nfrom theano.tensor.nnet import sigmoid\n"
        "from theano.sandbox.rng_mrg import MRG_RandomStreams\nx = T.matrix()\n"
        "print(theano.config.floatX, x.dtype, theano.config.scan.allow_gc, sys.argv[1])\n"
        "print(theano.function([x], sigmoid(x).sum())([[0, 0]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "symdl.theano", str(script), "given"], capture_output=True, text=True, cwd=ROOT, check=False,
        env={"THEANO_FLAGS": "floatX=float32,scan.allow_gc=True,device=cpu", "PATH": "", "SYMDL_CACHE_DIR": ""},
    )  # fmt: skip
    assert done.stdout.split() == ["float32", "float32", "True", "given", "1.0"], done.stderr


# ---- programs ----


def test_logistic_regression_on_slices_of_shared_data() -> None:
    """givens, minibatches by index, updates as a list, error rates by neq."""
    labels = RNG.integers(0, 3, 90)
    data = RNG.normal(size=(90, 4)) + 3 * np.eye(3, 4)[labels]
    xs = theano.shared(np.asarray(data, dtype=theano.config.floatX), borrow=True)
    ys = TT.cast(theano.shared(np.asarray(labels, dtype=theano.config.floatX), borrow=True), "int32")
    index, x, y = TT.lscalar(), TT.matrix("x"), TT.ivector("y")
    W = theano.shared(value=np.zeros((4, 3)), name="W", borrow=True)
    b = theano.shared(value=np.zeros((3,)), name="b", borrow=True)
    p = TT.nnet.softmax(TT.dot(x, W) + b)
    cost = -TT.mean(TT.log(p)[TT.arange(y.shape[0]), y])
    errors = TT.mean(TT.neq(TT.argmax(p, axis=1), y))
    g_W, g_b = TT.grad(cost=cost, wrt=[W, b])
    batch = {x: xs[index * 30 : (index + 1) * 30], y: ys[index * 30 : (index + 1) * 30]}
    train = theano.function(
        inputs=[index], outputs=cost, updates=[(W, W - 0.5 * g_W), (b, b - 0.5 * g_b)], givens=batch
    )
    test = theano.function([index], errors, givens=batch)
    for _ in range(30):
        costs = [float(train(i)) for i in range(3)]
    assert max(costs) < 0.3
    assert np.mean([test(i) for i in range(3)]) < 0.1


def test_network_with_an_optional_input_and_weights() -> None:
    """`if not W`, an optional variable, L1 and L2, updates as an ordered dictionary."""

    def layer(x: Any, n: int, m: int, W: Any = None) -> tuple[Any, Any]:
        if not W:
            W = theano.shared(RNG.uniform(-0.5, 0.5, (n, m)), name="W")
        return TT.tanh(TT.dot(x, W)), W

    x = TT.matrix()
    h, W1 = layer(x, 2, 8)
    out, W2 = layer(h, 8, 1)
    target = TT.matrix()
    cost = TT.sqr(out - target).mean() + 1e-4 * sum((w**2).sum() + abs(w).sum() for w in (W1, W2))
    updates = OrderedDict((w, w - 0.3 * g) for w, g in zip((W1, W2), TT.grad(cost, [W1, W2]), strict=True))
    step = theano.function(
        [x, target], cost, updates=updates, allow_input_downcast=True, mode="FAST_RUN", profile=False
    )
    inputs = np.array([[0.0, 1], [1, 0], [1, 1], [-1, 1]])
    goals = np.array([[1.0], [-1], [0], [1]])
    first, last = step(inputs, goals), [step(inputs, goals) for _ in range(50)][-1]
    assert last < first / 2
    assert layer(x, 8, 1, W2)[1] is W2
    with pytest.raises(TypeError):
        bool(x > 0)


def test_convolutional_network() -> None:
    """Old and new names of convolution and pooling agree, and gradients flow."""
    x = TT.tensor4("x")
    W = theano.shared(RNG.normal(size=(2, 1, 3, 3)))
    new = TT.nnet.conv2d(input=x, filters=W, input_shape=(5, 1, 9, 9), filter_shape=(2, 1, 3, 3))
    old = TT.nnet.conv.conv2d(input=x, filters=W, image_shape=(5, 1, 9, 9), filter_shape=(2, 1, 3, 3))
    pooled = [
        TT.signal.pool.pool_2d(input=new, ds=(2, 2), ignore_border=False),
        TT.signal.downsample.max_pool_2d(old, (2, 2), ignore_border=False),
    ]
    f = theano.function([x], [*pooled, TT.grad(pooled[0].sum(), W)])
    a, b, g = f(RNG.normal(size=(5, 1, 9, 9)))
    assert a.shape == (5, 2, 4, 4)
    assert np.array_equal(a, b)
    assert g.shape == (2, 1, 3, 3)
    assert np.abs(g).max() > 0


def test_boltzmann_machine() -> None:
    """Gibbs steps in a scan with random draws, its updates merged, gradients that take the chain's end as constant."""
    rng = TT.shared_randomstreams.RandomStreams(RNG.integers(1 << 30))
    W = theano.shared(RNG.normal(0, 0.1, (6, 4)), "W")
    hidden, visible = theano.shared(np.zeros(4)), theano.shared(np.zeros(6))

    def free_energy(v: Any) -> Any:
        return -TT.dot(v, visible) - TT.sum(TT.nnet.softplus(TT.dot(v, W) + hidden), axis=1)

    def gibbs(v: Any) -> list[Any]:
        mean = TT.nnet.sigmoid(TT.dot(v, W) + hidden)
        h = rng.binomial(size=mean.shape, n=1, p=mean, dtype=theano.config.floatX)
        back = TT.nnet.sigmoid(TT.dot(h, W.T) + visible)
        return [back, rng.binomial(size=back.shape, n=1, p=back, dtype=theano.config.floatX)]

    v = TT.matrix()
    (means, samples), updates = theano.scan(lambda s: gibbs(s), outputs_info=[None, v], n_steps=3)
    end = samples[-1]
    cost = TT.mean(free_energy(v)) - TT.mean(free_energy(end))
    for w, g in zip((W, hidden, visible), TT.grad(cost, [W, hidden, visible], consider_constant=[end]), strict=True):
        updates[w] = w - g * TT.cast(0.1, dtype=theano.config.floatX)
    train = theano.function([v], [cost, end, means], updates=updates)
    data = (RNG.uniform(size=(20, 6)) < [0.9, 0.9, 0.9, 0.1, 0.1, 0.1]).astype(float)
    first, second = train(data)[1], train(data)[1]
    assert set(np.unique(first)) == {0.0, 1.0}
    assert not np.array_equal(first, second)
    for _ in range(60):
        train(data)
    bias = visible.get_value()
    assert bias[:3].min() > bias[3:].max()


def test_recurrent_network() -> None:
    """An LSTM in a scan beside the same steps in NumPy, and its gradient."""
    n, steps = 3, 4
    x = TT.tensor3("x")
    U = theano.shared(RNG.normal(size=(n, 4 * n)), name="U")

    def step(row: Any, h: Any, c: Any, weights: Any) -> list[Any]:
        pre = TT.dot(h, weights) + row
        i, f, o = (TT.nnet.sigmoid(pre[:, k * n : (k + 1) * n]) for k in range(3))
        c = f * c + i * TT.tanh(pre[:, 3 * n :])
        return [o * TT.tanh(c), c]

    start = TT.alloc(np.asarray(0.0, dtype=theano.config.floatX), x.shape[1], n)
    (h, _), updates = theano.scan(
        step, sequences=[x], outputs_info=[start, start], non_sequences=[U], n_steps=x.shape[0]
    )
    assert not updates
    f = theano.function([x], [h[-1], TT.grad(h.sum(), U)])
    xs = RNG.normal(size=(steps, 2, 4 * n))
    got, g = f(xs)
    a, c = np.zeros((2, n)), np.zeros((2, n))
    for row in xs:
        pre = a @ U.get_value() + row
        i, forget, o = (1 / (1 + np.exp(-pre[:, k * n : (k + 1) * n])) for k in range(3))
        c = forget * c + i * np.tanh(pre[:, 3 * n :])
        a = o * np.tanh(c)
    assert np.allclose(got, a)
    assert g.shape == (n, 4 * n)


def test_until_ends_a_loop() -> None:
    limit = TT.scalar()
    values, _ = theano.scan(
        lambda s, m: (s * 2, theano.scan_module.until(s * 2 > m)),
        outputs_info=TT.constant(1.0),
        non_sequences=limit,
        n_steps=100,
    )
    assert theano.function([limit], values)(40).tolist() == [2, 4, 8, 16, 32, 64]


def test_streams() -> None:
    """MRG's options; draws move on at each call and each eval, and begin anew with a seed."""
    rng = theano.sandbox.rng_mrg.MRG_RandomStreams(seed=3)
    draw = rng.uniform(size=(4, 5), low=-1, high=1, ndim=2, dtype="floatX")
    f = theano.function([], draw)
    first, second = f(), f()
    assert first.dtype == "float64"
    assert not np.array_equal(first, second)
    rng.seed(3)
    assert np.array_equal(f(), first)
    assert not np.array_equal(draw.eval(), draw.eval())
    p = TT.matrix()
    one_hot = theano.function([p], rng.multinomial(pvals=p, dtype="float64"))(np.full((6, 3), 1 / 3))
    assert one_hot.shape == (6, 3)
    assert (one_hot.sum(1) == 1).all()
    kept = theano.function([], rng.normal((3,), avg=1.0, std=2.0), no_default_updates=True)
    assert np.array_equal(kept(), kept())
    assert rng.binomial((2, 2), p=0.5).dtype == "int64"


def test_shared_values() -> None:
    """Lengths may change, one axis may be told to be 1, what is no array is kept as it is."""
    s = theano.shared(np.arange(6.0).reshape(2, 3), name="s")
    f = theano.function([], s.sum(axis=0))
    s.set_value(np.ones((5, 3)))
    assert f().tolist() == [5, 5, 5]
    assert s.get_value(borrow=True) is s.get_value(borrow=True)
    assert s.type.broadcastable == (False, False)
    assert s.broadcastable == (False, False)
    b = theano.shared(np.ones((1, 3)), broadcastable=(True, False))
    assert (s + b).eval().shape == (5, 3)
    assert s.shape.eval().tolist() == [5, 3]
    assert theano.shared({"a": 1}).get_value() == {"a": 1}
    assert theano.shared(3).dtype == "int64"
    assert theano.shared(0.5).dtype == "float64"


def test_variables() -> None:
    """Tags, free attributes, owners, types, test values."""
    x = TT.matrix("x")
    x.tag.roles = ["input"]
    x._keras_shape = (None, 3)
    assert x.tag.roles == ["input"]
    assert x._keras_shape == (None, 3)
    assert not hasattr(x.tag, "other")
    assert not hasattr(x, "_other")
    y = TT.tanh(x)
    assert y.owner.inputs == [x]
    assert x.owner is None
    assert isinstance(y.owner.op, TT.Elemwise)
    assert str(x + 1) == "Elemwise{add,no_inplace}.0"
    assert str(x) == "x"
    assert repr(x.type) == "TensorType(float64, matrix)"
    assert TT.dscalar("a").type is TT.dscalar
    assert x.type("z").name == "z"
    assert x.clone() is not x
    assert x.type().ndim == 2
    W = theano.shared(np.ones(2))
    kinds = [TT.TensorVariable, TT.TensorConstant, TT.SharedVariable, theano.Variable]
    assert [[isinstance(e, k) for k in kinds] for e in (y, TT.constant(1.0), W)] == [
        [True, False, False, True], [False, True, False, True], [False, False, True, True]
    ]  # fmt: skip
    x.tag.test_value = np.zeros((2, 2))
    assert (y + 1).tag.test_value.tolist() == [[1, 1], [1, 1]]
    assert theano.gof.graph.inputs([y * W]) == [W, x] or theano.gof.graph.inputs([y * W]) == [x, W]
    assert TT.get_scalar_constant_value(TT.constant(3)) == 3
    with pytest.raises(TT.NotScalarConstantError):
        TT.get_scalar_constant_value(TT.scalar())
    assert (TT.fvector() * TT.constant(1)).dtype == "float32"


def test_function_options() -> None:
    """Defaults, dictionaries, givens of an expression, an expression as an input, what is unused."""
    x, y = TT.dscalars("x", "y")
    assert theano.function([x, theano.In(y, value=1, name="other")], x + y)(2) == 3
    assert theano.function([x, theano.Param(y, default=1)], x + y)(2) == 3
    assert theano.function([x], {"a": x, "b": 2 * x})(2) == {"a": 2, "b": 4}
    count = theano.function([x, ((y, y + x), 10.0)], x + y)
    assert [count(2), count(2), count["y"]] == [12, 14, 14]
    assert theano.function([x, (y, 3.0)], x + y)(2) == 5
    s = TT.sqr(x)
    assert theano.function([y], s + 1, givens=[(s, y)])(5) == 6
    assert theano.function([s], s + 1)(5) == 6
    total = theano.shared(0.0)
    assert theano.function([x], updates={total: total + x})(2) == []
    assert total.get_value() == 2
    with pytest.raises(theano.compile.UnusedInputError):
        theano.function([x, y], x)
    assert theano.function([x, y], x, on_unused_input="ignore")(1, 2) == 1
    with pytest.raises(ValueError, match="mode"):
        theano.function([x], x, mode="fastest")
    with pytest.raises(theano.gradient.DisconnectedInputError):
        theano.grad(x, y)
    assert theano.grad(x, y, disconnected_inputs="ignore", return_disconnected="none") is None


def test_steps_have_the_derivative_zero() -> None:
    x, y = TT.dvector("x"), TT.dvector("y")
    errors = TT.neq(x > 0.5, y > 0.5).mean()
    assert theano.grad(errors + 0 * x.sum(), [x, y])[1].eval({x: np.ones(2), y: np.ones(2)}).tolist() == [0, 0]
    assert theano.grad(errors, x).eval({x: np.ones(2), y: np.ones(2)}).tolist() == [0, 0]
    slope = theano.grad((x * (x > 0.5)).sum(), x).eval({x: np.array([0.0, 1.0])})
    assert slope.tolist() == [0, 1]
    with pytest.raises(GradientError, match="does not depend on y"):
        theano.grad((x > 0.5).mean(), [x, y])


def test_copies_of_functions() -> None:
    """swap puts other shared values in the place of some; without updates nothing changes."""
    x, total, other = TT.dscalar("x"), theano.shared(0.0), theano.shared(10.0)
    f = theano.function([x], {"before": total}, updates=[(total, total + x)])
    g = f.copy(swap={total: other})
    assert f(1)["before"] == 0
    assert g(1)["before"] == 10
    assert (total.get_value(), other.get_value()) == (1, 11)
    assert f.copy(delete_updates=True)(5)["before"] == 1
    assert total.get_value() == 1


def test_modes_that_look(capsys: pytest.CaptureFixture[str]) -> None:
    x = TT.dscalar("x")
    seen: list[Any] = []
    watch = theano.compile.MonitorMode(
        post_func=lambda i, node, fn: seen.append((i, str(node.op), float(fn.outputs[0][0])))
    )
    assert theano.function([x], 5 * x, mode=watch)(3) == 15
    assert seen == [(0, "Elemwise{mul,no_inplace}", 15.0)]
    theano.function(
        [x], TT.log(x) * x, mode=theano.compile.MonitorMode(post_func=theano.compile.monitormode.detect_nan)
    )(0.0)
    assert "NaN detected" in capsys.readouterr().out
    guarded = theano.function(
        [x], TT.log(x), mode=theano.compile.nanguardmode.NanGuardMode(nan_is_error=True, inf_is_error=True)
    )
    with pytest.raises(FloatingPointError):
        guarded(-1.0)


def test_printing(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = TT.dscalars("x", "y")
    assert theano.pp(x + y) == "(x + y)"
    theano.printing.debugprint(x + y)
    assert "add" in capsys.readouterr().out
    f = theano.function([x], theano.printing.Print("value of x")(x) ** 2)
    assert f(3) == 9
    assert "value of x __str__ = 3.0" in capsys.readouterr().out


def test_devices_of_old_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """gpu0 and cuda are the GPU if there is one, else the CPU, as Theano had it."""
    from symdl.errors import CudaUnavailableError
    from symdl.theano import flags

    def none(_: str) -> None:
        raise CudaUnavailableError("no GPU")

    monkeypatch.setattr(flags, "backend", none)
    with symdl.config.change(device="cpu"):
        assert flags.Flags({"THEANO_FLAGS": "device=gpu0,floatX=float64"}).device == "cpu"
        with pytest.raises(CudaUnavailableError):
            flags.Flags({"THEANO_FLAGS": "force_device=True,device=cuda"})
        assert flags.Flags({"THEANO_FLAGS": "device=cuda-emulated"}).device == "cuda-emulated"
        monkeypatch.setattr(flags, "backend", lambda _: None)
        assert flags.Flags({"THEANO_FLAGS": "device=gpu0"}).device == "cuda"


def test_config(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options of symdl and of Theano under one roof."""
    config = theano.config
    assert config.device == "cpu"
    assert config.compute_test_value == "off"
    assert config.blas.ldflags == ""
    with config.change_flags(floatX="float32", compute_test_value="warn"):
        assert TT.matrix().dtype == "float32"
        assert symdl.config.floatX == "float32"
    assert TT.matrix().dtype == "float64"
    with pytest.raises(AttributeError):
        _ = config.no_such_option
    config.scan.allow_gc = True
    assert config.scan.allow_gc is True
    config.scan.allow_gc = False


def test_a_shared_number_as_an_index() -> None:
    """In symdl itself: a shared value that only a size depends on."""
    s, x = symdl.shared(np.int64(2)), symdl.tensor.vector("x")
    f = symdl.function([x], x[s:])
    assert f(np.arange(5.0)).tolist() == [2, 3, 4]
    s.set_value(4)
    assert f(np.arange(5.0)).tolist() == [4]


def test_sizes_as_one_vector() -> None:
    """In symdl itself: a shape put together from vectors."""
    T = symdl.tensor
    x = T.dmatrix("x")
    y = x.reshape(T.concatenate([T.stack(x.shape[:1]), T.constant([1, 3])]))
    assert y.ndim == 3
    assert symdl.function([x], y)(np.ones((4, 3))).shape == (4, 1, 3)
    v = T.lvector("v")
    z = T.zeros(T.stack([v[0], v[1]]))
    assert symdl.function([v], z)(np.array([2, 3])).shape == (2, 3)
