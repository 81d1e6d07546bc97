"""What a Store is asked: events, calls, tokens, counts, and what there is of each. Nothing here writes.

It is longer than other files because each question is a method; the work stands in the modules they call.
"""

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from eyelet_ingest.errors import BadInput, PartitionBusy, PartitionError
from eyelet_ingest.store import layout
from eyelet_ingest.store.answers import CountResult, ErrorCodes, Row, SearchResult, Summary
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import Search
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.timings import timed

if TYPE_CHECKING:  # imported by the methods that need them: a query pays for none of them at its start
    from eyelet_ingest.store.across import Across
    from eyelet_ingest.store.around import Around
    from eyelet_ingest.store.calls import Call, Calls
    from eyelet_ingest.store.completeness import Completeness, Fault, Rest
    from eyelet_ingest.store.durations import Durations
    from eyelet_ingest.store.entries import Entries, Entry
    from eyelet_ingest.store.export import Export
    from eyelet_ingest.store.facets import Facets
    from eyelet_ingest.store.histogram import Histogram
    from eyelet_ingest.store.session import Session
    from eyelet_ingest.store.sessions import Sessions
    from eyelet_ingest.store.sources import Sources
    from eyelet_ingest.store.tail import Tail
    from eyelet_ingest.store.usage import Usage
    from eyelet_ingest.store.watch import Intervals, News, Watch

RANKED_MOST = 1_000  # events of one answer by rank


