"""What an operator sees of the dead letters, on a queue in memory."""

import json

import pytest

from limbo.domain.delivery.verdict import UNDECODABLE, Cause, Death, Fault
from limbo.domain.mail.address import Address
from limbo.ports.dead_letters import DeadLetter
from limbo.ports.queue import Undecodable
from tests.support.operator import KEY, KEY_SHOWN, REFUSED, Operator


@pytest.fixture
def operator() -> Operator:
    return Operator()


def test_one_line_tells_how_many_mails_died_of_one_key(operator):
    operator.bury(REFUSED)
    operator.bury(KEY, 412)
    assert operator.type("causes") == 0
    assert [line.split(maxsplit=4) for line in operator.out.splitlines()] == [
        ["MAILS", "CAUSE", "KIND", "SENDER", "REASON"],
        ["412", KEY.id, "account", "mailgun", "401 Forbidden"],
        ["1", REFUSED.id, "mail", "ses", "MessageRejected: virus"],
    ]
    assert operator.type("causes --json") == 0
    document = json.loads(operator.out)
    assert document["data"][0] == {"cause": KEY_SHOWN, "count": 412}
    assert document["has_more"] is False


def test_lists_in_pages_and_says_how_to_get_the_next(operator):
    buried = operator.bury(KEY, 5)
    shown = []
    line = "list --limit 2"
    while line:
        assert operator.type(line) == 0
        shown += [row.split()[1] for row in operator.out.splitlines()[1:]]
        line = operator.err.partition("limbo dead-letters ")[2]
    assert shown == buried[::-1]
    assert operator.type(f"list --after {operator.dead_letters.select()[0]}") == 0
    assert (operator.out, operator.err) == ("", "no more dead letters\n")


def test_lists_in_pages_as_json(operator):
    buried = operator.bury(KEY, 3)
    operator.type("list --json --limit 2")
    page = json.loads(operator.out)
    assert [letter["mail_id"] for letter in page["data"]] == buried[:0:-1]
    assert page["has_more"]
    operator.type(f"list --json --limit 2 --after {page['data'][-1]['id']}")
    last = json.loads(operator.out)
    assert [letter["mail_id"] for letter in last["data"]] == buried[:1]
    assert not last["has_more"]
    assert last["data"][0]["cause"] == KEY_SHOWN


@pytest.mark.parametrize(("width", "reason"), [(None, 300), (200, 200), (80, 24)])
def test_cuts_the_reason_to_the_terminal(operator, width, reason):
    operator.bury(Cause(kind=Fault.MAIL, sender="", reason="x" * 300))
    operator.type("list", width=width)
    for line in operator.out.splitlines():
        assert len(line.split()[-1]) <= reason
        assert width != 200 or len(line) <= 200
    assert ("…" in operator.out) == (width is not None)


@pytest.mark.parametrize("line", ["list", "list --json", "show {id}", "show {id} --json"])
def test_shows_no_address_subject_or_body_unasked(operator, line):
    operator.bury(KEY, subject="Confidential", message="the body", cc=(Address("c@example.net"),))
    [id_] = operator.dead_letters.select()
    assert operator.type(line.format(id=id_)) == 0
    for secret in ("@example", "Confidential", "the body"):
        assert secret not in operator.out + operator.err


@pytest.mark.parametrize("json_", ["", "--json"])
def test_shows_the_whole_mail_when_asked(operator, json_):
    [mail_id] = operator.bury(
        KEY, subject="Confidential", message="the\nbody", bcc=(Address("c@example.net"),)
    )
    assert operator.type(f"show {mail_id} --mail {json_}") == 0
    body = '"the\\nbody"' if json_ else "the\nbody"
    for part in ("shop@example.org", "a@example.com", "c@example.net", "Confidential", body):
        assert part in operator.out


def test_shows_all_that_is_known_of_one(operator):
    [mail_id] = operator.bury(KEY)
    [letter] = operator.dead_letters.list(1)
    assert operator.type(f"show {mail_id}") == 0
    for part in (letter.id, mail_id, KEY.id, "account", "mailgun", "401 Forbidden"):
        assert part in operator.out
    assert "ses 0.2 s rate: Throttling (retry after 30 s)" in operator.out
    assert "ses 1.0 s outage: reset\n" in operator.out
    assert "? smtp 1.0 s accepted <1@x>" in operator.out
    assert operator.type(f"show {letter.id} --json") == 0
    document = json.loads(operator.out)
    assert document["attempts"] == [
        {
            "sender": "ses",
            "started_at": "2001-09-09T01:46:40.000Z",
            "duration_ms": 250,
            "outcome": "rate",
            "reason": "Throttling",
        },
        {
            "sender": "ses",
            "started_at": "2001-09-09T01:46:40.000Z",
            "duration_ms": 1000,
            "outcome": "outage",
            "reason": "reset",
        },
        {
            "sender": "smtp",
            "started_at": None,
            "duration_ms": 1000,
            "outcome": "accepted",
            "provider_id": "<1@x>",
        },
    ]
    assert not document["possible_duplicate"]
    assert "mail" not in document


@pytest.mark.parametrize("json_", ["", "--json"])
def test_shows_why_a_body_is_no_mail(operator, json_):
    operator.queue.put([Undecodable("broken", "not JSON")])
    operator.queue.bury(
        operator.queue.receive(1, 0)[0], Death(cause=Cause(kind=UNDECODABLE, reason="not JSON"))
    )
    assert operator.type(f"show broken --mail {json_}") == 0
    assert "not JSON" in operator.out


def test_no_terminal_obeys_what_a_dead_letter_says(operator):
    letter = DeadLetter(
        id="\x1b[2J",
        mail_id="\x9b1m\n",
        mail=Undecodable("\x9b1m\n", "\x1b[31m"),
        cause=Cause(kind="\x1b]0;a\x07", sender="\x08", reason="\x1b[31m\r\n\u202ered"),
        attempts=(),
        buried_at=float("nan"),
    )

    class OneLetter:
        list = staticmethod(lambda *_: [letter])
        show = staticmethod(lambda _: letter)
        causes = staticmethod(lambda _: [(letter.cause, 1)])

    operator.dead_letters = OneLetter()
    for line in ("list", "show x --mail", "causes"):
        for json_ in ("", " --json"):
            assert operator.type(line + json_) == 0
            assert operator.out.replace("\n", "").isprintable()


@pytest.mark.parametrize("line", ["list", "causes", "redrive --all", "drop --all --yes"])
def test_finds_nothing_wrong_with_no_dead_letters(operator, line):
    assert operator.type(line) == 0
    assert "o dead letters" in operator.err or "0 dead letters" in operator.err


@pytest.mark.parametrize("line", ["show nothing", "redrive nothing", "drop nothing"])
def test_says_what_was_not_found(operator, line):
    operator.bury(KEY)
    assert operator.type(line) == 1
    assert "not found: nothing" in operator.err
    assert len(operator.dead_letters.list(10)) == 1
