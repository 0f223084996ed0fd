"""Measurements, each a program that prints its figures: see the first lines of each.

What is timed is the code that stays: functions are optimized before they run first. Where first calls are measured
(`first_call`, `matrix.fresh`), they are what a user's are.
"""

import os

os.environ.setdefault("SYMDL_FLAGS", "optimizing=now")
