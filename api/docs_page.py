"""The documentation of the API as one page of plain HTML: made from the OpenAPI document, without a script.

It needs nothing from anywhere else, and the policy of our answers lets a browser load nothing: the one style is allowed
by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

STYLE: Final = (
    ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}"
    "body{max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "h2{margin-top:3rem}h3{margin-top:2rem;font-family:ui-monospace,monospace}"
    "code,pre{font:.9em ui-monospace,monospace}"
    "pre{padding:.75rem;overflow:auto;border:1px solid #8886;border-radius:.4rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8884}"
    "summary{cursor:pointer}nav a{margin-right:1rem}"
)
STYLE_HASH: Final = "sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


def docs_page(document: Mapping[str, Any]) -> str:
    """Return the page for an OpenAPI document."""
    return "".join(_page(document))


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    title = f"{info['title']} {info['version']}"
    tags = [tag["name"] for tag in document["tags"]]
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}: HTTP API</title>'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1><p>{_words(info['description'])}</p>"
    yield "<p>Send <code>Authorization: Bearer TOKEN</code> with what <code>hoody token show</code> prints.</p><nav>"
    yield from (f'<a href="#{_anchor(tag)}">{escape(tag)}</a>' for tag in (*tags, "objects"))
    yield "</nav>"
    for tag in tags:
        yield f'<h2 id="{_anchor(tag)}">{escape(tag.capitalize())}</h2>'
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if tag in operation["tags"]:
                    yield from _operation(method.upper(), path, operation)
    yield '<h2 id="objects">Objects</h2>'
    for name, schema in document["components"]["schemas"].items():
        yield f'<h3 id="{escape(name)}">{escape(name)}</h3>'
        yield from _object(schema)
    yield "</body></html>\n"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h3 id="{escape(operation["operationId"])}">{method} {escape(path)}</h3>'
    yield f"<p>{_words(operation['summary'])} <em>({escape(operation['x-effect'])})</em></p>"
    if operation["parameters"]:
        rows = [
            (
                f"<code>{escape(each['name'])}</code>",
                escape(each["in"]),
                _meaning(each.get("description", ""), each["schema"]),
            )
            for each in operation["parameters"]
        ]
        yield from _table(("parameter", "in", "meaning"), rows)
    body = operation.get("requestBody")
    if body is not None:
        (types, content), *_ = body["content"].items()
        yield f"<p>Body: <code>{escape(types)}</code>, {_type(content['schema'])}</p>"
        yield from _example(content)
    rows = [
        (f"<code>{status}</code>", _words(answer["description"]), _contents(answer))
        for status, answer in operation["responses"].items()
    ]
    yield "<details><summary>Answers</summary>"
    yield from _table(("status", "meaning", "content"), rows)
    for answer in operation["responses"].values():
        for content in answer.get("content", {}).values():
            yield from _example(content)
    yield "</details>"


def _contents(answer: Mapping[str, Any]) -> str:
    return "<br>".join(
        f"<code>{escape(media)}</code> {_type(content['schema'])}"
        for media, content in answer.get("content", {}).items()
    )


def _object(schema: Mapping[str, Any]) -> Iterator[str]:
    if schema.get("description"):
        yield f"<p>{_words(schema['description'])}</p>"
    rows = [
        (f"<code>{escape(name)}</code>", _type(each), _meaning(each.get("description", ""), each))
        for name, each in schema.get("properties", {}).items()
    ]
    if rows:
        yield from _table(("key", "type", "meaning"), rows)


def _meaning(description: str, schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    shown = "" if default in (None, "", [], {}) else f" Default: <code>{escape(json.dumps(default))}</code>."
    words = [f"<code>{escape(str(word))}</code>" for word in schema.get("enum", ())]
    return _words(description) + (f" One of {', '.join(words)}." if words else "") + shown


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_type, schema["anyOf"])))
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return escape(str(schema.get("type", "any value")))


def _example(content: Mapping[str, Any]) -> Iterator[str]:
    if "example" in content:
        yield f"<pre>{escape(json.dumps(content['example'], indent=2))}</pre>"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield "<table><thead><tr>" + "".join(f"<th>{each}</th>" for each in head) + "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
    yield "</tbody></table>"


def _words(text: str) -> str:
    """Write a sentence with its `code` as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _anchor(tag: str) -> str:
    return escape(tag.replace(" ", "-"))
