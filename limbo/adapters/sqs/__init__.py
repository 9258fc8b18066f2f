"""The queue and its dead letters on Amazon SQS."""
