"""What a list shows of a mail: the fields as the client wrote them.

The ledger has the columns ``sender``, ``recipients`` and ``subject`` for that, which do not tell
names, nor which recipients are copies. So ``shown`` has the fields as JSON if they say more than
these columns, and is empty if they do not. It is NULL in rows of an older limbo.
"""

from collections.abc import Mapping, Sequence

import orjson

from limbo.domain.mail.mail import Mail

_NAMES = frozenset({"from", "to", "cc", "bcc", "subject"})


def write_shown(mail: Mail, *, seals: bool = False) -> str:
    """Return the value of the column for a mail.

    Where bodies are sealed, it has neither names nor the subject.
    """
    if seals:
        sealed = {
            "from": mail.from_.email,
            **{
                name: [address.email for address in addresses]
                for name, addresses in (("to", mail.to), ("cc", mail.cc), ("bcc", mail.bcc))
            },
            "subject": "",
        }
        return orjson.dumps(sealed).decode()
    if not (mail.cc or mail.bcc or mail.from_.name or mail.version > 1):
        for address in mail.to:
            if address.name:
                break
        else:
            return ""
    return orjson.dumps(mail.fields.shown(mail)).decode()


def read_shown(
    shown: object, *, sender: str, recipients: Sequence[str], subject: str
) -> Mapping[str, object] | None:
    """Return the fields, or None if the row does not tell them."""
    if shown is None:
        return None
    if shown:
        return _fields(shown)
    return {"from": sender, "to": [*recipients], "cc": [], "bcc": [], "subject": subject}


def _fields(shown: object) -> Mapping[str, object] | None:
    """Read the JSON, unless another program has written something else into the column."""
    if not isinstance(shown, str):
        return None
    try:
        fields = orjson.loads(shown)
    except orjson.JSONDecodeError:
        return None
    return fields if isinstance(fields, dict) and fields.keys() >= _NAMES else None
