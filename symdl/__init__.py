"""symdl: symbolic expressions, differentiated, made numerically right, and compiled to native code."""

import importlib.util

if importlib.util.find_spec("symdl.backends") is None:
    raise ImportError(
        "symdl/backends should be a link to ../backends. Git on Windows makes a text file of it unless core.symlinks is "
        "set, and an sdist leaves it out. `pip install -e .` works without it; "
        "`git config core.symlinks true`, then `git checkout -- symdl/backends` brings it back."
    )

from importlib import import_module
from typing import TYPE_CHECKING, Any

from symdl.pipeline.collector import collector_paused, grown_up

with collector_paused():  # a hundred searches among modules that stay
    import symdl.pipeline.provenance  # first: it takes files that are edited from here on for others than those that run
    import symdl.tensor  # noqa: F401  # so that `import symdl` alone gives symdl.tensor
    from symdl.config import config
    from symdl.control import foldl, foldr, ifelse, map, reduce, scan, scan_checkpoints, until
    from symdl.derivatives.gradient import grad
    from symdl.extending import OpFromGraph, as_op, elementwise
    from symdl.functions import Function, function
    from symdl.graph.expr import Expr
    from symdl.ops.facts import assume
    from symdl.ops.own import custom_gradient
    from symdl.passes.replacing import clone, graph_replace
    from symdl.random import RandomStream
    from symdl.runtime.inputs import In, Out
    from symdl.runtime.storage import SharedVariable, shared

    grown_up()  # before the collector looks again

# What shows and checks is loaded when its first name is asked for: few programs do. What compiles is needed by all of
# them, whose first function would wait for it.
if TYPE_CHECKING:
    from symdl.diagnosis.nan_guard import NanGuard, NanGuardMode
    from symdl.diagnosis.stability import stability_report
    from symdl.diagnosis.stability_tables import StabilityReport
    from symdl.display.pictures import dot, picture, pydotprint
    from symdl.display.printing import debugprint, pp, pprint
    from symdl.gradient_check import verify_grad
    from symdl.interop.sympy import from_sympy, to_sympy
    from symdl.notation.latex import latex
else:
    _LATER = {
        "symdl.gradient_check": ("verify_grad",),
        "symdl.interop.sympy": ("from_sympy", "to_sympy"),
        "symdl.notation.latex": ("latex",),
        "symdl.diagnosis.nan_guard": ("NanGuard", "NanGuardMode"),
        "symdl.display.pictures": ("dot", "picture", "pydotprint"),
        "symdl.display.printing": ("debugprint", "pp", "pprint"),
        "symdl.diagnosis.stability": ("stability_report",),
        "symdl.diagnosis.stability_tables": ("StabilityReport",),
    }

    def __getattr__(name: str) -> Any:
        """A name whose module is loaded now; from here on it is found like any other."""
        for module, names in _LATER.items():
            if name in names:
                globals()[name] = value = getattr(import_module(module), name)
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__version__ = "0.1.0"
__all__ = [
    "Expr", "Function", "In", "NanGuard", "NanGuardMode", "OpFromGraph", "Out", "RandomStream", "SharedVariable",
    "StabilityReport", "as_op", "assume", "clone", "config", "custom_gradient", "debugprint", "dot", "elementwise",
    "foldl", "foldr", "from_sympy", "function", "grad", "graph_replace", "ifelse", "latex", "map", "picture", "pp", "pprint",
    "pydotprint", "reduce", "scan", "scan_checkpoints", "shared", "stability_report", "to_sympy", "until", "verify_grad",
]  # fmt: skip
