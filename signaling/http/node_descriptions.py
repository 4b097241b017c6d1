"""What the OpenAPI document says of the node's own routes."""

from __future__ import annotations

from signaling.http.openapi import Description

__all__ = ["HEALTH", "METRICS"]

HEALTH = (
    Description(
        "GET", "/healthz", "The process lives", "node", {200: "It does"}, answer_type="application/json"
    ),
    Description(
        "GET",
        "/readyz",
        "The node takes work",
        "node",
        {200: "It does; `degraded` lists what doesn't work", 503: "It drains, or a store has failed"},
        answer_type="application/json",
    ),
)
METRICS = (
    Description(
        "GET", "/metrics", "Prometheus metrics", "node", {200: "Prometheus text"}, answer_type="text/plain"
    ),
)
