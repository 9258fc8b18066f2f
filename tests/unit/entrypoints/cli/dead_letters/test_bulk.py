"""What an operator does to dead letters, on a queue in memory."""

import json
from collections.abc import Callable

import pytest

from limbo.domain.access.audit import Result
from limbo.domain.errors import QueueUnavailable
from limbo.ports.audit_log import AuditQuery
from tests.support.operator import KEY, REFUSED, REGION, Operator


@pytest.fixture
def operator() -> Operator:
    return Operator()


def test_redrives_what_is_named_by_either_id(operator):
    first, second, third = operator.bury(KEY, 3)
    ids = operator.dead_letters.select()
    assert operator.type(f"redrive {ids[0]} {second} {second} nothing") == 1
    assert operator.out == "2 dead letters redriven\n"
    assert operator.err == "limbo: not found: nothing\n"
    assert [lease.mail.id for lease in operator.queue.receive(10, 0)] == [first, second]
    assert [letter.mail_id for letter in operator.dead_letters.list(10)] == [third]


@pytest.mark.parametrize("action", ["redrive", "drop"])
def test_tells_what_it_did_as_json(operator, action):
    [mail_id] = operator.bury(KEY)
    done = {"redrive": "redriven", "drop": "dropped"}[action]
    assert operator.type(f"{action} {mail_id} nothing --json") == 1
    assert json.loads(operator.out) == {
        done: 1,
        "not_found": ["nothing"],
        "not_done": [],
        "error": None,
    }


@pytest.mark.parametrize(
    ("named", "redriven", "says"),
    [
        ("--all", 6, "6 dead letters"),
        (f"--cause {KEY.id}", 2, "2 dead letters match"),
        ("--cause account", 5, "5 dead letters match"),
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
    assert first == "there are 9 dead letters"
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
    assert json.loads(operator.out) == {
        "redriven": 6,
        "not_found": [],
        "not_done": ids[6:],
        "error": "gone",
    }


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, "there are no dead letters"),
        (1, "there is 1 dead letter"),
        (2, "there are 2 dead letters"),
    ],
)
def test_says_of_how_many_it_speaks(operator, count, told):
    operator.bury(KEY, count)
    assert operator.type("redrive --all") == 0
    assert operator.err.splitlines()[0] == told


@pytest.mark.parametrize(
    ("line", "action", "selection"),
    [
        ("redrive --all", "dead-letters.redrive", '{"all":true}'),
        ("redrive --cause account", "dead-letters.redrive", '{"cause":"account"}'),
        ("drop --all --yes", "dead-letters.drop", '{"all":true}'),
    ],
)
def test_what_is_done_is_in_the_audit(operator, line, action, selection):
    operator.bury(KEY, 3)
    assert operator.type(line) == 0
    [entry] = operator.audit_log.page(AuditQuery())
    assert (entry.action, entry.selection) == (action, selection)
    assert (entry.actor.who, entry.result, entry.count) == ("user:zoë", Result.DONE, 3)


def test_the_audit_names_the_ids_that_were_named(operator):
    [id_, _] = operator.bury(KEY, 2)
    assert operator.type(f"redrive {id_} nothing") == 1
    [entry] = operator.audit_log.page(AuditQuery())
    assert entry.selection == f'{{"ids":["{id_}","nothing"]}}'
    assert entry.count == 1


@pytest.mark.parametrize("line", ["redrive --cause nothing", "list", "causes"])
def test_what_changes_nothing_is_not_in_the_audit(operator, line):
    operator.bury(KEY)
    operator.type(line)
    assert operator.audit_log.page(AuditQuery()) == []
