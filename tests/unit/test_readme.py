"""What the README says of settings and metrics is what the code has."""

from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.telemetry.metrics import Metrics
from tests.support.readme import README, settings_rows, shown_rows, with_rows

TEXT = README.read_text()


def test_the_readme_has_the_settings_as_they_are_declared():
    assert shown_rows(TEXT) == settings_rows(), "write them: python -m tests.support.readme"


def test_rows_that_changed_are_written_where_they_stood():
    rows = [*settings_rows(), "| `LIMBO_NEW` |  | a new one | – |"]
    written = with_rows(TEXT, rows)
    assert shown_rows(written) == rows
    assert [line for line in written.splitlines() if line not in rows] == [
        line for line in TEXT.splitlines() if line not in rows
    ]


def test_the_readme_has_every_code_of_an_error():
    for code in Code:
        assert f"| `{code}` | {code.status} | {code.meaning} |" in TEXT


def test_the_readme_has_every_metric():
    own = {m.name for m in Metrics().registry.collect() if m.name.startswith("limbo_")}
    assert len(own) >= 8
    for name in own:
        assert name in TEXT
