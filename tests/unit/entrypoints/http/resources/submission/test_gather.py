import asyncio
import itertools
import threading

import pytest
from structlog.testing import capture_logs

from limbo.domain.mail.ids import mail_id
from limbo.domain.mail.mail import parse_mail
from limbo.entrypoints.http.resources.submission.gather import Gatherer, GatherLimits
from limbo.ports.outbox import KeptAs, KeyConflict, Replayed, Submission
from limbo.ports.queue import Kept, NotKept
from tests.support.clock import run_leaping
from tests.support.http_app import MAIL, ScriptedOutbox

LATE = NotKept(reason="the queue has not answered in time", in_doubt=True)
serial = itertools.count()


def a_submission(subject=None):
    document = MAIL | {"subject": subject or f"mail {next(serial)}"}
    return Submission(mail=parse_mail(document, id=mail_id(1.0), submitted_at=1.0))


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - a thread changes it
            await asyncio.sleep(0.002)


def submissions(gatherer, count, size=1):
    return [asyncio.create_task(gatherer.submit(a_submission(), size)) for _ in range(count)]


def test_what_comes_during_a_call_goes_out_in_the_next():
    async def run():
        outbox = ScriptedOutbox()
        async with Gatherer(outbox) as gatherer:
            outbox.gate.clear()
            first = submissions(gatherer, 3)
            await until(lambda: outbox.calls)
            later = submissions(gatherer, 40)
            await asyncio.sleep(0.01)
            outbox.gate.set()
            assert await asyncio.gather(*first, *later) == [Kept()] * 43
        assert [len(call) for call in outbox.calls] == [3, 40]

    asyncio.run(run())


def test_enough_mails_go_out_before_the_turn_of_the_loop_is_over():
    async def run():
        outbox = ScriptedOutbox()
        async with Gatherer(outbox, GatherLimits(enough=32)) as gatherer:
            outbox.gate.clear()
            waiting = submissions(gatherer, 40)
            await until(lambda: outbox.calls)
            assert [len(call) for call in outbox.calls] == [32]
            outbox.gate.set()
            assert await asyncio.gather(*waiting) == [Kept()] * 40
        assert [len(call) for call in outbox.calls] == [32, 8]

    asyncio.run(run())


def test_one_call_at_a_time_of_at_most_so_many_mails_in_their_order():
    async def run():
        outbox, busy, seen = ScriptedOutbox(), threading.Lock(), []

        class Alone:
            def submit(self, batch):
                assert busy.acquire(blocking=False)
                seen.extend(submission.mail.subject for submission in batch)
                answers = outbox.submit(batch)
                busy.release()
                return answers

        mails = [a_submission() for _ in range(100)]
        async with Gatherer(Alone(), GatherLimits(batch=7)) as gatherer:
            await asyncio.gather(*(gatherer.submit(mail, 1) for mail in mails))
        assert max(len(call) for call in outbox.calls) == 7
        assert seen == [submission.mail.subject for submission in mails]

    asyncio.run(run())


def test_a_full_batch_goes_out_beside_the_calls_under_way_and_a_part_of_one_after_them():
    async def run():
        outbox = ScriptedOutbox()
        async with Gatherer(outbox, GatherLimits(batch=10, calls=3)) as gatherer:
            outbox.gate.clear()
            first = submissions(gatherer, 23)
            await until(lambda: len(outbox.calls) == 2)
            more = submissions(gatherer, 40)
            await until(lambda: len(outbox.calls) == 3)
            await asyncio.sleep(0.01)
            assert [len(call) for call in outbox.calls] == [10, 10, 10]
            outbox.gate.set()
            assert await asyncio.gather(*first, *more) == [Kept()] * 63
        assert sorted(len(call) for call in outbox.calls) == [3, 10, 10, 10, 10, 10, 10]

    asyncio.run(run())


