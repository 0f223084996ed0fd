"""How far an estimate of log Z by annealed importance sampling is to be trusted: its runs, and the estimate as they add up."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdl.errors import ShapeError
from symdl.plot.canvas import Array, Axes, canvas


def running_estimate(log_weights: Any) -> Array:
    """log of the mean of exp(log_weights) over the first 1, 2, ... runs: float64[runs].

    Raises ShapeError unless there is one number a run.
    """
    weights = np.asarray(log_weights, np.float64)
    if weights.ndim != 1 or not len(weights):
        raise ShapeError(f"ais: log weights of shape {list(weights.shape)} are not [runs]")
    found: Array = np.logaddexp.accumulate(weights) - np.log(np.arange(1, len(weights) + 1))
    return found


def ais(annealed: Any, exact: float | None = None, ax: Axes | None = None) -> Axes:
    """The log weight of each run as a dot, the estimate of log Z as runs add up as a line, its interval shaded.

    annealed: what `RBM.annealed` gives, or log weights [runs]. exact: log Z where it is known, dashed. A line that still
    climbs in steps, each at one heavy run, is not to be trusted.
    """
    log_weights = getattr(annealed, "log_weights", annealed)
    estimate = running_estimate(log_weights)
    ax = canvas(ax)
    runs = np.arange(1, len(estimate) + 1)
    ax.plot(runs, np.asarray(log_weights), ".", color="0.7", label="a run's log weight")
    ax.plot(runs, estimate, color="C0", label=f"estimate {estimate[-1]:.3f}")
    interval = getattr(annealed, "interval", None)
    if interval is not None and np.isfinite(interval).all():
        ax.axhspan(*interval, color="C0", alpha=0.15, label=f"{interval[0]:.3f} to {interval[1]:.3f}")
    if exact is not None:
        ax.axhline(exact, color="C3", linestyle="--", label=f"exact {exact:.3f}")
    ax.set_xlabel("runs")
    ax.set_ylabel("log Z, nats")
    ax.legend()
    return ax
