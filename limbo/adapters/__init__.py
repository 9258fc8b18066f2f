"""One room a technology; none knows another."""
