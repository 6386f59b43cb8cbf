"""``/events`` and ``/tasks/{task_id}/events``: the log in pages and as a stream. In both APIs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request, Response, status

from db.repositories.events import EventRepository
from db.repositories.scope import OrganizationScope
from db.repositories.tasks import TaskRepository
from serve_app.core.auth import (
    Credentials,
    LoggedIn,
    NamedOrganization,
    Scope,
    authenticate,
    least_of,
)
from serve_app.core.dependencies import RequestResources, resources_of
from serve_app.core.errors import NotFound, Unauthorized, UnprocessableField
from serve_app.core.events.feed import Feed
from serve_app.core.events.schemas import (
    EventPage,
    EventRead,
    KindPattern,
    StreamToken,
    kinds_of,
)
from serve_app.core.events.stream import Stream
from serve_app.core.openapi import MEMBER, errors
from serve_app.core.resources import Resources
from serve_app.core.routing import Router
from serve_app.core.text import Storable
from serve_app.core.tokens import TokenKind, looks_like_token

router = Router(tags=["events"])

_LAST_SEQ = 2**63 - 1
_STREAM: dict[int | str, dict[str, Any]] = {
    status.HTTP_200_OK: {
        "description": "Server-sent events: `id` is the event's `seq`, `event` its kind, `data` "
        "the event as `GET /events` answers it.",
        # Without a schema: programs differ in whether it is that of the stream or of an event.
        "content": {"text/event-stream": {}},
    }
}

After = Annotated[int, Query(ge=0, le=_LAST_SEQ, description="Only events after this `seq`.")]
Kinds = Annotated[
    tuple[KindPattern, ...],
    Query(max_length=50, description="Only such events: `task.completed`, `task.*`."),
]
TaskId = Annotated[str, Path(description="Id of a task.", max_length=64), Storable]


@router.get("/events", operation_id="list_events", responses=errors(*MEMBER))
async def list_events(
    resources: RequestResources,
    scope: Scope,
    after: After = 0,
    limit: Annotated[int, Query(ge=1, le=500, description="Events in one answer.")] = 100,
    kind: Kinds = (),
    subject_id: Annotated[
        str | None, Query(max_length=64, description="Only events about this."), Storable
    ] = None,
    wait: Annotated[
        float, Query(ge=0, le=60, description="Seconds to wait for the first event.")
    ] = 0,
) -> EventPage:
    """The event log, from any place on: ask again with `after` as `next_after` says.

    What was committed is there, in the order in which it was committed, and stays.
    """

    async def look() -> EventPage:
        async with resources.database.read() as session:
            log = EventRepository(session, scope)
            # The end first: whatever is committed up to there is seen by the next statement.
            last = await log.last_seq()
            events = await log.after(
                after, limit=limit, kinds=kinds_of(kind), subject_id=subject_id, until=last
            )
        items = [EventRead.model_validate(event) for event in events]
        end = items[-1].seq if len(items) == limit else max(after, last)
        return EventPage(items=items, next_after=end, last_seq=last)

    organization = str(scope.organization_id)
    return await resources.changes.until(organization, look, lambda page: bool(page.items), wait)


@router.post("/events/token", operation_id="create_stream_token", responses=errors(401))
async def create_token(login: LoggedIn, resources: RequestResources) -> StreamToken:
    """A token for the query of a stream, which browsers' `EventSource` needs: it sends no headers.

    It opens the streams that you may see, and nothing else.
    """
    seconds = resources.settings.accounts.access_token_seconds
    token = resources.tokens.issue(
        TokenKind.STREAM,
        login.user.id,
        timedelta(seconds=seconds),
        session_id=login.session_id,
    )
    return StreamToken(token=token, expires_in=seconds)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who opens a stream: may they (still), and what there is for them to see."""

    scope: OrganizationScope
    feed: Feed
    check: Callable[[], Awaitable[object]]


