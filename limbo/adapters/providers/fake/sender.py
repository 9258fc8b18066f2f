"""A provider that follows a script, to see limbo fall back, retry and bury without a real one.

A script is a list of steps, each for one call: ``ok``, ``reject`` (blames the mail), ``account``,
``identity``, ``rate``, ``outage``, ``unknown`` or ``slow`` (accepts after a while). ``rate(60)``
and ``slow(0.5)`` set the seconds; ``outage*3`` stands for three calls.

The script of ``LIMBO_FAKE_SCRIPT`` ("outage*3, ok") is for all mails, in the order of the calls.
After its end each call is ok. A mail gets its own script if a recipient at ``limbo.test`` has a
script as its local part, with ``+`` for the commas ("outage+ok@limbo.test"). The first call for
this mail then takes the first step, and the last step repeats forever. Only the first such
recipient counts. Other local parts have no meaning.

The fakes of a process share one script and its position. With "outage, ok", the provider that is
tried first fails, and the next one takes the mail, whatever their names.
"""

import re
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from limbo.domain.delivery.verdict import Accepted, Failed, Fault, Verdict
from limbo.domain.mail.mail import Mail
from limbo.ports.sender_kind import SenderKind, SenderOptions, SenderVariable

DOMAIN = "limbo.test"
TOKENS = ("ok", "reject", "account", "identity", "rate", "outage", "unknown", "slow")
_MAX_MAILS = 10_000
_SLOW_SECONDS = 2.0
_STEP = re.compile(rf"({'|'.join(TOKENS)})(?:\((\d{{1,4}}(?:\.\d{{1,3}})?)\))?(?:\*(\d{{1,6}}))?")
_FAULTS = {"reject": Fault.MAIL} | {fault.value: fault for fault in Fault if fault != Fault.MAIL}


@dataclass(frozen=True, slots=True)
class Step:
    """What ``times`` calls in a row do."""

    token: str
    seconds: float | None = None
    times: int = 1


def parse_script(text: str) -> tuple[Step, ...]:
    """Read "outage*3, ok". Raises ValueError, which names the bad step and the known ones."""
    return tuple(_step(part.strip()) for part in text.split(",")) if text.strip() else ()


def _step(text: str) -> Step:
    found = _STEP.fullmatch(text)
    if found is None or (found[2] and found[1] not in ("rate", "slow")):
        msg = (
            f"{text[:40]!r} is no step of a script; known are {', '.join(TOKENS)},"
            " rate(seconds), slow(seconds), each with *count for more than one call"
        )
        raise ValueError(msg)
    return Step(found[1], float(found[2]) if found[2] else None, int(found[3] or 1))


class FakeScript:
    """The script that all fakes of a process follow. Thread-safe.

    It remembers the positions of the last 10,000 mails with their own script. An older mail starts
    its script again.
    """

    def __init__(self, steps: Sequence[Step] = ()) -> None:
        self._steps = tuple(steps)
        self._calls = 0
        self._mails: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def next(self, mail: Mail) -> Step:
        """Return the step for this call, and advance."""
        own = _own_steps(mail)
        with self._lock:
            if own:
                calls = self._mails.pop(mail.id, 0)
                self._mails[mail.id] = calls + 1
                if len(self._mails) > _MAX_MAILS:
                    self._mails.popitem(last=False)
                return _at(own, calls) or own[-1]
            self._calls += 1
            return _at(self._steps, self._calls - 1) or Step("ok")


class FakeSender:
    """Accepts every mail unless its script says otherwise. Keeps the last 1,000 accepted mails."""

    def __init__(
        self,
        name: str,
        script: FakeScript | None = None,
        *,
        on_call: Callable[[str], None] = lambda _line: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``on_call`` gets a line for each call: the sender, the mail's id and the step."""
        self.name = name
        self.accepted: deque[Mail] = deque(maxlen=1000)
        self._script = script or FakeScript()
        self._on_call = on_call
        self._sleep = sleep

    def send(self, mail: Mail) -> Verdict:
        """Do the next step of the script."""
        step = self._script.next(mail)
        self._on_call(f"{self.name}: {mail.id}: {step.token}")
        if step.token == "slow":  # noqa: S105 - a word of the script
            self._sleep(_SLOW_SECONDS if step.seconds is None else step.seconds)
        verdict = _verdict(step, mail)
        if isinstance(verdict, Accepted):
            self.accepted.append(mail)
        return verdict

    def check(self) -> str | None:
        """Return None: a fake is always ready, whatever its script says."""
        return None


def _verdict(step: Step, mail: Mail) -> Verdict:
    if step.token in ("ok", "slow"):
        return Accepted(f"fake-{mail.id}")
    return Failed(_FAULTS[step.token], f"the script says {step.token}", step.seconds)


def _own_steps(mail: Mail) -> tuple[Step, ...]:
    for address in mail.recipients:
        local, _, domain = address.email.rpartition("@")
        if domain == DOMAIN:
            try:
                return parse_script(local.lower().replace("+", ","))
            except ValueError:
                continue
    return ()


def _at(steps: Sequence[Step], calls: int) -> Step | None:
    for step in steps:
        if calls < step.times:
            return step
        calls -= step.times
    return None


_shared: WeakValueDictionary[str, FakeScript] = WeakValueDictionary()


def _script(text: str) -> str:
    try:
        parse_script(text)
    except ValueError as error:
        raise ValueError(f"a script: {error}") from None
    return text


def _build(options: SenderOptions) -> FakeSender:
    """Build a fake. Fakes with equal scripts share one script and its position."""
    text = options.values.get("script", "")
    script = _shared.setdefault(text, FakeScript(parse_script(text)))
    return FakeSender(options.name, script)


KIND = SenderKind(
    name="fake",
    build=_build,
    is_fake=True,
    variables=(
        SenderVariable(
            name="script",
            default="",
            parse=_script,
            meaning='what the fake senders answer: `outage*3, ok`; see "A fake provider"',
        ),
    ),
)
