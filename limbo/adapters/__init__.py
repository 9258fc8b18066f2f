"""One file a dependency; adapters do not know each other."""
