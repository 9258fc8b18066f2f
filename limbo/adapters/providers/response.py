"""What goes into an HTTP exchange with a provider, and what comes of it."""

from dataclasses import dataclass

import orjson

from limbo.domain.errors import LimboError

Part = str | tuple[str, bytes, str]
"""A text, or a file: its name, content and media type."""


class NotSent(LimboError):  # noqa: N818 - what happened, read in sentences
    """The request was not written in full, so the server cannot have acted on it."""


class ResponseLost(LimboError):  # noqa: N818 - what happened, read in sentences
    """The request was written in full, but no complete answer came. The server may have acted.

    This also happens if a server closes an idle connection just when it is used again. Then nothing
    tells whether the server has read the request.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderResponse:
    """The server's answer. ``body`` is cut at 64 KiB."""

    status: int
    phrase: str
    retry_after: str
    body: bytes

    def json_object(self) -> dict[str, object]:
        """Return the JSON object in the body, or an empty one if the body is something else."""
        try:
            document = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return document if isinstance(document, dict) else {}
