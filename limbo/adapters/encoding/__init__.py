"""How a mail, a cause and attempts are written as JSON."""
