"""The matrix: every kind of work that people run, in symdl and its peers, from one formula each."""
