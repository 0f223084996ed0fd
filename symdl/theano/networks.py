"""theano.tensor.nnet and theano.tensor.signal: symdl's ops under Theano's names, old ones among them.

Differences of meaning: softmax of a vector is a row; pooling keeps border windows where ignore_border was False or not given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.errors import InputError
from symdl.graph.expr import Expr, as_expr, described
from symdl.ops.extents import as_extent
from symdl.ops.images import bilinear_upsampling, images2neibs, neibs2images
from symdl.theano.values import NotScalarConstantError, as_tensor_variable, get_scalar_constant_value

__all__ = ["bilinear_upsampling", "images2neibs", "neibs2images"]


# ---- softmax and losses ----


def softmax(c: Any) -> Expr:
    """softmax along the last axis; of a vector a row, as in Theano."""
    c = as_tensor_variable(c)
    return T.softmax(T.shape_padleft(c) if c.type.ndim == 1 else c)


def logsoftmax(c: Any) -> Expr:
    """log_softmax along the last axis; of a vector a row."""
    c = as_tensor_variable(c)
    return T.log_softmax(T.shape_padleft(c) if c.type.ndim == 1 else c)


def softmax_with_bias(x: Any, b: Any) -> Expr:
    """softmax(x + b)."""
    return softmax(as_tensor_variable(x) + b)


def crossentropy_softmax_1hot_with_bias(x: Any, b: Any, y_idx: Any, **_: Any) -> tuple[Expr, Expr]:
    """(the cross-entropy of each row, softmax(x + b))."""
    p = softmax_with_bias(x, b)
    return T.categorical_crossentropy(p, y_idx), p


def crossentropy_softmax_1hot(x: Any, y_idx: Any, **_: Any) -> tuple[Expr, Expr]:
    """(the cross-entropy of each row, softmax(x))."""
    p = softmax(x)
    return T.categorical_crossentropy(p, y_idx), p


def crossentropy_categorical_1hot(coding_dist: Any, true_one_of_n: Any) -> Expr:
    """The cross-entropy of each row."""
    return categorical_crossentropy(coding_dist, true_one_of_n)


def prepend_scalar_to_each_row(val: Any, mat: Any) -> Expr:
    """A matrix with a column of one number before it."""
    x = as_tensor_variable(mat)
    return T.concatenate([T.full((x.shape[0], 1), val, x.type.dtype), x], axis=1)


def prepend_0_to_each_row(mat: Any) -> Expr:
    """A column of zeros first."""
    return prepend_scalar_to_each_row(0, mat)


def prepend_1_to_each_row(mat: Any) -> Expr:
    """A column of ones first."""
    return prepend_scalar_to_each_row(1, mat)


def crossentropy_softmax_argmax_1hot_with_bias(x: Any, b: Any, y_idx: Any) -> tuple[Expr, Expr, Expr]:
    """(the cross-entropy of each row, softmax(x + b), the most probable class)."""
    loss, p = crossentropy_softmax_1hot_with_bias(x, b, y_idx)
    return loss, p, T.argmax(p, axis=-1)


def categorical_crossentropy(coding_dist: Any, true_dist: Any) -> Expr:
    """-sum of true log coding for each row; labels may stand for rows."""
    coding, true = as_tensor_variable(coding_dist), as_tensor_variable(true_dist)
    if true.type.ndim not in (coding.type.ndim, coding.type.ndim - 1):
        raise InputError(
            f"categorical_crossentropy: coding_dist has {coding.type.ndim} axes, true_dist {true.type.ndim}",
            [described(coding), described(true)],
            "true_dist is labels, with one axis less, or rows of probabilities.",
        )
    return T.categorical_crossentropy(coding, true)


def binary_crossentropy(output: Any, target: Any) -> Expr:
    """symdl's binary_crossentropy."""
    return T.binary_crossentropy(as_tensor_variable(output), as_tensor_variable(target))


def sigmoid_binary_crossentropy(output: Any, target: Any) -> Expr:
    """symdl's sigmoid_binary_crossentropy."""
    return T.sigmoid_binary_crossentropy(as_tensor_variable(output), as_tensor_variable(target))


def relu(x: Any, alpha: Any = 0) -> Any:
    """max(x, 0), or alpha x below 0; of an array an array, as Theano's formula gives."""
    if isinstance(x, np.ndarray) and not isinstance(alpha, Expr):
        return np.where(x > 0, x, alpha * x)
    return T.relu(as_tensor_variable(x), alpha)


