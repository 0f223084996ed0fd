"""Synthetic sentences that praise or blame, made by a small grammar; no real texts. Their judgement is known by rule.

    sentence  = opening subject verb judgement [contrast judgement] [ending]
    judgement = [negation] [degree] adjective

Of two judgements the last counts, since a contrast word (but, yet) stands between them, and a negation turns an adjective
round: "at first the plot was dull but never really bad in the end" praises. So the words alone do not tell, their order does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from symdl.datasets.split import Array, Split
from symdl.errors import ConfigError, DataError

OPENINGS = ("", "", "at first", "i thought", "we found", "to be honest", "on the whole")
SUBJECTS = (
    "the film", "the plot", "the acting", "the music", "this book", "the ending", "her voice", "the cast", "the story",
    "their song", "the first part", "every scene",
)  # fmt: skip
VERBS = ("was", "is", "seemed", "felt", "looked", "sounded")
GOOD = (
    "good", "great", "clever", "funny", "moving", "charming", "fresh", "brilliant", "warm", "gripping", "lovely", "sharp",
)  # fmt: skip
BAD = (
    "bad", "dull", "weak", "boring", "clumsy", "cold", "flat", "awful", "stale", "tedious", "ugly", "shallow",
)  # fmt: skip
NEGATIONS = ("not", "never", "hardly")
DEGREES = ("very", "really", "so", "all that")
CONTRASTS = ("but", "yet")
ENDINGS = ("", "", "in the end", "for me", "last night", "as a whole")
PADDING, UNKNOWN = 0, 1  # the numbers of no word and of a word that is not in the vocabulary


class Sentences(NamedTuple):
    """texts, and labels int64[n]: 1 praises, 0 blames."""

    texts: list[str]
    labels: Array


def sentences(n: int = 4000, seed: int = 0) -> Sentences:
    """n sentences, no two alike, about half of each label, drawn by `seed`. Raises ConfigError for n outside 1..100,000."""
    if not 1 <= n <= 100_000:
        raise ConfigError(f"sentences: n {n} is not in 1..100000")
    rng = np.random.default_rng(seed)

    def one(choices: Sequence[str]) -> str:
        return choices[int(rng.integers(len(choices)))]

    def judgement() -> tuple[str, bool]:
        praises, turned, much = (bool(b) for b in rng.random(3) < (0.5, 0.4, 0.4))
        words = [one(NEGATIONS)] if turned else []
        words += [one(DEGREES)] if much else []
        return " ".join([*words, one(GOOD if praises else BAD)]), praises != turned

    found: dict[str, bool] = {}
    while len(found) < n:
        said, praises = judgement()
        parts = [one(OPENINGS), one(SUBJECTS), one(VERBS), said]
        if rng.random() < 0.6:
            said, praises = judgement()
            parts += [one(CONTRASTS), said]
        found[" ".join(filter(None, [*parts, one(ENDINGS)]))] = praises
    return Sentences(list(found), np.array(list(found.values()), np.int64))


class Vocabulary:
    """Numbers for words: 0 for padding, 1 for words that are not known, the others in the order in which they were met.

    words: those with numbers, from 2. Raises ConfigError for a word that is there twice, or holds a space.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(words)
        self._numbers = {word: k for k, word in enumerate(self.words, 2)}
        if len(self._numbers) != len(self.words) or any(not w or " " in w for w in self.words):
            raise ConfigError("Vocabulary: a word is there twice, is empty, or holds a space")

    @classmethod
    def of(cls, texts: Iterable[str]) -> Vocabulary:
        """All words of the texts."""
        return cls(dict.fromkeys(word for text in texts for word in text.lower().split()))

    def __len__(self) -> int:
        return len(self.words) + 2

    def encode(self, texts: Sequence[str], length: int) -> Array:
        """The numbers of the first `length` words of each text, int64[n, length], shorter ones followed by 0.

        Raises DataError for what is no text.
        """
        out = np.full((len(texts), length), PADDING, np.int64)
        for row, text in zip(out, texts, strict=True):
            if not isinstance(text, str):
                raise DataError(f"Vocabulary.encode: {text!r} is no text")
            numbers = [self._numbers.get(word, UNKNOWN) for word in text.lower().split()[:length]]
            row[: len(numbers)] = numbers
        return out

    def decode(self, row: Any) -> str:
        """The words of one row of numbers; ? for what is not known."""
        return " ".join("?" if k == UNKNOWN else self.words[k - 2] for k in np.asarray(row).tolist() if k != PADDING)


LENGTH = 18  # words of the longest sentence that the grammar makes
VOCABULARY = Vocabulary.of([*OPENINGS, *SUBJECTS, *VERBS, *NEGATIONS, *DEGREES, *GOOD, *BAD, *CONTRASTS, *ENDINGS])


def sentences_split(n: int = 4000, seed: int = 0) -> Split:
    """`sentences` as numbers of VOCABULARY: four fifths to train, int64[n, 18], the others to test."""
    texts, labels = sentences(n, seed)
    x, train = VOCABULARY.encode(texts, LENGTH), n - n // 5
    return Split(x[:train], labels[:train], x[train:], labels[train:])
