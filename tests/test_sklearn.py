"""Estimators: scikit-learn's numbers, its arguments, its places of use; what an estimator keeps when it is copied and pickled."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

pytest.importorskip("sklearn", reason="pip install symdl[zoo]")

from sklearn import linear_model, neural_network
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from test_readme import EXAMPLE, printed

import symdl.sklearn as own
from symdl.backends.cpu.backend import CpuBackend
from symdl.errors import ConfigError, DataError, ShapeError
from symdl.sklearn import waiting

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
ROOT = Path(__file__).resolve().parent.parent
Array = np.ndarray[Any, np.dtype[Any]]

SHORT: dict[str, dict[str, Any]] = {
    "Autoencoder": {"hidden_layer_sizes": (5,), "max_iter": 3},
    "BernoulliRBM": {"n_components": 5, "n_iter": 2},
    "CNNClassifier": {"filters": (2,), "hidden_layer_sizes": (6,), "max_iter": 3},
    "DBNClassifier": {"hidden_layer_sizes": (6,), "pretraining_iter": 2, "max_iter": 3},
    "LogisticRegression": {},
    "MLPClassifier": {"hidden_layer_sizes": (6,), "max_iter": 3},
    "MLPRegressor": {"hidden_layer_sizes": (6,), "max_iter": 3},
    "Perceptron": {},
}


@pytest.fixture(scope="module")
def digits() -> tuple[Array, Array]:
    X, y = load_digits(return_X_y=True)
    return X[:300] / 16, y[:300]


def made(name: str) -> Any:
    found = getattr(own, name)(**SHORT[name])
    return found.set_params(random_state=0) if "random_state" in found.get_params() else found


def shown(estimator: Any, X: Array) -> Array:
    """What the estimator makes of X."""
    for method in ("predict_proba", "decision_function", "transform", "predict"):
        if hasattr(estimator, method):
            found: Array = getattr(estimator, method)(X)
            return found
    raise AssertionError(estimator)


# ---- the same as scikit-learn's ----


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor", "BernoulliRBM"])
def test_arguments_are_scikit_learns(name: str) -> None:
    """Names, order, defaults, and which may be given by place."""
    ours, theirs = (inspect.signature(getattr(m, name)).parameters for m in (own, neural_network))
    described = [[(p.name, p.kind, p.default) for p in parameters.values()] for parameters in (ours, theirs)]
    if described[0] != described[1]:  # other releases of scikit-learn have other arguments
        assert [p for p in described[1] if p in described[0]] == described[1]


NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("multiclass", {}),
    ("multiclass", {"solver": "sgd", "learning_rate_init": 0.1, "batch_size": 32}),
    ("multiclass", {"solver": "sgd", "learning_rate": "invscaling", "nesterovs_momentum": False, "shuffle": False}),
    (
        "multiclass",
        {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.9, "tol": 1.0, "n_iter_no_change": 1},
    ),
    ("multiclass", {"early_stopping": True, "n_iter_no_change": 2}),
    ("multiclass", {"solver": "lbfgs", "max_iter": 8}),
    ("binary", {"activation": "tanh", "hidden_layer_sizes": (9, 7)}),
    ("binary", {"early_stopping": True}),
    ("several", {"activation": "logistic"}),
    ("numbers", {"activation": "identity"}),
    ("numbers", {"early_stopping": True, "alpha": 0.1}),
    ("numbers", {"loss": "poisson", "solver": "lbfgs", "max_iter": 5}),
    ("columns", {"hidden_layer_sizes": ()}),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("kind", "settings"), NETWORKS)
def test_networks_have_scikit_learns_numbers(
    digits: tuple[Array, Array], rng: np.random.Generator, kind: str, settings: dict[str, Any], weighted: bool
) -> None:
    """The same draws, the same steps: loss_curve_, scores and weights agree up to rounding."""
    X, y = digits
    targets = {"multiclass": y, "binary": y % 2, "several": np.stack([y % 2, y // 5], 1), "numbers": y * 1.5,
               "columns": np.stack([y, y % 3], 1)}  # fmt: skip
    name = "MLPRegressor" if kind in ("numbers", "columns") else "MLPClassifier"
    settings = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 2, **settings}
    weights = rng.random(len(y)) if weighted else None
    ours, theirs = (getattr(m, name)(**settings).fit(X, targets[kind], weights) for m in (own, neural_network))
    assert ours.n_iter_ == theirs.n_iter_
    for attribute in ("loss_curve_", "validation_scores_"):
        expected = getattr(theirs, attribute, None)
        if expected is not None:
            np.testing.assert_allclose(getattr(ours, attribute), expected, rtol=1e-10)
    for found, expected in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6 if settings.get("solver") == "lbfgs" else 1e-9)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X)) if name == "MLPClassifier" else None
    assert (ours.n_layers_, ours.n_outputs_, ours.out_activation_) == (
        theirs.n_layers_,
        theirs.n_outputs_,
        theirs.out_activation_,
    )


def test_partial_fit_has_scikit_learns_numbers(digits: tuple[Array, Array]) -> None:
    """Also after fit, and after being pickled between two epochs."""
    X, y = digits
    ours, theirs = (m.MLPClassifier((6,), max_iter=2, random_state=1) for m in (own, neural_network))
    for one in (ours, theirs):
        one.partial_fit(X, y, classes=np.unique(y))
        one.partial_fit(X[:100], y[:100])
    ours = pickle.loads(pickle.dumps(ours))
    for one in (ours, theirs):
        one.partial_fit(X, y)
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], atol=1e-12)
    for one in (ours, theirs):
        one.fit(X, y).partial_fit(X, y)
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], atol=1e-12)
    assert not hasattr(own.MLPClassifier(solver="lbfgs"), "partial_fit")
    with pytest.raises(DataError, match="first call"):
        own.MLPClassifier().partial_fit(X, y)


def test_warm_start(digits: tuple[Array, Array]) -> None:
    X, y = digits
    ours, theirs = (m.MLPClassifier((6,), max_iter=2, random_state=1, warm_start=True) for m in (own, neural_network))
    for one in (ours, theirs):
        one.fit(X, y).fit(X, y)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-12)
    with pytest.raises(ValueError, match="warm_start"):
        ours.fit(X[y < 5], y[y < 5])


@pytest.mark.parametrize("C", [0.01, 1.0, 10.0])
@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("intercept", [True, False])
def test_logistic_regression_finds_scikit_learns_optimum(
    digits: tuple[Array, Array],
    rng: np.random.Generator,
    C: float,
    classes: int,
    intercept: bool,
) -> None:
    X, y = digits[0], digits[1] % classes
    settings: dict[str, Any] = {
        "C": C,
        "tol": 1e-8,
        "max_iter": 5000,
        "fit_intercept": intercept,
        "class_weight": "balanced",
    }
    weights = rng.random(len(y))
    ours = own.LogisticRegression(**settings).fit(X, y, weights)
    theirs = linear_model.LogisticRegression(**settings).fit(X, y, weights)
    assert np.abs(ours.coef_ - theirs.coef_).max() < 1e-4
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
    if not intercept:
        assert not ours.intercept_.any()
    assert ours.coef_.shape == theirs.coef_.shape
    again = clone(ours).set_params(warm_start=True).fit(X, y).fit(X, y)
    assert again.n_iter_[0] <= 3


def test_the_perceptron_stops_making_mistakes() -> None:
    """On separable data it errs no more, and says so; on xor it does not end before max_iter."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 5))
    margin = X @ np.array([1.0, -2, 0.5, 0, 1]) + 0.3
    X, y = X[np.abs(margin) > 0.3], margin[np.abs(margin) > 0.3] > 0
    separated = own.Perceptron(tol=None).fit(X, y)
    assert separated.score(X, y) == 1
    assert separated.n_iter_ < 1000
    xor = own.Perceptron(tol=None, max_iter=30).fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])
    assert xor.n_iter_ == 30


