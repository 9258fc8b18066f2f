"""limbo: a mail gateway you host yourself."""

__version__ = "0.1.0"
