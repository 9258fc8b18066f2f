"""The handlers of the operations."""
