"""What limbo knows about mails, providers and blame. It does no I/O and reads no clock."""