def test_rosenblatts_rule_by_hand(digits: tuple[Array, Array]) -> None:
    """One epoch without shuffling, example by example, of ten units."""
    X, y = digits
    W, b = np.zeros((64, 10)), np.zeros(10)
    for x, label in zip(X, y, strict=True):
        error = (np.arange(10) == label) - 1.0 * (x @ W + b > 0)
        W, b = W + 0.5 * np.outer(x, error), b + 0.5 * error
    found = own.Perceptron(eta0=0.5, shuffle=False, max_iter=1).fit(X, y)
    np.testing.assert_allclose(found.coef_, W.T, atol=1e-12)
    np.testing.assert_allclose(found.intercept_, b)
    again = own.Perceptron(eta0=0.5, shuffle=False).partial_fit(X, y, classes=np.arange(10))
    np.testing.assert_array_equal(again.coef_, found.coef_)


# ---- Boltzmann machines and codes ----


def test_scores_are_the_pseudo_likelihood_of_all_units(rng: np.random.Generator) -> None:
    """sum_i log p(v_i | others), from probabilities of all 2^5 states; scikit-learn's random score has it as its mean."""
    V = np.array(list(np.ndindex(*[2] * 5)), float)
    rbm = own.BernoulliRBM(3, n_iter=20, learning_rate=0.3, random_state=0).fit(V[rng.integers(0, 32, 60)])
    W, b, c = rbm.components_.T, rbm.intercept_visible_, rbm.intercept_hidden_
    p = np.exp(V @ b + np.logaddexp(0, V @ W + c).sum(1))
    expected = np.zeros(32)
    for i in range(5):
        flipped = V.copy()
        flipped[:, i] = 1 - V[:, i]
        other = [int("".join(str(int(v)) for v in row), 2) for row in flipped]
        expected += np.log(p / (p + p[other]))
    np.testing.assert_allclose(rbm.score_samples(V), expected, rtol=1e-12)


