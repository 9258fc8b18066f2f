"""What schemathesis cannot know: how an address looks."""

import schemathesis
from hypothesis import strategies as st

_ATOM = st.text("abcxyz0189", min_size=1, max_size=8)
_EMAIL = st.builds("{}@{}.example".format, _ATOM, _ATOM)
_NAMED = st.builds("{} <{}>".format, _ATOM, _EMAIL)

schemathesis.openapi.format("mailbox", _EMAIL | _NAMED)
