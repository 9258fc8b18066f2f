import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.postgres_arrays import as_column

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@pytest.fixture(scope="module")
def database(postgres):
    database = PostgresDatabase.connect(postgres.new_database())
    yield database
    database.close()


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", TEXTS),
        ("float8", st.floats(allow_nan=False)),
        ("bytea", st.binary()),
        ("bool", st.booleans()),
    ],
)
def test_a_column_reaches_the_server_as_it_is(database, kind, values):
    @settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.none() | values, max_size=20))
    def check(column):
        sql = f"SELECT unnest(:column::{kind}[])"
        assert database.execute_many(sql, {"column": column}) == [(value,) for value in column]

    check()


@pytest.mark.parametrize("values", [[], [None], ["a", 1], [1, 2]])
def test_what_is_of_no_one_known_type_is_left_to_psycopg(values):
    assert as_column(values) is values
