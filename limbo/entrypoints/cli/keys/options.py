"""The options of ``limbo keys`` that say what a key may do, and how each is read."""

import argparse
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from limbo.domain.access.allow_list import AllowList, parse_allow_list
from limbo.domain.access.api_key import KeyScope, parse_scopes
from limbo.domain.access.networks import Networks, parse_networks
from limbo.domain.access.rate import Rate, parse_rate
from limbo.entrypoints.cli.command import as_argument

_FIELDS = ("name", "scopes", "allowed_from", "networks", "rate", "read_rate", "expires_at")
_DAYS = re.compile(r"([1-9][0-9]{0,4})d")
_EXPIRES = "must be a number of days such as 90d, or a day or time to come, such as 2027-06-30"


def add_key_options(parser: argparse.ArgumentParser, *, is_new: bool) -> None:
    """Add the options; for a key that is not new, those that are not given are missing in the end.

    Else None would be taken for what `none` and `never` mean.
    """
    default = None if is_new else argparse.SUPPRESS
    parser.add_argument("--name", required=is_new, default=default, help="what the list calls it")
    parser.add_argument(
        "--scope",
        dest="scopes",
        required=is_new,
        default=default,
        type=as_argument(lambda text: parse_scopes(text.split(","))),
        metavar="SCOPE[,SCOPE]",
        help=f"any of {','.join(KeyScope)}",
    )
    parser.add_argument(
        "--from",
        dest="allowed_from",
        action="append",
        default=default,
        type=as_argument(lambda text: parse_allow_list([text])),
        metavar="FROM",
        help="what its mails may be from; may be repeated",
    )
    parser.add_argument(
        "--network",
        dest="networks",
        action="append",
        default=default,
        type=as_argument(lambda text: parse_networks([] if text == "any" else [text])),
        metavar="NETWORK",
        help="where it may be used, such as 10.0.0.0/8; may be repeated; `any` for everywhere",
    )
    for name, what, none in (
        ("--rate", "submissions and cancellations", "any number"),
        ("--read-rate", "other requests", "as many as --rate says"),
    ):
        parser.add_argument(
            name,
            default=default,
            type=as_argument(_rate),
            metavar="RATE",
            help=f"{what} at most, such as 100/s or 6000/min; `none` for {none}",
        )
    parser.add_argument(
        "--expires",
        dest="expires_at",
        default=default,
        type=as_argument(_expiry),
        metavar="WHEN",
        help="the end of it: in days (90d), on a day (2027-06-30, to its end, UTC), or `never`",
    )


def given_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of the key that options were given for, by name."""
    fields = {name: value for name, value in vars(arguments).items() if name in _FIELDS}
    if "allowed_from" in fields:
        rules = (rule for each in fields["allowed_from"] or () for rule in each.rules)
        fields["allowed_from"] = AllowList(frozenset(rules))
    if "networks" in fields:
        networks = (network for each in fields["networks"] or () for network in each.all)
        fields["networks"] = Networks(frozenset(networks))
    return fields


def _rate(text: str) -> Rate | None:
    return None if text == "none" else parse_rate(text)


def _expiry(text: str) -> float | None:
    """Return seconds since the epoch, or None for ``never``."""
    if text == "never":
        return None
    if found := _DAYS.fullmatch(text):
        return time.time() + int(found[1]) * 86_400
    try:
        end = datetime.fromisoformat(text)
        if end.tzinfo is None:
            is_day = len(text) <= len("2027-06-30")
            end = end.replace(tzinfo=UTC) + timedelta(days=is_day)
        seconds = end.timestamp()
    except (ValueError, OverflowError):
        raise ValueError(_EXPIRES) from None
    if seconds <= time.time():
        raise ValueError(_EXPIRES)
    return seconds
