"""Where each agent's records say how many tokens an answer took, and what its numbers mean. Pure.

All come out as Claude counts: input without what was read from or written to the cache, output with what was thought.

- Claude Code, transcript: `message.usage` (docs of the Messages API). One answer is several lines, which share
  `message.id` and `requestId`, and early ones hold part of the output.
- Codex, rollout: `token_count` with `info.total_token_usage`, which adds up over a thread, and `info.last_token_usage`;
  cached input is part of the input, reasoning part of the output (openai/codex, codex-rs/protocol/src/protocol.rs
  `TokenUsage`; ryoppippi/ccusage, apps/codex/CLAUDE.md).
- Gemini CLI, chat: `tokens` of a message; cached is part of the input, thoughts are not part of the output
  (google-gemini/gemini-cli, packages/core/src/services/chatRecordingService.ts, ai.google.dev `UsageMetadata`).
- OpenCode: `tokens` of a message; neither cached input nor reasoning is part of another number (sst/opencode,
  packages/opencode/src/session `getUsage`).
- Cursor: `stop` says what a turn took, cached input being part of the input; not in its reference.
- OpenTelemetry: `claude_code.api_request`, `codex.sse_event` of a completed response, `gemini_cli.api_response`, with
  the numbers of their agents (code.claude.com/docs/en/monitoring-usage, gemini-cli docs/cli/telemetry.md).
"""

from typing import Any, NamedTuple

MOST_TOKENS = 2**53  # of one number: what is more is none


class Tokens(NamedTuple):
    """What one answer took, or many."""

    input: int = 0
    output: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0


class Shape(NamedTuple):
    """A kind of record: the types and the condition of the rows that are of it, and the places in `data` that are read,
    one JSON array of them."""

    types: tuple[str, ...]
    where: str
    places: tuple[str, ...]


CLAUDE = Shape(
    ("assistant",),
    "origin = 'transcript' and agent = 'claude'",
    ("$.message.id", "$.requestId", "$.message.usage", "$.message.model"),
)
CODEX = Shape(
    ("token_count",),
    "origin = 'transcript' and agent = 'codex' and json_extract(meta, '$.copied') is null",  # no fork's copies
    ("$.payload.info", "$.info"),
)
GEMINI = Shape(("gemini",), "origin = 'transcript' and agent = 'gemini'", ("$.id", "$.tokens"))
OPENCODE = Shape(("message", "assistant"), "agent = 'opencode'", ("$.id", "$.tokens", "$.data.id", "$.data.tokens"))
CURSOR = Shape(
    ("stop", "Stop"),
    "origin = 'hook' and agent = 'cursor'",
    ("$.generation_id", "$.input_tokens", "$.output_tokens", "$.cache_read_tokens", "$.cache_write_tokens"),
)
OTLP = Shape(
    ("claude_code.api_request", "codex.sse_event", "gemini_cli.api_response"),
    "origin = 'otlp'",
    ("$.attributes", "$.nothing"),
)
SHAPES = (CLAUDE, CODEX, GEMINI, OPENCODE, CURSOR, OTLP)


def claude(usage: object) -> Tokens | None:
    """`usage` of the Messages API. What is written to the cache without a word on how long for is for five minutes."""
    if not isinstance(usage, dict):
        return None
    written = count(usage.get("cache_creation_input_tokens"))
    parts = usage.get("cache_creation")
    long = short = 0
    if isinstance(parts, dict):
        long, short = count(parts.get("ephemeral_1h_input_tokens")), count(parts.get("ephemeral_5m_input_tokens"))
    short = max(short, written - long)
    read = count(usage.get("cache_read_input_tokens"))
    return Tokens(count(usage.get("input_tokens")), count(usage.get("output_tokens")), short, long, read)


def codex(usage: object) -> Tokens | None:
    """`TokenUsage` of Codex, one or added up."""
    if not isinstance(usage, dict):
        return None
    cached = count(usage.get("cached_input_tokens"))
    return Tokens(max(count(usage.get("input_tokens")) - cached, 0), count(usage.get("output_tokens")), 0, 0, cached)


def gemini(tokens: object) -> Tokens | None:
    if not isinstance(tokens, dict):
        return None
    cached = count(tokens.get("cached"))
    given = max(count(tokens.get("input")) - cached, 0) + count(tokens.get("tool"))
    return Tokens(given, count(tokens.get("output")) + count(tokens.get("thoughts")), 0, 0, cached)


def opencode(tokens: object) -> Tokens | None:
    if not isinstance(tokens, dict):
        return None
    cache = tokens.get("cache")
    read, written = (count(cache.get("read")), count(cache.get("write"))) if isinstance(cache, dict) else (0, 0)
    said = count(tokens.get("output")) + count(tokens.get("reasoning"))
    return Tokens(count(tokens.get("input")), said, written, 0, read)


def cursor(given: object, said: object, read: object, written: object) -> Tokens | None:
    if given is None and said is None:
        return None
    cached = count(read) + count(written)
    whole = count(given)
    return Tokens(whole - cached if whole >= cached else whole, count(said), count(written), 0, count(read))


def otlp(hook_type: str, attributes: object) -> Tokens | None:
    """The attributes of an event; its numbers may be text."""
    if not isinstance(attributes, dict):
        return None
    get = attributes.get
    if hook_type == "claude_code.api_request":
        given, said = count(get("input_tokens")), count(get("output_tokens"))
        return Tokens(given, said, count(get("cache_creation_tokens")), 0, count(get("cache_read_tokens")))
    if hook_type == "codex.sse_event":
        if get("event.kind") != "response.completed":
            return None
        cached = count(get("cached_token_count"))
        return Tokens(max(count(get("input_token_count")) - cached, 0), count(get("output_token_count")), 0, 0, cached)
    cached = count(get("cached_content_token_count"))
    given = max(count(get("input_token_count")) - cached, 0) + count(get("tool_token_count"))
    return Tokens(given, count(get("output_token_count")) + count(get("thoughts_token_count")), 0, 0, cached)


def count(value: Any) -> int:
    """A number of tokens, from a number or its digits; 0 for what is none."""
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) <= 16 else 0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MOST_TOKENS:
        return 0
    return int(value)


def added(one: Tokens, other: Tokens) -> Tokens:
    return Tokens(*(a + b for a, b in zip(one, other, strict=True)))
