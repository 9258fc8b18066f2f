"""What limbo knows about mails, providers and blame; no I/O and no clock of its own."""
