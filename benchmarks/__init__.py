"""Measurements, each a program that prints its figures: see the first lines of each."""
