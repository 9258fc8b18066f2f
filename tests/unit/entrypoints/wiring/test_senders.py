"""A kind of sender that only this file declares is everywhere, by one line in the list of kinds."""

import threading
from collections import deque
from types import SimpleNamespace

import pytest

from limbo.domain.delivery.verdict import Accepted
from limbo.domain.errors import SettingsError
from limbo.domain.mail.mail import Mail
from limbo.entrypoints.wiring.bootstrap import load_settings
from limbo.entrypoints.wiring.container import Container
from limbo.entrypoints.wiring.senders import load_kinds
from limbo.ports.outbox import Submission
from limbo.ports.sender_kind import SenderKind, SenderOptions, SenderVariable
from tests.support.mails import a_mail
from tests.support.readme import settings_rows


class Pigeon:
    """Carries mails to its coop."""

    def __init__(self, options: SenderOptions) -> None:
        self.name = options.name
        self.options = options
        self.carried: deque[Mail] = deque()
        self.came = threading.Event()
        self.closed = False

    def send(self, mail: Mail) -> Accepted:
        self.carried.append(mail)
        self.came.set()
        return Accepted("coo")

    def check(self) -> None:
        return None

    def close(self) -> None:
        self.closed = True


def coop(value: str) -> str:
    if not value.startswith("coop"):
        raise ValueError("the name of a coop")
    return value


KIND = SenderKind(
    name="pigeon",
    build=Pigeon,
    implied_by="ring",
    variables=(
        SenderVariable(name="ring", meaning="what is on its leg", secret=True, required=True),
        SenderVariable(name="coop", meaning="where it lives", default="coop 1", parse=coop),
        SenderVariable(name="speed", meaning="in knots", original="KNOTS"),
    ),
)
_PROVIDERS = "limbo.adapters.providers"
KINDS = load_kinds(
    (
        f"{_PROVIDERS}.ses.sender:KIND",
        f"{_PROVIDERS}.mailgun.sender:KIND",
        f"{_PROVIDERS}.fake.sender:KIND",
        f"{__name__}:KIND",
    )
)
RING = {"LIMBO_PIGEON_RING": "r-1"}


@pytest.fixture
def container():
    container = Container(environ={**RING, "LIMBO_QUEUE": "memory:"})
    container.sender_kinds.override(KINDS)
    yield container
    container.shutdown_resources()


def test_its_variables_are_read_and_imply_it():
    settings = load_settings({**RING, "KNOTS": "40"}, kinds=KINDS)
    [sender] = settings.senders
    assert (sender.name, sender.kind.name) == ("pigeon", "pigeon")
    assert sender.values == {"ring": "r-1", "coop": "coop 1", "speed": "40"}
    assert not settings.only_fakes
    assert "r-1" not in repr(settings)


def test_what_check_shows_of_it_has_its_secrets_masked():
    readings = {r.name: (r.shown, r.source) for r in load_settings(RING, kinds=KINDS).readings}
    assert readings["LIMBO_PIGEON_RING"] == ("********", "LIMBO_PIGEON_RING")
    assert readings["LIMBO_PIGEON_COOP"] == ("coop 1", "default")
    assert readings["LIMBO_PIGEON_SPEED"] == ("-", "not set")


def test_several_of_it_have_variables_of_their_own():
    environ = {**RING, "LIMBO_SENDERS": "pigeon.a,pigeon.b", "LIMBO_PIGEON_B_COOP": "coop 2"}
    settings = load_settings(environ, kinds=KINDS)
    assert [s.name for s in settings.senders] == ["pigeon.a", "pigeon.b"]
    assert [s.values["coop"] for s in settings.senders] == ["coop 1", "coop 2"]
    assert {s.values["ring"] for s in settings.senders} == {"r-1"}


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"LIMBO_SENDERS": "sess"},
            (
                "LIMBO_SENDERS must be a list of ses, mailgun, fake, pigeon,"
                " each perhaps with a .label, not 'sess'"
            ),
        ),
        (
            {"LIMBO_SENDERS": "pigeon"},
            "LIMBO_PIGEON_RING must be set for pigeon: what is on its leg",
        ),
        (
            {**RING, "LIMBO_PIGEON_COOP": "nest"},
            "LIMBO_PIGEON_COOP must be the name of a coop, not 'nest'",
        ),
        (
            {"LIMBO_PIGEON_RIN": "r"},
            "LIMBO_PIGEON_RIN is no setting of limbo; did you mean LIMBO_PIGEON_RING?",
        ),
    ],
)
def test_errors_name_it(environ, message):
    with pytest.raises(SettingsError) as caught:
        load_settings(environ, kinds=KINDS)
    assert str(caught.value) == message


def test_the_readme_gets_its_rows_after_those_of_the_other_kinds():
    rows = settings_rows(KINDS)
    added = [row for row in rows if "PIGEON" in row]
    assert added == [
        "| `LIMBO_PIGEON_RING` |  | what is on its leg | – |",
        "| `LIMBO_PIGEON_COOP` |  | where it lives | `coop 1` |",
        "| `LIMBO_PIGEON_SPEED` | `KNOTS` | in knots | – |",
    ]
    assert rows[rows.index(added[0]) - 1].startswith("| `LIMBO_FAKE_SCRIPT`")
    [named] = [row for row in rows if row.startswith("| `LIMBO_SENDERS`")]
    assert "| `ses`, `mailgun`, `fake`, `pigeon`, comma-separated;" in named


def test_who_has_no_sender_is_told_how_to_get_it():
    container = Container(environ={})
    container.sender_kinds.override(KINDS)
    with pytest.raises(SettingsError) as caught:
        container.senders()
    assert str(caught.value) == (
        "LIMBO_SENDERS must name a sender, or the settings of one must be there"
        " (LIMBO_SES_SOURCE; LIMBO_MAILGUN_KEY and LIMBO_MAILGUN_DOMAIN; LIMBO_PIGEON_RING)"
    )


def test_it_is_built_with_what_all_senders_get_and_closed_in_the_end(container):
    [pigeon] = container.senders()
    assert pigeon.options.pool_size == 64
    assert pigeon.options.timeout == 10
    assert pigeon.options.values["ring"] == "r-1"
    container.shutdown_resources()
    assert pigeon.closed


def test_a_worker_sends_through_it(container):
    [pigeon] = container.senders()
    mail = a_mail()
    container.outbox().submit([Submission(mail=mail, client="-")])
    worker = container.worker()
    running = threading.Thread(target=worker.run)
    running.start()
    assert pigeon.came.wait(10)
    worker.stop()
    running.join(10)
    assert list(pigeon.carried) == [mail]
    assert container.queue().depth().ready == 0


def test_senders_that_cannot_be_closed_need_not_be():
    bare = SimpleNamespace(name="bare")
    kind = SenderKind(name="bare", build=lambda _: bare)
    container = Container(environ={"LIMBO_SENDERS": "bare"})
    container.sender_kinds.override([kind])
    assert container.senders() == [bare]
    container.shutdown_resources()
