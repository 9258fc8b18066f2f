from email.utils import formatdate

import pytest

from limbo.adapters.providers.faults import (
    clean_text,
    exchange_failure,
    mask_secrets,
    name_addresses,
    read_retry_after,
    status_fault,
)
from limbo.adapters.providers.response import NotSent, ProviderResponse, ResponseLost
from limbo.domain.delivery.verdict import Failed, Fault
from limbo.domain.mail.address import parse_address
from tests.support.mails import a_full_mail


@pytest.mark.parametrize(
    ("statuses", "fault"),
    [
        ((401, 402, 403, 404, 407), Fault.ACCOUNT),
        ((408, 425, 429), Fault.RATE),
        ((400, 405, 413, 415, 422, 451, 499), Fault.MAIL),
        ((500, 501, 503, 505, 599, 999), Fault.OUTAGE),
        ((300, 301, 302, 307, 308, 399), Fault.ACCOUNT),
        ((0, 100, 103, 200, 202, 299, 303, 502, 504), Fault.UNKNOWN),
    ],
)
def test_a_status_has_a_fault(statuses, fault):
    assert {status_fault(status) for status in statuses} == {fault}


def test_only_an_exchange_that_may_have_been_acted_on_is_in_doubt():
    assert exchange_failure(NotSent("x")) == Failed(Fault.OUTAGE, "not reached: x")
    assert exchange_failure(ResponseLost("x")) == Failed(Fault.UNKNOWN, "no answer: x")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("-1", None),
        ("1.5", None),
        ("9" * 5000, None),
        ("١٢", None),
        ("nan", None),
        ("", None),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:10:00 GMT", 540.0),
        ("Thu, 01 Jan 1970 00:00:30 GMT", 0.0),
        ("Thu, 99 Jan 99999 00:00:30 GMT", None),
        (formatdate(100, usegmt=True), 40.0),
    ],
)
def test_reads_retry_after(value, seconds):
    assert read_retry_after(value, now=60.0) == seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("said", "said"),
        ("  said\n", "said"),
        ("a\nb\x00c\x85d", "a b c d"),
        ("\ud800", ""),
        ("x" * 5000, "x" * 1000),
        (" " * 1500 + "x" * 5000, "x" * 500),
        ("", ""),
        (None, ""),
        (5, ""),
        (["a"], ""),
    ],
)
def test_keeps_of_a_foreign_string_what_can_be_logged(value, text):
    assert clean_text(value) == text


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("no such bob@one.example", "no such <recipient>"),
        ("not verified: ANN@sender.example.", "not verified: <from>."),
        ("not verified: shop@s.example, dave@four.example", "not verified: <from>, <recipient>"),
        ("identity/<carol@three.example>", "identity/<<recipient>>"),
        ("annann@sender.example", "annann@sender.example"),
        ("sender.example", "sender.example"),
        ("", ""),
        ("x" * 100_000, "x" * 100_000),
    ],
)
def test_an_address_of_the_mail_has_the_name_of_its_part(text, named):
    sources = [parse_address("shop@s.example")]
    assert name_addresses(text, mail=a_full_mail(), sources=sources) == named


def test_masks_every_secret_wherever_it_stands():
    assert mask_secrets("a k1 b k2k1", ("k1", "k2")) == "a <key> b <key><key>"


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b'{"id": 7}', {"id": 7}),
        (b"{}", {}),
        (b"", {}),
        (b"{", {}),
        (b"[1]", {}),
        (b'"id"', {}),
        (b"null", {}),
        (b"NaN", {}),
        (b"\xff\xfe", {}),
        (b"[" * 100_000, {}),
    ],
)
def test_a_body_is_an_object_or_an_empty_one(body, document):
    response = ProviderResponse(status=200, phrase="OK", retry_after="", body=body)
    assert response.json_object() == document
