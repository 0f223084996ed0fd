"""Arrays in, arrays out: values of the user, shared variables, machines, turns, and the errors of a call."""
