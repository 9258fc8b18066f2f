"""What the breakers of a worker on this machine are, for ``limbo check``."""

import re

_SECONDS = 3.0
_SAMPLE = re.compile(r'^limbo_breaker_state\{sender="([^"]+)"\} ([012])', re.MULTILINE)
_STATES = {"0": "closed", "1": "half open", "2": "open"}


def breakers_of(host: str, port: int) -> str:
    """Return the breakers of the worker that listens there, or that none does, as one line."""
    import http.client

    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(address, port, timeout=_SECONDS)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException, UnicodeDecodeError):
        return f"no worker answers on port {port}; each worker's /metrics has its own"
    finally:
        connection.close()
    found = [f"{sender} {_STATES[state]}" for sender, state in _SAMPLE.findall(text)]
    return ", ".join(found) or f"what answers on port {port} shows none"
