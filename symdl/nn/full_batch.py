"""Full-batch minimisation: an Objective over all data at once, by the line-search methods of scipy.optimize."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import numpy as np

import symdl.tensor as T
from symdl import extras
from symdl.errors import ConfigError
from symdl.functions import Function, function
from symdl.graph.expr import Expr
from symdl.nn.history import INTERRUPTED, EpochRecord, History
from symdl.nn.objective import Objective, means
from symdl.nn.optimizers import SGD
from symdl.nn.plans import Plan, Validation
from symdl.nn.progress import ProgbarLogger
from symdl.nn.training import Trainer, joined
from symdl.nn.watching import Callback, Run
from symdl.passes.replacing import graph_replace
from symdl.runtime.storage import SharedVariable

Array = np.ndarray[Any, np.dtype[Any]]
METHODS = ("L-BFGS-B", "CG", "BFGS")


def minimize(
    trained: Trainer | Objective,
    *data: Any,
    method: str = "L-BFGS-B",
    max_iterations: int = 200,
    tolerance: float = 1e-5,
    validation: Validation = None,
    weights: Any = None,
    precision: str = "plain",
    callbacks: Sequence[Callback] = (),
    verbose: Literal[0, 1] = 1,
    model: Any = None,
) -> History:
    """Minimise the objective's cost of all data at once: the history, one record an iteration.

        history = minimize(objective, x, y, max_iterations=300)

    data, validation, weights, callbacks, verbose, model: as for `fit`; an epoch is an iteration here, and there are at most
    max_iterations. A record's measures are those at the new parameters, with `cost` among them where the objective has a
    penalty. tolerance: it ends when no element of the gradient is larger. method: L-BFGS-B (Byrd, Lu, Nocedal and Zhu,
    1995), CG (Polak and Ribiere, 1969) or BFGS. Noise is drawn once and stays, so that a line search sees one function;
    the cost is added up in float64 and the search itself is in float64, whatever the parameters are. precision: that of
    `symdl.function`; a search bears the last digit of a float64.
    Ctrl-C ends the run as a callback would: history and parameters of the last whole iteration are kept. A Checkpoint that is
    taken up is compared with this run, which then begins anew and so has the bits of one that was never interrupted: what
    a search has learned of the cost's curvature is SciPy's, and is in no file.
    Raises ConfigError for an unknown method and for an objective with updates of its own (running means, chains), whose
    cost is no function of the parameters; ShapeError or DataError for data that do not fit.
    """
    trainer = trained if isinstance(trained, Trainer) else Trainer(trained, SGD())
    if method not in METHODS:
        raise ConfigError(f"minimize: there is no method {method!r}", (), f"methods: {', '.join(METHODS)}")
    if max_iterations < 0:
        raise ConfigError(f"minimize: max_iterations {max_iterations} is below 0")
    if trainer.objective.updates:
        moved = ", ".join(str(target) for target, _ in trainer.objective.updates)
        raise ConfigError(f"minimize: a batch also changes {moved}, which a line search would change at every try")
    plan = Plan(trainer, data, validation, weights)
    trainer.remember()
    search = Search(trainer, plan, precision)
    run = Run(
        trainer,
        [*callbacks, *([ProgbarLogger()] if verbose else [])],
        epochs=trainer.epoch + max_iterations,
        batches=1,
        settings=lambda: {"method": method, "tolerance": tolerance, **plan.described()},
        model=model,
        verbose=verbose,
        anew=True,
    )
    history = trainer.history
    run.begin()
    search.start()  # a callback may have set the parameters
    left = run.epochs - trainer.epoch
    try:
        history.stopped = run.stopping
        if left > 0 and not history.stopped:
            with _one_blas_thread():
                message = _search(search, lambda theta: _iteration(search, run, plan, theta), method, left, tolerance)
            history.stopped = run.stopping or ("" if trainer.epoch >= run.epochs else message)
    except KeyboardInterrupt:
        history.stopped = INTERRUPTED
    finally:
        place(search.at, search.parameters)
        run.end()
    if history.interrupted and not verbose:
        warnings.warn(f"interrupted after iteration {trainer.epoch}; history and weights so far are kept", stacklevel=2)
    return history


def _search(search: Search, after: Callable[[Array], None], method: str, iterations: int, tolerance: float) -> str:
    """Run scipy's search; `after` is called with the parameters of each iteration that is done. Why it ended."""
    from scipy import optimize  # noqa: PLC0415  # half a second, for those who minimise

    def callback(intermediate_result: Any) -> None:  # scipy looks at the parameter's name
        after(np.array(intermediate_result.x, np.float64))

    options: dict[str, Any] = {"maxiter": iterations, "gtol": tolerance}
    if method == "L-BFGS-B":  # only the gradient and the grain of the numbers end it
        options |= {"ftol": 64 * float(np.finfo(np.float64).eps), "maxfun": 100 * iterations}
    found = optimize.minimize(search, search.at, jac=True, method=method, callback=callback, options=options)
    return str(found.message)


