"""The providers, one folder each, and the code they share."""
