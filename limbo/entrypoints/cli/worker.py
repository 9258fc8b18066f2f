"""``limbo worker``: the process that sends mails."""

from limbo.entrypoints.cli.command import Call, Command

_DESCRIPTION = """\
Receives mails from LIMBO_QUEUE and sends them through LIMBO_SENDERS, LIMBO_CONCURRENCY at a time.
Serves its own /metrics on LIMBO_HOST and LIMBO_WORKER_PORT. Start as many as you like.

SIGTERM: it receives no more, finishes what it has started within LIMBO_SHUTDOWN_SECONDS, and
exits with 0. A second signal ends it at once; what it held is sent by another worker later."""


def _run(call: Call) -> int:
    from limbo.entrypoints.cli.serve import worker

    return worker(call.environ)


COMMAND = Command(
    name="worker",
    summary="send the mails in the queue through the providers",
    description=_DESCRIPTION,
    run=_run,
)
