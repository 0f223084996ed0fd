"""The bridge: from a graph of expressions to the steps of a Program."""
