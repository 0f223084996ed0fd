"""Sequential: layers one after another, as one writes them in Keras."""

from __future__ import annotations

from symdl.nn.chain import Chain


class Sequential(Chain):
    """Layers one after another; itself a layer."""

    kind = "sequential"
