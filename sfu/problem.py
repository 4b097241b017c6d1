"""Problem documents (RFC 9457): the one form in which an HTTP or Socket.IO call is refused."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["Problem"]


class Problem(Exception):
    """A refusal that the caller is told about, rendered as ``application/problem+json``.

    ``name`` is stable and part of the API (``type`` is ``/problems/{name}``); ``detail`` is for people
    and never carries keys, tokens or addresses; ``headers`` go with the HTTP response; ``members`` are
    extension members (RFC 9457 section 3.2).
    """

    def __init__(
        self,
        name: str,
        status: int,
        title: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **members: object,
    ) -> None:
        super().__init__(detail or title)
        self.name = name
        self.status = status
        self.title = title
        self.detail = detail
        self.headers: dict[str, str] = dict(headers or {})
        self.members: dict[str, object] = members

    @property
    def type(self) -> str:
        return f"/problems/{self.name}"

    def document(self) -> dict[str, object]:
        """The members of the JSON object, ``detail`` only where there is one."""
        body: dict[str, object] = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail:
            body["detail"] = self.detail
        return body | self.members
