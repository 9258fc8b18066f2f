"""What the settings must know about a backend of the queue or the ledger."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from limbo.entrypoints.settings.variables import Variable

NO_LEDGER = "none"


def _never(_: str) -> bool:
    return False


def _no_file(_: str) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRules:
    """How a backend is recognised in LIMBO_QUEUE and LIMBO_LEDGER, and what it can do.

    ``form`` is its URL as the README writes it, and ``schemes`` is how such a URL begins.
    ``deduplicates`` says whether the queue of that URL accepts each mail's id only once, without a
    ledger. A backend that is not ``shared`` exists only within its process. ``needs`` are the other
    variables that it needs, each with the end of the sentence "LIMBO_… must …". ``file`` gives the
    full path of the file that a URL means, as two processes in two folders may mean two files.
    ``lease_min`` is the shortest lease in seconds: a lease may begin with the poll that it came by.
    """

    name: str
    form: str
    matches: Callable[[str], bool]
    schemes: tuple[str, ...] = ()
    shared: bool = True
    holds_ledger: bool = False
    holds_api_keys: bool = False
    holds_secrets: bool = False
    deduplicates: Callable[[str], bool] = _never
    lease_min: float = 1.0
    needs: tuple[tuple[Variable, str], ...] = ()
    file: Callable[[str], str | None] = _no_file

    @property
    def plain_form(self) -> str:
        """The form without the README's markup."""
        return self.form.replace("`", "")


def find_backend(url: str, backends: Iterable[BackendRules]) -> BackendRules | None:
    """Return the first backend that recognises the URL.

    A scheme without its colon, such as "memory", is taken for a slip, not for the name of a queue
    on SQS.
    """
    if url.partition("://")[2].count("@") > 1:
        raise ValueError("a URL in whose password each @ is written %40, and each / %2F")
    known = tuple(backends)
    if url in {scheme.partition(":")[0] for backend in known for scheme in backend.schemes}:
        return None
    return next((backend for backend in known if backend.matches(url)), None)


def queue_parser(
    backends: Sequence[BackendRules],
) -> Callable[[str], tuple[str, BackendRules]]:
    """Return a parser of LIMBO_QUEUE, which gives the URL and its backend."""

    def parse(url: str) -> tuple[str, BackendRules]:
        backend = find_backend(url, backends)
        if backend is None:
            *forms, last_form = (backend.plain_form for backend in backends)
            raise ValueError(f"{', '.join(forms)}, or {last_form}")
        return url, backend

    return parse


def ledger_parser(
    backends: Sequence[BackendRules],
) -> Callable[[str], tuple[str, BackendRules | None]]:
    """Return a parser of LIMBO_LEDGER, which gives the URL and its backend, or None for none."""

    def parse(url: str) -> tuple[str, BackendRules | None]:
        if url == NO_LEDGER:
            return url, None
        backend = find_backend(url, backends)
        if backend is None or not backend.holds_ledger:
            forms = (b.plain_form for b in backends if b.holds_ledger and b.shared)
            raise ValueError(f"{', '.join(forms)} or {NO_LEDGER}")
        return url, backend

    return parse
