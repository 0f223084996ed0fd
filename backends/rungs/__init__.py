"""Loop IR to Loop IR: what a loop of number forms is tried with before it is computed in full, and how it is known when that is enough."""
