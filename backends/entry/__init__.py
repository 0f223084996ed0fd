"""The native way into a compiled function: what a call looks at, converts and gives back, in machine code."""
