"""CONTRIBUTING.md tells the truth: what it shows can be pasted where it says, and the files it names exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def run(code: str) -> str:
    """In a process of its own: a declared op stays declared."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_op_compiles_with_its_gradient() -> None:
    code = (
        "import numpy as np, symdl, symdl.tensor as T\nfrom symdl.ops.functions import *\n"
        "from symdl.ops.functions import Expr, elementwise, exp\n" + BLOCKS[0] + "x = T.dvector('x')\n"
        "f = symdl.function([x], [bell(x), symdl.grad(bell(x).sum(), x)])\n"
        "for row in f(np.array([0.25, 0.5])): print(np.round(row, 6).tolist())"
    )
    assert run(code) == "[0.939413, 0.778801]\n[-0.469707, -0.778801]\n"


def test_the_rule_is_one() -> None:
    code = (
        "from symdl.graph.expr import wildcard\nfrom symdl.passes.rewrite import Rule, match\nimport symdl.tensor as T\n"
        f"x = wildcard('x')\nrule = {BLOCKS[1]}\nv = T.dvector('v')\nprint(match(rule.pattern, -(-v))[x] is v)"
    )
    assert run(code) == "True\n"


def test_its_files_exist() -> None:
    named = set(re.findall(r"`((?:symdl|backends|tests)/[\w./]+)`", TEXT))
    assert len(named) >= 10
    assert [n for n in sorted(named) if not (ROOT / n).exists()] == []
