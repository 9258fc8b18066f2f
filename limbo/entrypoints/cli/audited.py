"""Records what a command does in the audit, and says so on standard error."""

import os
import pwd
import socket
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from limbo.domain.access.audit import Action, Actor

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from limbo.entrypoints.cli.console import Console
    from limbo.entrypoints.telemetry.audit import Changed
    from limbo.entrypoints.wiring.container import Container

Audited = Callable[[Action, Mapping[str, object]], "AbstractContextManager[Changed]"]


def audited(console: "Console", container: "Container") -> Audited:
    """Return a function that records an action: see ``Audit.recorded``."""
    from limbo.entrypoints.telemetry.audit import Audit
    from limbo.entrypoints.telemetry.logs import line_logger

    audit = Audit(container.audit_log(), time.time, log=line_logger(console.err))
    actor = this_person()
    return lambda action, selection: audit.recorded(actor, action, selection)


def this_person(environ: Mapping[str, str] = os.environ) -> Actor:
    """Return the operating system's user who runs this command: with sudo, the one who called it.

    What an environment says can be forged, but only root is asked for it, who can forge all.
    """
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    if uid == 0:
        name = environ.get("SUDO_USER") or name
    return Actor(who=f"user:{name}", origin=f"command@{socket.gethostname()}")
