"""The OpenAPI 3.1 document, made from the table of operations and their models."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from signaling.http.operation import Operation
from signaling.models import ProblemDocument
from signaling.problems import CATALOGUE

__all__ = ["Description", "openapi_document"]

ALWAYS = ("internal-error",)


@dataclass(frozen=True, slots=True)
class Description:
    """A route that doesn't speak JSON, or whose handler is another room's: what the document says of it."""

    method: str
    path: str
    summary: str
    tag: str
    responses: Mapping[int, str]
    """What each status means."""
    problems: tuple[str, ...] = ()
    body_type: str | None = None
    answer_type: str | None = None
    bearer: str | None = None
    """Which token goes into ``Authorization: Bearer``, if any does."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of the answer and what they say."""


def openapi_document(
    operations: Iterable[Operation], descriptions: Iterable[Description], version: str
) -> dict[str, Any]:
    """The whole document as a JSON object."""
    operations = list(operations)
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(ProblemDocument, "serialization"): None}
    for each in operations:
        if each.body is not None:
            wanted[each.body, "validation"] = None
        if each.answer is not None:
            wanted[each.answer, "serialization"] = None
    references, schemas = models_json_schema(list(wanted), ref_template="#/components/schemas/{model}")

    paths: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for each in operations:
        paths[each.path][each.method.lower()] = _operation(each, references)
    for description in descriptions:
        paths[description.path][description.method.lower()] = _description(description)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Spillway",
            "version": version,
            "description": "Self-hosted live streaming: WebRTC that spills over to Low-Latency HLS.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": dict(paths),
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "account": {"type": "http", "scheme": "bearer", "description": "an account token"},
                "stream_key": {"type": "http", "scheme": "bearer", "description": "a stream key"},
                "playback_token": {"type": "http", "scheme": "bearer", "description": "a playback token"},
            },
        },
    }


def _operation(each: Operation, references: Mapping[Any, Any]) -> dict[str, Any]:
    names = [*each.problems, *ALWAYS]
    if each.body or each.query:
        names.append("invalid-request")
    if each.body:
        names += ["bad-json", "body-too-large", "request-timeout"]
    if each.upload:
        names += ["body-too-large", "request-timeout"]
    if each.query:
        names.append("bad-request")
    if each.account:
        names.append("unauthorized")
    if each.method != "GET":
        names.append("insufficient-storage")
    answer: dict[str, Any] = {"description": each.summary}
    if each.answer:
        answer["content"] = {"application/json": {"schema": references[each.answer, "serialization"]}}
    if each.file_type:
        answer["content"] = {each.file_type: {}}
    document: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.summary,
        "tags": [each.tag],
        "responses": {str(each.status): answer, **_problems(names)},
    }
    if parameters := [*map(_path_parameter, each.parameters), *_query(each)]:
        document["parameters"] = parameters
    if each.body:
        document["requestBody"] = {
            "required": any(f.is_required() for f in each.body.model_fields.values()),
            "content": {"application/json": {"schema": references[each.body, "validation"]}},
        }
    if each.upload:
        document["requestBody"] = {"required": True, "content": {name: {} for name in each.upload.types}}
    if each.account is not None:
        guests: list[dict[str, list[str]]] = [] if each.account else [{"playback_token": []}, {}]
        document["security"] = [{"account": []}, *guests]
    return document


def _description(each: Description) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, meaning in each.responses.items():
        response: dict[str, Any] = {"description": meaning}
        if status in (200, 201) and each.answer_type:
            response["content"] = {each.answer_type: {"schema": {"type": "string"}}}
        if status in (200, 201) and each.headers:
            response["headers"] = {
                name: {"description": meaning, "schema": {"type": "string"}}
                for name, meaning in each.headers.items()
            }
        responses[str(status)] = response
    document: dict[str, Any] = {
        "summary": each.summary,
        "tags": [each.tag],
        "responses": responses | _problems([*each.problems, *ALWAYS]),
    }
    if parameters := [_path_parameter(name) for name in re.findall(r"{(\w+)}", each.path)]:
        document["parameters"] = parameters
    if each.body_type:
        content = {each.body_type: {"schema": {"type": "string"}}}
        document["requestBody"] = {"required": True, "content": content}
    if each.bearer:
        document["security"] = [{each.bearer: []}]
    return document


def _problems(names: Iterable[str]) -> dict[str, Any]:
    """One response per status; its description lists the types."""
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        by_status[CATALOGUE[name].status].append(name)
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {
        str(status): {
            "description": "; ".join(f"`/problems/{name}`: {CATALOGUE[name].title}" for name in found),
            "content": content,
        }
        for status, found in sorted(by_status.items())
    }


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query(each: Operation) -> list[dict[str, Any]]:
    if each.query is None:
        return []
    schema = each.query.model_json_schema()
    return [
        {"name": name, "in": "query", "required": name in schema.get("required", []), "schema": value}
        for name, value in schema["properties"].items()
    ]
