"""The settings of limbo, read from variables of the environment."""
