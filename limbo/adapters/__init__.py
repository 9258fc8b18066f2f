"""One package for each technology. None imports another."""
