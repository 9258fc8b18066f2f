"""What each backend is built of: a container each, loaded when a process uses the backend."""
