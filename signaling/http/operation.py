"""One operation of the API: its decorator is its route, its validation and its documentation.

A handler's signature says what it takes. ``body`` and ``query`` are pydantic models (or ``body: bytes``, as
``upload`` bounds it); ``account`` is whose token came with the request, ``Account | None`` lets guests in; a
string parameter is the path segment of its name; ``call`` is the rest. It returns a model, None for 204, or a
File::

    @operation("PATCH", "/api/v1/streams/{stream_id}", "Change a stream", problems=("forbidden",))
    async def change(self, stream_id: str, account: Account, body: StreamChange) -> StreamView: ...
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, Protocol, TypeVar, get_args, get_type_hints

from aiohttp import web
from pydantic import BaseModel, ValidationError

from signaling.http.body import read_body, read_json
from signaling.problems import problem
from signaling.store.records import Account

__all__ = ["Call", "File", "Operation", "Resolver", "Upload", "bound", "operation"]

Handler = Callable[..., Awaitable["BaseModel | File | None"]]
H = TypeVar("H", bound=Handler)

SMALL = 64 * 1024
"""Bytes of a JSON body: the longest title in escapes is 2.4 kB."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request and what is known of who made it."""

    request: web.Request
    base_url: str
    client: str
    """The client's address, for rate limits; never for a log."""
    bearer: str | None
    headers: dict[str, str] = field(default_factory=dict)
    """For the answer."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A body that is no JSON."""

    types: tuple[str, ...]
    """For the document; what comes is judged by what it is."""
    limit: int
    """Bytes."""
    within_s: float


@dataclass(frozen=True, slots=True)
class File:
    """An answer that is no JSON."""

    data: bytes
    content_type: str


class Resolver(Protocol):
    """What turns a request into a Call, and its token into an Account."""

    def call(self, request: web.Request) -> Call: ...

    async def account(self, call: Call, *, required: bool) -> Account | None:
        """Raises Problem ``unauthorized`` where an account is required."""
        ...


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    summary: str
    tag: str
    status: int
    problems: tuple[str, ...]
    public: bool
    """CORS is open: pages of other sites may read it."""
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    upload: Upload | None
    answer: type[BaseModel] | None
    file_type: str | None
    """Of an answer that is a File."""
    account: bool | None
    """Whether an account is required; None where none is looked for."""
    parameters: tuple[str, ...]
    handler: Handler
    name: str

    async def respond(self, request: web.Request, resolver: Resolver) -> web.Response:
        """Run the handler. Raises Problem."""
        call = resolver.call(request)
        arguments: dict[str, Any] = {name: request.match_info[name] for name in self.parameters}
        if "call" in inspect.signature(self.handler).parameters:
            arguments["call"] = call
        if self.account is not None:
            arguments["account"] = await resolver.account(call, required=self.account)
        if self.query is not None:
            arguments["query"] = _validate(self.query, _single(request), "parameter")
        if self.body is not None:
            arguments["body"] = _validate(self.body, await read_json(request, SMALL), "pointer")
        elif self.upload is not None:
            arguments["body"] = await read_body(request, self.upload.limit, self.upload.within_s)
        answer = await self.handler(**arguments)
        if answer is None:
            return web.Response(status=self.status, headers=call.headers)
        if isinstance(answer, File):
            return web.Response(body=answer.data, content_type=answer.content_type, headers=call.headers)
        return web.Response(
            status=self.status,
            body=answer.model_dump_json().encode(),
            content_type="application/json",
            headers=call.headers,
        )


def operation(
    method: str,
    path: str,
    summary: str,
    *,
    tag: str,
    status: int = 200,
    problems: tuple[str, ...] = (),
    public: bool = False,
    upload: Upload | None = None,
    file_type: str | None = None,
) -> Callable[[H], H]:
    """Marks a method as the handler of ``method path``; ``bound`` finds it."""

    def mark(handler: H) -> H:
        hints = get_type_hints(handler)
        answer = hints["return"]
        account = hints.get("account")
        handler.operation = Operation(  # type: ignore[attr-defined]
            method=method,
            path=path,
            summary=summary,
            tag=tag,
            status=204 if answer is NoneType else status,
            problems=problems,
            public=public,
            body=hints.get("body") if upload is None else None,
            query=hints.get("query"),
            upload=upload,
            answer=None if answer in (NoneType, File) else answer,
            file_type=file_type,
            account=None if account is None else not isinstance(account, UnionType),
            parameters=tuple(re.findall(r"{(\w+)}", path)),
            handler=handler,
            name=handler.__name__,
        )
        assert (answer is File) == (file_type is not None)
        assert account is None or account is Account or set(get_args(account)) == {Account, NoneType}
        return handler

    return mark


def bound(*features: object) -> Iterator[Operation]:
    """The operations of these objects, their handlers bound, in the order they are written."""
    for feature in features:
        for name in vars(type(feature)):
            method = getattr(feature, name)
            if isinstance(unbound := getattr(method, "operation", None), Operation):
                yield _bind(unbound, method)


def _bind(unbound: Operation, handler: Handler) -> Operation:
    values = {name: getattr(unbound, name) for name in unbound.__slots__}
    return Operation(**(values | {"handler": handler}))


def _single(request: web.Request) -> Mapping[str, str]:
    """Each parameter once; ``category=`` is as good as no category: forms send what was left empty."""
    for name in request.query:
        if len(request.query.getall(name)) > 1:
            raise problem("bad-request", f"The query parameter {name!r} stands there twice.")
    return {name: value for name, value in request.query.items() if value}


def _validate(model: type[BaseModel], value: object, kind: str) -> BaseModel:
    try:
        # Strings of a query are numbers too; in JSON a number is a number.
        if kind == "parameter":
            return model.model_validate_strings(value)
        return model.model_validate(value)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
    where = [
        "".join(f"/{_escape(part)}" for part in each["loc"])
        if kind == "pointer"
        else ".".join(map(str, each["loc"]))
        for each in details
    ]
    errors = [
        {kind: name, "detail": each["msg"].removeprefix("Value error, ")}
        for name, each in zip(where, details, strict=True)
    ]
    first = errors[0]
    raise problem("invalid-request", f"{first[kind] or 'body'}: {first['detail']}", errors=errors)


def _escape(part: int | str) -> str:
    """A reference token of a JSON pointer (RFC 6901 section 3)."""
    return str(part).replace("~", "~0").replace("/", "~1")
