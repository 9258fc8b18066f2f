"""The kinds of senders that limbo knows, one line each; their own files declare the rest."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pkgutil import resolve_name

from limbo.entrypoints.settings.senders import missing_senders
from limbo.entrypoints.settings.settings import Settings
from limbo.ports.sender import Sender
from limbo.ports.sender_kind import Closable, SenderKind, SenderOptions

KIND_PATHS = (
    "limbo.adapters.providers.ses.sender:KIND",
    "limbo.adapters.providers.mailgun.sender:KIND",
    "limbo.adapters.providers.fake.sender:KIND",
)


def load_kinds(paths: Iterable[str]) -> Sequence[SenderKind]:
    """Import the kinds of senders at these paths."""
    return tuple(map(resolve_name, paths))


SENDER_KINDS = load_kinds(KIND_PATHS)


def open_senders(settings: Settings, kinds: Sequence[SenderKind]) -> Iterator[Sequence[Sender]]:
    """Yield the senders that the settings name, and close them in the end.

    Raises SettingsError if there is none, or if one cannot be built.
    """
    if not settings.senders:
        raise missing_senders(kinds)
    with ExitStack() as closing:
        senders = []
        for each in settings.senders:
            options = SenderOptions(
                name=each.name,
                values=each.values,
                pool_size=settings.concurrency,
                timeout=settings.send_timeout,
                region=settings.region,
            )
            senders.append(sender := each.kind.build(options))
            if isinstance(sender, Closable):
                closing.callback(sender.close)
        yield senders
