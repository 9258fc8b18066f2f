import hashlib

from tests.support.command_line import CommandLine

SECRET = {"LIMBO_HASH_SECRET": "sixteen or more characters", "LIMBO_QUEUE": "memory:"}


def with_tables(environ):
    limbo = CommandLine(environ)
    assert limbo.type("migrate") == 0
    return limbo


def hashes(limbo, *arguments, answer=""):
    assert limbo.type("hash", *arguments, answer=answer) == 0
    return limbo.out.split()


def test_addresses_are_read_from_the_command_line_or_from_standard_input():
    limbo = CommandLine(SECRET)
    [one] = hashes(limbo, "Bob <bob@example.org>")
    assert hashes(limbo, answer="bob@example.org\n\nBOB@example.org\n") == [one, one]
    assert one != hashlib.sha256(b"bob@example.org").hexdigest()[:12]


def test_the_domain_is_hashed_in_its_ascii_form():
    limbo = CommandLine(SECRET)
    assert hashes(limbo, "bob@bücher.example") == hashes(limbo, "bob@xn--bcher-kva.example")


def test_the_secret_of_a_database_is_made_once(tmp_path):
    here = {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/one.db"}
    there = {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/other.db"}
    one = hashes(with_tables(here), "bob@example.org")
    assert hashes(CommandLine(here), "bob@example.org") == one
    assert hashes(with_tables(there), "bob@example.org") != one


def test_a_queue_without_a_ledger_has_the_secret_in_its_database(tmp_path):
    alone = {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/one.db", "LIMBO_LEDGER": "none"}
    assert hashes(with_tables(alone), "a@b.example") == hashes(CommandLine(alone), "a@b.example")


def test_without_a_database_or_a_secret_there_is_no_hash_to_tell():
    limbo = CommandLine({"LIMBO_QUEUE": "memory:"})
    assert limbo.type("hash", "bob@example.org") == 2
    assert "LIMBO_HASH_SECRET must be set" in limbo.err


def test_a_line_that_is_no_address_is_told_without_repeating_it():
    limbo = CommandLine(SECRET)
    assert limbo.type("hash", answer="no secret of mine\nbob@example.org\n") == 1
    assert len(limbo.out.split()) == 1
    assert "mine" not in limbo.err


def test_a_short_secret_is_refused_and_not_shown():
    limbo = CommandLine({**SECRET, "LIMBO_HASH_SECRET": "geheim"})
    assert limbo.type("hash", "a@b.example") == 2
    assert "LIMBO_HASH_SECRET must be 16 characters or more" in limbo.err
    assert "geheim" not in limbo.err
    limbo = CommandLine({**SECRET, "LIMBO_SENDERS": "fake"})
    limbo.type("check")
    assert "sixteen" not in limbo.out
