"""``limbo dead-letters``."""
