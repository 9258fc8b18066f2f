"""What limbo stores in plain files."""
