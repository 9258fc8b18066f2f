"""What limbo can be told, by variables of the environment."""
