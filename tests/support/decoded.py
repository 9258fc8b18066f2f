"""What a provider was sent, whatever form it has."""

import base64
import email
import json
from collections.abc import Iterator
from email import policy
from itertools import chain
from urllib.parse import parse_qsl


def everything_in(body: bytes) -> str:
    """Return the texts in a request's body: of a form, of JSON, of the MIME message in it."""
    try:
        texts = [*_strings(json.loads(body))]
    except ValueError:
        texts = [value for _, value in parse_qsl(body.decode(), keep_blank_values=True)]
    return "\n".join(chain(texts, *map(_texts_of_mime, texts)))


def _strings(document: object) -> Iterator[str]:
    match document:
        case str():
            yield document
        case list():
            yield from chain.from_iterable(map(_strings, document))
        case dict():
            yield from chain.from_iterable(map(_strings, document.values()))


def _texts_of_mime(text: str) -> Iterator[str]:
    try:
        message = email.message_from_bytes(
            base64.b64decode(text, validate=True), policy=policy.default
        )
    except ValueError:
        return
    yield from map(str, message.values())
    for part in message.walk():
        if part.get_content_maintype() == "text":
            yield part.get_content()
