"""Puts the parts together: the only room that names adapters."""
