"""The sums over many requests that the overview draws.

One pass of the database groups them by time, client and model, and what is drawn is added up from the groups. Medians
are of the times themselves, of a sample where there are very many.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import CTE, ColumnElement, CompoundSelect, Connection, Label

MOST_SHARES = 100
MOST_NAMES = MOST_SHARES - 1
"""Models, and clients, that are told apart; the others are counted together."""
BIGGEST_CLIENTS = 5
MOST_BUCKETS = 2000
MOST_TIMES = 20_000
"""Of more times to a first token than this, a sample is looked at."""

_ANY = -1  # stands for all buckets


@dataclass(frozen=True, slots=True)
class Bucket:
    """What began within `step` seconds from `at` on; `first_token_ms` is the median."""

    at: float
    requests: int
    failed: int
    tokens_in: int
    tokens_out: int
    first_token_ms: int | None


@dataclass(frozen=True, slots=True)
class Share:
    """One model's part, or one client's."""

    name: str
    requests: int
    failed: int
    tokens_in: int
    tokens_out: int
    first_token_ms: int | None


@dataclass(frozen=True, slots=True)
class Overview:
    """`buckets` cover the whole time without a gap; shares and errors begin with the biggest."""

    requests: int
    failed: int
    tokens_in: int
    tokens_out: int
    first_token_ms: int | None
    first_token_p95_ms: int | None
    buckets: list[Bucket]
    by_model: list[Share]
    by_client: list[Share]
    errors: list[tuple[str, int]]
    by_client_buckets: dict[str, list[int]]
    """Requests per bucket, for the five biggest clients and under `""` for the others."""


class _Frame:
    """The time that is looked at, in whole milliseconds."""

    def __init__(self, since: float, until: float, step: float) -> None:
        self.since = round(since * 1000)
        self.until = max(self.since, round(until * 1000))
        self.step = max(1, round(step * 1000), math.ceil((self.until - self.since) / MOST_BUCKETS))
        self.buckets = math.ceil((self.until - self.since) / self.step)

    def bucket_times(self) -> Iterator[float]:
        for number in range(self.buckets):
            yield (self.since + number * self.step) / 1000


class _Sum:
    """Requests, failures, tokens in and out; and the times to the first token."""

    __slots__ = ("numbers", "times")

    def __init__(self) -> None:
        self.numbers = [0, 0, 0, 0]
        self.times: list[int] = []

    def add(self, numbers: Sequence[int]) -> None:
        for place in range(4):
            self.numbers[place] += int(numbers[place])

    def told(self) -> tuple[int, int, int, int, int | None]:
        requests, failed, tokens_in, tokens_out = self.numbers
        return requests, failed, tokens_in, tokens_out, _quantile(sorted(self.times), 0.5)


class _Sums:
    def __init__(self, frame: _Frame) -> None:
        self._frame = frame
        self._all = _Sum()
        self._buckets = [_Sum() for _ in range(frame.buckets)]
        self._models: dict[str, _Sum] = defaultdict(_Sum)
        self._clients: dict[str, _Sum] = defaultdict(_Sum)
        self._client_buckets: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))

    def add_groups(self, groups: Iterable[Sequence[Any]]) -> int:
        """How many times to a first token there are in them."""
        times = 0
        for bucket, client, model, its_times, *numbers in groups:
            if bucket == _ANY:
                # Of a request that failed before it named a model there is nothing to tell by model.
                if model:
                    self._models[model].add(numbers)
                continue
            times += its_times
            self._all.add(numbers)
            self._buckets[bucket].add(numbers)
            self._clients[client].add(numbers)
            self._client_buckets[client][bucket] += numbers[0]
        return times

    def add_times(self, rows: Iterable[Sequence[Any]]) -> None:
        buckets, clients, models = self._buckets, self._clients, self._models
        for bucket, client, model, milliseconds in rows:
            buckets[bucket].times.append(milliseconds)
            clients[client].times.append(milliseconds)
            if model:
                models[model].times.append(milliseconds)
            self._all.times.append(milliseconds)

    def overview(self, errors: Sequence[tuple[str, int]]) -> Overview:
        requests, failed, tokens_in, tokens_out, median = self._all.told()
        buckets = zip(self._frame.bucket_times(), self._buckets, strict=True)
        return Overview(
            requests=requests,
            failed=failed,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            first_token_ms=median,
            first_token_p95_ms=_quantile(sorted(self._all.times), 0.95),
            buckets=[Bucket(at, *bucket.told()) for at, bucket in buckets],
            by_model=_shares(self._models),
            by_client=_shares(self._clients),
            errors=list(errors),
            by_client_buckets=self._by_client_buckets(),
        )

    def _by_client_buckets(self) -> dict[str, list[int]]:
        biggest = [share.name for share in _shares(self._clients) if share.name][:BIGGEST_CLIENTS]
        found = {name: [0] * self._frame.buckets for name in [*biggest, ""]}
        for client, counts in self._client_buckets.items():
            drawn = found.get(client, found[""])
            for bucket, count in counts.items():
                drawn[bucket] += count
        return found


def empty(since: float, until: float, step: float) -> Overview:
    return _Sums(_Frame(since, until, step)).overview([])


def overview(connection: "Connection", since: float, until: float, step: float) -> Overview:
    """What began from `since` on and before `until`, in Unix seconds, in buckets of `step` seconds."""
    from sqlalchemy import func, select  # noqa: PLC0415 - see `Database`

    from poe2openai.store.tables import requests  # noqa: PLC0415

    frame = _Frame(since, until, step)
    columns = requests.c
    within = (columns.at >= frame.since) & (columns.at < frame.until)
    bucket = ((columns.at - frame.since) // frame.step).label("bucket")
    sums = _Sums(frame)
    times = sums.add_groups(connection.execute(_groups(bucket, within)))
    known = select(bucket, columns.client, columns.model, columns.first_token_ms).where(
        within, columns.first_token_ms.is_not(None)
    )
    if times > MOST_TIMES:
        known = known.where(columns.number % math.ceil(times / MOST_TIMES) == 0)
    sums.add_times(connection.execute(known))
    failures = select(columns.error, columns.status, func.count()).where(within, columns.failed == 1)
    return sums.overview(_errors(connection.execute(failures.group_by(columns.error, columns.status))))


def _groups(bucket: "Label[Any]", within: "ColumnElement[bool]") -> "CompoundSelect[Any]":
    """Bucket, client, model, first tokens, then the numbers of `_Sum`: by time and client, and by model.

    One pass over the requests, and the rest is sums of its sums.
    """
    from sqlalchemy import func, literal_column, select, union_all  # noqa: PLC0415

    from poe2openai.store.tables import requests  # noqa: PLC0415

    columns = requests.c
    once = select(
        bucket,
        columns.client,
        columns.model,
        func.count(columns.first_token_ms).label("times"),
        func.count().label("requests"),
        func.sum(columns.failed).label("failed"),
        func.sum(columns.tokens_in).label("tokens_in"),
        func.sum(columns.tokens_out).label("tokens_out"),
    ).where(within)
    # By the label: PostgreSQL takes an expression with values in it for another one where it stands a second time.
    groups = once.group_by("bucket", columns.client, columns.model).cte("groups")
    found = groups.c
    added = [func.sum(column) for column in list(found)[3:]]
    no_text: ColumnElement[str] = literal_column("''")
    # Names are the clients' own words, and there may be as many as there are requests.
    client = _one_of_the_biggest(groups, found.client).label("named")
    model = _one_of_the_biggest(groups, found.model).label("named")
    by_time = select(found.bucket, client, no_text, *added).group_by(found.bucket, "named")
    by_model: Any = select(literal_column(str(_ANY)), no_text, model, *added).group_by("named")
    return union_all(by_time, by_model)


def _one_of_the_biggest(groups: "CTE", name: "ColumnElement[str]") -> "ColumnElement[str]":
    """The name where it is among those with the most requests, else none."""
    from sqlalchemy import case, func, literal_column, select  # noqa: PLC0415

    biggest = select(name).group_by(name).order_by(func.sum(groups.c.requests).desc(), name).limit(MOST_NAMES)
    return case((name.in_(biggest), name), else_=literal_column("''"))


def _errors(rows: Iterable[Sequence[Any]]) -> list[tuple[str, int]]:
    counts: dict[str, int] = defaultdict(int)
    for error, status, requests in rows:
        counts[error or f"status {status}"] += requests
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _shares(sums: dict[str, _Sum]) -> list[Share]:
    named = sorted(sums.items(), key=lambda item: (-item[1].numbers[0], item[0]))
    return [Share(name, *each.told()) for name, each in named[:MOST_SHARES]]


def _quantile(times: list[int], share: float) -> int | None:
    """Of times in their order; the lower of the two in the middle, so that it is one that was."""
    return times[max(0, math.ceil(len(times) * share) - 1)] if times else None
