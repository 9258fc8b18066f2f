"""The command ``limbo keys``."""
