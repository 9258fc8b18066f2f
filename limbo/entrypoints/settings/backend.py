"""What the settings have to know of a backend: where mails wait, or where their fate is kept."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from limbo.entrypoints.settings.variables import Variable


def _never(_: str) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRules:
    """How a backend is recognised in LIMBO_QUEUE and LIMBO_LEDGER, and what it is able to do.

    ``form`` is how the README writes its URL, and ``schemes`` how such a URL begins.
    ``deduplicates`` says whether the queue of that URL takes a mail's id once, without a ledger.
    A backend that is not ``shared`` lives and ends with its process. ``needs`` are the variables
    that must be set beside it, each with the end of the sentence "LIMBO_… must …".
    """

    name: str
    form: str
    matches: Callable[[str], bool]
    schemes: tuple[str, ...] = ()
    shared: bool = True
    holds_ledger: bool = False
    holds_api_keys: bool = False
    deduplicates: Callable[[str], bool] = _never
    needs: tuple[tuple[Variable, str], ...] = ()

    @property
    def plain_form(self) -> str:
        """The form without the README's marks."""
        return self.form.replace("`", "")


def find_backend(url: str, backends: Iterable[BackendRules]) -> BackendRules | None:
    """Return the first backend that recognises the URL.

    A scheme without its colon is a slip, and hardly the name of a queue on SQS.
    """
    known = tuple(backends)
    if url in {scheme.partition(":")[0] for backend in known for scheme in backend.schemes}:
        return None
    return next((backend for backend in known if backend.matches(url)), None)