def h_softmax(
    x: Any, batch_size: Any, n_outputs: int, n_classes: int, n_outputs_per_class: int, W1: Any, b1: Any, W2: Any, b2: Any,
    target: Any = None,
) -> Expr:  # fmt: skip
    """A softmax over classes, and over the outputs of a class: the probability of the target, or of all outputs."""
    x = as_tensor_variable(x)
    classes = T.softmax(T.dot(x, W1) + b1)
    if target is None:
        within = T.softmax(T.tensordot(x, W2, [[1], [1]]) + b2)
        whole = T.reshape(T.expand_dims(classes, 2) * within, [classes.shape[0], n_classes * n_outputs_per_class])
        return whole[:, :n_outputs]
    target = T.flatten(as_tensor_variable(target))
    group, place = target // n_outputs_per_class, target % n_outputs_per_class
    rows = T.arange(x.shape[0])
    scores = T.einsum("ni,nij->nj", x, as_expr(W2)[group]) + as_expr(b2)[group]
    return classes[rows, group] * T.softmax(scores)[rows, place]


def confusion_matrix(actual: Any, pred: Any) -> list[Expr]:
    """[how often each label of `order` was taken for each, order], order being the labels that occur, sorted."""
    actual, pred = as_tensor_variable(actual), as_tensor_variable(pred)
    order: Any = T.unique(T.concatenate([actual, pred]))
    a = T.cast(T.eq(T.expand_dims(actual, 1), order), "int64")
    b = T.cast(T.eq(T.expand_dims(pred, 1), order), "int64")
    return [T.dot(a.T, b), order]


# ---- convolutions ----


def _plain(shape: Any) -> Any:
    """A shape as symdl takes it: sizes that are constants as ints."""
    if shape is None:
        return None
    return tuple(
        None if n is None else int(get_scalar_constant_value(n)) if isinstance(n, Expr) and _known(n) else n
        for n in shape
    )


def _known(n: Any) -> bool:
    try:
        get_scalar_constant_value(n)
    except NotScalarConstantError:
        return False
    return True


def conv2d(
    input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",  # Theano's name
    subsample: Any = (1, 1), filter_flip: bool = True, image_shape: Any = None, filter_dilation: Any = (1, 1),
    num_groups: int = 1, unshared: bool = False, **_: Any,
) -> Expr:  # fmt: skip
    """symdl's conv2d; image_shape is the old name of input_shape."""
    return T.conv2d(
        as_tensor_variable(input), as_tensor_variable(filters), _plain(input_shape if input_shape is not None else image_shape),
        _plain(filter_shape), border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared,
    )  # fmt: skip


def old_conv2d(
    input: Any, filters: Any, image_shape: Any = None, filter_shape: Any = None, border_mode: str = "valid",  # Theano's name
    subsample: Any = (1, 1), **_: Any,
) -> Expr:  # fmt: skip
    """theano.tensor.nnet.conv.conv2d: the third argument is the images' shape as well."""
    return conv2d(input, filters, image_shape, filter_shape, border_mode, subsample)


def signal_conv2d(
    input: Any, filters: Any, image_shape: Any = None, filter_shape: Any = None, border_mode: str = "valid",  # Theano's name
    subsample: Any = (1, 1), **_: Any,
) -> Expr:  # fmt: skip
    """theano.tensor.signal.conv.conv2d: each image with each filter, no channels; without their axes for one."""
    x, f = as_tensor_variable(input), as_tensor_variable(filters)
    stack, bank = x.type.ndim == 3, f.type.ndim == 3
    images = T.expand_dims(x, 1) if stack else T.expand_dims(x, (0, 1))
    out = conv2d(
        images, T.expand_dims(f, 1) if bank else T.expand_dims(f, (0, 1)), border_mode=border_mode, subsample=subsample
    )
    return out if stack and bank else out[:, 0] if stack else out[0] if bank else out[0, 0]


def conv3d(
    input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",  # Theano's name
    subsample: Any = (1, 1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1, 1), num_groups: int = 1,
) -> Expr:  # fmt: skip
    """symdl's conv3d."""
    return T.conv3d(
        as_tensor_variable(input), as_tensor_variable(filters), _plain(input_shape), _plain(filter_shape), border_mode,
        subsample, filter_flip, filter_dilation, num_groups,
    )  # fmt: skip


def conv3d2d(
    signals: Any, filters: Any, signals_shape: Any = None, filters_shape: Any = None, border_mode: str = "valid"
) -> Expr:
    """theano.tensor.nnet.conv3d2d.conv3d: [batch, time, channels, rows, columns] with [outputs, time, channels, ...]."""
    x, f = as_tensor_variable(signals), as_tensor_variable(filters)
    turned = (0, 2, 1, 3, 4)
    out = T.conv3d(x.dimshuffle(*turned), f.dimshuffle(*turned), border_mode=border_mode)
    return out.dimshuffle(*turned)


