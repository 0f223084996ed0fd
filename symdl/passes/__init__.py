"""Graphs to equal graphs: rewriting, sizes, substitution, batching, work moved out of loops; and the oracle."""
