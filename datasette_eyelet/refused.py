"""What Datasette is told of a question that ran out of time, or that SQLite refuses.

It expects either in some places. In the others it would print a traceback: but not of an error of its own kind.
"""

from typing import Any

from datasette.database import QueryInterrupted
from datasette.views.base import DatasetteError

from eyelet_ingest.store.connect import driver


class TookTooLong(QueryInterrupted, DatasetteError):  # type: ignore[misc]  # Datasette has no types
    """A question that was stopped at its time limit. Where Datasette does not expect that (CSV; in 1.0 every table), it
    says so on a page, without a traceback, nor the SQL and its parameters: they may be what somebody looks for."""

    def __init__(self, error: object, sql: str, params: Any) -> None:
        DatasetteError.__init__(
            self,
            "SQL query took too long: ask for less, by time or with a limit, or raise the setting sql_time_limit_ms",
            title="SQL Interrupted",
            status=400,
        )
        QueryInterrupted.__init__(self, error, sql, params)

    def __str__(self) -> str:
        return str(self.message)


class Refused(DatasetteError, driver().OperationalError):  # type: ignore[misc]  # neither has types
    """What SQLite says of a question that it does not run, or not to the end: "malformed JSON", say."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, title="Invalid SQL", status=400)

    def __str__(self) -> str:
        return str(self.message)