def _one_blas_thread() -> AbstractContextManager[Any]:
    """scipy's vectors go through BLAS, whose threads wait by spinning and so take the processors from compiled code: a
    search of 20,000 parameters on two processors was six times slower with them."""
    if not extras.installed("threadpoolctl"):
        return nullcontext()
    limits: AbstractContextManager[Any] = extras.load("threadpoolctl", "minimize").threadpool_limits(1, user_api="blas")
    return limits


def _iteration(search: Search, run: Run, plan: Plan, theta: Array) -> None:
    """The record of an iteration that is done; raises StopIteration, by which scipy's search ends, to end it."""
    trainer = search.trainer
    place(theta, search.parameters)
    metrics = search.measures(theta) | plan.held_out_measures(trainer)
    now = time.perf_counter()
    record = EpochRecord(trainer.epoch + 1, now - search.since, metrics)
    search.since, search.at = now, theta
    trainer.history.records.append(record)
    run.epoch_ends(record)
    if run.stopping:
        raise StopIteration


class Search:
    """The cost and its gradient as a function of one vector of all parameters, float64: what scipy calls.

    at: the vector after the last whole iteration. since: when that was.
    """

    def __init__(self, trainer: Trainer, plan: Plan, precision: str) -> None:
        self.trainer = trainer
        self.arguments = [*plan.data, *([] if plan.weights is None else [plan.weights])]
        self.parameters = list(trainer.objective.parameters)
        self.evaluation = evaluation(trainer.objective, weighted=plan.weights is not None, precision=precision)
        self.start()

    def start(self) -> None:
        """Begin at the parameters as they are."""
        self.at = packed(self.parameters)
        self.tried: tuple[Array, dict[str, float]] | None = None  # what was tried last, and its measures
        self.since = time.perf_counter()

    def __call__(self, theta: Array) -> tuple[float, Array]:
        gradient, cost, *measured = self.evaluation(theta, *self.arguments)
        measures = self.trainer.report(joined(measured), self.trainer.names)
        if self.trainer.objective.penalty is not None:
            measures["cost"] = float(cost)
        self.tried = theta.copy(), measures
        return float(cost), gradient

    def measures(self, theta: Array) -> dict[str, float]:
        """What is measured there, kept from the search if that was what it tried last."""
        if self.tried is None or not np.array_equal(self.tried[0], theta):
            self(theta)
        assert self.tried is not None  # the call above has set it
        return dict(self.tried[1])


def evaluation(objective: Objective, weighted: bool = False, precision: str | None = None) -> Function:
    """(vector of all parameters float64[P], data..., weights) -> gradient float64[P], cost, measures: one function.

    The parameters are views of the vector; nothing is copied but for their dtype.
    """
    theta = T.dvector("parameters")
    weights: Expr | None = T.tensor("sample_weight", dtype="float64", shape=(None,)) if weighted else None
    if weighted and not objective.losses.ndim:
        raise ConfigError("minimize: weights need a loss of one number an example; this one is a scalar")
    gradients = objective.gradients(weights)
    flat = [g.astype("float64").reshape((-1,)) for g in gradients]
    results = [T.concatenate(flat) if len(flat) > 1 else flat[0], _cost(objective, weights)]
    results += [
        one.astype("float64") for name, m in objective.measures.items() for one in means(m, objective.finish.get(name))
    ]
    instead: dict[Expr, Expr] = {}
    begin: Any = 0
    for p in objective.parameters:
        end = begin + math.prod(p.shape)  # expressions where axes are open, so that one function serves all sizes
        instead[p] = theta[begin:end].reshape(p.shape).astype(p.dtype)
        begin = end
    inputs = [theta, *objective.inputs, *([] if weights is None else [weights])]
    return function(
        inputs,
        graph_replace(results, instead),
        name="evaluation",
        no_default_updates=True,
        on_unused_input="ignore",
        precision=precision,
    )


def _cost(objective: Objective, weights: Expr | None) -> Expr:
    """The cost in float64: the differences that a line search sees are far below the cost."""
    losses = objective.losses.astype("float64")
    if weights is not None:
        losses = losses * weights
    mean = losses.mean() if losses.ndim else losses
    return mean if objective.penalty is None else mean + objective.penalty.astype("float64")


def packed(parameters: Sequence[SharedVariable]) -> Array:
    """All parameters one after another: float64[P]."""
    return np.concatenate([p.get_value(borrow=True).ravel() for p in parameters], dtype=np.float64)


def place(theta: Array, parameters: Sequence[SharedVariable]) -> None:
    """Set the parameters to the parts of a vector."""
    begin = 0
    for p in parameters:
        old = p.get_value(borrow=True)
        p.set_value(theta[begin : begin + old.size].reshape(old.shape).astype(old.dtype))
        begin += old.size
