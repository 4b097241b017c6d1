"""Every refusal and every fault leaves as a problem document (RFC 9457)."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from sfu.problem import Problem
from signaling.problems import insufficient_storage, problem
from signaling.store.interfaces import StoreFull

__all__ = ["problem_response", "problems_middleware"]

log = logging.getLogger("spillway.http")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def problem_response(refusal: Problem) -> web.Response:
    return web.Response(
        status=refusal.status,
        body=json.dumps(refusal.document()).encode(),
        content_type="application/problem+json",
        headers={"Cache-Control": "no-store", **refusal.headers},
    )


@web.middleware
async def problems_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Problem as refusal:
        return problem_response(refusal)
    except StoreFull:
        return problem_response(insufficient_storage())
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        return problem_response(
            problem("method-not-allowed", f"This path takes {allowed}.", {"Allow": allowed})
        )
    except web.HTTPNotFound:
        return problem_response(problem("not-found", "No resource has this path."))
    except web.HTTPRequestEntityTooLarge:
        return problem_response(problem("body-too-large", "Larger than anything that is taken here."))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return problem_response(Problem("bad-request", error.status, error.reason, error.reason))
    except (ConnectionError, web.RequestPayloadError):
        # The client left, or sent half of what it had announced: nobody reads the answer.
        return problem_response(problem("bad-request", "The body is not whole."))
    except Exception:  # whatever it is, the client learns nothing of it and the operator everything
        log.exception("%s %s failed", request.method, request.match_info.route.name or "a request")
        return problem_response(problem("internal-error", "The fault is in the server's log."))
