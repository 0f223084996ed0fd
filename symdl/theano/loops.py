"""scan and its relatives: symdl's, whose step takes the seeds of its draws once, however often it is called."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import symdl.control
from symdl.theano.streams import seeded_once


def _loop(made: Callable[..., Any]) -> Callable[..., Any]:
    """strict is dropped: to Theano it forbids shared values only, which symdl finds by themselves."""

    @wraps(made)
    def loop(fn: Callable[..., Any], *args: Any, **options: Any) -> Any:
        options.pop("strict", None)
        return made(seeded_once(fn), *args, **options)

    return loop


scan, map, reduce, foldl, foldr, scan_checkpoints = (  # Theano's names
    _loop(getattr(symdl.control, name)) for name in ("scan", "map", "reduce", "foldl", "foldr", "scan_checkpoints")
)
