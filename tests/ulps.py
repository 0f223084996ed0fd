"""How far a computed array lies from the exact one, in units of the last place."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np


def distance(got: Any, exact: Any) -> Any:
    """|got - exact| per element in ulp of the exact value; inf where only one is finite, or NaN against a number.

    Below the smallest normal number everything counts as 0, so that flushed subnormals are no error; beyond the
    largest, infinity is right.
    """
    got = np.asarray(got)
    limits = np.finfo(got.dtype)
    out = np.zeros(got.shape)
    for at in np.ndindex(got.shape):
        out[at] = _one(got[at], exact[at] if np.ndim(exact) else np.asarray(exact).item(), limits)
    return out


def _one(got: Any, exact: Any, limits: Any) -> float:
    if not isinstance(exact, mpmath.mpf):  # which mpf() would round to the precision of the moment
        exact = mpmath.mpf(exact)
    if mpmath.isnan(exact) or np.isnan(got):
        return 0.0 if mpmath.isnan(exact) and np.isnan(got) else np.inf
    if abs(exact) > float(limits.max):
        exact = mpmath.sign(exact) * mpmath.inf
    if mpmath.isinf(exact) or np.isinf(got):
        return 0.0 if exact == mpmath.mpf(float(got)) else np.inf
    unit = max(float(np.spacing(got.dtype.type(abs(float(exact))))), float(limits.smallest_normal) * float(limits.eps))
    if abs(exact) < float(limits.smallest_normal):
        unit = float(limits.smallest_normal)
    return float(abs(mpmath.mpf(float(got)) - exact) / unit)
