"""Who may do what: API keys, what they may send from, and how often."""
