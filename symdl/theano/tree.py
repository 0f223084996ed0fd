"""The modules of Theano and the names in them: one table, from which modules are made that Python can import.

A name that symdl has under the same meaning stands here alone; the others point at this package's own functions.
"""

from __future__ import annotations

import collections
import logging
import pickle
import sys
import types
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

import symdl.control
import symdl.extending
import symdl.linalg
import symdl.ops.normalization as normalization
import symdl.passes.replacing
import symdl.runtime.inputs
import symdl.scanning
import symdl.tensor
import symdl.theano.compiling as compiling
import symdl.theano.ctc as ctc
import symdl.theano.gpu_names as gpu_names
import symdl.theano.gradients as gradients
import symdl.theano.graphs as graphs
import symdl.theano.kinds as kinds
import symdl.theano.loops as loops
import symdl.theano.networks as networks
import symdl.theano.nodes as nodes
import symdl.theano.own_ops as own_ops
import symdl.theano.shaping as shaping
import symdl.theano.special as special
import symdl.theano.streams as streams
import symdl.theano.tensors as tensors
import symdl.theano.values as values
import symdl.theano.variables as face
from symdl.diagnosis.nan_guard import NanGuardMode
from symdl.errors import DtypeError, GradientError, InputError, nearest
from symdl.functions import Function
from symdl.graph.expr import Expr, Op
from symdl.runtime.storage import SharedVariable
from symdl.theano.flags import config
from symdl.theano.refusals import REMEDIES, refused

VERSION = "1.0.5"  # whose names these are
ROOT = __name__.rpartition(".")[0]


class Module(types.ModuleType):
    """A module of Theano's. Importing a part whose name is also a function's (theano.tensor.var) leaves the function.

    Of a module that symdl refuses as a whole, every further name is a stand-in that says so when it is called.
    """

    def __getattr__(self, name: str) -> Any:
        own = self.__name__.removeprefix(f"{ROOT}.")
        about = own.partition(".")[0]
        if about in REMEDIES and not name.startswith("_"):
            return refused(about, f"{own}.{name}")
        near = nearest(name, [n for n in self.__dict__ if not n.startswith("_")], 3)
        raise AttributeError(f"theano.{own} has no {name!r} in symdl{f'; near: {chr(44).join(near)}' if near else ''}")

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, types.ModuleType) and callable(self.__dict__.get(name)):
            return
        super().__setattr__(name, value)


class OrderedUpdates(collections.OrderedDict[Any, Any]):
    """updates that may be added up."""

    def __add__(self, other: Any) -> OrderedUpdates:
        return OrderedUpdates([*self.items(), *dict(other).items()])

    def __radd__(self, other: Any) -> OrderedUpdates:
        return OrderedUpdates([*dict(other).items(), *self.items()])


def _asarray(a: Any, dtype: Any = None, order: Any = None) -> Any:
    """An array of a dtype; "floatX" is config.floatX."""
    return np.asarray(a, dtype=config.floatX if dtype == "floatX" else dtype, order=order)


def _clone(
    output: Any, replace: Any = None, strict: bool = True, share_inputs: bool = True, copy_inputs: Any = None
) -> Any:
    """symdl.clone; strict and share_inputs have nothing to choose, for expressions never change."""
    return symdl.passes.replacing.clone(output, replace)


def _original_types(dtypes: str) -> dict[str, Any]:
    return {name: graphs.ScalarType(name) for name in dtypes.split()}


def _named(names: str) -> dict[str, Any]:
    """Names of symdl.tensor."""
    return {name: PRIMITIVES[name] for name in names.split()}


def _of(module: Any, names: str) -> dict[str, Any]:
    return {name: getattr(module, name) for name in names.split()}


def _primitive(name: str) -> Any:
    """A name of symdl.tensor; an elementwise op as an object that takes attributes."""
    found = getattr(symdl.tensor, name)
    return graphs.Elementwise(found) if isinstance(found, Op) else found


def _solved(structure: str, lower: bool, a: Any, b: Any) -> Expr:
    """The x with a x = b; of a triangular a only its half is looked at."""
    if structure in ("lower_triangular", "upper_triangular"):
        return symdl.linalg.solve_triangular(a, b, lower=structure == "lower_triangular" or lower)
    return symdl.linalg.solve(a, b)


