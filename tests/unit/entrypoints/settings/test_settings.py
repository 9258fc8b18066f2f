"""What the environment may say, and how limbo answers when it says something else."""

import pytest

from limbo.domain.errors import SettingsError
from limbo.entrypoints.settings.catalogue import every_variable
from limbo.entrypoints.wiring.backends import BACKENDS
from limbo.entrypoints.wiring.bootstrap import load_settings as load
from limbo.entrypoints.wiring.senders import SENDER_KINDS
from tests.support.body_keys import a_key, a_setting

KEYS = a_setting("k1")
SQS = {"QUEUE": "mails.fifo", "DEADLETTERQUEUE": "dead.fifo"}
DEV = {"LIMBO_QUEUE": "memory:", "LIMBO_SENDERS": "fake.a,fake.b"}
MAILGUN = {"MAILGUN": "key-1", "DOMAIN": "mg.example.com"}


def test_defaults_are_sqlite_and_no_sender():
    settings = load({})
    assert (settings.queue, settings.queue_kind) == ("sqlite:///limbo.db", "sqlite")
    assert settings.senders == ()
    assert (settings.host, settings.port, settings.worker_port) == ("127.0.0.1", 8000, 9100)
    assert (settings.concurrency, settings.max_touches) == (64, 3)
    assert settings.retry_delays == (30, 300)
    assert (settings.lease, settings.shutdown, settings.send_timeout) == (60, 25, 10)
    assert (settings.breaker_open, settings.breaker_open_max) == (30, 300)
    assert not settings.allow_anonymous
    assert (settings.metrics_port, settings.allowed_hosts) == (None, ())


def test_hosts_are_a_list_of_names_perhaps_with_ports():
    settings = load({"LIMBO_ALLOWED_HOSTS": "Mail.example.com, limbo:8080,[::1]:80"})
    assert settings.allowed_hosts == ("mail.example.com", "limbo:8080", "[::1]:80")


def test_development_defaults_to_memory_and_two_fakes():
    settings = load({}, defaults=DEV)
    assert settings.queue_kind == "memory"
    assert [sender.name for sender in settings.senders] == ["fake.a", "fake.b"]
    assert settings.only_fakes


def test_development_takes_what_is_set():
    settings = load({"LIMBO_QUEUE": "sqlite:///x.db", "LIMBO_SENDERS": "fake"}, defaults=DEV)
    assert settings.queue_kind == "sqlite"
    assert [sender.name for sender in settings.senders] == ["fake"]


def test_the_original_names_work():
    settings = load(
        {**SQS, **MAILGUN, "REGION": "eu-west-1", "SESSOURCE": "a@b.example", "PORT": "5000"}
    )
    assert settings.queue_kind == "sqs"
    assert (settings.queue, settings.dead_letter_queue) == ("mails.fifo", "dead.fifo")
    assert (settings.region, settings.port) == ("eu-west-1", 5000)
    assert {sender.name: dict(sender.values) for sender in settings.senders} == {
        "ses": {"source": "a@b.example"},
        "mailgun": {
            "key": "key-1",
            "domain": "mg.example.com",
            "url": "https://api.mailgun.net",
        },
    }


def test_the_new_name_wins_over_the_original():
    assert load({"PORT": "5000", "LIMBO_PORT": "6000"}).port == 6000


def test_an_empty_variable_counts_as_not_set():
    assert load({"LIMBO_PORT": " "}).port == 8000


def test_labelled_senders_have_settings_of_their_own_and_share_the_rest():
    settings = load(
        {
            "LIMBO_SENDERS": "mailgun.eu, mailgun.us",
            "LIMBO_MAILGUN_EU_URL": "https://api.eu.mailgun.net",
            **MAILGUN,
        }
    )
    assert [sender.values["url"] for sender in settings.senders] == [
        "https://api.eu.mailgun.net",
        "https://api.mailgun.net",
    ]
    assert {sender.values["key"] for sender in settings.senders} == {"key-1"}


