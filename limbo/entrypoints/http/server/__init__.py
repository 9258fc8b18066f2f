"""HTTP within limits: requests, bodies, responses, problems; independent of the operations."""
