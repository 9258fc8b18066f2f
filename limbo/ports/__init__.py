"""What limbo needs from the outside world, as small Protocols."""
