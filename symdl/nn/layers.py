"""All layers, by the names that Keras has for them: `from symdl.nn import layers`."""

from symdl.nn.chain import Chain
from symdl.nn.dense import Activation, Dense, Embedding, Maxout
from symdl.nn.images import Conv1D, Conv2D, Conv2DTranspose, UpSampling2D, ZeroPadding2D
from symdl.nn.layer import Layer, Training, extent
from symdl.nn.merging import Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract
from symdl.nn.noise import Dropout, GaussianNoise
from symdl.nn.normalization import BatchNormalization, LayerNormalization
from symdl.nn.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
)
from symdl.nn.recurrent import GRU, LSTM, SimpleRNN
from symdl.nn.reshaping import Flatten, Permute, RepeatVector, Rescaling, Reshape
from symdl.nn.wires import Input

__all__ = [
    "GRU",
    "LSTM",
    "Activation",
    "Add",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "BatchNormalization",
    "Chain",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "Dot",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "Input",
    "Layer",
    "LayerNormalization",
    "MaxPooling1D",
    "MaxPooling2D",
    "Maximum",
    "Maxout",
    "Minimum",
    "Multiply",
    "Permute",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "SimpleRNN",
    "Subtract",
    "Training",
    "UpSampling2D",
    "ZeroPadding2D",
    "extent",
]
