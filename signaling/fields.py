"""What members of JSON may be: names, times, numbers; and what is common to all that is sent and answered."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

__all__ = ["Answer", "Category", "Count", "Fraction", "Gain", "Name", "Request", "Time", "Title"]

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _printable(text: str) -> str:
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Co", "Cn") for letter in text):
        raise ValueError("control characters are not allowed")
    return text


def _rfc_3339(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not RFC_3339.fullmatch(value):
        raise ValueError("a time as RFC 3339 writes it, with its zone: 2030-12-31T20:00:00Z")
    return value


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time lies outside the years 1 to 9999") from None


def _text(longest: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=longest)


Name = Annotated[str, _text(64), AfterValidator(_printable)]
Title = Annotated[str, _text(200), AfterValidator(_printable)]
Category = Annotated[str, _text(64), AfterValidator(_printable)]
Time = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_rfc_3339), AfterValidator(_utc)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
# Below -60 dB nobody hears anything, 20 dB is ten times as loud.
Gain = Annotated[float, Field(ge=-60, le=20, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class Request(BaseModel):
    """What a client sends. Members that we don't know are refused: they are mistakes more often than not;
    so are values of another type than the documented one, as ``"yes"`` for true."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class Answer(BaseModel):
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)
