"""The worker: receives, dispatches, settles."""
