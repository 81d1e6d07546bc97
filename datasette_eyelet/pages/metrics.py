"""`/-/eyelet/metrics`: figures as Prometheus reads them, for who may administer all contexts, or a token that may."""

import asyncio
from typing import Any

from datasette import Response

from datasette_eyelet import instance
from eyelet_ingest.health import prometheus


async def view(datasette: Any, request: Any) -> Any:
    text = await asyncio.to_thread(prometheus.text, instance.of(datasette).root)
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return Response(text, headers=headers, content_type=prometheus.CONTENT_TYPE)
