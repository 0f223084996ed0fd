"""A small convolutional network that classifies sentences (Kim, 2014): words as vectors, patterns of neighbours, the strongest of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.datasets.sentences import LENGTH, VOCABULARY
from symdl.errors import ConfigError, DataError
from symdl.graph.expr import Expr
from symdl.nn.dense import Embedding
from symdl.nn.images import Conv1D
from symdl.nn.layers import Chain, Dense, Dropout, Layer, Training
from symdl.zoo.base import Array
from symdl.zoo.classifier import Network, NetworkConfig


@dataclass(frozen=True)
class SentenceConfig(NetworkConfig):
    """words: of the vocabulary, padding and the unknown word included. length: words of a sentence, padded. dimensions: of a
    word's vector. widths: of the patterns, in words; filters: patterns of each width. dropout: rate before the last layer."""

    words: int = len(VOCABULARY)
    length: int = LENGTH
    dimensions: int = 24
    widths: tuple[int, ...] = (2, 3, 4)
    filters: int = 24
    dropout: float = 0.2
    classes: int = 2
    learning_rate: float = 0.003
    epochs: int = 12

    def __post_init__(self) -> None:
        super().__post_init__()
        counts = (self.words, self.length, self.dimensions, self.filters, self.classes, *self.widths)
        if min(counts) < 1 or not self.widths or max(self.widths) > self.length:
            raise ConfigError(
                f"sentences: widths {self.widths} in 1..{self.length} and counts of at least 1 are needed"
            )


class Patterns(Layer):
    """Convolutions of several widths side by side, each filter's largest response in the sentence: [n, widths * filters]."""

    kind = "patterns"

    def __init__(self, widths: tuple[int, ...], filters: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.branches = Chain([Conv1D(filters, width, activation="relu", name=f"width{width}") for width in widths])

    def build(self, x: Expr) -> None:
        self.branches.prefix = self.prefix
        for branch in self.branches.layers:
            self.branches.rng = self.rng
            self.branches.join(branch, x)
        self._parameters = self.branches.parameters

    def call(self, x: Expr, training: Training | None) -> Expr:
        return T.concatenate([T.max(branch(x, training), axis=1) for branch in self.branches.layers], axis=1)


class SentenceCNN(Network):
    """p(label of a sentence) = softmax(W strongest + b), from sentences as numbers of words, [n, length].

    split = symdl.datasets.sentences_split()
    model = SentenceCNN()
    model.fit(split.x_train, split.y_train)
    """

    name = "sentences"
    Config = SentenceConfig
    config: SentenceConfig

    def layers(self) -> list[Layer]:
        c = self.config
        return [
            Embedding(c.words, c.dimensions, name="words"),
            Patterns(c.widths, c.filters, name="patterns"),
            *([Dropout(c.dropout)] if c.dropout else []),
            Dense(c.classes, "softmax", name="top"),
        ]

    def inputs(self, x: Any, where: str) -> Array:
        """x as numbers of words. Raises ShapeError for another length, DataError for numbers that are of no word."""
        numbers = np.asarray(x)
        if numbers.size and numbers.dtype.kind not in "iu":
            raise DataError(f"{where}: x holds {numbers.dtype}; a sentence is the numbers of its words, integers")
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < self.config.words:
            found = f"{numbers.min()} to {numbers.max()}"
            raise DataError(f"{where}: numbers from {found} meet a vocabulary of {self.config.words} words")
        return super().inputs(numbers, where).astype(np.int64)

    @property
    def input_dtype(self) -> str:
        return "int64"

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.config.length,)

    @property
    def classes(self) -> int:
        return self.config.classes

    def __repr__(self) -> str:
        c = self.config
        return f"SentenceCNN({c.words} words, {c.dimensions}, {'-'.join(map(str, c.widths))} x {c.filters})"
