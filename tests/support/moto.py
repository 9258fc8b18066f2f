"""AWS on this machine: moto's HTTP server, made as strict as AWS."""

import functools
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import boto3
import botocore.session
import pytest
from botocore.config import Config
from mypy_boto3_sqs import SQSClient

_names = itertools.count(1)


@dataclass
class Aws:
    """A running server, its clock, and a client for SQS."""

    url: str
    sqs: SQSClient
    ahead: float = field(default=0.0)

    def now(self) -> float:
        return time.time() + self.ahead

    def elapse(self, seconds: float) -> None:
        """Let time pass for SQS in an instant."""
        self.ahead += seconds

    def queue(self, *, fifo: bool, **attributes: str) -> str:
        """Create a queue of a new name and return its URL."""
        if fifo:
            attributes["FifoQueue"] = "true"
        name = f"limbo-{next(_names)}{'.fifo' if fifo else ''}"
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    """Run one server for all tests of this process."""
    # Few runs need moto, which is slow to import.
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    from tests.support.strict_sqs import make_strict  # noqa: PLC0415

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.session.Session().client(
        "sqs",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(max_pool_connections=32, retries={"total_max_attempts": 1}),
    )
    running = Aws(url, client)
    with pytest.MonkeyPatch.context() as patch:
        make_strict(patch, running.now)
        yield running
    client.close()
    server.stop()


@pytest.fixture(scope="session", autouse=True)
def shared_models() -> Iterator[None]:
    """Have all sessions of boto3 read AWS's models once, not each for itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            botocore.session, "create_loader", functools.cache(botocore.session.create_loader)
        )
        yield
