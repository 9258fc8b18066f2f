"""How a mail gets delivered: faults, breakers, the touch, and the states of a mail."""
