import json

import pytest

from limbo.adapters.providers.fake.sender import FakeScript, FakeSender, Step, parse_script
from limbo.domain.delivery.verdict import Accepted, Failed, Fault
from limbo.domain.mail.mail import Mail
from tests.contracts.sender import Mood, SenderContract
from tests.support.decoded import everything_in
from tests.support.mails import a_full_mail

TOKENS = {
    Mood.ACCEPTING: "ok",
    Mood.CHECKED: "ok",
    Mood.REFUSING: "reject",
    Mood.THROTTLING: "rate",
    Mood.DENYING: "account",
    Mood.UNVERIFIED: "identity",
    Mood.FAILING: "outage",
    Mood.SILENT: "unknown",
    Mood.RESETTING: "unknown",
}


class Script(FakeScript):
    """The provider behind a fake: a script that follows a mood."""

    secrets = ()

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.mood = Mood.ACCEPTING

    def be(self, mood: Mood) -> None:
        self.mood = mood

    def next(self, mail: Mail) -> Step:
        self.mail = mail
        return Step(TOKENS[self.mood])

    def calls(self) -> int:
        return len(self.lines)

    def received(self) -> str:
        return everything_in(json.dumps(self.mail.fields.content(self.mail)).encode())


class TestFakeSender(SenderContract):
    @pytest.fixture
    def provider(self):
        return Script()

    @pytest.fixture
    def sender(self, provider):
        return FakeSender("fake", provider, on_call=provider.lines.append)


def outcomes(sender: FakeSender, mail, times: int) -> list[str]:
    found = []
    for _ in range(times):
        match sender.send(mail):
            case Accepted():
                found.append("ok")
            case Failed(fault=fault):
                found.append(fault.value)
    return found


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", ()),
        ("  ", ()),
        ("ok", (Step("ok"),)),
        ("outage*3, ok", (Step("outage", times=3), Step("ok"))),
        ("rate(60)*2,slow(0.5)", (Step("rate", 60.0, 2), Step("slow", 0.5))),
    ],
)
def test_reads_a_script(text, steps):
    assert parse_script(text) == steps


@pytest.mark.parametrize(
    "text",
    [
        "ok,",
        "boom",
        "outage*",
        "outage*-1",
        "ok(3)",
        "rate()",
        "rate(1e9)",
        "outage**2",
        "*3",
        "OK",
        "ok ok",
        "rate(nan)",
        "ok*9999999",
        "slow(99999)",
    ],
)
def test_a_script_that_cannot_be_read_is_an_error_that_names_the_known_steps(text):
    with pytest.raises(
        ValueError, match=r"is no step.*known are ok, reject, account, identity, rate, outage"
    ):
        parse_script(text)


def test_the_error_names_the_bad_step():
    with pytest.raises(ValueError, match=r"'outrage.*' is no step"):
        parse_script("ok, outrage*3")


def test_after_its_end_a_script_lets_every_mail_through():
    sender = FakeSender("fake", FakeScript(parse_script("outage*2, reject")))
    found = [outcomes(sender, a_full_mail(), 1)[0] for _ in range(5)]
    assert found == ["outage", "outage", "mail", "ok", "ok"]


def test_fakes_side_by_side_share_a_script():
    script = FakeScript(parse_script("outage, ok, account"))
    one, two = FakeSender("fake.a", script), FakeSender("fake.b", script)
    mail = a_full_mail()
    found = [outcomes(sender, mail, 1)[0] for sender in (one, two, one, two)]
    assert found == ["outage", "ok", "account", "ok"]


@pytest.mark.parametrize(
    ("local", "found"),
    [
        ("outage+ok", ["outage", "ok", "ok"]),
        ("outage*2+ok", ["outage", "outage", "ok"]),
        ("reject", ["mail", "mail", "mail"]),
        ("ok+reject", ["ok", "mail", "mail"]),
        ("Outage+OK", ["outage", "ok", "ok"]),
        ("outage*0", ["outage", "outage", "outage"]),
        ("somebody", ["ok", "ok", "ok"]),
        ("ok+somebody", ["ok", "ok", "ok"]),
    ],
)
def test_a_magic_recipient_scripts_its_own_mail(local, found):
    assert outcomes(FakeSender("fake"), a_full_mail(to=f"{local}@limbo.test"), 3) == found


@pytest.mark.parametrize("field", ["to", "cc", "bcc"])
def test_a_magic_recipient_may_stand_in_any_field(field):
    mail = a_full_mail(**{field: ["eve@limbo.test", "Reject <reject@limbo.test>"]})
    assert outcomes(FakeSender("fake"), mail, 1) == ["mail"]


def test_only_its_own_domain_is_magic():
    assert outcomes(FakeSender("fake"), a_full_mail(to="reject@limbo.example"), 1) == ["ok"]


def test_fakes_side_by_side_share_where_a_magic_mail_stands():
    script = FakeScript()
    mail = a_full_mail(to="outage+ok@limbo.test")
    assert outcomes(FakeSender("fake.a", script), mail, 1) == ["outage"]
    assert outcomes(FakeSender("fake.b", script), mail, 1) == ["ok"]


def test_two_magic_mails_do_not_share_where_they_stand():
    sender = FakeSender("fake")
    for mail in (a_full_mail(to="outage+ok@limbo.test"), a_full_mail(to="outage+ok@limbo.test")):
        assert outcomes(sender, mail, 2) == ["outage", "ok"]


def test_a_magic_mail_takes_no_step_of_the_common_script():
    sender = FakeSender("fake", FakeScript(parse_script("account")))
    assert outcomes(sender, a_full_mail(to="ok@limbo.test"), 2) == ["ok", "ok"]
    assert outcomes(sender, a_full_mail(), 2) == ["account", "ok"]


def test_the_oldest_of_10000_magic_mails_is_forgotten():
    sender = FakeSender("fake")
    first = a_full_mail(to="outage+ok@limbo.test")
    assert outcomes(sender, first, 1) == ["outage"]
    for _ in range(10_000):
        outcomes(sender, a_full_mail(to="outage+ok@limbo.test"), 1)
    assert outcomes(sender, first, 1) == ["outage"]


@pytest.mark.parametrize(
    ("script", "to", "slept"),
    [("slow(0.5)", "a@b.example", [0.5]), ("", "slow@limbo.test", [2.0]), ("", "a@b.example", [])],
)
def test_slow_accepts_after_a_while(script, to, slept):
    sleeps: list[float] = []
    sender = FakeSender("fake", FakeScript(parse_script(script)), sleep=sleeps.append)
    assert outcomes(sender, a_full_mail(to=to), 1) == ["ok"]
    assert sleeps == slept


def test_a_rate_says_how_long_to_wait_if_the_script_does():
    sender = FakeSender("fake", FakeScript(parse_script("rate(60), rate")))
    first, second = sender.send(a_full_mail()), sender.send(a_full_mail())
    assert first == Failed(Fault.RATE, "the script says rate", 60.0)
    assert second == Failed(Fault.RATE, "the script says rate")


def test_keeps_the_last_mails_it_accepted():
    sender = FakeSender("fake", FakeScript(parse_script("reject")))
    mails = [a_full_mail() for _ in range(1002)]
    for mail in mails:
        sender.send(mail)
    assert list(sender.accepted) == mails[2:]


def test_tells_of_every_call_without_an_address():
    lines: list[str] = []
    mail = a_full_mail(to="outage+ok@limbo.test")
    outcomes(FakeSender("fake.a", on_call=lines.append), mail, 2)
    assert lines == [f"fake.a: {mail.id}: outage", f"fake.a: {mail.id}: ok"]
