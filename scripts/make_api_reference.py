"""Write docs/reference/http-api.md from the server's own description of its API.

    python scripts/make_api_reference.py           write the page
    python scripts/make_api_reference.py --check   exit 1 when the page is not what the API says
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from pages import write_or_check

from visionquery.library import Library
from visionquery.server import create_app
from visionquery.store.memory import MemoryStore
from visionquery.types import ModelIdentity

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "http-api.md"
INTRODUCTION = """\
# The HTTP API

`visionquery serve` answers programs below `/api/v1`; the description for tools is at
`/api/v1/openapi.json` (OpenAPI 3.1). How to start it, and a client in Python:
[serving a library](../how-to/serve.md). What it refuses, and why:
[security](../explanation/security.md).

- With a token, every request but those for the page itself, `/health` and the description carries
  it: `Authorization: Bearer TOKEN`.
- Answers are JSON in pure ASCII; a file name that is not valid UTF-8 keeps its bytes as lone
  surrogates, which Python's `os.fsencode` turns back. Numbers are not rounded.
- An error is a problem document (RFC 9457, `application/problem+json`): `type` is
  `urn:visionquery:` and the error's name, `detail` a sentence that says what to do next. A
  `QueryError` has the `position` where reading stopped and what was `expected` there.
- A page of an answer ends with `next_cursor`; the same request with it as `cursor` goes on.
  `offset` jumps anywhere. A library that changes between two pages may show an image twice, or
  not at all.
- Status codes: 401 no token or a wrong one, 403 another site's page or no permission, 404 no such
  image, job or file, 408, 413 and 415 an upload that is too slow, too large or no picture, 421 a
  name that is not this server's, 422 wrong input, 429 too many requests, 503 too much to do (both
  say in `Retry-After` when to ask again) or a model that is broken.

This page is written by `scripts/make_api_reference.py` from the description; a test compares them.
"""


def description() -> dict:
    """Return the OpenAPI description; it is the same for every library."""
    store = MemoryStore(ModelIdentity("none", "none", 1, "none"))
    return create_app(Library(store, lambda _: sys.exit("no model"))).openapi()


def sections(api: dict) -> Iterator[str]:
    """The sections of all addresses, then those of all shapes."""
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            yield "\n".join(_operation(method, path, operation))
    yield "\n".join(["## Shapes", "", "What stands in JSON bodies. Every key is always there.", ""])
    for name, shape in sorted(api["components"]["schemas"].items()):
        if "Validation" not in name:
            yield "\n".join(_shape(name, shape))


def _operation(method: str, path: str, operation: dict) -> Iterator[str]:
    yield f"## {method.upper()} {path}\n"
    yield f"{operation['description']}\n"
    parameters = operation.get("parameters", [])
    if parameters:
        yield from ("| parameter | kind | meaning |", "|---|---|---|")
        for each in parameters:
            yield f"| `{each['name']}` | {_kind(each['schema'])} | {_meaning(each)} |"
        yield ""
    body = operation.get("requestBody")
    if body:
        yield f"Body: {_content(body['content'])}. {body.get('description', '')}".rstrip() + "\n"
    good, answer = next((c, a) for c, a in operation["responses"].items() if c.startswith("2"))
    yield f"Answer {good}: {_content(answer.get('content', {}))}.\n"


def _meaning(parameter: dict) -> str:
    text = parameter["description"]
    default = parameter["schema"].get("default")
    return f"{text} Default: {json.dumps(default)}." if default not in (None, "", []) else text


def _content(content: dict) -> str:
    kinds = [
        f"`{kind}`, {_kind(each['schema'])}" if "$ref" in each.get("schema", {}) else f"`{kind}`"
        for kind, each in content.items()
    ]
    return " or ".join(kinds) or "nothing"


def _shape(name: str, shape: dict) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"{shape['description']}\n"
    yield from ("| key | kind | meaning |", "|---|---|---|")
    for key, value in shape["properties"].items():
        example = value.get("examples", [None])[0]
        shown = "" if example is None else f" Example: `{json.dumps(example)}`."
        yield f"| `{key}` | {_kind(value)} | {value.get('description', '')}{shown} |"
    yield ""


def _kind(schema: dict) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "prefixItems" in schema:
        return f"[{', '.join(map(_kind, schema['prefixItems']))}]"
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("type", "object"))


def page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *sections(description())]).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page()))
