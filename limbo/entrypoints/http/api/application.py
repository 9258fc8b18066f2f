"""Starlette's application as limbo uses it: observed, and failing in one form."""

from collections.abc import Iterable, Iterator, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Lifespan

from limbo.entrypoints.http.api.expected import expect_requests
from limbo.entrypoints.http.api.failures import EXCEPTION_HANDLERS
from limbo.entrypoints.http.api.guard import Guard
from limbo.entrypoints.http.api.middleware import Observation
from limbo.entrypoints.telemetry.logs import configure_unset_logging
from limbo.entrypoints.telemetry.metrics import Metrics


class Application(Starlette):
    """Starlette, with one middleware around its whole stack.

    ``add_middleware`` puts each middleware around those before it, and ``ServerErrorMiddleware``
    around them all raises again what it has answered; ``around`` stands outside of all these.
    """

    def __init__(
        self,
        *,
        around: Middleware,
        routes: Sequence[BaseRoute],
        lifespan: Lifespan["Application"] | None = None,
    ) -> None:
        super().__init__(routes=routes, exception_handlers=EXCEPTION_HANDLERS, lifespan=lifespan)
        self.router.redirect_slashes = False
        self._around = around

    def build_middleware_stack(self) -> ASGIApp:
        """Return the stack with ``around`` outside of it."""
        cls, args, kwargs = self._around
        stack: ASGIApp = cls(super().build_middleware_stack(), *args, **kwargs)
        return stack


def observed_application(
    routes: Sequence[BaseRoute],
    *,
    metrics: Metrics,
    guard: Guard,
    lifespan: Lifespan[Application] | None = None,
) -> Application:
    """Return an application of those routes, each request of which is guarded and counted."""
    configure_unset_logging()
    expect_requests(metrics, {route.name for route in _flat(routes)})
    around = Middleware(Observation, metrics=metrics, guard=guard)
    return Application(around=around, routes=routes, lifespan=lifespan)


def _flat(routes: Iterable[BaseRoute]) -> Iterator[Route]:
    for each in routes:
        if isinstance(each, Route):
            yield each
        elif isinstance(each, Mount):
            yield from _flat(each.routes)