class Asking:
    """Part of `Store`. Days that cannot be read are named in the answer; `event` raises what its day does."""

    roots: Roots
    _only: frozenset[str] | None

    @timed("search")
    def search(
        self,
        where: Filter,
        *,
        limit: int = 100,
        after: str | None = None,
        oldest_first: bool = False,
        cut_chars: int | None = None,
        deadline_ms: float | None = None,
        by_rank: bool = False,
        snippets: bool = False,
    ) -> SearchResult:
        """One page of what matches, newest first; `after` is the `next` of the page before.

        Partitions that cannot be read are named in the result, never raised. After `deadline_ms` the page is what was
        found by then: its `partitions` are not `complete`, and `next` goes on where it stopped. BadInput for a
        cursor or limit that cannot be; RootError where the root itself cannot be read.

        `by_rank`: those that are most about `where.text` first, each with its `rank` (the less the better), on one page
        that has no next. `snippets`: each row has a `snippet`, the piece of its text that was found, hits between the
        marks of `snippets.py`; None where there is nothing to show. BadQuery for a text that cannot be meant.
        """
        with Search(self.roots, where, deadline_ms) as question:
            if by_rank:
                from eyelet_ingest.store import text_answers

                return text_answers.ranked(question, min(limit, RANKED_MOST), cut_chars, snippets)
            return question.page(limit, after, oldest_first, cut_chars, snippets)

    def text_ids(
        self, key: PartitionKey, text: str, *, exact: bool = False, deadline_ms: float | None = None
    ) -> list[int]:
        """The ids of all events of one day that a search for this text finds, in order. BadQuery for a text that cannot
        be meant; PartitionError where the day cannot be read, PartitionBusy where the time ran out."""
        from eyelet_ingest.store import text_answers

        first_us, end_us = key.bounds_us
        where = Filter(since_us=first_us, until_us=end_us, contexts=(key.context,), text=text, exact=exact)
        found: set[int] = set()
        with Search(self.roots, where, deadline_ms) as question:
            for _, ids in question.each(question.parts, partial(text_answers.ids, question)):
                found.update(ids)
        for part, bad in question.unreadable.items():
            raise PartitionError("read", part.path, bad.error)
        if question.unasked:
            raise PartitionBusy("search", key.mount_name, "the time ran out", "give it more, or build its text index")
        return sorted(found)

    def text_places(self, where: Filter, most: int, *, deadline_ms: float | None = None) -> list[tuple[str, int, int]]:
        """Of all events that match, text among the conditions: context, place of the root (0 is the first), id. Days
        that cannot be read have none. BadQuery for a text that cannot be meant; BadInput where more than `most` match,
        or the time ran out: a part of them would be another answer."""
        from eyelet_ingest.store import text_answers

        found: list[tuple[str, int, int]] = []
        hint = "narrow it: by time, context or another column"
        with Search(self.roots, where, deadline_ms) as question:
            for part, ids in question.each(question.parts, partial(text_answers.ids, question)):
                found += [(part.context, part.at, event_id) for event_id in ids]
                if len(found) > most:
                    raise BadInput("search for the text", reason=f"more than {most:,} events have it", hint=hint)
        if question.unasked:
            raise BadInput("search for the text", reason="the time ran out", hint=hint)
        return found

    @timed("calls")
    def calls(
        self,
        where: Filter,
        *,
        limit: int = 100,
        after: str | None = None,
        oldest_first: bool = False,
        cut_chars: int | None = None,
        deadline_ms: float | None = None,
        now_us: int | None = None,
    ) -> "Calls":
        """One page of calls, newest first, each once, where the latest of its events that fit the filter is.

        `status`, `errors` and `error_code` are asked of the call, whose status is resolved (as of `now_us`, else now);
        all else of its events. Paging, deadline and what cannot be read as for `search`.
        """
        from eyelet_ingest.store.calls import calls

        return calls(
            self.roots,
            where,
            limit=limit,
            after=after,
            oldest_first=oldest_first,
            cut_chars=cut_chars,
            deadline_ms=deadline_ms,
            now_us=now_us,
        )

    @timed("entries")
    def entries(
        self,
        where: Filter,
        *,
        limit: int = 100,
        after: str | None = None,
        oldest_first: bool = False,
        cut_chars: int | None = None,
        deadline_ms: float | None = None,
        by_rank: bool = False,
        snippets: bool = False,
        now_us: int | None = None,
    ) -> "Entries":
        """One page of what a list shows, newest first: each call once, where the latest of its events that fit is, and
        each event that is of no call.

        `status` is asked of the call, as it is resolved (as of `now_us`, else now), and so is the tool; all else of the
        events. Paging, deadline, rank, snippets and what cannot be read as for `search`.
        """
        from eyelet_ingest.store.entries import entries

        return entries(
            self.roots,
            where,
            limit=limit,
            after=after,
            oldest_first=oldest_first,
            cut_chars=cut_chars,
            deadline_ms=deadline_ms,
            by_rank=by_rank,
            snippets=snippets,
            now_us=now_us,
        )

    def entries_of(self, rows: Sequence[Row], *, now_us: int | None = None) -> "list[Entry]":
        """The entries of these events, as a search or a tail gave them: each call once, where its first row is."""
        from eyelet_ingest.store.entries import entries_of

        return entries_of(self.roots, rows, now_us)

    def calls_at(self, context: str, id: int, *, now_us: int | None = None) -> "list[Call]":
        """The calls that an event is of, each with its question and its answer whole, wherever they are: none of most
        events, several of a record that holds several. None where the event is not there or cannot be read."""
        from eyelet_ingest.store.around import calls_at

        return calls_at(self.roots, context, id, now_us)

    def around(
        self,
        context: str,
        id: int,
        *,
        before: int = 20,
        after: int = 20,
        same_session: bool = False,
        cut_chars: int | None = 4_096,
        deadline_ms: float | None = None,
    ) -> "Around | None":
        """An event and its neighbours in time: those of its context, or with `same_session` those of its session in any
        context, up to a month away. None where the event is not there or cannot be read; BadInput for a number of
        neighbours that cannot be."""
        from eyelet_ingest.store.around import around

        return around(
            self.roots,
            context,
            id,
            before=before,
            after=after,
            same_session=same_session,
            cut_chars=cut_chars,
            deadline_ms=deadline_ms,
        )

    def resolve(self, rows: Sequence[Row], *, now_us: int | None = None) -> None:
        """Give each of these events, as a search gave them, its `outcome`: its status, but of a pending one how its
        call ended, or `unknown` after an hour without an answer. The stored `status` stays."""
        from eyelet_ingest.store.calls import resolve

        resolve(self.roots, rows, now_us)

    @timed("session")
    def session(
        self,
        session_id: str,
        *,
        contexts: Sequence[str] = (),
        since_us: int | None = None,
        until_us: int | None = None,
        deadline_ms: float | None = None,
        now_us: int | None = None,
    ) -> "Session":
        """A session as a story: what was asked and answered, its calls and subagents, in order of time. One without
        steps where there is none; BadInput for a blank name; a deadline as for `count`."""
        from eyelet_ingest.store.session import session

        return session(
            self.roots,
            session_id,
            contexts=contexts,
            since_us=since_us,
            until_us=until_us,
            deadline_ms=deadline_ms,
            now_us=now_us,
        )

    @timed("usage")
    def usage(
        self, where: Filter, by: Sequence[str] = ("session", "agent", "model"), *, deadline_ms: float | None = None
    ) -> "Usage":
        """Tokens of the answers that began in the range, each counted once, by some of session, agent, model, day and
        context; a deadline as for `count`. BadInput for a condition beyond range, contexts, sessions, agents, models.
        """
        from eyelet_ingest.store.usage import usage

        return usage(self.roots, where, by, deadline_ms)

    def completeness(
        self,
        where: Filter,
        *,
        rests: "Sequence[Rest]" = (),
        faults: "Sequence[Fault]" = (),
        deadline_ms: float | None = None,
        now_us: int | None = None,
    ) -> "Completeness":
        """Of the calls that transcripts know, how many the hooks caught, which are missing, and why: `rests` and
        `faults` are when recording was paused, and when hooks failed. BadInput for a condition beyond range, contexts,
        sessions and agents; a deadline as for `count`.
        """
        from eyelet_ingest.store.completeness import completeness

        now_us = time.time_ns() // 1_000 if now_us is None else now_us
        return completeness(self.roots, where, rests=rests, faults=faults, deadline_ms=deadline_ms, now_us=now_us)

    @timed("count")
    def count(self, where: Filter, *, deadline_ms: float | None = None) -> CountResult:
        """How many events match; after `deadline_ms`, in the partitions that were asked by then."""
        with Search(self.roots, where, deadline_ms) as question:
            return question.count()

    @timed("summary")
    def summary(self, where: Filter, *, deadline_ms: float | None = None) -> Summary:
        """Totals, and counts by type, tool, status and context; a deadline as for `count`."""
        with Search(self.roots, where, deadline_ms) as question:
            return question.summary()

    def error_codes(self, where: Filter, *, deadline_ms: float | None = None) -> ErrorCodes:
        """Failures by code, most frequent first; '' for those without one; a deadline as for `count`."""
        with Search(self.roots, where, deadline_ms) as question:
            return question.error_codes()

    def sources(self, where: Filter, *, limit: int = 1_000, after: str | None = None) -> "Sources":
        """One page of the src there are, in order of name; BadInput for a condition beyond range, contexts and src."""
        from eyelet_ingest.store.sources import sources

        return sources(self.roots, where, limit, after)

    def durations(self, where: Filter, *, limit: int = 10, deadline_ms: float | None = None) -> "Durations":
        """How long the calls took whose events match: by tool, and the slowest; a deadline as for `count`. A call over
        midnight, and hooks without a `tool_use_id`, are not in it."""
        from eyelet_ingest.store.durations import durations

        return durations(self.roots, where, limit, deadline_ms)

    @timed("sessions")
    def sessions(
        self,
        where: Filter,
        *,
        limit: int = 100,
        after: str | None = None,
        tokens: bool = True,
        deadline_ms: float | None = None,
        now_us: int | None = None,
    ) -> "Sessions":
        """One page of the sessions that have an event that fits, each once, where the latest of these is, newest first,
        with what the whole session adds up to (`tokens` too, which takes longest). Paging and what cannot be read as
        for `search`; after `deadline_ms` the page has what was found by then, and says so (`complete`).
        """
        from eyelet_ingest.store.sessions import sessions

        now_us = time.time_ns() // 1_000 if now_us is None else now_us
        return sessions(
            self.roots, where, limit=limit, after=after, tokens=tokens, deadline_ms=deadline_ms, now_us=now_us
        )

    @timed("histogram")
    def histogram(
        self,
        where: Filter,
        *,
        bucket_us: int | None = None,
        buckets: int = 60,
        bounds: Sequence[int] | None = None,
        by: str | None = None,
        deadline_ms: float | None = None,
    ) -> "Histogram":
        """How many events match in each stretch of time; for each value of `by` (status, hook_type, loglevel) if given.

        The stretches are `bounds`, rising, in µs; or `bucket_us` wide; or of a round width of which the range has at
        most `buckets`, and begin at multiples of that width. An open range is as long as there are days. A deadline as
        for `count`. BadInput for stretches that cannot be.
        """
        from eyelet_ingest.store.histogram import histogram

        return histogram(
            self.roots, where, bucket_us=bucket_us, buckets=buckets, bounds=bounds, by=by, deadline_ms=deadline_ms
        )

    @timed("facets")
    def facets(
        self,
        where: Filter,
        fields: Sequence[str],
        *,
        limit: int = 20,
        src_below: str = "",
        deadline_ms: float | None = None,
    ) -> "Facets":
        """The most frequent values of each field, `limit` at most, with how many events have them.

        Each field obeys the conditions on the others, not those on itself. Of src there is one level of its tree, the
        names one dot below `src_below`. A deadline as for `count`. BadInput for a field that has no facet.
        """
        from eyelet_ingest.store.facets import facets

        return facets(self.roots, where, fields, limit=limit, src_below=src_below, deadline_ms=deadline_ms)

    def all_days(self) -> "Across":
        """All days as one database in memory, to be asked in SQL through its `conn` by one thread, and closed."""
        from eyelet_ingest.store.across import Across

        return Across(self.roots, self._only)

    def export(self, where: Filter) -> "Export":
        """Every whole row that matches, oldest first, in bounded memory: to be iterated once."""
        from eyelet_ingest.store.export import Export

        return Export(self.roots, where)

    def tail(self, where: Filter, *, cut_chars: int | None = None) -> "Tail":
        """What arrives from now on, late events and new days included: to be asked again and again."""
        from eyelet_ingest.store.tail import Tail

        return Tail(self.roots, where, cut_chars)

    def watch(self) -> "Watch":
        """What arrives from now on, for many filters: ask it for a look again and again, then `news` for each."""
        from eyelet_ingest.store.watch import Watch

        return Watch(self.roots)

    def news(self, where: Filter, intervals: "Intervals", most: int, *, cut_chars: int | None = None) -> "News":
        """What matches of what a look of a `watch` found: the newest rows, at most `most`."""
        from eyelet_ingest.store.watch import news

        return news(self.roots, where, intervals, most, cut_chars)

    def position(self, where: Filter) -> str:
        """From where to follow (`/-/eyelet/live?_after=`) a search that is asked after this."""
        from eyelet_ingest.store.watch import position_now

        return position_now(self.roots, where).text

    def event(self, context: str, id: int) -> Row | None:
        """One whole event, of the first root that has it; None where there is none; PartitionError where its day cannot
        be read."""
        try:
            key = layout.key_for(layout.safe_context(context), id)
        except (ValueError, OverflowError, OSError):
            return None
        if self._only is not None and key.context not in self._only:
            return None
        with Search(self.roots, Filter(contexts=(key.context,))) as question:
            for catalog in self.roots.catalogs:
                row = question.event(Part(catalog.root, catalog.at, key), id)
                if row is not None:
                    return row
        for part, bad in question.unreadable.items():
            raise PartitionError("read", part.path, bad.error)
        return None

    def contexts(self) -> list[str]:
        """The safe names of the contexts that have a partition, in order."""
        return sorted({key.context for key in self.roots.days()})

    def day_starts(self, since_us: int, until_us: int, contexts: Sequence[str] = ()) -> list[int]:
        """When the days that are there between these times begin, rising; of these safe contexts where some are
        given."""
        parts, _, _ = self.roots.between(since_us, until_us, contexts)
        return sorted({part.first_us for part in parts})

    def newest_day(self, contexts: Sequence[str] = ()) -> PartitionKey | None:
        """The newest partition there is, of these contexts where some are given."""
        parts, _, _ = self.roots.between(None, None, [layout.safe_context(context) for context in contexts])
        return parts[-1].key if parts else None

    def newest_event_us(self, where: Filter, *, deadline_ms: float | None = None) -> int | None:
        """The time of the newest event that matches; None where there is none, or the time ran out before it."""
        rows = self.search(where, limit=1, cut_chars=0, deadline_ms=deadline_ms).rows
        return int(str(rows[0]["id"])) if rows else None
