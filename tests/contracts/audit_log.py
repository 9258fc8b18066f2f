"""What every audit does: each adapter's test class inherits the contract."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from limbo.domain.access.audit import MAX_SELECTION, Action, Actor, AuditEntry, Result
from limbo.domain.mail.ids import mail_id
from limbo.ports.audit_log import AuditLog, AuditQuery

BEGUN = 1_700_000_000.25
KEY, PERSON = (
    Actor(who="key:0123456789", origin="192.0.2.7"),
    Actor(who="user:zoë", origin="command"),
)


def an_entry(age: float = 0.0, **changes: object) -> AuditEntry:
    at = BEGUN - age
    entry = AuditEntry(
        id=mail_id(at), at=at, actor=KEY, action=Action.REDRIVE, selection='{"cause":"outage"}'
    )
    return replace(entry, **changes)  # type: ignore[arg-type]


class AuditLogContract:
    @pytest.mark.parametrize(
        "changes",
        [{}, {"actor": PERSON}, {"action": "of a newer limbo"}, {"selection": "x" * MAX_SELECTION}],
    )
    def test_what_was_begun_is_there_as_it_was_recorded(self, audit_log: AuditLog, changes):
        entry = an_entry(**changes)
        audit_log.begin(entry)
        assert audit_log.page(AuditQuery()) == [entry]
        assert entry.result is Result.BEGUN

    @pytest.mark.parametrize(
        ("result", "count"), [(Result.DONE, 412), (Result.DONE, 0), (Result.FAILED, None)]
    )
    def test_an_end_completes_its_entry_alone(self, audit_log: AuditLog, result, count):
        first, second = an_entry(1), an_entry(0)
        audit_log.begin(first)
        audit_log.begin(second)
        audit_log.end(first.id, result, count)
        ended = replace(first, result=result, count=count)
        assert audit_log.page(AuditQuery()) == [second, ended]

    def test_the_end_of_what_is_not_there_changes_nothing(self, audit_log: AuditLog):
        audit_log.end(mail_id(BEGUN), Result.DONE, 1)
        assert audit_log.page(AuditQuery()) == []

    def test_pages_begin_with_the_newest_and_go_on_behind_an_entry(self, audit_log: AuditLog):
        entries = [an_entry(age) for age in range(5)]
        for entry in reversed(entries):
            audit_log.begin(entry)
        assert audit_log.page(AuditQuery(limit=2)) == entries[:2]
        assert audit_log.page(AuditQuery(limit=2, after=entries[1].id)) == entries[2:4]
        assert audit_log.page(AuditQuery(limit=2, after=entries[4].id)) == []

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            (AuditQuery(who=PERSON.who), [1]),
            (AuditQuery(action=Action.DROP), [2]),
            (AuditQuery(since=BEGUN - 1), [0, 1]),
            (AuditQuery(who=KEY.who, action=Action.REDRIVE), [0]),
            (AuditQuery(who="key:nobody"), []),
            (AuditQuery(who="'; DROP TABLE limbo_audit"), []),
        ],
    )
    def test_conditions_must_all_be_met(self, audit_log: AuditLog, query, found):
        entries = [an_entry(), an_entry(1, actor=PERSON), an_entry(2, action=Action.DROP)]
        for entry in entries:
            audit_log.begin(entry)
        assert audit_log.page(query) == [entries[index] for index in found]

    def test_a_purge_deletes_the_oldest_first_and_no_more_than_its_limit(self, audit_log: AuditLog):
        entries = [an_entry(age) for age in range(5)]
        for entry in entries:
            audit_log.begin(entry)
        assert audit_log.purge(before=BEGUN - 0.5, limit=3) == 3
        assert audit_log.page(AuditQuery()) == entries[:2]
        assert audit_log.purge(before=BEGUN - 0.5, limit=3) == 1
        assert audit_log.purge(before=BEGUN - 0.5, limit=3) == 0
        assert audit_log.page(AuditQuery()) == entries[:1]

    def test_threads_lose_nothing_of_each_other(self, audit_log: AuditLog):
        entries = [an_entry(age) for age in range(32)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(audit_log.begin, entries))
            list(pool.map(lambda entry: audit_log.end(entry.id, Result.DONE, 1), entries))
        assert audit_log.page(AuditQuery()) == [
            replace(entry, result=Result.DONE, count=1) for entry in entries
        ]
