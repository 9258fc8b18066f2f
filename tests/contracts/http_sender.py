"""What a sender over HTTP keeps to, however its provider's answer is broken.

A mail whose last byte was written may have been sent, unless the answer says by itself that it was
not. A provider that was not told so would get it again, unmarked.
"""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from limbo.domain.delivery.verdict import Failed, Fault
from limbo.ports.sender import Sender
from tests.contracts.sender import Mood, SenderContract
from tests.support.mails import a_full_mail
from tests.support.stub_provider import Answer, Behaviour, StubProvider


class MoodyStub(StubProvider):
    """A stub that answers as its mood has it; subclass it with ``moods`` and ``secrets``."""

    moods: Mapping[Mood, Answer | Behaviour]
    secrets: tuple[str, ...]

    def be(self, mood: Mood) -> None:
        self.default = self.moods[mood]

    def calls(self) -> int:
        return len(self.requests)


class HttpSenderContract(SenderContract):
    """Subclass it over a MoodyStub. ``guarded`` is a sender and its stub, with TLS between them."""

    @pytest.fixture
    def guarded(self) -> tuple[Sender, MoodyStub]:
        raise NotImplementedError

    @pytest.mark.parametrize("mood", [Mood.ACCEPTING, Mood.REFUSING, Mood.DENYING])
    def test_an_answer_cut_off_anywhere_leaves_the_mail_in_doubt(self, sender, provider, mood):
        whole = provider.moods[mood]
        provider.script(whole)
        sender.send(a_full_mail())
        assert {
            cut: verdict
            for cut in range(provider.sent)
            if (verdict := self._fault(sender, provider, replace(whole, cut=cut)))
            is not Fault.UNKNOWN
        } == {}

    @pytest.mark.parametrize("status", [201, 202, 203, 204, 206, 226, 299])
    def test_a_success_that_is_none_of_the_providers_leaves_it_in_doubt(
        self, sender, provider, status
    ):
        answer = replace(provider.moods[Mood.ACCEPTING], status=status, close=True)
        assert self._fault(sender, provider, answer) is Fault.UNKNOWN

    @pytest.mark.parametrize("status", [100, 101, 102, 103, 199])
    def test_an_answer_that_only_announces_another_leaves_it_in_doubt(
        self, sender, provider, status
    ):
        answer = Answer(status=status, close=True)
        assert self._fault(sender, provider, answer) is Fault.UNKNOWN

    @pytest.mark.parametrize("status", [101, 102, 103, 199])
    def test_the_answer_that_was_announced_is_not_taken_for_the_next_mails(
        self, sender, provider, status
    ):
        """It comes while the next mail, which is refused, would wait on the same connection."""
        accepted = replace(provider.moods[Mood.ACCEPTING], delay=0.3)
        provider.script(Answer(status=status, then=accepted), provider.moods[Mood.REFUSING])
        faults = [getattr(sender.send(a_full_mail()), "fault", None) for _ in range(2)]
        assert faults == [Fault.UNKNOWN, Fault.MAIL]

    @pytest.mark.parametrize("status", [502, 504, 520, 524])
    @pytest.mark.parametrize("body", ["", "<html>Bad Gateway</html>", '{"message": "upstream"}'])
    def test_a_gateways_word_leaves_it_in_doubt(self, sender, provider, status, body):
        answer = Answer(status=status, body=body)
        assert self._fault(sender, provider, answer) is Fault.UNKNOWN

    @pytest.mark.parametrize("body", ["", "{}", "[1]", "{", "<html>", b"\xff", " " * 20_000_000])
    def test_a_success_without_an_id_leaves_it_in_doubt(self, sender, provider, body):
        assert self._fault(sender, provider, Answer(body=body)) is Fault.UNKNOWN

    @pytest.mark.parametrize("broken", [Behaviour.GARBLE, Behaviour.CUT, Behaviour.RESET])
    def test_what_breaks_in_tls_after_the_mail_leaves_it_in_doubt(self, guarded, broken):
        sender, stub = guarded
        assert self._fault(sender, stub, broken) is Fault.UNKNOWN

    @staticmethod
    def _fault(sender: Sender, provider: StubProvider, answer: Answer | Behaviour) -> Fault | None:
        provider.requests.clear()
        provider.script(answer)
        verdict = sender.send(a_full_mail())
        assert len(provider.requests) == 1
        return verdict.fault if isinstance(verdict, Failed) else None