def test_a_machine_is_used_as_scikit_learns(digits: tuple[Array, Array]) -> None:
    """With the same weights: the same means, and by the same draws the same Gibbs step."""
    X = (digits[0] > 0.5).astype(float)
    ours = own.BernoulliRBM(7, n_iter=1, random_state=3).fit(X)
    theirs = neural_network.BernoulliRBM(7, n_iter=1, random_state=3).fit(X)
    for name in ("components_", "intercept_hidden_", "intercept_visible_"):
        setattr(theirs, name, getattr(ours, name))
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X), rtol=1e-12)
    ours.random_state_, theirs.random_state_ = np.random.RandomState(5), np.random.RandomState(5)
    assert np.array_equal(ours.gibbs(X), theirs.gibbs(X))


def test_a_machine_learns(digits: tuple[Array, Array]) -> None:
    """Better than independent pixels; batch by batch it goes on from where it stood, pickled or not."""
    X = (digits[0] > 0.5).astype(float)
    rates = (X.mean(0) * len(X) + 1) / (len(X) + 2)
    independent = (X * np.log(rates) + (1 - X) * np.log1p(-rates)).sum(1).mean()
    rbm = own.BernoulliRBM(32, n_iter=40, learning_rate=0.05, random_state=0).fit(X)
    assert rbm.score_samples(X).mean() > independent + 3
    one, other = (own.BernoulliRBM(5, random_state=0).partial_fit(X[:10]) for _ in range(2))
    other = pickle.loads(pickle.dumps(other))
    one.partial_fit(X[10:20]), other.partial_fit(X[10:20])
    assert np.array_equal(one.components_, other.components_)
    assert np.array_equal(one.h_samples_, other.h_samples_)


def test_linear_codes_span_the_principal_components(digits: tuple[Array, Array]) -> None:
    X = digits[0]
    found = own.Autoencoder((4,), "identity", solver="lbfgs", max_iter=500, tol=1e-6, random_state=0).fit(X)
    pca = PCA(4).fit(X)
    least = np.mean((pca.inverse_transform(pca.transform(X)) - X) ** 2)
    assert -found.score(X) < 1.01 * least
    codes = found.transform(X)
    assert codes.shape == (300, 4)
    np.testing.assert_allclose(found.inverse_transform(codes), found._forward(X), rtol=1e-12)
    with pytest.raises(ShapeError, match="codes"):
        found.inverse_transform(codes[:, :3])
    with pytest.raises(DataError, match="Scale"):
        own.Autoencoder(output="logistic").fit(X * 16)


