"""scikit-learn's bases and checks, loaded here and nowhere else, and how an estimator looks at its settings and data."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from symdl.errors import ConfigError, DataError
from symdl.extras import load

Array = np.ndarray[Any, np.dtype[Any]]
Method = TypeVar("Method", bound=Callable[..., Any])
PURPOSE = "symdl.sklearn"

_base = load("sklearn.base", PURPOSE)
_checks = load("sklearn.utils.validation", PURPOSE)
_multiclass = load("sklearn.utils.multiclass", PURPOSE)
_tables = load("sklearn.utils", PURPOSE)
_exceptions = load("sklearn.exceptions", PURPOSE)

if TYPE_CHECKING:  # scikit-learn has no types of its own

    class BaseEstimator:
        n_features_in_: int

        def get_params(self, deep: bool = True) -> dict[str, Any]: ...

        def __getstate__(self) -> dict[str, Any]: ...

        def __setstate__(self, state: dict[str, Any]) -> None: ...

        def __sklearn_tags__(self) -> Any: ...

    class ClassifierMixin:
        def score(self, X: Any, y: Any, sample_weight: Any = None) -> float: ...

    class RegressorMixin:
        def score(self, X: Any, y: Any, sample_weight: Any = None) -> float: ...

    class TransformerMixin:
        def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Array: ...

        def set_output(self, *, transform: str | None = None) -> Any: ...

    class ClassNamePrefixFeaturesOutMixin:
        def get_feature_names_out(self, input_features: Any = None) -> Array: ...

    class ConvergenceWarning(UserWarning): ...

    def available_if(check: Callable[[Any], bool]) -> Callable[[Method], Method]:
        """A method that is there only where the check holds."""
        ...

else:
    BaseEstimator = _base.BaseEstimator
    ClassifierMixin, RegressorMixin = _base.ClassifierMixin, _base.RegressorMixin
    TransformerMixin = _base.TransformerMixin
    ClassNamePrefixFeaturesOutMixin = _base.ClassNamePrefixFeaturesOutMixin
    ConvergenceWarning = _exceptions.ConvergenceWarning
    available_if = load("sklearn.utils.metaestimators", PURPOSE).available_if

check_is_fitted: Callable[..., None] = _checks.check_is_fitted
check_random_state: Callable[[Any], np.random.RandomState] = _tables.check_random_state
train_test_split: Callable[..., Any] = load("sklearn.model_selection", PURPOSE).train_test_split
check_classification_targets: Callable[[Any], None] = _multiclass.check_classification_targets
type_of_target: Callable[..., str] = _multiclass.type_of_target


# ---- settings ----


@dataclass(frozen=True)
class Rule:
    """What a setting must be: a test, and the words for it."""

    holds: Callable[[Any], bool]
    text: str


def whole(low: int) -> Rule:
    """An integer, at least low."""

    def holds(v: Any) -> bool:
        return isinstance(v, int | np.integer) and v is not True and v is not False and int(v) >= low

    return Rule(holds, f"an integer, at least {low}")


def number(low: float, high: float = np.inf, *, above: bool = False, below: bool = False) -> Rule:
    """A number from low to high; above and below leave out these two themselves."""

    def holds(v: Any) -> bool:
        if not isinstance(v, float | int | np.floating | np.integer) or v is True or v is False:
            return False
        found = float(v)
        return (found > low if above else found >= low) and (found < high if below else found <= high)

    text = f"a number {'above' if above else 'of at least'} {low:g}"
    if high < np.inf:
        text += f" and {'below' if below else 'at most'} {high:g}"
    return Rule(holds, text)


def one_of(*choices: Any) -> Rule:
    """One of some values."""
    return Rule(
        lambda v: any(v is c or (isinstance(v, str) and v == c) for c in choices),
        f"one of {', '.join(map(repr, choices))}",
    )


def either(*rules: Rule) -> Rule:
    """What one of the rules allows."""
    return Rule(lambda v: any(r.holds(v) for r in rules), " or ".join(r.text for r in rules))


def many(rule: Rule) -> Rule:
    """Several values that the rule allows each, or one of them."""
    return Rule(
        lambda v: rule.holds(v) or (np.iterable(v) and not isinstance(v, str | bytes) and all(map(rule.holds, v))),
        f"{rule.text}, or several of them",
    )


FLAG = Rule(lambda v: isinstance(v, bool | np.bool_), "True or False")
VERBOSE = either(FLAG, whole(0))


class Estimator(BaseEstimator):
    """The base of all estimators here. RULES: what each setting must be, looked at by `fit`, not when it is made."""

    RULES: ClassVar[Mapping[str, Rule]] = {}

    def check_settings(self) -> None:
        """Raises ConfigError, a ValueError, for the first setting that breaks its rule."""
        for name, rule in self.RULES.items():
            value = getattr(self, name)
            if not rule.holds(value):
                raise ConfigError(f"{type(self).__name__}: {name} is {value!r}", (), f"It must be {rule.text}.")

    def rows(self, X: Any, *, reset: bool, dtype: Any = (np.float64, np.float32)) -> Array:
        """X as a matrix in C order, float64 unless it is float32; sparse ones are written out."""
        return dense(_checks.validate_data(self, X, accept_sparse=True, dtype=dtype, reset=reset))

    def pairs(self, X: Any, y: Any, *, reset: bool, numeric: bool = False, **options: Any) -> tuple[Array, Array]:
        """X as `rows` has it, and y with as many."""
        x, t = _checks.validate_data(
            self, X, y, accept_sparse=True, dtype=(np.float64, np.float32), reset=reset, y_numeric=numeric, **options
        )
        return dense(x), t

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def dense(X: Any) -> Array:
    """The matrix itself, in C order; of a sparse one all elements."""
    return np.ascontiguousarray(X.toarray() if hasattr(X, "toarray") else X)


def one_column(y: Array) -> Array:
    """A column of targets as a vector, with scikit-learn's warning."""
    found: Array = _checks.column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
    return found


def checked_weights(sample_weight: Any, X: Array) -> Array:
    """How much each row counts: all alike where nothing is given. Raises DataError where there is none above 0."""
    if sample_weight is None:
        return np.ones(len(X), X.dtype)
    weights: Array = _checks._check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)
    if not weights.any():
        raise DataError("fit: all of sample_weight is zero; at least one weight must be above 0")
    return np.ascontiguousarray(weights)


def labels_of(y: Array, classes: Array) -> Array:
    """The place of each label among the sorted classes: int64[n]. Raises DataError for a label that is not there."""
    places = np.searchsorted(classes, y).clip(0, len(classes) - 1)
    unknown = np.asarray(classes[places] != y)
    if unknown.any():
        raise DataError(f"y holds {np.unique(y[unknown])[:10]}, and the classes are {classes[:10]}")
    return places.astype(np.int64)


def say(line: str) -> None:
    """A line of progress, where scikit-learn prints it."""
    sys.stdout.write(f"{line}\n")


def seed_of(random: np.random.RandomState) -> int:
    """A seed for a generator of another kind, drawn."""
    return int(random.randint(np.iinfo(np.int32).max))
