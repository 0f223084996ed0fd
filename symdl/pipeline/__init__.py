"""All stages in order, what they are digested to, and compiled code on disk."""