PRIMITIVES = {n: _primitive(n) for n in symdl.tensor.__all__ if n not in ("linalg", "random", "shared_randomstreams")}
VALUES = (
    "NotScalarConstantError EmptyConstantError as_tensor_variable cast constant extract_constant "
    "get_scalar_constant_value tensor"
)
SHAPING = (
    "AllocEmpty addbroadcast alloc concatenate diag flatten horizontal_stack inverse_permutation join mgrid "
    "ogrid ones ones_like patternbroadcast permute_row_elements reshape shape shape_padaxis specify_shape "
    "split stack stacklists tile tri unbroadcast vertical_stack zeros zeros_like"
)
CHANGED = (
    "ShapeError add all and_ any arange argmax argmin bartlett batched_dot batched_tensordot ceil_intdiv choose "
    "cov cumprod divmod dot eye get_vector_length inc_subtensor iround largest max max_and_argmax mean min mul "
    "norm or_ prod real round second set_subtensor smallest std sum take tensor_copy tensordot var xor"
)
FLAT_NETWORKS = (
    "bilinear_upsampling binary_crossentropy sigmoid_binary_crossentropy categorical_crossentropy confusion_matrix conv2d conv3d conv2d_grad_wrt_inputs conv2d_grad_wrt_weights "
    "conv3d_grad_wrt_inputs conv3d_grad_wrt_weights crossentropy_categorical_1hot frac_bilinear_upsampling "
    "prepend_scalar_to_each_row prepend_0_to_each_row prepend_1_to_each_row "
    "crossentropy_softmax_1hot crossentropy_softmax_1hot_with_bias crossentropy_softmax_argmax_1hot_with_bias h_softmax "
    "logsoftmax relu softmax softmax_with_bias"
)
ACTIVATIONS = _named(
    "sigmoid hard_sigmoid ultra_fast_sigmoid softplus elu selu softsign conv2d_transpose separable_conv2d causal_conv1d",
)
BATCH = _of(normalization, "batch_normalization batch_normalization_train batch_normalization_test")
CLASSES = {
    "Variable": graphs.Variable, "Constant": kinds.ConstantOf, "Apply": nodes.Apply, "Op": own_ops.Op,
    "Type": graphs.Type,
    "TensorType": kinds.TensorTypeOf, "TensorVariable": kinds.TensorVariable, "TensorConstant": kinds.ConstantOf,
    "SharedVariable": SharedVariable, "TensorSharedVariable": SharedVariable, "ScalarSharedVariable": SharedVariable,
}  # fmt: skip
OPS = _of(graphs, "Elemwise DimShuffle Dot Subtensor AdvancedSubtensor1 Sum Reshape Join")
PRINTING = {
    **_of(graphs, "debugprint pp pydotprint min_informative_str"), "pprint": graphs.pp, "Print": own_ops.Print,
    "pydotprint_variables": graphs.pydotprint, "var_descriptor": graphs.min_informative_str,
}  # fmt: skip
STREAMS = _of(streams, "RandomStreams MRG_RandomStreams RandomStateSharedVariable")
DRAWS = _of(streams, "uniform normal binomial poisson random_integers choice permutation multinomial random_state_type")
SLOW_NAMES = (
    "matrix_inverse=inv det=det pinv=pinv cholesky=cholesky solve=solve eigh=eigh svd=svd qr=qr expm=expm kron=kron"
)
LINEAR = {a: getattr(symdl.linalg, b) for a, b in (pair.split("=") for pair in SLOW_NAMES.split())} | {
    "MatrixInverse": lambda: symdl.linalg.inv, "MatrixPinv": lambda: symdl.linalg.pinv, "Det": lambda: symdl.linalg.det,
    "Eigh": lambda UPLO="L": partial(symdl.linalg.eigh, UPLO=UPLO), "Expm": lambda: symdl.linalg.expm,
    "SVD": lambda full_matrices=True, compute_uv=True: partial(
        symdl.linalg.svd, full_matrices=full_matrices, compute_uv=compute_uv
    ),
    "Cholesky": lambda lower=True, on_error="raise": partial(symdl.linalg.cholesky, lower=lower),
    "Solve": lambda A_structure="general", lower=False, **_: partial(_solved, A_structure, lower),
    "eig": refused("complex", "tensor.nlinalg.eig"), "Eig": own_ops.Eig,
    "extract_diag": shaping.diag, "alloc_diag": shaping.diag,
    "trace": symdl.tensor.trace, "diag": shaping.diag, "AllocDiag": lambda: shaping.diag,
    "ExtractDiag": lambda *_: shaping.diag,
    "lstsq": symdl.linalg.lstsq, "matrix_power": symdl.linalg.matrix_power, "matrix_dot": symdl.linalg.matrix_dot,
    "solve_triangular": symdl.linalg.solve_triangular, "eigvalsh": symdl.linalg.eigvalsh, "norm": tensors.norm,
    "solve_lower_triangular": lambda a, b: symdl.linalg.solve_triangular(a, b, lower=True),
    "solve_upper_triangular": lambda a, b: symdl.linalg.solve_triangular(a, b, lower=False),
    "solve_symmetric": symdl.linalg.solve,
}  # fmt: skip
SCALAR = {
    **{name: found for name, found in PRIMITIVES.items() if isinstance(found, graphs.Elementwise)},
    **_of(graphs, "upcast ScalarOp UnaryScalarOp BinaryScalarOp upgrade_to_float same_out"),
    **_named("switch inv"), **_of(tensors, "and_ or_ xor second"), "cast": values.cast,
    **_original_types("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64"),
    "add": tensors.add, "mul": tensors.mul, "identity": tensors.tensor_copy, "as_scalar": values.as_tensor_variable,
    "Identity": lambda *_, **__: tensors.tensor_copy, "constant": values.constant, "Scalar": graphs.ScalarType,
    "upgrade_to_float_no_complex": graphs.upgrade_to_float,
    "all_types": list(_original_types("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64").values()),
}  # fmt: skip
SPECIAL = _of(special, "gamma gammainc gammaincc gammal gammau chi2sf erfcinv i0 i1 iv j0 j1 jv")
SCALAR |= SPECIAL
COMPLEX = "scalar vector row col matrix tensor3 tensor4 tensor5 tensor6 tensor7"
REFUSED = {
    **{f"{c}{kind}": refused("complex", f"tensor.{c}{kind}") for c in "cz" for kind in COMPLEX.split()},
    **{name: refused("complex", f"tensor.{name}") for name in ("complex", "complex_from_polar", "angle")},
}
ERRORS = {
    "MissingInputError": InputError, "UnusedInputError": InputError, "AliasedMemoryError": InputError,
    "DisconnectedInputError": GradientError, "NullTypeGradError": GradientError, "InconsistencyError": DtypeError,
}  # fmt: skip
GRADIENT = {
    **_of(
        gradients,
        "grad Lop Rop jacobian hessian verify_grad disconnected_grad zero_grad grad_clip grad_scale consider_constant "
        "DisconnectedType NullType disconnected_type grad_undefined grad_not_implemented subgraph_grad",
    ),
    "undefined_grad": symdl.tensor.disconnected_grad, "DisconnectedInputError": GradientError,
    "NullTypeGradError": GradientError,
}  # fmt: skip
LOOPS = {**_of(loops, "scan map reduce foldl foldr scan_checkpoints"), "until": symdl.control.until}
TENSOR: dict[str, Any] = {
    **PRIMITIVES, **SPECIAL, **REFUSED, **_of(values, VALUES), **_of(shaping, SHAPING), **_of(tensors, CHANGED), **values.constructors(), **CLASSES, **OPS,
    **_of(gradients, "grad Lop Rop jacobian hessian verify_grad consider_constant"),
    "as_tensor": values.as_tensor_variable, "copy": tensors.tensor_copy, "fill": tensors.second,
    "imag": symdl.tensor.zeros_like, "round_half_to_even": symdl.tensor.round_half_even,
    "round_half_away_from_zero": symdl.tensor.round,
    "conj": tensors.real, "truediv": symdl.tensor.true_div, "intdiv": symdl.tensor.int_div,
    "min_and_argmin": symdl.tensor.min_and_argmin,
    "bitwise_and": tensors.and_, "bitwise_or": tensors.or_, "bitwise_xor": tensors.xor, "Print": own_ops.Print,
    "Rebroadcast": lambda *pairs: lambda x: shaping.addbroadcast(x, *(k for k, b in pairs if b)),
    "_allclose": np.allclose, "discrete_dtypes": ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16",
    "uint32", "uint64"],
    "continuous_dtypes": ["float32", "float64"], "float_dtypes": ["float32", "float64"], "integer_dtypes": ["int8",
    "int16", "int32", "int64"],
    "py_complex_types": (complex, np.complexfloating), "hashtype": hash, "autocast_float": config,
    "tensor_dot": tensors.dot,
    "identity": tensors.tensor_copy, "scalar_from_tensor": tensors.tensor_copy,
    "tensor_from_scalar": tensors.tensor_copy,
}  # fmt: skip
NNET: dict[str, Any] = {
    **_of(networks, FLAT_NETWORKS), **ACTIVATIONS, **BATCH, "Softmax": graphs.Softmax,
    "softmax_graph": networks.softmax,
    "softmax_op": networks.softmax, "logsoftmax_op": networks.logsoftmax, "LogSoftmax": lambda: networks.logsoftmax,
}  # fmt: skip
NEIGHBOURS = {
    "images2neibs": networks.images2neibs,
    "neibs2images": networks.neibs2images,
    "Images2Neibs": lambda mode="valid": lambda x, a, b=None: networks.images2neibs(x, a, b, mode),
}
ABSTRACT = {
    "conv2d": networks.conv2d, "conv3d": networks.conv3d, "conv2d_grad_wrt_inputs": networks.conv2d_grad_wrt_inputs,
    "conv2d_grad_wrt_weights": networks.conv2d_grad_wrt_weights,
    **_of(networks, "conv3d_grad_wrt_inputs conv3d_grad_wrt_weights AbstractConv2d AbstractConv3d border_mode_to_pad"),
    "frac_bilinear_upsampling": networks.frac_bilinear_upsampling, "causal_conv1d": symdl.tensor.causal_conv1d,
    "separable_conv2d": symdl.tensor.separable_conv2d,
    "AbstractConv2d_gradInputs": networks.AbstractConv2dGradInputs,
    "AbstractConv3d_gradInputs": networks.AbstractConv3dGradInputs,
    "AbstractConv2d_gradWeights": networks.AbstractConv2dGradWeights,
    "get_conv_output_shape": networks.get_conv_output_shape, "bilinear_upsampling": networks.bilinear_upsampling,
}  # fmt: skip
MODE = {
    **_of(compiling, "Mode get_mode get_default_mode"),
    "predefined_modes": {name: compiling.Mode() for name in compiling.MODES},
    "predefined_linkers": {}, "predefined_optimizers": {}, "register_mode": graphs.registers, "optdb": graphs.optdb,
    "FAST_RUN": compiling.Mode(), "FAST_COMPILE": compiling.Mode(),
}  # fmt: skip
SHARED = {
    "shared": compiling.shared,
    "SharedVariable": SharedVariable,
    "shared_constructor": graphs.registers,
    "generic": graphs.Generic,
}
WIDTHS = {"local_bitwidth": lambda: 8 * np.dtype(np.intp).itemsize, "python_int_bitwidth": lambda: 64}
COMPILED = {
    "as_op": own_ops.as_op,
    "shape": shaping.shape,
    "specify_shape": shaping.specify_shape,
    "ViewOp": own_ops.ViewOp,
    "deep_copy_op": tensors.tensor_copy,
    "view_op": tensors.tensor_copy,
}
IO = {
    "In": compiling.In,
    "Out": symdl.runtime.inputs.Out,
    "SymbolicInput": compiling.In,
    "SymbolicOutput": symdl.runtime.inputs.Out,
}
GRAPH = {
    **_of(graphs, "inputs variables io_toposort is_same_graph clone_get_equiv equal_computations"),
    "ancestors": graphs.all_ancestors,
    **_of(nodes, "Apply"), "Variable": graphs.Variable, "Constant": kinds.ConstantOf, "list_of_nodes": graphs.io_toposort,
}  # fmt: skip
REWRITES: dict[str, Any] = {
    **dict.fromkeys(
        ["register_specialize", "register_canonicalize", "register_stabilize", "local_optimizer",
        "register_uncanonicalize"],
        graphs.registers,
    ),
    **dict.fromkeys(["TopoOptimizer", "EquilibriumOptimizer", "PatternSub", "OpSub", "OpRemove", "Optimizer",
    "LocalOptimizer", "MergeOptimizer", "in2out", "out2in"], graphs.registers),
    "Assert": own_ops.Assert, "assert_": own_ops.assert_op, "assert_op": own_ops.assert_op, "optdb": graphs.optdb,
    "NotScalarConstantError": values.NotScalarConstantError,
    "get_scalar_constant_value": values.get_scalar_constant_value,
}  # fmt: skip
EXTRA_OPS = {
    **_of(tensors, "cumprod"), **_of(symdl.tensor,
    "repeat to_one_hot cumsum diff bincount squeeze searchsorted unique"),
    "compress": tensors.compress, "CpuContiguous": lambda: tensors.tensor_copy,
    "cpu_contiguous": tensors.tensor_copy, "Unique": lambda *flags: lambda x: symdl.tensor.unique(x, *flags),
    "fill_diagonal": lambda a, value: symdl.tensor.where(symdl.tensor.eq(*shaping.ogrid[0 : a.shape[0], 0 : a.shape[1]]), value, a),
}  # fmt: skip
SPARSE: dict[str, Any] = {
    "SparseType": graphs.SparseType, "SparseVariable": graphs.SparseVariable, "SparseConstant": graphs.SparseVariable,
    "SparseSharedVariable": graphs.SparseVariable, "enable_sparse": True, "dot": tensors.dot,
    "dense_from_sparse": values.as_tensor_variable,
    "_is_sparse_variable": lambda x: False, "_is_sparse": lambda x: False,
}  # fmt: skip
CUDA = {  # there is no GPU, so what moves arrays there and back leaves them where they are
    **dict.fromkeys(
        "gpu_contiguous gpu_from_host host_from_gpu as_cuda_ndarray_variable as_gpuarray_variable".split(),
        values.as_tensor_variable,
    ),
    **dict.fromkeys("GpuContiguous GpuFromHost HostFromGpu".split(), gpu_names.Moved),
    "gpu_alloc_empty": gpu_names.Empty(), "GpuAllocEmpty": gpu_names.Empty,
    "CudaNdarrayType": graphs.SparseType, "GpuArrayType": graphs.SparseType,
    "CudaNdarraySharedVariable": graphs.SparseType,
    "CudaNdarray": graphs.SparseType, "gpu_context_type": graphs.Generic(),
}  # fmt: skip
DNN = {
    "dnn_available": lambda *_: False, "dnn_present": lambda *_: False, "dnn_conv": gpu_names.dnn_conv,
    "dnn_pool": gpu_names.dnn_pool, "GpuDnnConvDesc": gpu_names.ConvDesc,
    **dict.fromkeys(["GpuDnnConv", "GpuDnnConv3d"], gpu_names.Conv),
    **dict.fromkeys(["GpuDnnConvGradI", "GpuDnnConv3dGradI"], gpu_names.ConvGradI),
    **dict.fromkeys(["GpuDnnConvGradW", "GpuDnnConv3dGradW"], gpu_names.ConvGradW),
    "dnn_batch_normalization_train": normalization.batch_normalization_train,
    "dnn_batch_normalization_test": normalization.batch_normalization_test,
}  # fmt: skip
TESTS = _of(graphs, "seed_rng fetch_seed assert_allclose verify_grad InferShapeTester")

