"""The types of the JSON that clients send and get; the OpenAPI document is made from them."""

from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NotRequired,
    TypedDict,
    get_type_hints,
)

from limbo.domain.access.api_key import CLIENT_PATTERN
from limbo.domain.access.audit import Action, Result
from limbo.domain.delivery.lifecycle import SUBMITTED, Status
from limbo.domain.delivery.verdict import Fault
from limbo.domain.mail.field import JsonSchema
from limbo.domain.mail.field_set import MailFields
from limbo.domain.mail.fields import ADDRESS
from limbo.domain.mail.ids import ID_PATTERN
from limbo.domain.mail.mail import YEAR_10000, Mail
from limbo.entrypoints.http.api.json_schema import Facts
from limbo.entrypoints.http.server.codes import Code

MAX_IDS = 1000
MAX_CAUSES = 1000

Id = Annotated[
    str,
    Facts(pattern=f"^{ID_PATTERN}$", examples=["018bcfe5-68fa-7000-8000-00000000002a"]),
]
Name = Annotated[str, Facts(pattern=f"^{CLIENT_PATTERN}$", examples=["shop", "yt2ir86oxk"])]
Time = Annotated[str, Facts(format="date-time", examples=["2026-11-14T22:13:20.250Z"])]
Address = Annotated[object, Facts(**ADDRESS)]
Outcome = Annotated[
    Literal["accepted"] | Fault,
    Facts(description="`accepted`, or who is to blame; `unknown`: the mail may have been sent."),
]
_MailFrom = TypedDict("_MailFrom", {"from": str})
_Origin = Annotated[str, Facts(description="A client's address, or `command@` and a host.")]
_AuditFrom = TypedDict("_AuditFrom", {"from": _Origin})


class Submitted(TypedDict):
    """The mail is kept, and will be sent or be found in the dead letters; `Location` names it."""

    Message: Literal["submitted"]


class MailEntry(_MailFrom):
    """A mail as the list shows it.

    `recipients` has all of them where an older limbo has not recorded who is in which field.
    """

    id: Id
    client: Annotated[str, Facts(description="Whose mail it is.")]
    key: NotRequired[Annotated[str, Facts(description="The id of the API key that posted it.")]]
    status: Status
    submitted_at: Time
    updated_at: Time
    to: NotRequired[list[str]]
    cc: NotRequired[list[str]]
    bcc: NotRequired[list[str]]
    recipients: NotRequired[list[str]]
    subject: str
    possible_duplicate: Annotated[
        bool, Facts(description="The mail may have been sent more than once.")
    ]
    next_attempt_at: NotRequired[Time]
    cause: NotRequired["CauseShape"]


class CancelledMail(TypedDict):
    """A mail that is not sent any more."""

    id: Id
    status: Literal[Status.CANCELLED]


class AttemptShape(TypedDict):
    """One call of one provider; without an outcome it is under way, or was cut short."""

    sender: str
    started_at: Time | None
    outcome: Outcome | None
    duration_ms: NotRequired[Annotated[int, Facts(minimum=0)]]
    reason: NotRequired[
        Annotated[
            str,
            Facts(
                description=(
                    "What the provider said, addresses masked. What it said of our account, or"
                    " amid an outage, is told to admins alone."
                )
            ),
        ]
    ]
    provider_id: NotRequired[Annotated[str, Facts(description="The provider's own id.")]]


class CauseShape(TypedDict):
    """Why a mail is dead; `id` stands for the same cause everywhere and always."""

    id: str
    kind: Annotated[str, Facts(examples=["mail", "outage", "unknown", "undecodable"])]
    sender: Annotated[str, Facts(description="Empty where none was involved.")]
    reason: str


class MailPage(TypedDict):
    """Mails, newest first; `has_more` says that others follow, after the last id."""

    data: list[MailEntry]
    has_more: bool


class DeadLetterShape(TypedDict):
    """A mail that limbo gave up on; nothing of its content is shown."""

    id: str
    mail_id: NotRequired[Annotated[str, Facts(description="Missing for what is no mail.")]]
    submitted_at: NotRequired[Time]
    buried_at: Time | None
    cause: CauseShape
    possible_duplicate: bool
    attempts: Annotated[list[AttemptShape], Facts(description="Those of the last touch.")]


class DeadLetterPage(TypedDict):
    """Dead letters, newest first."""

    data: list[DeadLetterShape]
    has_more: bool


class CauseCount(TypedDict):
    """How many mails died of a cause."""

    cause: CauseShape
    count: int


class Causes(TypedDict):
    """What the dead letters died of, the most frequent first, at most a thousand causes."""

    data: Annotated[list[CauseCount], Facts(maxItems=MAX_CAUSES)]
    has_more: bool


class ById(TypedDict):
    """The dead letters of these ids, or of these mails' ids."""

    ids: Annotated[
        list[Annotated[str, Facts(minLength=1, maxLength=200)]],
        Facts(minItems=1, maxItems=MAX_IDS),
    ]


class ByCause(TypedDict):
    """The dead letters of this cause, or of all causes of this kind."""

    cause: Annotated[str, Facts(minLength=1, maxLength=200, examples=["outage", "0d4f9a31"])]


