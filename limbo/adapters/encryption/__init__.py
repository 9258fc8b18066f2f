"""Encryption of mails at rest; its library is not always installed."""
