"""Where limbo meets the world: settings, wiring, HTTP, the worker and the command line."""
