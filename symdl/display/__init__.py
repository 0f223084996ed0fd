"""Graphs and functions shown: as trees of text and as pictures."""
