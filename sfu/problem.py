"""What a caller is told when the answer is no: RFC 9457 problem details."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["Problem"]


class Problem(Exception):
    """One refusal, as it goes out over HTTP (``application/problem+json``) and in Socket.IO acknowledgements.

    ``name`` is stable and becomes the ``type`` (``/problems/NAME``); ``title`` belongs to the name,
    ``detail`` to this occurrence. ``extra`` are further members of the document (RFC 9457 section 3.2).
    """

    def __init__(
        self,
        name: str,
        status: int,
        title: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        **extra: object,
    ) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = extra

    def body(self) -> dict[str, object]:
        """The problem document as a JSON object."""
        return {
            "type": f"/problems/{self.name}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }
