"""What an operator sees of the dead letters, and what is done to them, on a queue in memory."""

import argparse
import io
import itertools
import json
from collections.abc import Callable

import pytest

from limbo.adapters.memory.queue import MemoryQueue
from limbo.domain.delivery.verdict import (
    UNDECODABLE,
    Accepted,
    Attempt,
    Cause,
    Death,
    Failed,
    Fault,
)
from limbo.domain.errors import QueueUnavailable, SettingsError
from limbo.domain.mail.address import Address
from limbo.entrypoints.cli.console import Console
from limbo.entrypoints.cli.dead_letters.command import add_parser, execute, run
from limbo.entrypoints.cli.dead_letters.view import letters_table
from limbo.ports.dead_letters import DeadLetter
from limbo.ports.queue import Undecodable
from tests.contracts.queue import a_mail, take

KEY = Cause(kind=Fault.ACCOUNT, sender="mailgun", reason="401 Forbidden")
KEY_SHOWN = {
    "id": KEY.id,
    "kind": "account",
    "provider": "mailgun",
    "reason": "401 Forbidden",
}
REGION = Cause(kind=Fault.ACCOUNT, sender="mailgun", reason="404 Domain not found")
REFUSED = Cause(kind=Fault.MAIL, sender="ses", reason="MessageRejected: virus")
ATTEMPTS = (
    Attempt(
        sender="ses", started_at=1e9, duration=0.25, verdict=Failed(Fault.RATE, "Throttling", 30.0)
    ),
    Attempt(sender="ses", started_at=1e9, duration=1.0, verdict=Failed(Fault.OUTAGE, "reset")),
    Attempt(sender="smtp", started_at=1e300, duration=1.0, verdict=Accepted("<1@x>")),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Operator:
    """Types commands, and keeps what they print."""

    def __init__(self, *, terminal: bool = False) -> None:
        self.queue = MemoryQueue()
        self.dead_letters = self.queue.dead_letters
        self.terminal = terminal
        self.out = self.err = ""
        self._seconds = itertools.count()

    def bury(self, cause: Cause, count: int = 1, **changes: object) -> list[str]:
        self.queue.put([a_mail(**changes) for _ in range(count)])
        leases = take(self.queue, count)
        for lease in leases:
            self.queue.bury(lease, Death(cause=cause, attempts=ATTEMPTS))
        return [lease.mail.id for lease in leases]

    def type(self, line: str, answer: str = "", width: int | None = None) -> int:
        stream = Terminal if self.terminal else io.StringIO
        console = Console(
            out=stream(),
            err=stream(),
            input=stream(answer),
            width=width,
            now=lambda: float(next(self._seconds)),
        )
        try:
            return execute(parse(line), self.dead_letters, console)
        finally:
            self.out, self.err = console.out.getvalue(), console.err.getvalue()


def parse(line: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(required=True))
    return parser.parse_args(["dead-letters", *line.split()])


@pytest.fixture
def operator() -> Operator:
    return Operator()


# list, show, causes


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
    assert json.loads(operator.out)["data"][0] == {"cause": KEY_SHOWN, "count": 412}


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
            "provider": "ses",
            "started_at": "2001-09-09T01:46:40.000Z",
            "duration_ms": 250,
            "outcome": "rate",
            "reason": "Throttling",
        },
        {
            "provider": "ses",
            "started_at": "2001-09-09T01:46:40.000Z",
            "duration_ms": 1000,
            "outcome": "outage",
            "reason": "reset",
        },
        {
            "provider": "smtp",
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


def test_no_terminal_obeys_what_a_dead_letter_says():
    letter = DeadLetter(
        id="\x1b[2J",
        mail=Undecodable("\x9b1m\n", ""),
        cause=Cause(kind="\x1b]0;a\x07", sender="\x08", reason="\x1b[31m\r\nred"),
        attempts=(),
        buried_at=float("nan"),
    )
    assert "".join(letters_table([letter], None)).isprintable()


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


# redrive and drop


def test_redrives_what_is_named_by_either_id(operator):
    first, second, third = operator.bury(KEY, 3)
    ids = operator.dead_letters.select()
    assert operator.type(f"redrive {ids[0]} {second} {second} nothing") == 1
    assert operator.out == "2 dead letters redriven\n"
    assert operator.err == "limbo: not found: nothing\n"
    assert [lease.mail.id for lease in operator.queue.receive(10, 0)] == [first, second]
    assert [letter.mail.id for letter in operator.dead_letters.list(10)] == [third]


@pytest.mark.parametrize("action", ["redrive", "drop"])
def test_tells_what_it_did_as_json(operator, action):
    [mail_id] = operator.bury(KEY)
    done = {"redrive": "redriven", "drop": "dropped"}[action]
    assert operator.type(f"{action} {mail_id} nothing --json") == 1
    assert json.loads(operator.out) == {done: 1, "not_found": ["nothing"], "error": None}


@pytest.mark.parametrize(
    ("named", "redriven", "says"),
    [
        ("--all", 6, "6 dead letters"),
        (f"--cause {KEY.id}", 2, "2 dead letters match, of 1 cause"),
        ("--cause account", 5, "5 dead letters match, of 2 causes"),
    ],
)
def test_redrives_all_of_a_cause_or_of_a_kind(operator, named, redriven, says):
    for cause, count in ((KEY, 2), (REGION, 3), (REFUSED, 1)):
        operator.bury(cause, count)
    assert operator.type(f"redrive {named}") == 0
    assert says in operator.err
    assert f"{redriven} dead letters redriven" in operator.out
    assert len(operator.queue.receive(10, 0)) == redriven
    assert len(operator.dead_letters.list(10)) == 6 - redriven


def test_refuses_an_unknown_cause_and_names_the_known(operator):
    operator.bury(KEY)
    assert operator.type("redrive --cause outage") == 1
    assert f"there are: account, {KEY.id}" in operator.err
    assert len(operator.dead_letters.list(10)) == 1


@pytest.mark.parametrize(
    ("answer", "code", "left"), [("y\n", 0, 0), ("YES\n", 0, 0), ("\n", 1, 3), ("", 1, 3)]
)
@pytest.mark.parametrize("named", ["--all", "--cause account"])
def test_asks_before_it_drops_many(answer, code, left, named):
    operator = Operator(terminal=True)
    operator.bury(KEY, 3)
    assert operator.type(f"drop {named}", answer) == code
    assert "Delete 3 dead letters for good? [y/N]" in operator.err
    assert len(operator.dead_letters.list(10)) == left


def test_drops_unasked_what_is_named_one_by_one_or_with_yes(operator):
    first, *_ = operator.bury(KEY, 3)
    assert operator.type(f"drop {first}") == 0
    assert operator.type("drop --all --yes") == 0
    assert operator.dead_letters.list(10) == []
    assert operator.queue.receive(10, 0) == []


@pytest.mark.parametrize(
    "line",
    [
        "redrive",
        "drop --yes",
        "redrive --all x",
        "redrive --all --cause mail",
        "drop --cause mail x",
        "drop --all",
        "drop --cause mail",
        "list --limit 0",
        "list --limit 1001",
        "list --limit x",
        "show",
        "bury x",
        "",
    ],
)
def test_refuses_wrong_usage(operator, line):
    operator.bury(REFUSED)
    with pytest.raises(SystemExit) as raised:
        operator.type(line)
    assert raised.value.code == 2
    assert len(operator.dead_letters.list(10)) == 1


def _stepwise(operator: Operator, stop: BaseException | None = None) -> None:
    """Let a redrive go three letters at a time, and stop it after the second step."""
    redrive = operator.dead_letters.redrive

    class Stepwise:
        select = staticmethod(operator.dead_letters.select)
        causes = staticmethod(operator.dead_letters.causes)

        def redrive(self, ids: list[str], done: Callable[[list[str]], object]) -> int:
            for start in range(0, len(ids), 3):
                if start == 6 and stop is not None:
                    raise stop
                redrive(ids[start : start + 3], done)
            return len(ids)

    operator.dead_letters = Stepwise()


def test_counts_up_in_one_line_on_a_terminal():
    operator = Operator(terminal=True)
    operator.bury(KEY, 9)
    _stepwise(operator)
    assert operator.type("redrive --all") == 0
    first, _, progress = operator.err.partition("\n")
    assert first == "9 dead letters there are"
    assert progress.split("\r")[1:4] == [f"{done} of 9 redriven" for done in (3, 6, 9)]
    assert "\n" not in progress


def test_says_now_and_then_how_far_it_is_where_there_is_no_terminal(operator):
    operator.bury(KEY, 3000)
    _stepwise(operator)
    assert operator.type("redrive --all") == 0
    _, first, *_, last = operator.err.splitlines()
    assert first == "6 of 3,000 redriven"
    assert last.endswith(" of 3,000 redriven")


@pytest.mark.parametrize(
    ("stop", "says"),
    [
        (QueueUnavailable("SQS answered InternalError"), "SQS answered InternalError"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_says_how_many_were_done_when_it_fails(operator, stop, says):
    operator.bury(KEY, 9)
    _stepwise(operator, stop)
    assert operator.type("redrive --all") == 1
    assert operator.out == "6 dead letters redriven\n"
    assert operator.err.endswith(f"limbo: {says}; 3 not redriven\n")


def test_says_as_json_what_was_not_done(operator):
    operator.bury(KEY, 9)
    ids = operator.dead_letters.select()
    _stepwise(operator, QueueUnavailable("gone"))
    assert operator.type("redrive --all --json") == 1
    assert json.loads(operator.out) == {"redriven": 6, "not_done": ids[6:], "error": "gone"}


def test_a_queue_in_memory_is_nobody_else_s(monkeypatch):
    monkeypatch.setenv("LIMBO_QUEUE", "memory:")
    with pytest.raises(SettingsError, match="limbo dev"):
        run(parse("list"))
