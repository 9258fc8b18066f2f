import pytest

from limbo.entrypoints.http.server.bodies import BodyBudget, HeldBody
from limbo.entrypoints.http.server.refusals import RefusalKind


@pytest.fixture
def budget():
    return BodyBudget(80)


def test_one_peer_may_hold_half_of_the_room(budget):
    held = HeldBody(budget, "a")
    assert held.take(40)
    assert not held.take(1)
    assert held.refusal is RefusalKind.PEER_BODIES
    assert HeldBody(budget, "b").take(40)


def test_nobody_gets_more_than_there_is(budget):
    for peer in "abc":
        assert HeldBody(budget, peer).take(25)
    held = HeldBody(budget, "d")
    assert not held.take(6)
    assert held.refusal is RefusalKind.BODIES


def test_one_client_may_hold_a_quarter_from_wherever_it_asks(budget):
    first, second = HeldBody(budget, "a"), HeldBody(budget, "b")
    assert first.take(15)
    first.charge("shop")
    first.charge("shop")
    assert second.take(6)
    second.charge("shop")
    assert (first.refusal, second.refusal) == (None, RefusalKind.CLIENT_BODIES)


@pytest.mark.parametrize("end", [HeldBody.drop, HeldBody.release])
def test_what_is_given_back_can_be_taken_by_others(budget, end):
    held = HeldBody(budget, "a")
    assert held.take(20)
    held.charge("shop")
    end(held)
    end(held)
    again = HeldBody(budget, "a")
    assert again.take(20)
    again.charge("shop")
    assert again.refusal is None
    assert budget.left == 60


def test_what_is_refused_or_dropped_takes_no_more(budget):
    refused, dropped = HeldBody(budget, "a"), HeldBody(budget, "b")
    assert not refused.take(41)
    assert not refused.take(1)
    dropped.drop()
    assert not dropped.take(1)
    assert budget.left == 80
