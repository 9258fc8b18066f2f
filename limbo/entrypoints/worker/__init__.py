"""The worker: it receives, dispatches and settles mails."""