def test_mails_are_refused_once_every_call_hangs():
    async def run():
        outbox = ScriptedOutbox()
        async with Gatherer(outbox, GatherLimits(batch=1, calls=2, seconds=0.05)) as gatherer:
            outbox.gate.clear()
            assert await asyncio.gather(*submissions(gatherer, 2)) == [LATE] * 2
            [refused] = await asyncio.gather(*submissions(gatherer, 1))
            assert isinstance(refused, NotKept)
            outbox.gate.set()
            async with asyncio.timeout(30):
                while await asyncio.gather(*submissions(gatherer, 1)) != [Kept()]:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

    asyncio.run(run())


def test_each_mail_gets_its_own_answer():
    async def run():
        outbox = ScriptedOutbox()
        no = NotKept(reason="no", too_large=True)
        outbox.answer = lambda mail: no if mail.subject == "bad" else Kept()
        async with Gatherer(outbox) as gatherer:
            mails = [a_submission(), a_submission("bad"), a_submission()]
            answers = await asyncio.gather(*(gatherer.submit(mail, 1) for mail in mails))
        assert answers == [Kept(), no, Kept()]
        assert len(outbox.calls) == 1

    asyncio.run(run())


def test_an_outage_of_the_outbox_is_logged_when_it_begins_and_when_it_ends():
    async def run():
        outbox = ScriptedOutbox()
        async with Gatherer(outbox) as gatherer:
            with capture_logs() as logs:
                for answer in (NotKept(reason="it is gone"), NotKept(reason="so it is"), Kept()):
                    outbox.answer = lambda _, answer=answer: answer
                    assert await gatherer.submit(a_submission(), 1) == answer
                outbox.answer = lambda _: NotKept(reason="too long", too_large=True)
                await gatherer.submit(a_submission(), 1)
        assert logs == [
            {
                "event": "queue unavailable",
                "doing": "put",
                "reason": "it is gone",
                "log_level": "error",
            },
            {"event": "queue available", "doing": "put", "log_level": "info"},
        ]

    asyncio.run(run())


@pytest.mark.parametrize("failure", ["raises", "answers for too few"])
def test_an_outbox_that_breaks_its_promise_fails_one_batch(failure):
    async def run():
        outbox = ScriptedOutbox()
        gatherer = Gatherer(outbox)
        if failure == "raises":
            outbox.error = KeyError("bob@example.org")
        else:
            outbox.submit, submit = (lambda _: []), outbox.submit
        async with gatherer:
            with capture_logs() as logs:
                answers = await asyncio.gather(*submissions(gatherer, 2))
            assert answers == [NotKept(reason="the outbox failed", in_doubt=True)] * 2
            errors = [type(line["exc_info"]) for line in logs if "exc_info" in line]
            assert errors == ([KeyError] if failure == "raises" else [])
            outbox.error = None
            if failure == "answers for too few":
                outbox.submit = submit
            assert await gatherer.submit(a_submission(), 1) == Kept()

    asyncio.run(run())


def test_a_request_that_is_gone_disturbs_no_other():
    async def run():
        outbox = ScriptedOutbox()
        async with Gatherer(outbox) as gatherer:
            outbox.gate.clear()
            (under_way,) = submissions(gatherer, 1)
            await until(lambda: outbox.calls)
            gone, stays = submissions(gatherer, 2)
            await asyncio.sleep(0.01)
            under_way.cancel()
            gone.cancel()
            await asyncio.sleep(0.01)
            outbox.gate.set()
            assert await stays == Kept()
        assert [len(call) for call in outbox.calls] == [1, 1]  # nobody waits for the third

    asyncio.run(run())


@pytest.mark.parametrize("limits", [GatherLimits(mails=10), GatherLimits(bytes=1000)])
def test_a_full_backlog_refuses_and_then_recovers(limits):
    async def run():
        outbox = ScriptedOutbox()
        async with Gatherer(outbox, limits) as gatherer:
            outbox.gate.clear()
            tasks = submissions(gatherer, 15, size=100)
            await until(lambda: sum(task.done() for task in tasks) == 5)
            outbox.gate.set()
            answers = await asyncio.gather(*tasks)
            assert answers.count(Kept()) == 10
            assert answers[10:] == [NotKept(reason="too many mails wait for the queue")] * 5
            assert await gatherer.submit(a_submission(), 100) == Kept()

    asyncio.run(run())


