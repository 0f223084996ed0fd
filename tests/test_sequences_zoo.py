"""The zoo's models of sequences: digits read row by row, and synthetic sentences, whose rule is known."""

from __future__ import annotations

import numpy as np
import pytest

from symdl.datasets import digits_split
from symdl.datasets.sentences import (
    BAD,
    CONTRASTS,
    GOOD,
    LENGTH,
    NEGATIONS,
    VOCABULARY,
    Vocabulary,
    sentences,
    sentences_split,
)  # fmt: skip
from symdl.errors import ConfigError, DataError, ShapeError
from symdl.extras import installed
from symdl.zoo.recurrent import CELLS, LSTMClassifier
from symdl.zoo.sentences import SentenceCNN

# ---- sentences ----


def judged(text: str) -> bool:
    """The rule read from the words: the last adjective, turned by a negation after the last contrast."""
    words = text.split()
    last = max((k for k, w in enumerate(words) if w in CONTRASTS), default=-1)
    own = words[last + 1 :]
    (praises,) = [w in GOOD for w in own if w in GOOD + BAD]
    return praises != any(w in NEGATIONS for w in own)


def test_labels_follow_the_rule() -> None:
    texts, labels = sentences(1500, seed=3)
    assert [judged(text) for text in texts] == (labels == 1).tolist()
    assert len(set(texts)) == 1500
    assert 0.45 < labels.mean() < 0.55
    assert any(w in text.split() for text in texts for w in CONTRASTS)
    assert sentences(20, seed=3).texts == texts[:20]


def test_words_alone_do_not_tell() -> None:
    """What is good about the data: a count of words barely beats a coin."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    split = sentences_split(3000)
    train, test = (
        np.array([np.bincount(row, minlength=len(VOCABULARY)) for row in x]) for x in (split.x_train, split.x_test)
    )
    bag = linear_model.LogisticRegression(max_iter=500).fit(train, split.y_train)
    assert bag.score(test, split.y_test) < 0.65


def test_the_vocabulary_encodes_and_decodes() -> None:
    words = Vocabulary.of(["The film was good", "the plot"])
    assert words.words == ("the", "film", "was", "good", "plot")
    assert len(words) == 7
    rows = words.encode(["the plot thickens", "good"], 4)
    assert rows.tolist() == [[2, 6, 1, 0], [5, 0, 0, 0]]
    assert rows.dtype == np.int64
    assert words.decode(rows[0]) == "the plot ?"
    with pytest.raises(ConfigError, match="twice"):
        Vocabulary(["a", "a"])
    with pytest.raises(DataError, match="3 is no text"):
        words.encode([3], 4)  # type: ignore[list-item]  # the mistake
    with pytest.raises(ConfigError, match="not in 1"):
        sentences(0)


def test_every_sentence_fits() -> None:
    texts = sentences(3000).texts
    assert max(len(text.split()) for text in texts) <= LENGTH
    assert all(
        VOCABULARY.decode(row) == text for text, row in zip(texts, VOCABULARY.encode(texts, LENGTH), strict=True)
    )


def test_the_network_reads_the_rule() -> None:
    split = sentences_split(2500)
    model = SentenceCNN(epochs=8)
    model.fit(split.x_train, split.y_train, verbose=0)
    assert model.score(split.x_test, split.y_test) >= 0.97
    said = VOCABULARY.encode(["the film was not good", "the film was not bad", "the plot is dull but funny"], LENGTH)
    assert model.predict(said).tolist() == [0, 1, 1]


def test_parameters_of_the_network_have_names_of_their_own() -> None:
    names = [str(p.name) for p in SentenceCNN().parameters]
    assert len(set(names)) == len(names) == 9
    assert "words.W" in names


def test_what_the_network_refuses() -> None:
    model = SentenceCNN(epochs=1)
    with pytest.raises(DataError, match="integers"):
        model.fit(np.zeros((3, LENGTH)), np.zeros(3, int), verbose=0)
    with pytest.raises(DataError, match="a vocabulary of"):
        model.fit(np.full((3, LENGTH), len(VOCABULARY)), np.zeros(3, int), verbose=0)
    with pytest.raises(ShapeError, match="features of x meet"):
        model.fit(np.zeros((3, LENGTH + 1), int), np.zeros(3, int), verbose=0)
    with pytest.raises(ConfigError, match="widths"):
        SentenceCNN(widths=(2, 99))


# ---- digits, row by row ----


@pytest.mark.skipif(not installed("sklearn"), reason="the digits need symdl[zoo]")
def test_an_lstm_reads_digits_row_by_row() -> None:
    split = digits_split()
    model = LSTMClassifier(units=32, epochs=12, learning_rate=0.01)
    model.fit(split.x_train, split.y_train, verbose=0)
    assert model.score(split.x_test, split.y_test) >= 0.93


@pytest.mark.parametrize("cell", CELLS)
def test_its_states_are_those_of_the_formulas(cell: str) -> None:
    model = LSTMClassifier(cell=cell, units=5, steps=4, inputs=3, classes=2, dtype="float64", epochs=1)
    x = np.random.default_rng(0).standard_normal((6, 12))
    model.fit(x, np.arange(6) % 2, verbose=0)
    *reader, top, bias = (p.get_value() for p in model.parameters)
    W, U, b = reader

    def sigmoid(z: np.ndarray) -> np.ndarray:
        found: np.ndarray = 1 / (1 + np.exp(-z))
        return found

    h = c = np.zeros((6, 5))
    for row in x.reshape(6, 4, 3).transpose(1, 0, 2):
        if cell == "simple":
            h = np.tanh(row @ W + h @ U + b)
        elif cell == "lstm":
            i, f, g, o = np.split(row @ W + h @ U + b, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            (xz, xr, xg), (hz, hr, hg) = np.split(row @ W + b[0], 3, axis=1), np.split(h @ U + b[1], 3, axis=1)
            z, r = sigmoid(xz + hz), sigmoid(xr + hr)
            h = z * h + (1 - z) * np.tanh(xg + r * hg)
    scores = np.exp(h @ top + bias)
    np.testing.assert_allclose(model.predict_proba(x), scores / scores.sum(axis=1, keepdims=True), rtol=1e-10)


def test_what_the_lstm_refuses() -> None:
    with pytest.raises(ConfigError, match="no cell 'gate'"):
        LSTMClassifier(cell="gate")
    with pytest.raises(ConfigError, match="at least 1"):
        LSTMClassifier(steps=0)
