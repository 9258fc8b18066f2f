"""How a mail gets out: whose fault a failure is, breakers, the touch, a mail's life."""
