"""The OpenAPI document, held against the router and against what is answered."""

from __future__ import annotations

import json

from tests.unit.signaling.conftest import Api


async def test_openapi_is_what_the_router_has(api: Api) -> None:
    document = (await api.call("GET", "/api/v1/openapi.json")).json
    assert document["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    # Pages, and what speaks a protocol of its own.
    other = {
        ("GET", path) for path in ("/", "/watch/{stream_id}", "/studio", "/studio/{stream_id}", "/dashboard")
    }
    other |= {("GET", path) for path in ("/problems/{name}", "/assets/{file}", "/{file}", "/socket.io/")}
    routed = {
        (route.method, route.resource.canonical)
        for route in api.node.app.router.routes()
        if route.method not in ("HEAD", "OPTIONS", "*") and route.resource is not None
    }
    assert described == routed - other
    assert other <= routed


async def test_openapi_is_sound(api: Api) -> None:
    document = (await api.call("GET", "/api/v1/openapi.json")).json
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    references = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert references <= set(schemas)
    assert references == set(schemas), "no schema that nobody uses"
    ids = []
    for path, item in document["paths"].items():
        for operation in item.values():
            ids += [operation["operationId"]] if "operationId" in operation else []
            in_path = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
            assert in_path == {part[1:-1] for part in path.split("/") if part.startswith("{")}
            assert any(status.startswith("2") for status in operation["responses"])
    assert len(ids) == len(set(ids))
    create = document["paths"]["/api/v1/streams"]["post"]
    assert create["security"] == [{"account": []}]
    assert set(create["responses"]) == {"201", "400", "401", "408", "413", "422", "429", "500", "507"}
    view = schemas["StreamView"]
    assert "stream_key" not in view["properties"]
    assert set(view["required"]) == set(view["properties"])


async def test_answers_have_the_form_that_openapi_promises(api: Api) -> None:
    document = (await api.call("GET", "/api/v1/openapi.json")).json
    token = await api.sign_up()
    made = await api.make_stream(token)
    path = f"/api/v1/streams/{made['stream_id']}"
    for method, url, template, status, body in (
        ("GET", path, "/api/v1/streams/{stream_id}", 200, None),
        ("POST", path + "/key", "/api/v1/streams/{stream_id}/key", 200, None),
        ("GET", path + "/playback", "/api/v1/streams/{stream_id}/playback", 200, None),
        ("POST", path + "/playback-tokens", "/api/v1/streams/{stream_id}/playback-tokens", 201, {}),
        ("POST", "/api/v1/streams", "/api/v1/streams", 201, {"title": "a", "category": "b"}),
        ("GET", "/api/v1/streams/discover", "/api/v1/streams/discover", 200, None),
    ):
        answer = await api.call(method, url, body, token)
        assert answer.status == status
        content = document["paths"][template][method.lower()]["responses"][str(status)]["content"]
        name = content["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        assert set(answer.json) == set(document["components"]["schemas"][name]["properties"])