def Conv3D(V: Any, W: Any, b: Any, d: Any) -> Expr:  # Theano's name
    """theano.tensor.nnet.Conv3D.conv3D: [batch, rows, columns, time, channels], the filters not turned, strides d."""
    v, w = as_tensor_variable(V), as_tensor_variable(W)
    order = (0, 4, 1, 2, 3)
    strides = tuple(
        int(get_scalar_constant_value(n))
        for n in (d if isinstance(d, list | tuple | np.ndarray) else [d[k] for k in range(3)])
    )
    out = T.conv3d(v.dimshuffle(*order), w.dimshuffle(*order), subsample=strides, filter_flip=False)
    made: Expr = out.dimshuffle(0, 2, 3, 4, 1) + b
    return made


def conv2d_grad_wrt_inputs(
    output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1), num_groups: int = 1,
    unshared: bool = False,
) -> Expr:  # fmt: skip
    """The gradient of a conv2d for its images: a transposed convolution. Only the last two of input_shape must be known."""
    return T.conv2d_transpose(
        as_tensor_variable(output_grad), as_tensor_variable(filters), tuple(input_shape)[-2:], border_mode=border_mode,
        input_dilation=subsample, filter_flip=filter_flip, filter_dilation=filter_dilation, num_groups=num_groups,
    )  # fmt: skip


def conv3d_grad_wrt_inputs(
    output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1, 1), num_groups: int = 1,
) -> Expr:  # fmt: skip
    """The gradient of a conv3d for its images. Only the last three of input_shape must be known."""
    return T.conv3d_transpose(
        as_tensor_variable(output_grad), as_tensor_variable(filters), tuple(input_shape)[-3:], border_mode=border_mode,
        input_dilation=subsample, filter_flip=filter_flip, filter_dilation=filter_dilation, num_groups=num_groups,
    )  # fmt: skip


def conv2d_grad_wrt_weights(
    input: Any, output_grad: Any, filter_shape: Any, input_shape: Any = None, border_mode: Any = "valid",  # Theano's name
    subsample: Any = (1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1), num_groups: int = 1, unshared: bool = False,
) -> Expr:  # fmt: skip
    """The gradient of a conv2d for its filters, by symdl's own gradient."""
    more = {"unshared": unshared} if unshared else {}
    return _for_weights(
        T.conv2d,
        input,
        output_grad,
        filter_shape,
        border_mode,
        subsample,
        filter_flip,
        filter_dilation,
        num_groups,
        more,
    )


def conv3d_grad_wrt_weights(
    input: Any, output_grad: Any, filter_shape: Any, input_shape: Any = None, border_mode: Any = "valid",  # Theano's name
    subsample: Any = (1, 1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1, 1), num_groups: int = 1,
) -> Expr:  # fmt: skip
    """The gradient of a conv3d for its filters."""
    return _for_weights(
        T.conv3d, input, output_grad, filter_shape, border_mode, subsample, filter_flip, filter_dilation, num_groups, {}
    )


def _for_weights(
    convolution: Any, images: Any, results: Any, shape: Any, border: Any, steps: Any, turned: bool, spacing: Any, groups: int,
    more: dict[str, Any],
) -> Expr:  # fmt: skip
    x, g = as_tensor_variable(images), as_tensor_variable(results)
    known = (g.type.shape[1], x.type.shape[1])
    sizes = [*(k if n is None else n for k, n in zip(known, shape, strict=False)), *shape[2:]]
    filters = T.tensor("filters", x.type.dtype, [as_extent(n, "convolution: filter_shape") for n in sizes])
    out = convolution(x, filters, None, None, border, steps, turned, spacing, groups, **more)
    found: Any = T.grad(None, filters, known_grads={out: g})
    return found  # type: ignore[no-any-return]  # grad's type


def frac_bilinear_upsampling(input: Any, frac_ratio: Any) -> Expr:  # Theano's name
    """Larger by a ratio of integers, linearly between places."""
    return bilinear_upsampling(input, frac_ratio=frac_ratio)


