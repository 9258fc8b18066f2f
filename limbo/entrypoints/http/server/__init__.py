"""Bounded HTTP: requests, bodies, responses, problems; it knows no operation of limbo."""
