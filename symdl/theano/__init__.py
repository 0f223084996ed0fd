"""symdl under Theano's names, for programs written for it: `import symdl.theano as theano`, or without a change
`python -m symdl.theano script.py`.

Every name is one of symdl's, or a few lines over it (`tree` lists all of them). What differs from Theano is in docs/theano.md.
"""

import sys
from typing import Any

from symdl.theano.tree import TOP, alias, grow
from symdl.theano.variables import put_on

put_on()
globals().update(TOP)
globals().update(
    {name: module for name, module in grow().items() if "." not in name and name not in ("ifelse", "version")}
)
ifelse: Any = sys.modules[f"{__name__}.ifelse"]  # the module, though the function has its name, as in Theano
theano = sys.modules[__name__]  # `from theano import theano` works in Theano

__all__ = ["alias"]
