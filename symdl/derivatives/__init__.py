"""Derivatives as graphs: of expressions, of loops and branches, and of vectors by vectors."""
