"""What a provider was sent, whatever form it has."""

import base64
import email
import json
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from itertools import chain
from urllib.parse import parse_qsl


def everything_in(body: bytes) -> str:
    """Return the texts in a request's body: of a form of either kind, of JSON, of MIME in it."""
    if body.startswith(b"--"):
        return "\n".join(_texts_of_form(body))
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


def _texts_of_form(body: bytes) -> Iterator[str]:
    boundary = body.partition(b"\r\n")[0].removeprefix(b"--").decode()
    head = f'Content-Type: multipart/form-data; boundary="{boundary}"\r\n\r\n'.encode()
    for part in email.message_from_bytes(head + body, policy=policy.HTTP).iter_parts():
        if part.get_content_type() == "message/rfc822":
            yield from _texts_of_message(part.get_content())
        else:
            yield part.get_payload(decode=True).decode()


def _texts_of_mime(text: str) -> Iterator[str]:
    try:
        message = email.message_from_bytes(
            base64.b64decode(text, validate=True), policy=policy.default
        )
    except ValueError:
        return
    yield from _texts_of_message(message)


def _texts_of_message(message: EmailMessage) -> Iterator[str]:
    yield from map(str, message.values())
    for part in message.walk():
        if part.get_content_maintype() == "text":
            yield part.get_content()
