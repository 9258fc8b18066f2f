"""A provider that follows a script and sends nothing."""
