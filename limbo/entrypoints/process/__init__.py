"""A process: its parts, its signals, its clock."""
