"""Leases as a worker gives them back."""

from dataclasses import replace

from limbo.ports.queue import Lease


def touched(lease: Lease, *, possible_duplicate: bool) -> Lease:
    """Return the lease to release after a touch that failed."""
    return replace(
        lease,
        touches=lease.touches + 1,
        possible_duplicate=lease.possible_duplicate or possible_duplicate,
    )