def test_deep_networks(digits: tuple[Array, Array]) -> None:
    """They learn; pretraining is where fine-tuning begins; a stack of codes has a layer for each size down and up."""
    X, y = digits
    dbn = own.DBNClassifier((20, 10), pretraining_iter=5, persistent=True, random_state=0).fit(X, y)
    assert dbn.score(X, y) > 0.9
    fresh = own.DBNClassifier((20, 10), pretraining_iter=0, max_iter=1, random_state=0).fit(X, y)
    assert not np.allclose(fresh.coefs_[0], dbn.coefs_[0], atol=0.1)
    assert dbn.fit(X * 16, y).score(X * 16, y) > 0.9  # brought into 0..1 by the range of each feature
    assert [W.shape for W in own.Autoencoder((9, 4), max_iter=1).fit(X).coefs_] == [(64, 9), (9, 4), (4, 9), (9, 64)]


def test_images(digits: tuple[Array, Array]) -> None:
    """The network of the zoo's small LeNet; three channels; a shape that does not fit."""
    X, y = digits
    cnn = own.CNNClassifier((8, 8), max_iter=8, random_state=0).fit(X, y)
    assert sum(w.size for w in (*cnn.coefs_, *cnn.intercepts_)) == 6058
    assert cnn.score(X, y) > 0.95
    assert own.CNNClassifier(max_iter=1).fit(X, y).image_shape_ == (1, 8, 8)
    assert own.CNNClassifier(max_iter=1).fit(X[:, :60], y).image_shape_ == (1, 8, 8)
    assert own.CNNClassifier((4, 4, 4), (2,), max_iter=1).fit(X, y).coefs_[0].shape == (2, 4, 3, 3)
    with pytest.raises(ShapeError, match="64 features are no image"):
        own.CNNClassifier((7, 9)).fit(X, y)


# ---- in scikit-learn's places ----


@pytest.mark.parametrize("name", own.__all__)
def test_places_of_use(digits: tuple[Array, Array], name: str, tmp_path: Path) -> None:
    """Pipeline, clone, copy, sparse rows; pickled, it goes on in another process; a seed gives the same bits."""
    X, y = digits
    estimator = made(name).fit(X, y)
    expected = shown(estimator, X)
    pipeline = make_pipeline(MinMaxScaler(clip=True), clone(estimator)).fit(X, y)
    assert shown(pipeline, X).shape == expected.shape
    for again in (clone(estimator).fit(X, y), copy.deepcopy(estimator), pickle.loads(pickle.dumps(estimator))):
        assert np.array_equal(shown(again, X), expected)
    sparse = clone(estimator).fit(scipy.sparse.csr_array(X), y)
    assert np.array_equal(shown(sparse, scipy.sparse.csr_array(X)), expected)
    assert shown(made(name).fit(X.astype(np.float32), y), X.astype(np.float32)).dtype in (np.float32, np.int64)
    with pytest.raises(NotFittedError):
        shown(clone(estimator), X)


def test_a_pickled_estimator_in_another_process(digits: tuple[Array, Array], tmp_path: Path) -> None:
    X, y = digits
    fitted = {name: made(name).fit(X, y) for name in own.__all__}
    (tmp_path / "estimators").write_bytes(pickle.dumps((fitted, X)))
    (tmp_path / "shown").write_bytes(pickle.dumps({name: shown(one, X) for name, one in fitted.items()}))
    code = f"""
import pickle, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np
from test_sklearn import shown
fitted, X = pickle.load(open({str(tmp_path / "estimators")!r}, "rb"))
expected = pickle.load(open({str(tmp_path / "shown")!r}, "rb"))
print(len(fitted), all(np.array_equal(shown(one, X), expected[name]) for name, one in fitted.items()))
"""
    assert run(code) == f"{len(own.__all__)} True"


def test_a_search_in_two_processes(digits: tuple[Array, Array]) -> None:
    X, y = digits
    pipeline = make_pipeline(StandardScaler(), own.MLPClassifier((10,), max_iter=20, random_state=0))
    grid = {"mlpclassifier__alpha": [1e-4, 10.0], "mlpclassifier__learning_rate_init": [1e-5, 0.01]}
    search = GridSearchCV(pipeline, grid, n_jobs=2, cv=2).fit(X, y)
    assert search.best_params_["mlpclassifier__learning_rate_init"] == 0.01
    assert search.score(X, y) > 0.9


