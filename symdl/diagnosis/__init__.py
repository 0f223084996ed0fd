"""What rounding did to a graph, and where a NaN came from: graphs beside their exact shadows."""
