"""The machines that run loops: what each primitive means, how it is emitted, and how code is compiled and called."""
