"""``limbo api``: the process that takes mails."""

from limbo.entrypoints.cli.command import Call, Command

_DESCRIPTION = """\
Serves POST /v1/mail and the rest of the HTTP API on LIMBO_HOST and LIMBO_PORT, and puts each mail
into LIMBO_QUEUE before it answers. Start as many as you like; mails are sent by `limbo worker`."""


def _run(call: Call) -> int:
    from limbo.entrypoints.cli.serve import api

    return api(call.environ)


COMMAND = Command(
    name="api",
    summary="serve HTTP: take mails and put them into the queue",
    description=_DESCRIPTION,
    run=_run,
)
