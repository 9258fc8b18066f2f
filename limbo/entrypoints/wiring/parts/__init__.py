"""The containers of the backends; each is imported when a process uses the backend."""