MODULES: dict[str, Mapping[str, Any]] = {
    "tensor": TENSOR,
    "tensor.basic": TENSOR,
    "tensor.var": {**CLASSES, "_tensor_py_operators": Expr, "AsTensorError": TypeError},
    "tensor.type": CLASSES,
    "tensor.sharedvar": {**CLASSES, "tensor_constructor": compiling.shared, "scalar_constructor": compiling.shared},
    "tensor.elemwise": {**OPS, "CAReduce": graphs.Sum},
    "tensor.subtensor": {
        **OPS,
        **_of(tensors, "set_subtensor inc_subtensor take"),
        "AdvancedIncSubtensor1": graphs.of_names("AdvancedIncSubtensor1", "scatter"),
    },
    "tensor.opt": REWRITES,
    "tensor.blas": {"optdb": graphs.optdb, "batched_dot": tensors.batched_dot, "Dot22": graphs.Dot, "Gemm": graphs.Dot},
    "tensor.blas_c": {},
    "tensor.extra_ops": EXTRA_OPS,
    "tensor.sort": _of(symdl.tensor, "sort argsort topk argtopk topk_and_argtopk"),
    "tensor.nlinalg": LINEAR,
    "tensor.slinalg": LINEAR,
    "tensor.xlogx": {"xlogx": tensors.xlogx, "xlogy0": symdl.tensor.xlogy},
    "tensor.raw_random": {**STREAMS, **DRAWS},
    "tensor.shared_randomstreams": STREAMS,
    "tensor.inplace": {f"{n}_inplace": f for n, f in SCALAR.items() if callable(f)},
    "tensor.fft": {"rfft": refused("fft", "tensor.fft.rfft"), "irfft": refused("fft", "tensor.fft.irfft")},
    "tensor.utils": {"hash_from_ndarray": lambda data: hash(np.asarray(data).tobytes())},
    "tensor.nnet": NNET,
    "tensor.nnet.nnet": NNET,
    "tensor.nnet.sigm": {
        **_named("sigmoid hard_sigmoid ultra_fast_sigmoid softplus"),
        "ScalarSigmoid": graphs.of_names("ScalarSigmoid", "sigmoid"),
    },
    "tensor.nnet.bn": BATCH,
    "tensor.nnet.conv": {"conv2d": networks.old_conv2d, "ConvOp": networks.ConvOp},
    "tensor.nnet.abstract_conv": ABSTRACT,
    "tensor.nnet.neighbours": NEIGHBOURS,
    "tensor.nnet.conv3d2d": {"conv3d": networks.conv3d2d},
    "tensor.nnet.Conv3D": {"conv3D": networks.Conv3D, "Conv3D": lambda: networks.Conv3D},
    "tensor.nnet.ctc": {"ctc": ctc.ctc, "ctc_available": lambda: True},
    "tensor.nnet.corr": {"CorrMM": networks.CorrMM},
    "tensor.nnet.corr3d": {},
    "tensor.nnet.blocksparse": {},
    "tensor.signal": {},
    "tensor.signal.pool": _of(networks, "pool_2d pool_3d max_pool_2d max_pool_2d_same_size Pool"),
    "tensor.signal.downsample": {
        "max_pool_2d": networks.max_pool_2d,
        "max_pool_2d_same_size": networks.max_pool_2d_same_size,
        "DownsampleFactorMax": networks.Pool,
        "max_pool": networks.max_pool_2d,
    },
    "tensor.signal.conv": {"conv2d": networks.signal_conv2d},
    "sandbox": {},
    "sandbox.rng_mrg": STREAMS,
    "sandbox.linalg": LINEAR,
    "sandbox.linalg.ops": LINEAR,
    "sandbox.solve": {"solve": symdl.linalg.solve},
    "sandbox.softsign": {"softsign": symdl.tensor.softsign},
    "sandbox.neighbours": NEIGHBOURS,
    "gradient": GRADIENT,
    "printing": PRINTING,
    "ifelse": {"ifelse": symdl.control.ifelse, "IfElse": graphs.IfElse},
    "scan_module": LOOPS,
    "scan_module.scan": LOOPS,
    "scan_module.scan_views": LOOPS,
    "scan_module.scan_checkpoints": LOOPS,
    "scan_module.scan_utils": {
        "until": symdl.control.until,
        "clone": _clone,
        "equal_computations": graphs.equal_computations,
    },
    "scan_module.scan_op": {"Scan": graphs.Scan},
    "scan_module.until": {"until": symdl.control.until},
    "updates": {"OrderedUpdates": OrderedUpdates},
    "compile": {
        **MODE,
        **SHARED,
        **IO,
        **ERRORS,
        **COMPILED,
        "function": compiling.function,
        "Function": Function,
        "MonitorMode": compiling.MonitorMode,
        "ProfileStats": graphs.Registry,
        "DebugMode": compiling.DebugMode,
        "OpFromGraph": symdl.extending.OpFromGraph,
        "pfunc": compiling.function,
    },
    "compile.function": {"function": compiling.function},
    "compile.mode": MODE,
    "compile.sharedvalue": SHARED,
    "compile.io": IO,
    "compile.ops": COMPILED,
    "compile.nanguardmode": {"NanGuardMode": NanGuardMode},
    "compile.debugmode": {"DebugMode": compiling.DebugMode},
    "compile.monitormode": {"MonitorMode": compiling.MonitorMode, "detect_nan": compiling.detect_nan},
    "compile.profilemode": {"ProfileMode": compiling.Mode},
    "compile.profiling": {"ProfileStats": graphs.Registry},
    "compile.builders": {"OpFromGraph": symdl.extending.OpFromGraph},
    "compile.pfunc": {"pfunc": compiling.function, "Param": compiling.Param},
    "compile.function_module": {"Function": Function, **ERRORS},
    "gof": {
        **CLASSES,
        **GRAPH,
        **REWRITES,
        **ERRORS,
        "Generic": graphs.Generic,
        "generic": graphs.Generic(),
        "FunctionGraph": nodes.FunctionGraph,
        **dict.fromkeys(["WrapLinkerMany", "OpWiseCLinker", "CLinker", "PerformLinker"], refused("linker")),
        "ParamsType": graphs.Registry,
        "COp": own_ops.COp,
        "OpenMPOp": own_ops.COp,
        "MethodNotDefined": own_ops.MethodNotDefined,
        "optdb": graphs.optdb,
        "Query": graphs.Registry,
        "DB": graphs.Registry,
        "SequenceDB": graphs.Registry,
        "EquilibriumDB": graphs.Registry,
        "Container": face.Container,
        "Value": kinds.ConstantOf,
    },
    "gof.graph": GRAPH,
    "gof.op": {
        "Op": own_ops.Op,
        "PureOp": own_ops.Op,
        "COp": own_ops.COp,
        "get_debug_values": graphs.get_debug_values,
        "missing_test_message": str,
        "debug_assert": lambda condition, message=None: None,
        "debug_error_message": str,
        "get_test_value": lambda x: face.tag(x).test_value,
    },
    "gof.type": {"Type": graphs.Type, "Generic": graphs.Generic, "generic": graphs.Generic(), "CDataType": graphs.Type},
    "gof.utils": {
        "MethodNotDefined": own_ops.MethodNotDefined,
        **ERRORS,
        "hashtype": hash,
        "TestValueError": AttributeError,
    },
    "gof.fg": {"FunctionGraph": nodes.FunctionGraph, **ERRORS},
    "gof.opt": REWRITES,
    "gof.optdb": {"Query": graphs.Registry},
    "gof.toolbox": {"Feature": object, "ReplaceValidate": object},
    "gof.link": {"WrapLinkerMany": refused("linker"), "WrapLinker": refused("linker")},
    "gof.vm": {"VM_Linker": refused("linker")},
    "gof.cc": {"CLinker": refused("linker"), "OpWiseCLinker": refused("linker")},
    "gof.null_type": {"NullType": gradients.NullType},
    "gof.params_type": {"ParamsType": graphs.Registry},
    "gof.compilelock": {
        "get_lock": graphs.registers,
        "release_lock": graphs.registers,
        "force_unlock": graphs.registers,
        "set_lock_status": graphs.registers,
    },
    "scalar": SCALAR,
    "scalar.basic": SCALAR,
    "scalar.basic_scipy": SCALAR,
    "scalar.sharedvar": {"shared": compiling.shared},
    "sparse": SPARSE,
    "sparse.basic": SPARSE,
    "sparse.sandbox": {},
    "sparse.type": SPARSE,
    "sparse.sharedvar": SPARSE,
    "typed_list": {},
    "typed_list.basic": {},
    "typed_list.type": {},
    "sandbox.cuda": {**CUDA, "cuda_available": False, "cuda_enabled": False, "use": graphs.registers},
    "sandbox.cuda.basic_ops": CUDA,
    "sandbox.cuda.var": CUDA,
    "sandbox.cuda.type": CUDA,
    "sandbox.cuda.opt": {},
    "sandbox.cuda.blas": {"GpuCorrMM": networks.CorrMM},
    "sandbox.cuda.dnn": DNN,
    "gpuarray": {**CUDA, "pygpu_activated": False},
    "gpuarray.basic_ops": {**CUDA, "gpu_alloc_empty": gpu_names.gpu_alloc_empty},
    "gpuarray.type": CUDA,
    "gpuarray.opt": dict.fromkeys("register_opt register_opt2 op_lifter local_gpua_careduce".split(), graphs.registers),
    "gpuarray.subtensor": {},
    "gpuarray.fp16_help": {},
    "gpuarray.dnn": DNN,
    "raise_op": {"Assert": own_ops.Assert, "assert_op": own_ops.assert_op},
    "d3viz": {"d3viz": graphs.d3viz},
    "d3viz.d3viz": {"d3viz": graphs.d3viz},
    "tests": {},
    "tests.unittest_tools": TESTS,
    "misc": {},
    "misc.pkl_utils": {
        "dump": pickle.dump,
        "load": pickle.load,
        "StripPickler": pickle.Pickler,
        "CompatUnpickler": pickle.Unpickler,
    },
    "misc.safe_asarray": {"_asarray": _asarray},
    "misc.ordered_set": {"OrderedSet": dict.fromkeys},
    "misc.frozendict": {"frozendict": types.MappingProxyType},
    "misc.may_share_memory": {"may_share_memory": np.may_share_memory},
    "misc.strutil": {"render_string": lambda text, values: text % values},
    "compat": {
        "OrderedDict": collections.OrderedDict,
        "DefaultOrderedDict": collections.defaultdict,
        "izip": zip,
        "imap": map,
        "ifilter": filter,
        "PY3": True,
    },
    "compat.python2x": {"OrderedDict": collections.OrderedDict},
    "configparser": {
        "TheanoConfigParser": type(config),
        "AddConfigVar": graphs.registers,
        "change_flags": config.change_flags,
    },
    "configdefaults": {"config": config, **WIDTHS},
    "gof.cmodule": WIDTHS,
    "version": {"version": VERSION, "short_version": VERSION, "full_version": VERSION},
}
TOP: dict[str, Any] = {
    **{name: CLASSES[name] for name in ("Variable", "Constant", "Apply", "Op", "Type", "TensorType")},
    **{name: LOOPS[name] for name in ("scan", "map", "reduce", "foldl", "foldr", "scan_checkpoints")},
    **_of(compiling, "function shared In Param Mode function_dump"), **ERRORS,
    "Out": symdl.runtime.inputs.Out, "SharedVariable": SharedVariable, "grad": gradients.grad,
    "subgraph_grad": gradients.subgraph_grad, "clone": _clone,
    "dot": tensors.dot, "add": tensors.add, "OpFromGraph": symdl.extending.OpFromGraph, "as_op": own_ops.as_op,
    "config": config,
    "pp": graphs.pp, "pprint": graphs.pp, "dprint": graphs.debugprint, "sparse_grad": tensors.tensor_copy,
    "_asarray": _asarray, "Generic": graphs.Generic, "generic": graphs.Generic(),
    "predefined_modes": MODE["predefined_modes"], "predefined_linkers": {}, "predefined_optimizers": {},
    "FunctionGraph": nodes.FunctionGraph,
    "OrderedUpdates": OrderedUpdates, "__version__": VERSION, "version": VERSION,
    "change_flags": config.change_flags, "Container": face.Container,
    "theano_logger": logging.getLogger("theano"), "get_scalar_constant_value": values.get_scalar_constant_value,
    "until": symdl.scanning.until,
}  # fmt: skip


def grow(root: str = ROOT) -> dict[str, types.ModuleType]:
    """Make the modules, enter them in sys.modules under root, and hang each into its parent. They by their names."""
    made: dict[str, types.ModuleType] = {}
    for name, content in MODULES.items():
        module: types.ModuleType = Module(f"{root}.{name}", f"Theano's {name}, over symdl.")
        module.__dict__.update({"__path__": [], **content})
        made[name] = sys.modules[module.__name__] = module
    for name, module in made.items():
        parent, _, leaf = name.rpartition(".")
        if parent and not callable(made[parent].__dict__.get(leaf)):
            setattr(made[parent], leaf, module)
    return made


def alias(name: str = "theano", root: str = ROOT) -> None:
    """Let `import theano` and its parts find these modules, in this process."""
    sys.modules[name] = sys.modules[root]
    for part in MODULES:
        sys.modules[f"{name}.{part}"] = sys.modules[f"{root}.{part}"]