@pytest.mark.parametrize(
    ("queue", "kind"),
    [
        ("memory:", "memory"),
        ("sqlite:////var/lib/limbo.db", "sqlite"),
        ("postgresql://u:p@h/d", "postgresql"),
        ("https://sqs.eu-west-1.amazonaws.com/1/mails", "sqs"),
        ("mails", "sqs"),
    ],
)
def test_the_queue_is_told_by_its_form(queue, kind):
    assert load({"LIMBO_QUEUE": queue, "DEADLETTERQUEUE": "dead"}).queue_kind == kind


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"LIMBO_QUEU": "x"}, "LIMBO_QUEU is no setting of limbo; did you mean LIMBO_QUEUE?"),
        ({"LIMBO_FOO": "x"}, "LIMBO_FOO is no setting of limbo; the README lists them all"),
        (
            {"LIMBO_SENDERS": "fake.a", "LIMBO_FAKE_A_SCRIPT": "bogus"},
            "LIMBO_FAKE_A_SCRIPT must be a script: 'bogus' is no step of a script; known are",
        ),
        ({"LIMBO_PORT": "99999"}, "LIMBO_PORT must be a whole number from 0 to 65535"),
        ({"PORT": "http"}, "PORT must be a whole number from 0 to 65535, not 'http'"),
        ({"LIMBO_METRICS_PORT": "-1"}, "LIMBO_METRICS_PORT must be a whole number from 0 to"),
        ({"LIMBO_ALLOWED_HOSTS": "http://a.b"}, "LIMBO_ALLOWED_HOSTS must be names of hosts"),
        ({"LIMBO_ALLOWED_HOSTS": "a,,b"}, "LIMBO_ALLOWED_HOSTS must be names of hosts"),
        ({"LIMBO_CONCURRENCY": "0"}, "LIMBO_CONCURRENCY must be a whole number from 1 to 1000"),
        ({"LIMBO_RETRY_DELAYS": "30,soon"}, "LIMBO_RETRY_DELAYS must be seconds from 0"),
        ({"LIMBO_RETRY_DELAYS": "nan"}, "LIMBO_RETRY_DELAYS must be seconds from 0"),
        ({"LIMBO_LEASE_SECONDS": "inf"}, "LIMBO_LEASE_SECONDS must be a number of seconds"),
        ({"LIMBO_ALLOW_ANONYMOUS": "yes"}, "LIMBO_ALLOW_ANONYMOUS must be false, true, or of"),
        ({"LIMBO_ALLOW_ANONYMOUS": "send,admin"}, "LIMBO_ALLOW_ANONYMOUS must be false, true, or"),
        ({"LIMBO_TRUSTED_PROXIES": "10.0.0.0/8,all"}, "LIMBO_TRUSTED_PROXIES must be networks"),
        ({"LIMBO_TRUSTED_PROXIES": "10.0.0.1/8"}, "LIMBO_TRUSTED_PROXIES must be networks such"),
        (
            {"QUEUE": "m", "DEADLETTERQUEUE": "d", "LIMBO_LEASE_SECONDS": "5"},
            "LIMBO_LEASE_SECONDS must be a number of seconds from 20 to 900, not '5'",
        ),
        ({"LIMBO_QUEUE": "mysql://u:geheim@h/d"}, "LIMBO_QUEUE must be memory:, sqlite:///"),
        ({"LIMBO_QUEUE": "memory"}, "LIMBO_QUEUE must be memory:, sqlite:///"),
        ({"QUEUE": "mails.fifo"}, "LIMBO_DEAD_LETTER_QUEUE must name the dead-letter queue"),
        ({**SQS, "DEADLETTERQUEUE": "a b"}, "DEADLETTERQUEUE must be the name or the URL"),
        (
            {"LIMBO_SENDERS": "sess"},
            f"LIMBO_SENDERS must be a list of {', '.join(kind.name for kind in SENDER_KINDS)}",
        ),
        ({"LIMBO_SENDERS": "fake,fake"}, "LIMBO_SENDERS must be a list without repeats"),
        ({"MAILGUN": "geheim"}, "LIMBO_MAILGUN_DOMAIN must be set for mailgun"),
        (
            {"LIMBO_SENDERS": "mailgun.eu", "DOMAIN": "d.example"},
            "LIMBO_MAILGUN_EU_KEY must be set for mailgun.eu",
        ),
        ({**MAILGUN, "LIMBO_MAILGUN_URL": "eu"}, "LIMBO_MAILGUN_URL must be a URL such as"),
        ({"LIMBO_BODY_KEYS": "k1:geheim"}, "LIMBO_BODY_KEYS must be id:base64 of 32 bytes"),
        ({"LIMBO_BODY_KEYS": f"{KEYS},{KEYS}"}, "LIMBO_BODY_KEYS must be id:base64 of 32 bytes"),
        ({"LIMBO_BODY_KEYS": KEYS.upper()[:-2]}, "LIMBO_BODY_KEYS must be id:base64 of 32 bytes"),
        ({"LIMBO_HASH_SECRET": "geheim"}, "LIMBO_HASH_SECRET must be 16 characters or more"),
        ({"SESSOURCE": "nobody"}, "SESSOURCE must be an address such as shop@example.com"),
    ],
)
def test_a_wrong_setting_is_one_line_that_says_what_would_be_right(environ, message):
    with pytest.raises(SettingsError) as caught:
        load(environ)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_what_is_shown_names_its_source_and_masks_secrets():
    settings = load(
        {**MAILGUN, "LIMBO_QUEUE": "postgresql://limbo:geheim@db/limbo?password=geheim"}
    )
    shown = {reading.name: (reading.shown, reading.source) for reading in settings.readings}
    assert shown["LIMBO_QUEUE"] == ("postgresql://***@db/limbo?***", "LIMBO_QUEUE")
    assert shown["LIMBO_MAILGUN_KEY"] == ("********", "MAILGUN")
    assert shown["LIMBO_PORT"] == ("8000", "default")
    assert "key-1" not in repr(settings)
    assert "geheim" not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:ge/heim@h/d",
        "postgresql://u:ge?heim@h/d",
        "postgresql://u:?geheim@h/d?p=ge",
        "postgresql://h/d?p=ge/heim@x",
    ],
)
def test_no_part_of_a_password_is_shown(url):
    (shown,) = (r.shown for r in load({"LIMBO_QUEUE": url}).readings if r.name == "LIMBO_QUEUE")
    assert "ge" not in shown.removeprefix("postgresql")