def test_names_of_features(digits: tuple[Array, Array]) -> None:
    X, y = digits
    rbm = made("BernoulliRBM").fit(X)
    assert rbm.get_feature_names_out().tolist() == [f"bernoullirbm{k}" for k in range(5)]
    assert made("Autoencoder").fit(X).get_feature_names_out()[-1] == "autoencoder4"
    assert rbm.n_features_in_ == 64
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=[f"p{k}" for k in range(64)])
    out = clone(rbm).set_output(transform="pandas").fit_transform(table)
    assert list(out.columns) == rbm.get_feature_names_out().tolist()
    assert made("MLPClassifier").fit(table, y).feature_names_in_[1] == "p1"


def test_several_labels(digits: tuple[Array, Array]) -> None:
    X, y = digits
    labels = np.stack([y % 2, y > 4], 1)
    for name in ("MLPClassifier", "CNNClassifier", "DBNClassifier"):
        several = made(name).set_params(max_iter=100, learning_rate_init=0.02).fit(X, labels)
        assert several.predict(X).shape == labels.shape
        assert (several.predict(X) == labels).mean() > 0.8
        with pytest.raises(DataError, match="before"):
            several.partial_fit(X, y)


def test_settings_are_looked_at_by_fit(digits: tuple[Array, Array]) -> None:
    X, y = digits
    refused: dict[str, Any] = {"alpha": -1, "solver": "lion", "batch_size": 0, "shuffle": 3, "hidden_layer_sizes": (0,)}
    for name, wrong in refused.items():
        with pytest.raises(ConfigError, match=f"MLPClassifier: {name} is"):
            own.MLPClassifier(**{name: wrong}).fit(X, y)
    with pytest.raises(ConfigError, match="kernel_size") as caught:
        own.CNNClassifier(kernel_size=2).fit(X, y)
    assert str(caught.value).endswith("It must be an odd integer, at least 1.")
    for estimator in (made(name) for name in own.__all__):
        assert set(estimator.RULES) <= set(estimator.get_params()) | set(dir(estimator))


def test_one_compilation_serves_all_sizes(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, features, units and classes: none of them is part of the code."""
    compiled: list[Any] = []
    compile_ = CpuBackend.compile

    def noted(*args: Any, **options: Any) -> Any:
        compiled.append(args)
        return compile_(*args, **options)

    monkeypatch.setattr(CpuBackend, "compile", noted)
    counts = []
    for n, features, units, classes in [(40, 3, 5, 3), (50, 7, 4, 4), (300, 2, 30, 9)]:
        X, y = rng.standard_normal((n, features)), np.arange(n) % classes
        estimators: list[Any] = [
            own.MLPClassifier((units,), max_iter=2), own.LogisticRegression(), own.Perceptron(max_iter=2),
            own.BernoulliRBM(units, n_iter=1), own.Autoencoder((units,), max_iter=2),
        ]  # fmt: skip
        for estimator in estimators:
            shown(estimator.fit(X, y), X)
        counts.append(len(compiled))
    assert counts[1:] == counts[:1] * 2
    steps = [t._step for trainers in waiting._waiting.values() for t in trainers if "_step" in vars(t)]
    assert len(steps) >= 4
    assert all(step._entry is not None for step in steps), "called by machine code: new values are written in place"


# ---- without scikit-learn ----


def run(code: str) -> str:
    """What a fresh process prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_symdl_does_not_load_scikit_learn() -> None:
    assert run("import sys, symdl, symdl.nn; print('sklearn' in sys.modules)") == "False"


def test_the_error_without_scikit_learn() -> None:
    code = """
import sys
from symdl import extras
extras.find_spec = lambda name: None if name == "sklearn" else object()
try:
    import symdl.sklearn
except ImportError as error:
    print(type(error).__name__, error)
"""
    assert run(code) == (
        'MissingDependencyError symdl.sklearn: the package scikit-learn is not installed\n  pip install "symdl[zoo]"'
    )


def test_the_page_prints_what_it_shows() -> None:
    text = (ROOT / "docs" / "sklearn.md").read_text(encoding="utf-8")
    examples = list(EXAMPLE.finditer(text))
    assert len(examples) == text.count("```python") >= 3
    names: dict[str, Any] = {"__name__": "__main__"}
    assert [printed(e["code"], names) for e in examples] == [e["output"] or "" for e in examples]
    assert [name for name in own.__all__ if f"`{name}`" not in text] == []
