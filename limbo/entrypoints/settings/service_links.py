"""The variables that Kubernetes adds for each Service, in the form of Docker's old links.

A Service named ``limbo`` sets ``LIMBO_PORT=tcp://10.0.0.7:80`` and more in each container of its
namespace. They are no settings: https://kubernetes.io/docs/concepts/services-networking/service/
"""

import re
from collections.abc import Mapping

_HOST = "_SERVICE_HOST"
_OF_SERVICE = re.compile(
    r"_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?"
)
_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S+")


def without_service_links(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those of Services.

    ``X_PORT`` is one only beside ``X_SERVICE_HOST`` and with an address, so that a mistake in a
    setting stays one.
    """
    services = [name.removesuffix(_HOST) for name in environ if name.endswith(_HOST)]
    return {
        name: value
        for name, value in environ.items()
        if not any(_is_link(name, value, service) for service in services)
    }


def _is_link(name: str, value: str, service: str) -> bool:
    own = name.removeprefix(service)
    if own == name:
        return False
    return bool(_OF_SERVICE.fullmatch(own) or (own == "_PORT" and _ADDRESS.fullmatch(value)))
