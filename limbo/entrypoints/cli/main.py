"""The command line: limbo dev | api | worker | check | health | dead-letters | keys."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from limbo import __version__
from limbo.domain.errors import LimboError, SettingsError
from limbo.entrypoints.cli import keys as keys_command
from limbo.entrypoints.cli.dead_letters import command as dead_letters_command

if TYPE_CHECKING:
    from limbo.ports.api_keys import ApiKeys

_DESCRIPTION = """\
limbo is a mail gateway: it takes mails over HTTP, keeps them in a queue, and sends them through
whichever provider is up. Settings are environment variables, LIMBO_*; `limbo check` lists them.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 done, 1 failed, 2 wrong settings or usage."""
    parsed = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = parsed.run
    try:
        return run(parsed)
    except SettingsError as error:
        print(f"limbo: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except LimboError as error:
        print(f"limbo: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except (KeyboardInterrupt, BrokenPipeError):
        return 1
    except OSError as error:
        print(f"limbo: {error.strerror or type(error).__name__}", file=sys.stderr)  # noqa: T201
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="limbo",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"limbo {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary, details, run in _COMMANDS:
        command = commands.add_parser(
            name,
            help=summary,
            description=details,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=run)
    dead_letters_command.add_parser(commands)
    keys_command.add_parser(commands, _open_keys)
    return parser


def _open_keys() -> "ApiKeys":
    from limbo.entrypoints.cli.serve import open_api_keys  # noqa: PLC0415 - see below

    return open_api_keys(os.environ)


def _dev(_: argparse.Namespace) -> int:
    from limbo.entrypoints.cli.serve import dev  # noqa: PLC0415 - each command loads what it needs

    return dev(os.environ)


def _api(_: argparse.Namespace) -> int:
    from limbo.entrypoints.cli.serve import api  # noqa: PLC0415

    return api(os.environ)


def _worker(_: argparse.Namespace) -> int:
    from limbo.entrypoints.cli.serve import worker  # noqa: PLC0415

    return worker(os.environ)


def _check(_: argparse.Namespace) -> int:
    from limbo.entrypoints.cli.check import check  # noqa: PLC0415

    return check(os.environ)


def _health(_: argparse.Namespace) -> int:
    from limbo.entrypoints.cli.health import health  # noqa: PLC0415

    return health(os.environ)


_COMMANDS = (
    (
        "dev",
        "try limbo on this machine, with nothing else installed",
        """\
Starts the api and a worker in one process, with a queue in memory and two fake providers: no
account is needed, no mail leaves this machine, and nothing is kept when it stops.

It prints a curl line to paste. To see limbo fail over, post to outage+ok@limbo.test.""",
        _dev,
    ),
    (
        "api",
        "serve HTTP: take mails and put them into the queue",
        """\
Serves POST /v1/mail and the rest of the HTTP API on LIMBO_HOST and LIMBO_PORT, and puts each mail
into LIMBO_QUEUE before it answers. Start as many as you like; mails are sent by `limbo worker`.""",
        _api,
    ),
    (
        "worker",
        "send the mails in the queue through the providers",
        """\
Receives mails from LIMBO_QUEUE and sends them through LIMBO_SENDERS, LIMBO_CONCURRENCY at a time.
Serves its own /metrics on LIMBO_HOST and LIMBO_WORKER_PORT. Start as many as you like.

SIGTERM: it receives no more, finishes what it has started within LIMBO_SHUTDOWN_SECONDS, and
exits with 0. A second signal ends it at once; what it held is sent by another worker later.""",
        _worker,
    ),
    (
        "check",
        "show the settings in force and try each part",
        """\
Prints every setting with its value and where it is from (secrets masked), then tries the queue
and each sender without sending a mail. Exits with 0 if all of them answer.""",
        _check,
    ),
    (
        "health",
        "ask the api or worker on this machine whether it lives",
        """\
Asks /livez on LIMBO_PORT, then on LIMBO_WORKER_PORT, and exits with 0 if either answers: for the
health check of a container, whatever its role.""",
        _health,
    ),
)
