"""The eighth batch: the open families spelt in other ways, rows of them, and formulas of public suites not met before."""
