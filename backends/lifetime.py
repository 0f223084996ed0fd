"""What native memory is freed by: a token, at the moment when its last reference goes."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np


def when_freed(action: Callable[..., Any], *args: Any) -> object:
    """A token; action(*args) is called when it is freed, and kept reachable until then.

    For an object in a garbage cycle that is when the cycle has been broken. Its own `__del__` or weak references to it
    would act before, while a `__del__` of another object of the cycle may still call the code or use the memory. Arrays
    are what the garbage collector does not look at, though weak references may point at them.
    """
    token = np.empty(0)
    weakref.finalize(token, action, *args).atexit = False
    return token
