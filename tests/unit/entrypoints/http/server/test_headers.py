import pytest

from limbo.entrypoints.http.server.headers import header, wants_problem_json, wants_representation


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("application/*", False),
        ("application/json", False),
        ("application/problem+json", True),
        ("Application/Problem+JSON", True),
        ("application/problem+json, application/json", True),
        ("application/json, application/problem+json", True),
        ("application/problem+json;q=0.5, application/json", False),
        ("application/problem+json; q=0.5 , application/json;q=0.4", True),
        ("application/problem+json;charset=utf-8;q=1.0", True),
        ("application/problem+json;q=0", False),
        ("application/problem+json;q=0.000, */*", False),
        ("application/problem+json;q=nonsense", True),
        (";;;,,,=q", False),
    ],
)
def test_rfc_9457_is_given_to_those_who_name_it(accept, wanted):
    assert wants_problem_json(accept) is wanted


@pytest.mark.parametrize(
    ("prefer", "wanted"),
    [
        ("", False),
        ("return=minimal", False),
        ("return=representation", True),
        ('Return = "representation"', True),
        ("respond-async, return=representation; foo=bar", True),
        ("return=minimal, return=representation", False),  # RFC 7240: the first counts
        ("representation", False),
        ("return=representations", False),
    ],
)
def test_a_mail_is_shown_to_those_who_prefer_it(prefer, wanted):
    assert wants_representation(prefer) is wanted


def test_a_repeated_header_is_one_list():
    scope = {"headers": [(b"accept", b"a/b"), (b"host", b"x"), (b"accept", b"c/d")]}
    assert header(scope, b"accept") == b"a/b, c/d"
    assert header(scope, b"prefer") == b""
