"""What the image is, as far as its recipe says; nothing here builds one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECIPE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
INSTRUCTIONS = [line.split(maxsplit=1) for line in RECIPE.splitlines() if re.match("[A-Z]", line)]
LAST_FROM = max(at for at, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM")
IMAGE = INSTRUCTIONS[LAST_FROM:]


def values(name):
    """Return what the image's own stage gives that instruction, in order."""
    return [rest for each, rest in IMAGE if each == name]


def test_its_user_is_a_number_and_not_root():
    """Kubernetes refuses a name where a container must not run as root."""
    [user] = values("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


def test_nothing_is_built_or_installed_in_the_stage_that_is_kept():
    assert [
        run for run in values("RUN") if re.search(r"\binstall\b|\bdownload\b|\bwheel\b", run)
    ] == []
    assert values("COPY") == ["--from=build /opt/limbo /opt/limbo"]
    [made] = [rest for _, rest in INSTRUCTIONS[:LAST_FROM] if "/opt/limbo" in rest]
    assert "venv --without-pip" in made
    assert "--no-index" in made


def test_every_file_that_is_installed_is_checked_against_its_hash():
    [fetched] = [rest for _, rest in INSTRUCTIONS if "pip download" in rest]
    assert "--require-hashes" in fetched
    assert all(
        "--no-index" in rest
        for _, rest in INSTRUCTIONS
        if re.search("pip.* (wheel|install) ", rest)
    )


def test_its_health_check_comes_at_most_every_ten_seconds():
    [check] = values("HEALTHCHECK")
    assert 'CMD ["limbo", "health"]' in check
    assert int(re.search(r"--interval=(\d+)s", check)[1]) >= 10


@pytest.mark.parametrize("name", ["ENTRYPOINT", "CMD", "WORKDIR", "VOLUME"])
def test_it_says_once_what_runs_and_where(name):
    assert len(values(name)) == 1