def border_mode_to_pad(mode: Any, convdim: int, kshp: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """(before, after) of each axis, for a border mode and the extents of the filters."""
    if isinstance(mode, str):
        widths: dict[str, Callable[[int], int]] = {
            "valid": lambda k: 0,
            "half": lambda k: k // 2,
            "full": lambda k: k - 1,
        }
        return tuple((widths[mode](k),) * 2 for k in kshp)
    pairs = (mode,) * convdim if isinstance(mode, int) else tuple(mode)
    return tuple((int(p), int(p)) if isinstance(p, int) else (int(p[0]), int(p[1])) for p in pairs)


class AbstractConv2d:
    """The op of a convolution: AbstractConv2d(border_mode=..., subsample=...)(images, filters)."""

    convolution: Any = staticmethod(conv2d)

    def __init__(self, imshp: Any = None, kshp: Any = None, **settings: Any) -> None:
        self.shapes, self.settings = {"input_shape": imshp, "filter_shape": kshp}, settings

    def __call__(self, img: Any, kern: Any) -> Expr:
        made: Expr = self.convolution(img, kern, **self.shapes, **self.settings)
        return made


class AbstractConv3d(AbstractConv2d):
    """AbstractConv3d(border_mode=..., subsample=...)(images, filters)."""

    convolution: Any = staticmethod(conv3d)


class AbstractConv2dGradInputs:
    """The op of Theano: AbstractConv2d_gradInputs(imshp=..., border_mode=...)(filters, output gradient, image size)."""

    def __init__(
        self, imshp: Any = None, kshp: Any = None, border_mode: Any = "valid", subsample: Any = (1, 1), filter_flip: bool = True,
        filter_dilation: Any = (1, 1), num_groups: int = 1, unshared: bool = False,
    ) -> None:  # fmt: skip
        self.settings = {
            "border_mode": border_mode, "subsample": subsample, "filter_flip": filter_flip, "filter_dilation": filter_dilation,
            "num_groups": num_groups,
        }  # fmt: skip
        self.imshp, self.kshp = imshp, kshp

    def __call__(self, kern: Any, topgrad: Any, shape: Any, add_assert_shape: bool = True) -> Expr:
        known = [None, None] if self.imshp is None else list(self.imshp)[-2:]
        sizes = [k if k is not None else shape[j] for j, k in enumerate(known)]
        return T.conv2d_transpose(as_tensor_variable(topgrad), as_tensor_variable(kern), tuple(sizes), **self.settings)


class AbstractConv3dGradInputs(AbstractConv2dGradInputs):
    """AbstractConv3d_gradInputs."""

    def __init__(
        self, imshp: Any = None, kshp: Any = None, border_mode: Any = "valid", subsample: Any = (1, 1, 1),
        filter_flip: bool = True, filter_dilation: Any = (1, 1, 1), num_groups: int = 1,
    ) -> None:  # fmt: skip
        super().__init__(imshp, kshp, border_mode, subsample, filter_flip, filter_dilation, num_groups)

    def __call__(self, kern: Any, topgrad: Any, shape: Any, add_assert_shape: bool = True) -> Expr:
        known = [None] * 3 if self.imshp is None else list(self.imshp)[-3:]
        sizes = [k if k is not None else shape[j] for j, k in enumerate(known)]
        return T.conv3d_transpose(as_tensor_variable(topgrad), as_tensor_variable(kern), tuple(sizes), **self.settings)


class AbstractConv2dGradWeights:
    """AbstractConv2d_gradWeights(...)(images, output gradient, filter size)."""

    def __init__(
        self, imshp: Any = None, kshp: Any = None, border_mode: Any = "valid", subsample: Any = (1, 1), filter_flip: bool = True,
        filter_dilation: Any = (1, 1), num_groups: int = 1, unshared: bool = False,
    ) -> None:  # fmt: skip
        self.how = (None, border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared)
        self.kshp = kshp

    def __call__(self, img: Any, topgrad: Any, shape: Any, add_assert_shape: bool = True) -> Expr:
        return conv2d_grad_wrt_weights(img, topgrad, (None, None, shape[0], shape[1]), *self.how)


class ConvOp:
    """The op of the old convolution: ConvOp(border_mode=..., dx, dy)(images, filters)."""

    def __init__(self, *_: Any, output_mode: str = "valid", dx: int = 1, dy: int = 1, **__: Any) -> None:
        self.output_mode, self.steps = output_mode, (dx, dy)

    def __call__(self, images: Any, filters: Any) -> Expr:
        return conv2d(images, filters, border_mode=self.output_mode, subsample=self.steps)


def get_conv_output_shape(
    image_shape: Sequence[Any],
    kernel_shape: Sequence[Any],
    border_mode: Any,
    subsample: Sequence[int],
    filter_dilation: Any = None,
) -> tuple[Any, ...]:
    """The shape of a convolution of these shapes; None where an extent is unknown."""
    out = [image_shape[0], kernel_shape[0]]
    for k, (n, m, step) in enumerate(zip(image_shape[2:], kernel_shape[2:], subsample, strict=True)):
        if n is None or m is None:
            out.append(None)
            continue
        reach = (m - 1) * (filter_dilation[k] if filter_dilation is not None else 1) + 1
        mode = border_mode[k] if isinstance(border_mode, list | tuple) else border_mode
        pads = (
            {"valid": 0, "full": 2 * (reach - 1), "half": 2 * (reach // 2)}[mode] if isinstance(mode, str) else 2 * mode
        )
        out.append((n + pads - reach) // step + 1)
    return tuple(out)


# ---- pooling ----


def pool_2d(
    input: Any, ws: Any = None, ignore_border: Any = None, stride: Any = None, pad: Any = (0, 0), mode: str = "max",  # Theano's name
    ds: Any = None, st: Any = None, padding: Any = None,
) -> Expr:  # fmt: skip
    """symdl's pool_2d of the last two axes. ignore_border is False unless given, as it was in Theano."""
    x = as_tensor_variable(input)
    wide = T.shape_padleft(x, 4 - x.type.ndim) if x.type.ndim < 4 else x
    out = T.pool_2d(wide, _ints(ws if ws is not None else ds), bool(ignore_border), _ints(stride if stride is not None else st),
                    _ints(padding if padding is not None else pad), mode)  # fmt: skip
    return out if x.type.ndim >= 4 else T.reshape(out, [out.shape[k] for k in range(4 - x.type.ndim, 4)])


def pool_3d(
    input: Any, ws: Any = None, ignore_border: Any = None, stride: Any = None, pad: Any = (0, 0, 0), mode: str = "max",  # Theano's name
    ds: Any = None, st: Any = None, padding: Any = None,
) -> Expr:  # fmt: skip
    """symdl's pool_3d of the last three axes."""
    return T.pool_3d(
        as_tensor_variable(input), _ints(ws if ws is not None else ds), bool(ignore_border), _ints(stride if stride is not None else st),
        _ints(padding if padding is not None else pad), mode,
    )  # fmt: skip


def _ints(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, Expr) and not value.type.ndim:
        return int(get_scalar_constant_value(value))
    if isinstance(value, int | np.integer):
        return int(value)
    return tuple(int(get_scalar_constant_value(v)) for v in value)


def max_pool_2d(
    input: Any,
    ds: Any = None,
    ignore_border: Any = None,
    st: Any = None,
    padding: Any = (0, 0),
    mode: str = "max",
    **more: Any,  # Theano's name
) -> Expr:
    """theano.tensor.signal.downsample.max_pool_2d: the old name and arguments."""
    return pool_2d(input, more.get("ws", ds), ignore_border, st, padding, mode)


def max_pool_2d_same_size(input: Any, patch_size: Any) -> Expr:  # Theano's name
    """The input where it is the largest of its patch, else 0."""
    x = as_tensor_variable(input)
    wide = T.shape_padleft(x, 4 - x.type.ndim) if x.type.ndim < 4 else x
    top = T.pool_2d(wide, tuple(patch_size), False)
    for axis, n in zip((2, 3), patch_size, strict=True):
        top = T.repeat(top, n, axis)
    top = top[:, :, : wide.shape[2], : wide.shape[3]]
    out = T.where(T.eq(wide, top), wide, 0)
    return T.reshape(out, list(x.shape))


class Pool:
    """The op of pooling: Pool(ignore_border, mode, ndim)(images, ws, stride, pad)."""

    def __init__(self, ignore_border: bool = False, mode: str = "max", ndim: int = 2, **_: Any) -> None:
        self.ignore_border, self.mode, self.ndim = ignore_border, mode, ndim

    def __call__(self, x: Any, ws: Any, stride: Any = None, pad: Any = None) -> Expr:
        fold = pool_2d if self.ndim == 2 else pool_3d
        return fold(x, ws, self.ignore_border, stride, (0,) * self.ndim if pad is None else pad, self.mode)


class CorrMM:
    """CorrMM(border_mode, subsample)(images, filters): a convolution whose filters are not turned."""

    def __init__(self, border_mode: Any = "valid", subsample: Any = (1, 1), **_: Any) -> None:
        self.border_mode, self.subsample = border_mode, subsample

    def __call__(self, images: Any, filters: Any) -> Expr:
        return conv2d(images, filters, border_mode=self.border_mode, subsample=self.subsample, filter_flip=False)