async def _viewer(
    request: Request,
    credentials: Credentials,
    named: NamedOrganization,
    token: Annotated[
        str | None,
        Query(max_length=2000, description="In place of the header, from `POST /events/token`."),
    ] = None,
) -> AsyncIterator[Viewer]:
    resources, least = resources_of(request), least_of(request)
    if token is not None and not looks_like_token(token):
        raise Unauthorized(Unauthorized.invalid_credentials)
    kind = TokenKind.ACCESS if token is None else TokenKind.STREAM
    given = token or (credentials.credentials if credentials else None)
    check = partial(authenticate, resources, given, least=least, named=named, kind=kind)
    principal = await check()
    scope = OrganizationScope(principal.organization_id)
    async with resources.feeds.open(scope) as feed:
        yield Viewer(scope, feed, check)


async def _place(
    after: Annotated[
        int | None, Query(ge=0, le=_LAST_SEQ, description="Begin after this `seq`.")
    ] = None,
    last_event_id: Annotated[
        str | None,
        Header(
            pattern="^[0-9]{1,18}$",
            description="`id` of the last event that you have; browsers send it by themselves.",
        ),
    ] = None,
) -> int | None:
    # A browser that connects again repeats the URL of the first time: the header is the newer one.
    return int(last_event_id) if last_event_id else after


# Until the stream has ended, not only until it has begun.
Viewing = Annotated[Viewer, Depends(_viewer)]
Place = Annotated[int | None, Depends(_place)]


@router.get(
    "/events/stream",
    operation_id="stream_events",
    response_class=Response,
    responses=_STREAM | errors(*MEMBER, 429),
)
async def stream(
    resources: RequestResources, viewer: Viewing, place: Place, kind: Kinds = ()
) -> Response:
    """The event log as server-sent events, from now on or from any place.

    Who comes again with `Last-Event-ID` misses nothing and gets nothing twice. The server ends a
    stream from time to time, and sends a comment every 15 seconds.
    """
    if place is not None:
        await _see_that_it_is_there(resources, viewer, place)
    events = Stream(
        feed=viewer.feed,
        settings=resources.settings.events,
        check=viewer.check,
        after=viewer.feed.last_seq if place is None else place,
        kinds=kinds_of(kind),
    )
    return events.response(resources.changes)


@router.get(
    "/tasks/{task_id}/events",
    operation_id="stream_task_events",
    response_class=Response,
    responses=_STREAM
    | errors(*MEMBER, 429)
    | {status.HTTP_204_NO_CONTENT: {"description": "The task has ended, and you know it."}},
)
async def stream_task(
    task_id: TaskId, resources: RequestResources, viewer: Viewing, place: Place
) -> Response:
    """What happens to a task, as server-sent events, until it has ended.

    Between its events come `task.progress` and `task.preview` (small pictures of what is being
    made), without an `id`: they are in no log, and who is away misses them.
    """
    async with resources.database.read() as session:
        task = await TaskRepository(session, viewer.scope).get(task_id)
        if task is None:
            raise NotFound("Task not found")
        log = EventRepository(session, viewer.scope)
        if task.status.is_final and not await log.after(place or 0, subject_id=task_id, limit=1):
            # A browser comes again whenever a stream ends, until it is told that there is no more.
            return Response(status_code=status.HTTP_204_NO_CONTENT)
    events = Stream(
        feed=viewer.feed,
        settings=resources.settings.events,
        check=viewer.check,
        after=place or 0,
        task=task,
    )
    return events.response(resources.changes)


async def _see_that_it_is_there(resources: Resources, viewer: Viewer, place: int) -> None:
    if place <= viewer.feed.last_seq:
        return
    async with resources.database.read() as session:
        last = await EventRepository(session, viewer.scope).last_seq()
    if place > last:
        # It would wait for numbers that were given to other events.
        raise UnprocessableField(f"after: your log ends at {last}", ("query", "after"))
