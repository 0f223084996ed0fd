"""symdl: symbolic expressions, differentiated, made numerically right, and compiled to native code."""

from symdl.config import config
from symdl.expr import Expr
from symdl.functions import Function, function
from symdl.gradient import grad
from symdl.inputs import In, Out
from symdl.storage import SharedVariable, shared

__version__ = "0.1.0"
__all__ = ["Expr", "Function", "In", "Out", "SharedVariable", "config", "function", "grad", "shared"]
