"""The CPU: text to machine code, code in memory, and what this machine can do at most."""
