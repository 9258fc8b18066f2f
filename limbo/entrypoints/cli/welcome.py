"""What ``limbo dev`` prints when it has started."""

from limbo import __version__
from limbo.entrypoints.settings.settings import Settings


def welcome_text(url: str, metrics_url: str, settings: Settings) -> str:
    """Return the text: where limbo listens, and how to post a first mail."""
    senders = " and ".join(sender.name for sender in settings.senders)
    if settings.queue_backend.shared:
        kept = f"The queue is {settings.queue_kind}: what it holds is kept."
    else:
        kept = f"The queue is in {settings.queue_kind}: what it holds is gone when limbo stops."
    real = "" if settings.only_fakes else "\nMAILS ARE REALLY SENT: not all senders are fakes.\n"
    post = f"curl -i {url}/v1/mail -d"
    fields = '"from": "me@example.com", "subject": "Hello", "message": "Is anybody there?"'
    return f"""
limbo {__version__} listens on {url}
Senders are {senders}. {kept}
{real}
Post a mail (paste this into another terminal):

  {post} '{{"to": "you@example.com", {fields}}}'

See it fail over from one provider to the next:

  {post} '{{"to": "outage+ok@limbo.test", {fields}}}'

Metrics are on {metrics_url}/metrics. What becomes of each mail appears here. Ctrl-C stops limbo.
"""