class All(TypedDict):
    """All there are now."""

    all: Literal[True]


Selection = ById | ByCause | All


class MailsBy(TypedDict, total=False):
    """The mails that meet all conditions, of which there is one at least."""

    client: Name
    key: Name
    status: Literal["queued", "deferred"]
    to: Address
    since: Time | Annotated[float, Facts(minimum=0, maximum=YEAR_10000 - 1)]


MailChoice = Annotated[MailsBy, Facts(minProperties=1)] | All


class CancelledMails(TypedDict):
    """How many mails are cancelled, and how many are being sent or submitted just now.

    `has_more` says that there may be others: ask again.
    """

    cancelled: int
    too_late: int
    has_more: bool


_NotFound = Annotated[list[str], Facts(description="The ids that no dead letter has.")]


class Redriven(TypedDict):
    """How many dead letters are in the queue again."""

    redriven: int
    not_found: _NotFound


class Dropped(TypedDict):
    """How many dead letters are gone for good."""

    dropped: int
    not_found: _NotFound


class AuditEntryShape(_AuditFrom):
    """One action of an admin."""

    id: Id
    begun_at: Time | None
    who: Annotated[
        str, Facts(description="`key:` and a key's id, `user:` and a name, or `anonymous`.")
    ]
    action: Annotated[str, Facts(examples=[*Action])]
    selection: Annotated[
        str, Facts(description="What it was to change, as JSON; cut if it is long.")
    ]
    result: Result
    count: Annotated[
        int | None, Facts(description="Keys, mails or dead letters changed, as far as is known.")
    ]


class AuditPage(TypedDict):
    """What admins did, newest first."""

    data: list[AuditEntryShape]
    has_more: bool


class Hello(TypedDict):
    """The answer of the original limbo."""

    hello: Literal["world"]


class Health(TypedDict):
    """The answer of the original limbo."""

    health: Literal["ok"]


class Live(TypedDict):
    """The process runs."""

    live: Literal["ok"]


class Ready(TypedDict):
    """The queue answers."""

    ready: Literal["ok"]


class ShortProblem(TypedDict):
    """What was not done, and why."""

    Message: Annotated[str, Facts(examples=["not submitted"])]
    Problem: Annotated[str, Facts(examples=["no subject defined; no from defined"])]
    code: Code


class ErrorDetail(TypedDict):
    """One thing that is wrong; `pointer` (RFC 6901) is empty for the request as a whole."""

    pointer: str
    detail: str


class ProblemDetails(TypedDict):
    """The same by RFC 9457, for those whose `Accept` names it."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
    code: Code
    errors: list[ErrorDetail]


def new_mail(fields: MailFields) -> Any:  # noqa: ANN401 - a type made of the table
    """Return the type of what a client posts."""
    hints = {field.name: _hint(field.request, field.required) for field in fields.placed}
    doc = "A mail to be sent, to at most 50 recipients in all; repeats count once."
    return _typed_dict("NewMail", doc, hints)


def submitted_mail(fields: MailFields) -> Any:  # noqa: ANN401 - a type made of the table
    """Return the type of a mail that has just been kept."""
    first, *others = _shown(fields, is_certain=True).items()
    own = {"id": Id, "status": Literal[SUBMITTED], "submitted_at": Time}
    doc = "A mail as it was submitted, for those who prefer it to the short answer."
    return _typed_dict("SubmittedMail", doc, dict([first, *own.items(), *others]))


def mail_resource(fields: MailFields) -> Any:  # noqa: ANN401 - a type made of the table
    """Return the type of all that is known of a mail."""
    entry = get_type_hints(MailEntry, include_extras=True)
    others = {k: v for k, v in _shown(fields, is_certain=False).items() if k not in entry}
    doc = (
        "What became of a mail. `recipients` has them all where an older limbo has not recorded who"
        " is in which field, and the body is no longer kept."
    )
    return _typed_dict("MailResource", doc, {**entry, **others, "attempts": list[AttemptShape]})


def _shown(fields: MailFields, *, is_certain: bool) -> dict[str, object]:
    return {
        field.name: _hint(field.shown, is_certain and field.since == 1)
        for field in fields.placed
        if field.shown is not None
    }


def _hint(schema: JsonSchema, is_required: bool) -> object:  # noqa: FBT001 - private, and clear
    kind = Annotated[object, Facts(**schema)]
    return kind if is_required else NotRequired[kind]


def _typed_dict(name: str, doc: str, hints: dict[str, object]) -> Any:  # noqa: ANN401
    make: Any = TypedDict  # a type checker wants the names to be literals
    made = make(name, hints)
    made.__doc__ = doc
    return made


if TYPE_CHECKING:  # no type checker can know the names
    NewMail = dict[str, object]
    SubmittedMail = dict[str, object]
    MailResource = dict[str, object]
else:
    NewMail = new_mail(Mail.fields)
    SubmittedMail = submitted_mail(Mail.fields)
    MailResource = mail_resource(Mail.fields)

REQUESTS = frozenset(kind.__name__ for kind in (NewMail, ById, ByCause, All, MailsBy))