def test_what_was_handed_over_too_long_ago_is_unknown_and_what_was_not_is_not_kept():
    async def run():
        outbox, loop = ScriptedOutbox(), asyncio.get_running_loop()
        async with Gatherer(outbox, GatherLimits(seconds=1000)) as gatherer:
            outbox.gate.clear()
            (under_way,) = submissions(gatherer, 1)
            await until(lambda: outbox.calls)
            (waits,) = submissions(gatherer, 1)
            await loop.leap(1000)
            assert await under_way == LATE
            assert await waits == NotKept(reason="the queue did not answer in time")
            stuck = NotKept(reason="the queue has not answered for too long")
            assert await asyncio.gather(*submissions(gatherer, 2)) == [stuck] * 2  # at once
            with capture_logs() as logs:
                outbox.gate.set()
                await until(lambda: logs)
            assert await gatherer.submit(a_submission(), 1) == Kept()
        assert len(outbox.mails) == 2

    run_leaping(run())


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (Kept(), True),
        (KeptAs("x"), True),
        (Replayed("x"), True),
        (KeyConflict.REUSED, False),
        (NotKept(reason="no"), False),
        (NotKept(reason="no answer", in_doubt=True), None),
    ],
)
def test_a_late_answer_is_logged_as_what_it_is(answer, kept):
    async def run():
        outbox = ScriptedOutbox()
        outbox.answer = lambda _: answer
        # One is enough, and so is handed over at once.
        async with Gatherer(outbox, GatherLimits(enough=1, seconds=0.02)) as gatherer:
            outbox.gate.clear()
            assert await asyncio.gather(*submissions(gatherer, 1)) == [LATE]
            with capture_logs() as logs:
                outbox.gate.set()
                await until(lambda: logs)
            assert (logs[0]["event"], logs[0]["kept"]) == ("the queue answered late", kept)

    asyncio.run(run())


@pytest.mark.parametrize("calls", [1, 2], ids=["the second waits", "both are under way"])
def test_a_time_out_is_each_mails_own(calls):
    async def run():
        outbox, loop = ScriptedOutbox(), asyncio.get_running_loop()
        limits = GatherLimits(enough=1, calls=calls, seconds=1000)
        async with Gatherer(outbox, limits) as gatherer:
            outbox.gate.clear()
            (first,) = submissions(gatherer, 1)
            await loop.leap(500)
            (second,) = submissions(gatherer, 1)
            await loop.leap(400)
            assert (first.done(), second.done()) == (False, False)
            await loop.leap(200)
            assert (first.done(), second.done()) == (True, False)
            await loop.leap(500)
            assert second.done()
            outbox.gate.set()

    run_leaping(run())


def test_leaving_answers_what_was_gathered():
    async def run():
        outbox = ScriptedOutbox()
        gatherer = Gatherer(outbox)
        async with gatherer:
            outbox.gate.clear()
            tasks = submissions(gatherer, 1)
            await until(lambda: outbox.calls)
            tasks += submissions(gatherer, 5)
            await asyncio.sleep(0.01)
            asyncio.get_running_loop().call_later(0.05, outbox.gate.set)
        assert all(task.done() for task in tasks)
        assert await asyncio.gather(*tasks) == [Kept()] * 6

    asyncio.run(run())


def test_an_outbox_that_hangs_holds_up_neither_the_end_nor_the_exit():
    outbox = ScriptedOutbox()

    async def run():
        gatherer = Gatherer(outbox, GatherLimits(enough=1, seconds=0.05))
        async with gatherer:
            outbox.gate.clear()
            tasks = submissions(gatherer, 1)
            await until(lambda: outbox.calls)
        assert await tasks[0] == LATE

    asyncio.run(run())
    outbox.gate.set()  # the loop is closed by now
