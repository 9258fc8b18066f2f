"""``limbo forget``."""
