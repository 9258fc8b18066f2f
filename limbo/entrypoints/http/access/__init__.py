"""Authentication: which client makes a request, and whether it may."""
