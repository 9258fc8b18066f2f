from contextlib import closing

import pytest

from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.domain.delivery.verdict import Death
from tests.support.command_line import CommandLine
from tests.support.mails import a_mail
from tests.support.operator import KEY, REFUSED, Operator


@pytest.fixture
def operator() -> Operator:
    return Operator()


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


def test_a_queue_in_memory_is_nobody_else_s():
    limbo = CommandLine({"LIMBO_QUEUE": "memory:"})
    assert limbo.type("dead-letters", "list") == 2
    assert limbo.err.startswith("limbo: LIMBO_QUEUE must not be memory:")
    assert limbo.err.count("\n") == 1


def test_the_queue_is_the_one_that_the_environment_names(tmp_path):
    url = f"sqlite:///{tmp_path}/limbo.db"
    with closing(SqliteDatabase.connect(url)) as database:
        queue = SqlQueue(database)
        queue.put([a_mail()])
        [lease] = queue.receive(1, 0)
        queue.bury(lease, Death(cause=KEY))
    limbo = CommandLine({"LIMBO_QUEUE": url})
    assert limbo.type("dead-letters", "list") == 0
    assert lease.mail.id in limbo.out
