"""Rules that make a graph cheaper and keep its numbers: simplification, folding of constants, matrix products."""
