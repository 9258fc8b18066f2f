"""No mail is in two hands of one process, and what was sent stays known while the queue has it."""

import threading

import pytest

from limbo.entrypoints.worker.own_mails import REMEMBERED, OwnMails
from tests.support.working import until


def test_a_mail_is_one_thread_s_at_a_time_and_others_are_not_held_up():
    own, order, inside = OwnMails(), [], threading.Event()

    def second():
        inside.set()
        with own.turn("a"):
            order.append("second")

    with own.turn("a"):
        thread = threading.Thread(target=second)
        thread.start()
        until(inside.is_set)
        with own.turn("b"):
            order.append("other")
        order.append("first")
    thread.join(30)
    assert order == ["other", "first", "second"]


def test_a_mail_is_free_after_a_defect():
    own = OwnMails()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), own.turn("a"):
            1 / 0  # noqa: B018 - any defect


def test_a_mail_that_was_sent_is_known_until_it_is_removed():
    own = OwnMails()
    own.note_sent("a")
    assert own.has_sent("a")
    assert not own.has_sent("b")
    own.note_removed("a")
    own.note_removed("a")
    assert not own.has_sent("a")


def test_its_memory_is_bounded():
    own = OwnMails()
    for number in range(REMEMBERED + 1):
        own.note_sent(str(number))
    assert not own.has_sent("0")
    assert own.has_sent("1")
    assert own.has_sent(str(REMEMBERED))
