"""What a call costs, step by step, and what the machine code of each step says."""
