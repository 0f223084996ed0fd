"""The seventh batch: rows, borders, second derivatives, larger programs and the sciences' formulas."""
