"""Names of Theano's GPU modules: moves between memories, which leave arrays where they are, and cuDNN's ops as symdl's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import symdl.tensor as T
from symdl.graph.expr import Expr
from symdl.theano.networks import (
    conv2d,
    conv2d_grad_wrt_inputs,
    conv2d_grad_wrt_weights,
    conv3d,
    conv3d_grad_wrt_inputs,
    conv3d_grad_wrt_weights,
    pool_2d,
    pool_3d,
)
from symdl.theano.values import as_tensor_variable

# ---- memory ----


class Moved:
    """GpuFromHost()(x), HostFromGpu()(x): x."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, x: Any, *_: Any) -> Expr:
        return as_tensor_variable(x)


class Empty:
    """GpuAllocEmpty(dtype, context)(*sizes): room that an op writes its result to. It is never read, and so never made."""

    def __init__(self, dtype: Any = "float32", context_name: Any = None) -> None:
        self.dtype = dtype

    def __call__(self, *sizes: Any) -> Expr:
        return T.zeros(sizes, self.dtype)


def gpu_alloc_empty(context_name: Any, dtype: Any = "float32") -> Empty:
    """The op of theano.gpuarray.basic_ops; sandbox.cuda's gpu_alloc_empty takes the sizes at once."""
    return Empty(dtype, context_name)


# ---- convolution ----


def dnn_conv(
    img: Any, kerns: Any, border_mode: Any = "valid", subsample: Any = (1, 1), conv_mode: str = "conv", **_: Any
) -> Expr:
    """symdl's conv2d; conv_mode "cross" leaves filters as they are."""
    return conv2d(img, kerns, border_mode=border_mode, subsample=subsample, filter_flip=conv_mode == "conv")


class ConvDesc:
    """GpuDnnConvDesc(border_mode, subsample, ...)(*shapes): how to convolve. The shapes are those of the arrays anyway."""

    def __init__(
        self, border_mode: Any = "valid", subsample: Any = (1, 1), dilation: Any = None, conv_mode: str = "conv",
        precision: Any = None, num_groups: int = 1,
    ) -> None:  # fmt: skip
        if isinstance(dilation, str):  # sandbox.cuda's third is conv_mode
            dilation, conv_mode = None, dilation
        self.settings = {
            "border_mode": border_mode,
            "subsample": subsample,
            "filter_flip": conv_mode == "conv",
            "filter_dilation": dilation or (1,) * len(subsample),
            "num_groups": num_groups,
        }

    def __call__(self, *_: Any) -> ConvDesc:
        return self


class _Convolving(ABC):
    """An op of cuDNN's: alpha times a result, and beta times what lies where it is written to."""

    def __init__(self, *_: Any, **__: Any) -> None:  # noqa: B027  # settings of cuDNN's that mean nothing here
        pass

    def __call__(
        self, first: Any, second: Any, output: Any, desc: ConvDesc, alpha: Any = None, beta: Any = None
    ) -> Expr:
        first, second, output = as_tensor_variable(first), as_tensor_variable(second), as_tensor_variable(output)
        made = self.made(first, second, output.shape, desc.settings)
        made = made if alpha is None else alpha * made
        return made if beta is None else made + beta * output

    @abstractmethod
    def made(self, first: Expr, second: Expr, shape: Any, settings: dict[str, Any]) -> Expr:
        """The result."""


class Conv(_Convolving):
    """GpuDnnConv()(images, filters, output, desc)."""

    def made(self, first: Expr, second: Expr, shape: Any, settings: dict[str, Any]) -> Expr:
        """A convolution."""
        return (conv2d if first.type.ndim == 4 else conv3d)(first, second, **settings)


class ConvGradI(_Convolving):
    """GpuDnnConvGradI()(filters, gradient, output, desc): a transposed convolution, in the shape of the output."""

    def made(self, first: Expr, second: Expr, shape: Any, settings: dict[str, Any]) -> Expr:
        """The gradient of a convolution for its images."""
        of_images = conv2d_grad_wrt_inputs if first.type.ndim == 4 else conv3d_grad_wrt_inputs
        return of_images(second, first, shape, **settings)


class ConvGradW(_Convolving):
    """GpuDnnConvGradW()(images, gradient, output, desc), in the shape of the output."""

    def made(self, first: Expr, second: Expr, shape: Any, settings: dict[str, Any]) -> Expr:
        """The gradient of a convolution for its filters."""
        of_filters = conv2d_grad_wrt_weights if first.type.ndim == 4 else conv3d_grad_wrt_weights
        return of_filters(first, second, shape, **settings)


# ---- pooling ----


def dnn_pool(img: Any, ws: Any, stride: Any = None, mode: str = "max", pad: Any = None) -> Expr:
    """symdl's pooling, border windows left out."""
    x = as_tensor_variable(img)
    fold = pool_2d if x.type.ndim == 4 else pool_3d
    return fold(x, ws, True, stride, (0,) * (x.type.ndim - 2) if pad is None else pad, mode)
