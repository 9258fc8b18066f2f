"""What an HTTP exchange with a provider comes to."""

from dataclasses import dataclass

import orjson

from limbo.domain.errors import LimboError


class NotSent(LimboError):  # noqa: N818 - what happened, read in sentences
    """The request was not written in full: the server cannot have acted on it."""


class ResponseLost(LimboError):  # noqa: N818 - what happened, read in sentences
    """The request was written in full and no whole answer came: the server may have acted on it.

    A server that closes an idle connection at the moment it is used again ends here too: what was
    written to it is either lost or not, and nothing tells which.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderResponse:
    """What the server said; ``body`` is cut at 64 KiB."""

    status: int
    phrase: str
    retry_after: str
    body: bytes

    def json_object(self) -> dict[str, object]:
        """Return the JSON object that the body is, or an empty one."""
        try:
            document = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return document if isinstance(document, dict) else {}
