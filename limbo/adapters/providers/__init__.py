"""The providers that take mails, one folder each, and what they share."""
