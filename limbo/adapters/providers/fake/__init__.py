"""A provider that does what it is told."""
