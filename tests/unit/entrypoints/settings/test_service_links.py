import pytest

from limbo.domain.errors import SettingsError
from limbo.entrypoints.settings.service_links import without_service_links
from limbo.entrypoints.wiring.bootstrap import load_settings


def links(service: str, port: int = 80) -> dict[str, str]:
    """Return what Kubernetes sets for a Service of that name."""
    return {
        f"{service}_SERVICE_HOST": "10.0.0.7",
        f"{service}_SERVICE_PORT": str(port),
        f"{service}_SERVICE_PORT_HTTP": str(port),
        f"{service}_PORT": f"tcp://10.0.0.7:{port}",
        f"{service}_PORT_{port}_TCP": f"tcp://10.0.0.7:{port}",
        f"{service}_PORT_{port}_TCP_PROTO": "tcp",
        f"{service}_PORT_{port}_TCP_PORT": str(port),
        f"{service}_PORT_{port}_TCP_ADDR": "10.0.0.7",
    }


@pytest.mark.parametrize(
    "service", ["LIMBO", "LIMBO_API", "LIMBO_WORKER", "LIMBO_METRICS", "LIMBO_1"]
)
def test_a_service_of_limbo_s_name_sets_nothing(service):
    settings = load_settings({"LIMBO_SENDERS": "fake", **links(service), **links("KUBERNETES")})
    assert (settings.port, settings.worker_port, settings.metrics_port) == (8000, 9100, None)


def test_a_port_that_somebody_has_set_is_kept_beside_a_service():
    environ = {**links("LIMBO"), "LIMBO_PORT": "8080", "LIMBO_WORKER_PORT": "9200"}
    assert without_service_links(environ) == {"LIMBO_PORT": "8080", "LIMBO_WORKER_PORT": "9200"}


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"LIMBO_PORT": "tcp://10.0.0.7:80"}, "LIMBO_PORT must be a whole number"),
        ({"LIMBO_API_PORT": "tcp://10.0.0.7:80"}, "LIMBO_API_PORT is no setting of limbo"),
        ({**links("LIMBO"), "LIMBO_PORTS": "1"}, "LIMBO_PORTS is no setting of limbo"),
    ],
)
def test_what_is_of_no_service_stays_a_mistake(environ, says):
    with pytest.raises(SettingsError, match=says):
        load_settings({"LIMBO_SENDERS": "fake", **environ})
