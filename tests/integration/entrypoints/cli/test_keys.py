"""What an operator does to a key holds in each api process that runs already."""

import json
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

from tests.support.processes import LIMBO, Fleet
from tests.support.working import until

MAIL = {"from": "a@shop.example", "to": "b@example.com", "subject": "Hello", "message": "Hi"}


class Site:
    """Two apis on one database, and their operator."""

    def __init__(self, folder):
        self.environ = {
            "LIMBO_QUEUE": f"sqlite:///{folder}/limbo.db",
            "LIMBO_SENDERS": "fake",
            "LIMBO_ALLOW_ANONYMOUS": "false",
        }
        self.fleet = Fleet(folder, self.environ)
        self.limbo("migrate")

    def limbo(self, *arguments):
        command = [*LIMBO, *arguments]
        ended = subprocess.run(command, env=self.environ, capture_output=True, check=True)
        return ended.stdout.decode().strip()

    def create(self, *options):
        scope = ("--scope", "send,read", "--from", "*")
        return self.limbo("keys", "create", "--name", "x", *scope, *options)

    @staticmethod
    def ask(api, key, path, document=None, **headers):
        body = None if document is None else json.dumps(document).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(api.url + path, body, names)
        if key:
            request.add_header("Authorization", f"Bearer {key}")
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.load(answer), answer.headers["location"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error), None


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.fleet.close()


def test_a_revocation_holds_in_every_process_and_for_a_poll_under_way(site):
    key = site.create()
    apis = [site.fleet.start("api", f"api{number}") for number in range(2)]
    for api in apis:
        api.wait_until_ready()
    [(status, _, path), *_] = [site.ask(api, key, "/v1/mail", MAIL) for api in apis]
    assert status == 200
    answers = []
    poll = threading.Thread(
        target=lambda: answers.append(site.ask(apis[1], key, f"{path}?wait=60"))
    )
    poll.start()
    until(lambda: site.ask(apis[1], key, path)[0] == 200)
    site.limbo("keys", "revoke", key)
    for api in apis:
        until(lambda api=api: site.ask(api, key, "/v1/mail", MAIL)[0] == 401, 40)
    poll.join(50)  # it would be answered with 200 after 60 s
    assert [status for status, *_ in answers] == [401]
    assert answers[0][1]["Problem"] == "the API key has been revoked"


def test_the_last_use_is_shown(site):
    key = site.create()
    api = site.fleet.start("api", "api")
    api.wait_until_ready()
    site.ask(api, key, "/v1/mail", MAIL)

    def last_use():
        [listed] = json.loads(site.limbo("keys", "list", "--json"))["data"]
        return listed["last_used_at"]

    until(lambda: last_use() is not None, 40)


@pytest.mark.parametrize(
    ("trusted", "status"), [("", 403), ("10.0.0.0/8", 403), ("127.0.0.1", 200)]
)
def test_where_a_request_is_from_is_believed_of_trusted_proxies_alone(site, trusted, status):
    key = site.create("--network", "192.0.2.0/24")
    api = site.fleet.start("api", "api", {"LIMBO_TRUSTED_PROXIES": trusted})
    api.wait_until_ready()
    assert site.ask(api, key, "/v1/mail")[0] == 403
    assert site.ask(api, key, "/v1/mail", X_Forwarded_For="192.0.2.7")[0] == status


def test_an_api_says_at_its_start_and_in_its_metrics_what_anybody_may_do(site):
    for value, scopes in (("send,read", ["send", "read"]), ("false", [])):
        site.create()
        environ = {"LIMBO_ALLOW_ANONYMOUS": value}
        api = site.fleet.start("api", f"api-{value}", environ)
        api.wait_until_ready()
        [started] = [event for event in api.events() if event["event"] == "api started"]
        assert started["anonymous"] == scopes
        for scope in ("send", "read", "admin"):
            shown = api.metric(f'limbo_anonymous_access{{scope="{scope}"}}')
            assert shown == (scope in scopes)
        assert site.ask(api, None, "/v1/mail", MAIL)[0] == (200 if scopes else 401)


def test_fakes_alone_open_the_api_to_nobody(site):
    ended = subprocess.run([*LIMBO, "api"], env=site.environ, capture_output=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"limbo: LIMBO_ALLOW_ANONYMOUS must be true")
