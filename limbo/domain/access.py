"""API keys: who may do what, and send as whom."""
