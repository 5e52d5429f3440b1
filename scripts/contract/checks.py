"""What schemathesis must know of AdmitOne beyond the document."""

import os
import re

import schemathesis
from hypothesis import strategies as st

# Which codes may refuse a request that fits the document, of the statuses that
# schemathesis.toml lets through.
IN_ORDER = {
    400: {"invalid_cursor"},
    412: {"version_mismatch"},
    422: {"idempotency_key_reused"},
    503: {"not_yet"},
}

# What is there, for the paths that match, the first one first.
KNOWN = {
    "/v1/orders": "CONTRACT_ORDER", "/v1/conversations/.*/close": "CONTRACT_ENDED", "/v1/conversations": "CONTRACT_TALK",
    "": "CONTRACT_TICKET",
}

UUID = re.compile(r"[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")

# Left to itself, schemathesis sends no quotes in headers, and so no entity tag at all.
TAGS = st.from_regex(r'(W/)?"([1-9]|[!#-~]{0,20})"', fullmatch=True)
schemathesis.openapi.format("entity-tags", st.just("*") | st.lists(TAGS, min_size=1, max_size=4).map(", ".join))


@schemathesis.check
def refused_for_a_reason(ctx, response, case):
    """A 503 is never given, and fitting data never refused, but for these codes."""
    allowed = IN_ORDER.get(response.status_code)
    positive = case.meta is not None and case.meta.generation.mode.is_positive
    if allowed is None or not (positive or response.status_code == 503):
        return
    code = response.json().get("code")
    assert code in allowed, f"{response.status_code} {code}: {response.json().get('detail')}"


@schemathesis.hook
def map_body(ctx, body):
    """New orders are for a ticket of somebody else that is there."""
    if ctx.operation.label == "POST /v1/orders" and isinstance(body, dict):
        ticket = body.get("ticket_id")
        if isinstance(ticket, str) and UUID.fullmatch(ticket):
            return {**body, "ticket_id": os.environ["CONTRACT_OFFER"]}
    return body


@schemathesis.hook
def before_load_schema(ctx, raw_schema):
    """The examples are of what is there, at whatever version, and need no long wait."""
    components = raw_schema["components"]
    components["parameters"]["Prefer"]["example"] = "wait=0"
    components["parameters"]["IfMatch"]["example"] = "*"
    components["schemas"]["NewOrder"]["properties"]["ticket_id"]["example"] = os.environ["CONTRACT_OFFER"]
    for path, operations in raw_schema["paths"].items():
        known = os.environ[next(name for pattern, name in KNOWN.items() if re.match(pattern, path))]
        of_known = {**components["parameters"]["Id"], "example": known}
        for operation in operations.values():
            operation["parameters"] = [
                of_known if p == {"$ref": "#/components/parameters/Id"} else p for p in operation.get("parameters", [])
            ]
