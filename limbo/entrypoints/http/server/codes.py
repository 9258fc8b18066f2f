"""The codes of all errors: what a program reads instead of the text, which may change."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self


class Code(StrEnum):
    """What went wrong, and what each means. A code keeps its meaning; later versions may add some.

    The first of a status stands for whatever has no code of its own.
    """

    status: int
    meaning: str

    def __new__(cls, value: str, status: int, meaning: str) -> Self:
        """Give the code its status and its meaning."""
        code = str.__new__(cls, value)
        code._value_ = value
        code.status = status
        code.meaning = meaning
        return code

    BAD_REQUEST = "bad_request", 400, "the request is not HTTP, or its query not UTF-8"
    INVALID_MAIL = "invalid_mail", 400, "the mail breaks rules; `errors` points at each field"
    NOT_JSON = "not_json", 400, "the body is no JSON object"
    INVALID_BODY = "invalid_body", 400, "the body does not say what is to be done"
    INVALID_PARAMETER = "invalid_parameter", 400, "a parameter of the query is unknown or wrong"
    UNKNOWN_POSITION = "unknown_position", 400, "nothing in the list has the id `after`"
    INVALID_IDEMPOTENCY_KEY = "invalid_idempotency_key", 400, "the header cannot be a key"
    UNAUTHORIZED = "unauthorized", 401, "there is no API key, or it cannot be read"
    UNKNOWN_API_KEY = "unknown_api_key", 401, "the API key is not known"
    REVOKED_API_KEY = "revoked_api_key", 401, "the API key has been revoked"
    EXPIRED_API_KEY = "expired_api_key", 401, "the API key has expired"
    FORBIDDEN = "forbidden", 403, "the request may not be made so"
    SCOPE_MISSING = "scope_missing", 403, "the API key lacks the scope"
    FROM_NOT_ALLOWED = "from_not_allowed", 403, "the API key may not send from that address"
    NETWORK_NOT_ALLOWED = (
        "network_not_allowed",
        403,
        "the API key may not be used from this address",
    )
    FOREIGN_PAGE = "foreign_page", 403, "a page of another site may change nothing here"
    NOT_FOUND = "not_found", 404, "there is no such path"
    MAIL_NOT_FOUND = "mail_not_found", 404, "no mail of yours has that id"
    DEAD_LETTER_NOT_FOUND = "dead_letter_not_found", 404, "no dead letter has such an id or cause"
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, "the path does not know the method"
    REQUEST_TIMEOUT = "request_timeout", 408, "the request took too long to arrive"
    CONFLICT = "conflict", 409, "something else stands in the way"
    TOO_LATE = "too_late", 409, "the mail is being sent, or is settled"
    SUBMISSION_UNDER_WAY = (
        "submission_under_way",
        409,
        "the first submission under this Idempotency-Key is not answered yet",
    )
    BODY_TOO_LARGE = "body_too_large", 413, "the body is larger than limbo takes"
    MAIL_TOO_LARGE = "mail_too_large", 413, "the mail is larger than the queue takes"
    BODY_COMPRESSED = "body_compressed", 415, "the body has a Content-Encoding"
    WRONG_HOST = "wrong_host", 421, "limbo does not answer for the name in `Host`"
    IDEMPOTENCY_KEY_REUSED = (
        "idempotency_key_reused",
        422,
        "another mail was submitted under this Idempotency-Key",
    )
    RATE_LIMITED = "rate_limited", 429, "more requests than the API key may make"
    TOO_MUCH_UNDER_WAY = (
        "too_much_under_way",
        429,
        "the client, or its address, sends too many bytes at once",
    )
    HEAD_TOO_LARGE = "head_too_large", 431, "the request's head is larger than limbo takes"
    INTERNAL_ERROR = "internal_error", 500, "limbo failed; its log says why"
    NOT_KEPT_HERE = "not_kept_here", 501, "this limbo keeps nothing that could answer"
    NO_IDEMPOTENCY = "no_idempotency", 501, "nothing here would recognise an Idempotency-Key"
    UNAVAILABLE = "unavailable", 503, "nothing was kept or changed; try again later"
    OUTCOME_UNKNOWN = "outcome_unknown", 504, "it may have been done, or be done yet"


CODES: Mapping[int, Code] = {code.status: code for code in reversed(Code)}
"""The code of each status that stands for what has no code of its own."""
