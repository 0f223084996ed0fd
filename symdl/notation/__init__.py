"""Expressions as mathematics: one line of text, or LaTeX."""
