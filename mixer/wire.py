"""Messages and events as JSON objects, for the control channel between a node and a mixer's process."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, cast

from mixer.layout import parse_layout
from mixer.messages import (
    AddAsset,
    Event,
    Message,
    Problem,
    Ready,
    RemoveHost,
    SetHost,
    SetLayout,
    SetSpeaker,
    Stats,
    VideoSource,
)
from mixer.sync import Delay
from mixer.timing import Spent
from sfu.media import Source

__all__ = [
    "event_from_document",
    "event_to_document",
    "layout_to_document",
    "message_from_document",
    "message_to_document",
]

PLAIN: dict[str, type[Message]] = {
    "remove-host": RemoveHost,
    "speaker": SetSpeaker,
}
EVENTS: dict[str, type[Event]] = {"ready": Ready, "problem": Problem, "stats": Stats}


def message_to_document(message: SetHost | RemoveHost | SetSpeaker | AddAsset) -> dict[str, Any]:
    """For a layout see `layout_to_document`: its spec does not say how it was written."""
    match message:
        case SetHost():
            return {"type": "host", **asdict(message)}
        case AddAsset(asset_id=asset_id, data=data):
            return {"type": "asset", "asset_id": asset_id, "data": base64.b64encode(data).decode()}
        case _:
            name = next(name for name, kind in PLAIN.items() if type(message) is kind)
            return {"type": name, **asdict(message)}


def layout_to_document(layout: Mapping[str, Any]) -> dict[str, Any]:
    """SetLayout from the layout object of the outside contract."""
    return {"type": "layout", "layout": dict(layout)}


def message_from_document(document: Mapping[str, Any]) -> Message:
    """Raises ValueError (LayoutError is one) for what is no message."""
    try:
        match document["type"]:
            case "host":
                return _host(document)
            case "layout":
                return SetLayout(parse_layout(document["layout"]))
            case "asset":
                return AddAsset(document["asset_id"], base64.b64decode(document["data"], validate=True))
            case name:
                return cast(Message, _made(PLAIN[name], document))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a message: {error!r}") from error


def event_to_document(event: Event) -> dict[str, Any]:
    name = next(name for name, kind in EVENTS.items() if type(event) is kind)
    return {"type": name, **asdict(event)}


def event_from_document(document: Mapping[str, Any]) -> Event:
    """Raises ValueError for what is no event."""
    try:
        if document["type"] == "stats":
            return _stats(document)
        return cast(Event, _made(EVENTS[document["type"]], document))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an event: {error!r}") from error


def _made(kind: type[Any], document: Mapping[str, Any]) -> Any:
    return kind(**{each.name: document[each.name] for each in fields(kind)})


def _stats(document: Mapping[str, Any]) -> Stats:
    values = {each.name: document[each.name] for each in fields(Stats)}
    values["delay"] = Delay(*values["delay"])
    values["spent"] = {stage: Spent(*spent) for stage, spent in values["spent"].items()}
    return Stats(**values)


def _host(document: Mapping[str, Any]) -> SetHost:
    values = {each.name: document[each.name] for each in fields(SetHost)}
    for name in ("sound", "screen_sound"):
        values[name] = Source(**values[name]) if values[name] is not None else None
    for name in ("camera", "screen"):
        if (video := values[name]) is not None:
            values[name] = VideoSource(Source(**video["source"]), tuple(video["rids"]))
    return SetHost(**values)
