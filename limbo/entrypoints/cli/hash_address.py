"""``limbo hash``: the form that an address has in the logs."""

import argparse
from collections.abc import Iterator

from limbo.domain.errors import SettingsError
from limbo.entrypoints.cli.command import Call, Command
from limbo.entrypoints.cli.parts import opened_container
from limbo.entrypoints.settings.variables import HASH_SECRET

_DESCRIPTION = """\
Prints the hash under which an address stands in this installation's logs. Without ADDRESS it reads
addresses from standard input, one a line, so that they get into no history of a shell."""


def _run(call: Call) -> int:
    """Print a hash for each address; return 1 if a line is no address."""
    from limbo.domain.mail.address import parse_address

    code = 0
    with opened_container(call.environ) as container:
        if container.settings().address_hashes == "process":
            raise SettingsError(
                f"{HASH_SECRET.name} must be set where there is no database: without it each"
                " process hashes addresses under a secret of its own"
            )
        address_hash = container.address_hash()
        for text in _addresses(call):
            try:
                call.console.print(address_hash(parse_address(text).email))
            except ValueError as error:
                call.console.fail(f"no address: {error}")
                code = 1
    return code


def _addresses(call: Call) -> Iterator[str]:
    if call.arguments.address is not None:
        yield call.arguments.address
        return
    yield from (line.strip() for line in call.console.input if line.strip())


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("address", nargs="?", metavar="ADDRESS", help="default: standard input")


COMMAND = Command(
    name="hash",
    summary="show the form that an address has in the logs",
    description=_DESCRIPTION,
    run=_run,
    add_arguments=_add_arguments,
)
