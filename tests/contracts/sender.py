"""What every sender keeps to, whoever its provider is."""

import threading
from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from enum import Enum, auto
from typing import Protocol

import pytest

from limbo.domain.delivery.verdict import Accepted, Failed, Fault
from limbo.domain.mail.mail import Mail
from limbo.ports.sender import Sender
from tests.support.mail_fields import SAMPLES, changed
from tests.support.mails import a_full_mail
from tests.support.working import until


class Mood(Enum):
    """How the provider behind a sender takes the next mails."""

    ACCEPTING = auto()
    CHECKED = auto()
    """Would accept a mail, and is only asked whether it would."""
    REFUSING = auto()
    """Blames the mail, and repeats the recipients and every secret it was sent or might know."""
    THROTTLING = auto()
    DENYING = auto()
    """Says that our key is wrong."""
    UNVERIFIED = auto()
    """Does not let us send from this address."""
    FAILING = auto()
    SILENT = auto()
    """Takes the mail and never answers."""
    RESETTING = auto()
    """Takes the mail and drops the connection."""


class Provider(Protocol):
    """The far side of a sender in a test."""

    secrets: tuple[str, ...]

    def be(self, mood: Mood) -> None: ...

    def calls(self) -> int:
        """Return how many mails it was handed so far."""
        ...

    def received(self) -> str:
        """Return all the texts of the last mail that it was handed, as its readers get them.

        What the provider replaces by its own documentation is replaced.
        """
        ...


FAULTS = {
    Mood.REFUSING: Fault.MAIL,
    Mood.THROTTLING: Fault.RATE,
    Mood.DENYING: Fault.ACCOUNT,
    Mood.UNVERIFIED: Fault.IDENTITY,
    Mood.FAILING: Fault.OUTAGE,
    Mood.RESETTING: Fault.UNKNOWN,
}


VARIABLES = [
    "%recipient%",
    "%recipient.name%",
    "%Recipient.first name%",
    "%recipient_fname%",
    "%unsubscribe_url%",
    "%tag_unsubscribe_url%",
    "%mailing_list_unsubscribe_url%",
    "{{name}}",
    "100%20%",
]
"""What some provider replaces in a mail, and what looks like it."""


class SenderContract:
    """Subclass it as TestXSender with fixtures ``sender`` and ``provider`` that belong together.

    Give the ``sender`` more time than a busy machine needs. ``hasty`` may give up soon: it meets no
    provider but one that is silent.
    """

    @pytest.fixture
    @abstractmethod
    def provider(self) -> Provider: ...

    @pytest.fixture
    @abstractmethod
    def sender(self, provider: Provider) -> Sender: ...

    @pytest.fixture
    def hasty(self, sender: Sender) -> Sender:
        """As ``sender``, where a provider's silence takes no time."""
        return sender

    def test_has_a_name(self, sender):
        assert isinstance(sender.name, str)
        assert sender.name

    def test_an_accepted_mail_has_the_providers_id(self, sender, provider):
        provider.be(Mood.ACCEPTING)
        match sender.send(a_full_mail()):
            case Accepted(provider_id=provider_id):
                assert provider_id
            case verdict:
                pytest.fail(repr(verdict))

    @pytest.mark.parametrize("name", Mail.fields.names)
    def test_each_field_of_a_mail_reaches_the_provider(self, sender, provider, name):
        provider.be(Mood.ACCEPTING)
        assert isinstance(sender.send(changed(Mail, name)), Accepted)
        assert SAMPLES[name].sent in provider.received()

    @pytest.mark.parametrize("variable", VARIABLES)
    def test_what_looks_like_a_variable_of_a_provider_reaches_it_as_it_was_written(
        self, sender, provider, variable
    ):
        provider.be(Mood.ACCEPTING)
        text = f"50 % off, {variable}, 100%"
        mail = a_full_mail(
            subject=f"A {text}",
            message=f"B {text}\n",
            from_=f"C {variable} <ann@sender.example>",
            to=[f"D {variable} <bob@one.example>", "eve@one.example"],
        )
        assert isinstance(sender.send(mail), Accepted)
        received = provider.received()
        for sent in (f"A {text}", f"B {text}", f"C {variable}", f"D {variable}"):
            assert sent in received
        for address in (mail.from_, *mail.recipients):
            assert address.email in received

    @pytest.mark.parametrize(("mood", "fault"), FAULTS.items(), ids=lambda value: value.name)
    def test_a_failure_is_blamed_without_a_second_call_and_tells_no_secret(
        self, sender, provider, mood, fault
    ):
        self._blames(sender, provider, mood, fault)

    def test_a_silence_is_blamed_in_the_same_way(self, hasty, provider):
        self._blames(hasty, provider, Mood.SILENT, Fault.UNKNOWN)

    def test_a_check_finds_nothing_wrong_with_a_provider_that_would_accept(self, sender, provider):
        provider.be(Mood.CHECKED)
        assert sender.check() is None

    def test_a_provider_that_recovers_is_used_again(self, sender, provider):
        provider.be(Mood.RESETTING)
        assert isinstance(sender.send(a_full_mail()), Failed)
        provider.be(Mood.ACCEPTING)
        assert isinstance(sender.send(a_full_mail()), Accepted)

    def test_takes_any_valid_mail(self, sender, provider):
        provider.be(Mood.ACCEPTING)
        strange = a_full_mail(
            subject="\U0001f600 " * 300,
            message="x" * 5000 + "\r\n" + "é" * 5000 + "\n.\n\nFrom here\t\r",
            to=[f'"Last, \\"{i}\\" ü" <user{i}@{"a" * 40}.example>' for i in range(50)],
            cc=[],
            bcc=[],
        )
        assert isinstance(sender.send(strange), Accepted)
        assert isinstance(sender.send(replace(strange, message="\n")), Accepted)

    def test_works_from_32_threads_at_once(self, sender, provider):
        provider.be(Mood.ACCEPTING)
        start = threading.Barrier(32)

        def send(_) -> object:
            start.wait(60)
            return [sender.send(a_full_mail()) for _ in range(3)]

        with ThreadPoolExecutor(32) as pool:
            verdicts = [verdict for some in pool.map(send, range(32)) for verdict in some]
        assert all(isinstance(verdict, Accepted) for verdict in verdicts)
        assert provider.calls() == 96

    @staticmethod
    def _blames(sender: Sender, provider: Provider, mood: Mood, fault: Fault) -> None:
        provider.be(mood)
        mail = a_full_mail()
        match sender.send(mail):
            case Failed(fault=blamed, reason=reason):
                assert blamed is fault
                assert reason
                for address in (mail.from_, *mail.recipients):
                    assert address.email not in reason
                for secret in provider.secrets:
                    assert secret not in reason
            case verdict:
                pytest.fail(repr(verdict))
        until(lambda: provider.calls() >= 1)  # it may be given up before it has read its call
        assert provider.calls() == 1
