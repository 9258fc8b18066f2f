"""A provider's HTTP API: each request is sent once and ends within a known time."""

from collections.abc import Mapping, Sequence
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Self
from urllib.parse import urlencode

import orjson
import requests
import urllib3

from limbo import __version__
from limbo.adapters.providers.bounded_adapter import BoundedAdapter, root_cause
from limbo.adapters.providers.response import NotSent, Part, ProviderResponse, ResponseLost

_BODY_BYTES = 64 * 1024
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"limbo/{__version__}"}


class HttpApi:
    """One server, called without cookies, redirects or retries. Thread-safe.

    It uses the proxies and certificate authorities of the environment (``HTTPS_PROXY``,
    ``REQUESTS_CA_BUNDLE``), as they are at the first call. It does not use ``.netrc``, because each
    provider has its own credentials.
    """

    def __init__(
        self,
        session: requests.Session,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: tuple[float, float],
    ) -> None:
        self._session = session
        self._url = url
        self._headers = {**_HEADERS, **headers}
        self._timeout = timeout
        self._prepared: tuple[requests.PreparedRequest, dict[str, Any]] | None = None

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        headers: Mapping[str, str],
        pool_size: int,
        timeout: float,
        connect_timeout: float = 3.0,
        write_timeout: float = 10.0,
        idle_timeout: float = 20.0,
    ) -> Self:
        """Build an API below ``url`` whose requests all carry ``headers``. Nothing is called yet.

        ``pool_size`` is how many requests may run at once. ``timeout`` is how many seconds a whole
        answer may take, from the end of its request. A connection that was idle for
        ``idle_timeout`` seconds is not used again.
        """
        session = _Session()
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = BoundedAdapter(
            pool_size=pool_size, write_timeout=write_timeout, idle_timeout=idle_timeout
        )
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return cls(session, url, headers=headers, timeout=(connect_timeout, timeout))

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()

    def post_form(self, path: str, fields: Sequence[tuple[str, str]]) -> ProviderResponse:
        """Post a form. See ``post``."""
        return self.post(path, urlencode(fields), "application/x-www-form-urlencoded")

    def post_json(self, path: str, document: Mapping[str, object]) -> ProviderResponse:
        """Post a JSON object. See ``post``."""
        return self.post(path, orjson.dumps(document), "application/json")

    def post_multipart(self, path: str, fields: Sequence[tuple[str, Part]]) -> ProviderResponse:
        """Post a form of texts and files. See ``post``."""
        body, content_type = urllib3.encode_multipart_formdata(fields)
        return self.post(path, body, content_type)

    def post(self, path: str, body: bytes | str, content_type: str) -> ProviderResponse:
        """Post a body to ``path``, which is quoted and begins with a slash.

        Raises NotSent or ResponseLost. Their texts contain neither the body nor the headers.
        """
        try:
            template, settings = self._prepared or self._prepare()
            request = template.copy()
            request.url = f"{template.url}{path}"
            request.headers["Content-Type"] = content_type
            request.prepare_body(body, None)
            response = self._session.send(
                request, timeout=self._timeout, allow_redirects=False, **settings
            )
        except requests.ReadTimeout as error:
            raise ResponseLost(root_cause(error)) from error
        except requests.exceptions.InvalidHeader:
            raise NotSent("InvalidHeader") from None  # its text contains the header
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
            raise NotSent(root_cause(error)) from error
        return _read(response)

    def _prepare(self) -> tuple[requests.PreparedRequest, dict[str, Any]]:
        """Prepare what all requests share, because preparing one takes longer than sending it."""
        request = requests.PreparedRequest()
        request.prepare_method("POST")
        request.prepare_url(self._url, None)
        request.prepare_headers(self._headers)
        assert request.url is not None  # noqa: S101 - prepare_url sets it
        request.url = request.url.rstrip("/")
        settings = self._session.merge_environment_settings(
            request.url, proxies={}, stream=True, verify=None, cert=None
        )
        self._prepared = request, {**settings}
        return self._prepared


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Follow no redirect: requests would read the whole body and the Location for that."""


def _read(response: requests.Response) -> ProviderResponse:
    try:
        body = response.raw.read(_BODY_BYTES, decode_content=True)
    except (OSError, urllib3.exceptions.HTTPError) as error:
        raise ResponseLost(root_cause(error)) from error
    finally:
        response.close()
    return ProviderResponse(
        status=response.status_code,
        phrase=response.reason or "",
        retry_after=response.headers.get("Retry-After", ""),
        body=body,
    )
