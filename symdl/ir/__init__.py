"""What is executed, on any machine: Loop IR, the Program around it, and the passes from Program to Program."""
