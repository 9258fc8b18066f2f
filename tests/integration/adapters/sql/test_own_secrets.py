"""The secrets that an installation makes for itself, in both databases."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from limbo.adapters.sql.own_secrets import SqlSecrets
from limbo.domain.errors import SecretsUnavailable
from tests.support.sql import open_database


def test_a_secret_is_random_and_stays(url):
    with (
        contextlib.closing(open_database(url)) as one,
        contextlib.closing(open_database(url)) as other,
    ):
        secret = SqlSecrets(one).secret("a")
        assert len(secret) == 32
        assert SqlSecrets(one).secret("a") == SqlSecrets(other).secret("a") == secret
        assert SqlSecrets(other).secret("b") != secret


def test_all_who_make_it_at_once_get_the_same(url):
    with contextlib.closing(open_database(url)) as database, ThreadPoolExecutor(8) as threads:
        secrets = SqlSecrets(database)
        assert len({*threads.map(lambda _: secrets.secret("a"), range(32))}) == 1


def test_a_database_that_is_away_is_told_as_the_port_says(database):
    database.execute("DROP TABLE limbo_secrets")
    with pytest.raises(SecretsUnavailable):
        SqlSecrets(database).secret("a")
