"""Expressions as values: typed, interned nodes, NumPy's face of them, and graphs closed over their leaves."""
