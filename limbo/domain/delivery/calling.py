"""One call of one provider, and what came of it."""

from collections.abc import Callable
from dataclasses import replace

from limbo.domain.delivery.verdict import Attempt, Failed, Fault, Verdict
from limbo.domain.mail.mail import Mail
from limbo.domain.mail.mask import mask_words


def call(
    name: str,
    send: Callable[[Mail], Verdict],
    mail: Mail,
    *,
    started_at: float,
    now: Callable[[], float],
) -> Attempt:
    """Send the mail as the sender of that name does; what the mail says is masked in the answer.

    ``started_at`` was before the call was permitted; it lasts from now on.
    """
    called_at = now()
    error: Exception | None = None
    verdict: Verdict
    try:
        verdict = send(mail)
    except Exception as raised:  # noqa: BLE001 - a bug in one sender must not lose the mail
        error = raised
        verdict = Failed(Fault.UNKNOWN, f"the sender raised {type(raised).__name__}")
    if isinstance(verdict, Failed):
        verdict = replace(
            verdict, reason=mask_words(verdict.reason, mail.fields.private_words(mail))
        )
    return Attempt(
        sender=name,
        started_at=started_at,
        duration=max(0.0, now() - called_at),
        verdict=verdict,
        error=error,
    )
