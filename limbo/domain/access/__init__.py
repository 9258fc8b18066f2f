"""Who may do what: API keys, the addresses they may send from, and how often."""