@pytest.mark.parametrize("name", ["LIMBO_QUEUE", "LIMBO_LEDGER"])
def test_a_password_with_an_at_sign_is_explained_and_not_shown(name):
    with pytest.raises(SettingsError, match="each @ is written %40") as caught:
        load({name: "postgresql://u:ge@heim@h/d"})
    assert "ge" not in str(caught.value).partition("not '")[2].removeprefix("postgresql")


@pytest.mark.parametrize(
    ("environ", "known"),
    [
        ({}, True),
        ({"LIMBO_LEDGER": "none"}, False),
        (SQS, True),
        ({"QUEUE": "mails", "DEADLETTERQUEUE": "dead"}, False),
        ({"QUEUE": "mails", "DEADLETTERQUEUE": "dead", "LIMBO_LEDGER": "sqlite:///l.db"}, True),
    ],
)
def test_a_key_is_recognised_by_a_ledger_or_a_fifo_queue(environ, known):
    assert load(environ).deduplicates is known


def test_body_keys_keep_their_order_and_are_not_shown():
    settings = load({"LIMBO_BODY_KEYS": a_setting("new", "old")})
    assert [*settings.body_keys.items()] == [("new", a_key("new")), ("old", a_key("old"))]
    [shown] = [r.shown for r in settings.readings if r.name == "LIMBO_BODY_KEYS"]
    assert shown == "********"
    assert str(a_key("new"))[2:20] not in repr(settings)
    assert load({}).body_keys == {}


def test_every_variable_has_a_meaning_and_the_prefix():
    for variable in every_variable(BACKENDS, SENDER_KINDS):
        assert variable.name.startswith("LIMBO_")
        assert len(variable.meaning) > 10
