"""``limbo dev``: api and worker in one process, to try limbo with."""

from limbo.entrypoints.cli.command import Call, Command

_DESCRIPTION = """\
Starts the api and a worker in one process, with a queue in memory and two fake providers: no
account is needed, no mail leaves this machine, and nothing is kept when it stops.

It prints a curl line to paste. To see limbo fail over, post to outage+ok@limbo.test."""


def _run(call: Call) -> int:
    from limbo.entrypoints.cli.serve import dev

    return dev(call.environ)


COMMAND = Command(
    name="dev",
    summary="try limbo on this machine, with nothing else installed",
    description=_DESCRIPTION,
    run=_run,
)
