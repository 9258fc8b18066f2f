"""What ``limbo dev`` prints when it has started."""

from collections.abc import Collection

from limbo import __version__
from limbo.domain.access.api_key import KeyScope
from limbo.entrypoints.settings.settings import Settings


def welcome_text(
    url: str, metrics_url: str, settings: Settings, anonymous: Collection[KeyScope]
) -> str:
    """Return the text: where limbo listens, who may use it, and how to post a first mail."""
    senders = " and ".join(sender.name for sender in settings.senders)
    if settings.queue_backend.shared:
        kept = f"The queue is {settings.queue_kind}: what it holds is kept."
    else:
        kept = f"The queue is in {settings.queue_kind}: what it holds is gone when limbo stops."
    real = "" if settings.only_fakes else "\nMAILS ARE REALLY SENT: not all senders are fakes.\n"
    may = " and ".join(scope for scope in KeyScope if scope in anonymous)
    who = f"Anybody who reaches it may {may}." if may else "Only who has an API key may use it."
    if KeyScope.ADMIN in anonymous:
        who = "Everybody on this machine may do everything, without an API key."
    key = "" if KeyScope.SEND in anonymous else "-H 'Authorization: Bearer limbo_…' "
    post = f"curl -i {key}{url}/v1/mail -d"
    fields = '"from": "me@example.com", "subject": "Hello", "message": "Is anybody there?"'
    return f"""
limbo {__version__} listens on {url}
Senders are {senders}. {kept}
{who}
{real}
Post a mail (paste this into another terminal):

  {post} '{{"to": "you@example.com", {fields}}}'

See it fail over from one provider to the next:

  {post} '{{"to": "outage+ok@limbo.test", {fields}}}'

Metrics are on {metrics_url}/metrics. What becomes of each mail appears here. Ctrl-C stops limbo.
"""
