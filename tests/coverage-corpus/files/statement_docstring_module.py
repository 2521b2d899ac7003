"""What the module
is about."""
a = 1
