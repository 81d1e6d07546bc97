"""Row → JSON: every column, `data` and `meta` parsed. What was recorded as JSON is passed on as it stands, so that
numbers, key order and 900 levels survive."""

import base64
import json
import math
from collections.abc import Mapping

from eyelet_ingest import limits, snippets
from eyelet_ingest.errors import BadInput
from eyelet_ingest.jsontext import parse

CUT_CHARS = 4_096


def row_json(row: Mapping[str, object], *, full: bool, links: Mapping[str, str | None] | None = None) -> str:
    """One JSON object. Unless `full`, `data` and `meta` beyond CUT_CHARS are strings of their beginning; then the row
    says `"truncated": true`. With `full` a text that is kept once stands wherever it stood. `links` are the URLs
    of pages about it."""
    if full:
        row = {**row, "data": whole(row)}
    members: dict[str, str] = {}
    truncated = False
    for name, value in row.items():
        if name in ("data", "meta") and isinstance(value, str):
            chars = row["data_chars"] if name == "data" else len(value)
            cut = not full and isinstance(chars, int) and chars > CUT_CHARS
            truncated = truncated or cut
            members[name] = json.dumps(value[:CUT_CHARS]) if cut else _nested(value)
        elif name == "snippet" and isinstance(value, str):
            members[name] = json.dumps(snippets.as_json(value))
        else:
            members[name] = json.dumps(_scalar(value))
    members["truncated"] = json.dumps(truncated)
    if links is not None:
        members["links"] = json.dumps(links)
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in members.items()) + "}"


def whole(row: Mapping[str, object]) -> object:
    """The payload with every text that is kept once wherever it stood."""
    data, meta = row.get("data"), row.get("meta")
    return limits.whole(data, meta) if isinstance(data, str) and isinstance(meta, str) else data


def _nested(text: str) -> str:
    """The text itself where it is JSON; as a string where something else wrote there."""
    try:
        parse(text)
    except BadInput:
        return json.dumps(text)
    return text


def _scalar(value: object) -> object:
    """What JSON can hold of a value that a hand-made row may have: bytes as Datasette writes them, infinity as null."""
    if isinstance(value, bytes):
        return {"$base64": True, "encoded": base64.b64encode(value).decode("ascii")}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
