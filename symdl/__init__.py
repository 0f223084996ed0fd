"""symdl: symbolic expressions, differentiated, made numerically right, and compiled to native code."""

import importlib.util

if importlib.util.find_spec("symdl.backends") is None:
    raise ImportError(
        "symdl/backends should be a link to ../backends. Git on Windows makes a text file of it unless core.symlinks is "
        "set, and an sdist leaves it out. `pip install -e .` works without it; "
        "`git config core.symlinks true`, then `git checkout -- symdl/backends` brings it back."
    )

from symdl.config import config
from symdl.expr import Expr
from symdl.functions import Function, function
from symdl.gradient import grad
from symdl.inputs import In, Out
from symdl.pictures import dot, picture, pydotprint
from symdl.printing import debugprint, pp, pprint
from symdl.random import RandomStream
from symdl.storage import SharedVariable, shared

__version__ = "0.1.0"
__all__ = [
    "Expr", "Function", "In", "Out", "RandomStream", "SharedVariable", "config", "debugprint", "dot", "function",
    "grad", "picture", "pp", "pprint", "pydotprint", "shared",
]  # fmt: skip
