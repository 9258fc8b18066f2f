"""``limbo bodies``: which keys the stored mails need."""

from limbo.entrypoints.cli.command import Call, Command
from limbo.entrypoints.cli.parts import opened_container, refuse_unshared

_DESCRIPTION = """\
Counts the stored mails by the key that encrypts them (LIMBO_BODY_KEYS). An old key may go once no
mail needs it. The mails that wait in an SQS queue cannot be looked through: they are gone after its
retention period, at most 14 days after another key has come first."""
_HEADINGS = ("PLACE", "KEY", "MAILS")


def _run(call: Call) -> int:
    """Print the counts; return 0."""
    with opened_container(call.environ) as container:
        settings = container.settings()
        refuse_unshared(settings, "bodies")
        parts = [container.stored_bodies()]
        if settings.ledger_place == "apart":
            parts.append(container.stored_bodies_of_ledger())
        counted = [
            {"place": place, "key": key, "mails": mails}
            for part in parts
            for place, counts in part.count().items()
            for key, mails in sorted(counts.items(), key=str)
        ]
    if call.arguments.json:
        call.console.print_json_list(counted)
    elif counted:
        rows = [(str(x["place"]), str(x["key"] or "in plain"), f"{x['mails']:,}") for x in counted]
        call.console.print_table(rows, headings=_HEADINGS)
    else:
        call.console.note("no mails are stored")
    return 0


COMMAND = Command(
    name="bodies",
    summary="count the stored mails by the key that encrypts them",
    description=_DESCRIPTION,
    run=_run,
    prints_json=True,
)
