"""Models, by the names that Keras has for them: `from symdl.nn import models`."""

from symdl.nn.loading import load_model
from symdl.nn.model import Model
from symdl.nn.sequential import Sequential

__all__ = ["Model", "Sequential", "load_model"]
