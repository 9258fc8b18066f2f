"""Hypothesis strategies for the values of the domain."""

import string

from hypothesis import strategies as st

from limbo.domain.delivery.verdict import Accepted, Failed, Fault, Verdict
from limbo.domain.mail.address import Address
from limbo.domain.mail.mail import Mail, parse_mail
from limbo.domain.mail.text import header_problem

_ALNUM = string.ascii_lowercase + string.digits
_ATEXT = string.ascii_letters + string.digits + "!#$%&'*+-/=?^_`{|}~"

labels = st.from_regex(r"[a-z0-9](-?[a-z0-9]){0,20}", fullmatch=True)
domains = st.builds(
    lambda labels, tld: ".".join([*labels, tld]),
    st.lists(labels, min_size=1, max_size=3),
    st.from_regex(r"[a-z]{2,8}", fullmatch=True),
)
locals_ = st.lists(st.text(_ATEXT, min_size=1, max_size=10), min_size=1, max_size=3).map(".".join)
emails = st.builds("{}@{}".format, locals_, domains).filter(lambda email: "=?" not in email)
"""Addresses of every legal shape that limbo keeps as they are."""

safe_text = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=30).filter(
    lambda text: header_problem(text) is None
)
"""Text that may stand in a header: any character but control characters, no encoded word."""

names = safe_text.map(lambda text: " ".join(text.split()))
"""Names as ``parse_address`` leaves them: no blanks at the ends, one blank between words."""

addresses = st.builds(Address, emails, names)
bodies = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc"], include_characters="\t\n\r", max_codepoint=0xFFFD
    )
    | st.characters(exclude_categories=["Cs", "Cc"], min_codepoint=0x10000),
    min_size=1,
    max_size=60,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
"""Whatever a JSON parser may return, the lax ones included: NaN, lone surrogates, huge numbers."""


@st.composite
def documents(draw: st.DrawFn) -> dict[str, object]:
    """Draw what a client may post: a valid mail as a JSON object."""
    document: dict[str, object] = {
        "from": str(draw(addresses)),
        "to": _spelled(draw(st.lists(addresses, min_size=1, max_size=4))),
        "subject": draw(safe_text.filter(bool)),
        "message": draw(bodies),
    }
    for field in ("cc", "bcc"):
        if copies := draw(st.none() | st.lists(addresses, max_size=3)):
            document[field] = _spelled(copies)
    return document


@st.composite
def mails(draw: st.DrawFn) -> Mail:
    """Draw a valid mail."""
    return parse_mail(
        draw(documents()),
        id=draw(st.uuids().map(str)),
        submitted_at=draw(st.floats(0, 4e9)),
    )


accepted = st.builds(Accepted, st.text(_ALNUM, max_size=20))
retry_afters = st.none() | st.floats(0, 1e6)


def failed(*faults: Fault) -> st.SearchStrategy[Failed]:
    """Draw a failure with one of these faults, or with any."""
    return st.builds(
        Failed, st.sampled_from(faults or tuple(Fault)), st.text(max_size=20), retry_afters
    )


verdicts: st.SearchStrategy[Verdict] = accepted | failed()


def _spelled(addresses: list[Address]) -> object:
    """Return one address as a string, and any other number as a list."""
    return str(addresses[0]) if len(addresses) == 1 else [str(address) for address in addresses]
