"""Torture, quick by default and in full with --torture; its figures are printed at the end."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.processes import Fleet
from tests.torture.provider import Provider
from tests.torture.site import Site

_FIGURES = "torture's figures"  # a property of a test's report, which reaches whoever prints it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="torture in full: some 15 minutes")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    fleet = getattr(item, "funcargs", {}).get("fleet")
    if report.when == "call" and report.failed and isinstance(fleet, Fleet):
        for process in fleet.processes:
            report.sections.append((f"log of {process.name}", process.tail()))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = [
        row
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, row in report.user_properties
        if name == _FIGURES
    ]
    if rows:
        terminalreporter.section("torture")
        width = max(len(torture) for torture, _ in rows)
        for torture, figures in rows:
            terminalreporter.write_line(f"{torture:{width}} | {figures}")


@pytest.fixture(scope="session")
def full(pytestconfig: pytest.Config) -> bool:
    """Whether the figures of the full form are wanted."""
    return bool(pytestconfig.getoption("--torture", default=False))


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Takes what was measured, to be shown in the table at the end."""

    def note(torture: str, **measured: object) -> None:
        texts = [f"{name.replace('_', ' ')} {_shown(value)}" for name, value in measured.items()]
        record_property(_FIGURES, (torture, ", ".join(texts)))

    return note


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Limbo's processes, which end with the test."""
    logs = tmp_path / "logs"
    logs.mkdir()
    with closing(Fleet(logs, {"LIMBO_ALLOW_ANONYMOUS": "true"})) as running:
        yield running


@pytest.fixture
def site(fleet: Fleet, provider: Provider, tmp_path: Path) -> Iterator[Site]:
    """A site on SQLite."""
    with closing(Site(fleet, provider, f"sqlite:///{tmp_path}/limbo.db")) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def each_site(
    request: pytest.FixtureRequest, fleet: Fleet, provider: Provider, tmp_path: Path
) -> Iterator[Site]:
    """A site on SQLite, and one on PostgreSQL."""
    url = f"sqlite:///{tmp_path}/limbo.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    with closing(Site(fleet, provider, url)) as made:
        yield made


def _shown(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
