import pytest

from limbo.domain.delivery.lifecycle import Status
from limbo.entrypoints.http.api.parameters import parse_query
from limbo.entrypoints.http.server.problems import HttpRefusal
from tests.support.http_app import HttpApp


class OneArchive:
    """Has every id and lists nothing; it remembers what it was asked for."""

    def __init__(self):
        self.queries = []

    def find(self, id_, _):
        return id_

    def page(self, query):
        self.queries.append(query)
        return []


def ask(query):
    ledger_reader = OneArchive()
    http = HttpApp(ledger_reader=ledger_reader)
    reply = http.ask("GET", f"/v1/mail{query}")
    return reply, ledger_reader.queries


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", {"limit": 21, "status": None, "to": None, "since": None, "after": None}),
        ("?", {"limit": 21}),
        ("?limit=1", {"limit": 2}),
        ("?limit=100", {"limit": 101}),
        ("?limit=007", {"limit": 8}),
        ("?status=dead", {"status": Status.DEAD}),
        ("?to=bob@example.org", {"to": "bob@example.org"}),
        ("?to=Bob+%3Cbob@EXAMPLE.org%3E", {"to": "bob@example.org"}),
        ("?to=bob@b%C3%BCcher.example", {"to": "bob@xn--bcher-kva.example"}),
        ("?since=0", {"since": 0.0}),
        ("?since=1700000000.25", {"since": 1_700_000_000.25}),
        ("?since=1.7e9", {"since": 1_700_000_000.0}),
        ("?since=2023-11-14T22:13:20Z", {"since": 1_700_000_000.0}),
        ("?since=2023-11-14t22:13:20.25z", {"since": 1_700_000_000.25}),
        ("?since=2023-11-15T00:13:20%2B02:00", {"since": 1_700_000_000.0}),
        ("?since=2023-11-15T00:13:20+02:00", {"since": 1_700_000_000.0}),
        ("?since=2016-12-31T23:59:60Z", {"since": 1_483_228_800.0}),
        ("?since=2023-11-14T22:13:20." + "1" * 2000 + "Z", {}),
        ("?since=0001-01-01T00:00:00-23:59", {}),
        ("?since=9999-12-31T23:59:60-23:59", {}),
        ("?after=018bcfe5-68fa-7000-8000-00000000002a", {}),
        ("?after=x", {"after": "x"}),
        (
            "?after=018BCFE5-68FA-7000-8000-00000000002A",
            {"after": "018bcfe5-68fa-7000-8000-00000000002a"},
        ),
    ],
)
def test_the_list_is_asked_for_what_the_query_says(query, wanted):
    reply, (asked,) = ask(query)
    assert reply.status_code == 200
    assert {name: getattr(asked, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("limit=0", "limit: must be a whole number from 1 to 100"),
        ("limit=101", "limit: must be a whole number from 1 to 100"),
        ("limit=-1", "limit: must be a whole number from 1 to 100"),
        ("limit=1.0", "limit: must be a whole number from 1 to 100"),
        ("limit=", "limit: must be a whole number from 1 to 100"),
        ("limit", "limit: must be a whole number from 1 to 100"),
        ("limit=%D9%A1", "limit: must be a whole number from 1 to 100"),  # Arabic for 1
        ("limit=" + "9" * 3000, "limit: must be a whole number from 1 to 100"),
        ("limit=1&limit=1", "limit: given twice"),
        (
            "Limit=1",
            "Limit: unknown parameter; known are client, key, status, to, since, limit, after",
        ),
        (
            "a%40b.example=1",
            "…: unknown parameter; known are client, key, status, to, since, limit, after",
        ),
        ("=1", "…: unknown parameter; known are client, key, status, to, since, limit, after"),
        ("status=", "status: must be one of "),
        ("status=Sent", "status: must be one of "),
        ("to=", "to: "),
        ("to=bob", "to: "),
        ("to=a@b.example,c@d.example", "to: more than one address"),
        ("to=a%00@b.example", "to: "),
        ("to=%ED%A0%80@b.example", "the query is not UTF-8"),
        ("since=", "since: must be a time such as"),
        ("since=-1", "since: must be a time such as"),
        ("since=nan", "since: must be a time such as"),
        ("since=1e400", "since: must be a time such as"),
        ("since=1e999", "since: must be a time such as"),
        ("since=253402300800", "since: must be a time such as"),
        ("since=2023-11-14", "since: must be a time such as"),
        ("since=2023-11-14T22:13:20", "since: must be a time such as"),
        ("since=2023-02-30T22:13:20Z", "since: must be a time such as"),
        ("since=2023-11-14T24:13:20Z", "since: must be a time such as"),
        ("since=2023-11-14T22:13:61Z", "since: must be a time such as"),
        ("since=2023-11-14T22:13:20%2B99:00", "since: must be a time such as"),
        ("since=0000-01-01T00:00:00Z", "since: must be a time such as"),
        ("after=", "after: must be an id"),
        ("after=%00", "after: must be an id"),
        ("after=" + "a" * 65, "after: must be an id"),
        ("after=x%0A", "after: must be an id"),
        ("a=" + "x" * 4095, "the query is longer than 4096 bytes"),
        ("&" * 5000, "the query is longer than 4096 bytes"),
        ("limit=%ff", "the query is not UTF-8"),
        ("%ff=1", "the query is not UTF-8"),
        ("limit=%zz", "limit: must be a whole number from 1 to 100"),
        ("limit=1;status=sent", "limit: must be a whole number from 1 to 100"),
    ],
)
def test_what_is_not_understood_is_400_and_names_the_parameter(query, problem):
    reply, queries = ask(f"?{query}")
    assert reply.status_code == 400
    assert reply.json()["Message"] == "not done"
    assert reply.json()["Problem"].startswith(problem)
    assert len(reply.content) < 300
    assert queries == []


def test_bytes_that_are_no_text_are_400():
    with pytest.raises(HttpRefusal):
        parse_query(b"limit=\xff", ["limit"])


@pytest.mark.parametrize("wait", ["-1", "60.1", "61", "nan", "inf", "", "1e2", "1,5", "10s", " 1"])
def test_a_wait_that_is_no_time_is_400(wait):
    http = HttpApp(ledger_reader=OneArchive())
    path = f"/v1/mail/x?wait={wait.replace(' ', '%20')}"
    reply = http.ask("GET", path)
    assert reply.status_code == 400
    assert reply.json()["Problem"] == "wait: must be a number of seconds from 0 to 60"


@pytest.mark.parametrize("path", ["/v1/mail/x?limit=1", "/v1/dead-letters?wait=1", "/v1/mail/x?a"])
def test_each_operation_knows_its_own_parameters_alone(path):
    reply = HttpApp().ask("GET", path)
    assert reply.status_code == 400
    assert "unknown parameter" in reply.json()["Problem"]


@pytest.mark.parametrize("path", ["/", "/health", "/livez", "/readyz", "/metrics", "/openapi.json"])
def test_the_probes_do_not_look_at_a_query(path):
    http = HttpApp(probe_seconds=30)
    assert http.ask("GET", f"{path}?a=%ff&limit=x").status_code == 200
