"""Formulas as textbooks print them, each with points at which floats lose them: what symdl was scored on at first sight.

Every formula is public knowledge. `m` is a namespace of functions, SYMBOLS or, for the truth, REALS; leaves are
vectors over the points, or matrices of which rows are summed. A batch is what was scored on one day.
"""

from own_cases import fpbench, fpbench_steps, growth, herbie, learning, physics, statistics, textbooks, thin_families
from own_cases.batch7 import branches, identities, increments, losses, programs, sciences, tables, tails
from own_cases.batch8 import families, spellings, wanting
from own_cases.batch9 import analysis, applied, far
from own_cases.batch10 import families as families_again
from own_cases.batch10 import sciences as sciences_again
from own_cases.batch11 import families as families_composed
from own_cases.batch11 import sciences as sciences_engineered
from own_cases.batch11 import wanting as wanting_again
from own_cases.batch12 import composed, kernels, objectives
from own_cases.batch12 import sciences as sciences_far
from own_cases.batch13 import increments as increments_beside
from own_cases.batch13 import logits, scales
from own_cases.batch14 import chances, methods, nature
from own_cases.batch14 import wanting as wanting_beside
from own_cases.batch15 import handbooks, models, numerics
from own_cases.batch15 import wanting as wanting_stepped
from own_cases.case import CASES, Case
from own_cases.symbols import SYMBOLS
from own_cases.truth import truth

__all__ = [
    "CASES",
    "SYMBOLS",
    "Case",
    "analysis",
    "applied",
    "branches",
    "chances",
    "composed",
    "families",
    "families_again",
    "families_composed",
    "far",
    "fpbench",
    "fpbench_steps",
    "growth",
    "handbooks",
    "herbie",
    "identities",
    "increments",
    "increments_beside",
    "kernels",
    "learning",
    "logits",
    "losses",
    "methods",
    "models",
    "nature",
    "numerics",
    "objectives",
    "physics",
    "programs",
    "scales",
    "sciences",
    "sciences_again",
    "sciences_engineered",
    "sciences_far",
    "spellings",
    "statistics",
    "tables",
    "tails",
    "textbooks",
    "thin_families",
    "truth",
    "wanting",
    "wanting_again",
    "wanting_beside",
    "wanting_stepped",
]
