"""``POST /v1/mail``."""
