"""Prints which bars are met, from the figures that `compare.sh` gathered in a directory.

python bench/bars.py DIR       DIR/runs.jsonl, a line a run; DIR/hold.json
"""

import json
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DAMAGE = [
    "failed",
    "content_mismatch",
    "reasoning_mismatch",
    "tool_mismatch",
    "no_done",
    "no_finish_reason",
    "no_usage",
    "false_end",
]
# The targets that are the gateway.
OURS = ("ours", "with", "without", "plain", "native", "xml")
Run = dict[str, Any]


@dataclass(frozen=True)
class Bar:
    workload: str
    what: str
    wanted: str
    measured: str
    met: bool


def at_most(workload: str, what: str, limit: float, value: float, unit: str) -> Bar:
    return Bar(workload, what, f"≤ {limit:g} {unit}", f"{value:.3g} {unit}", value <= limit)


class Figures:
    """The runs of all workloads; medians are over rounds."""

    def __init__(self, runs: list[Run]) -> None:
        self._runs = runs

    def of(self, workload: str, target: str) -> list[Run]:
        return [run for run in self._runs if run["label"] == workload and run["target"] == target]

    def median(self, workload: str, target: str, *path: str) -> float:
        return statistics.median(_at(run, path) for run in self.of(workload, target))

    def ratio(self, workload: str, *path: str, of: str = "ours", to: str = "naive") -> float:
        """Ours over the yardstick's, unless others are named."""
        return self.median(workload, of, *path) / self.median(workload, to, *path)

    def damaged(self) -> tuple[int, int]:
        """Of all answers of the gateway: how many were lost or not what Poe said."""
        ours = [run for run in self._runs if run["target"] in OURS]
        return sum(run[field] for run in ours for field in DAMAGE), sum(run["ok"] + run["failed"] for run in ours)


def bars(figures: Figures, hold: Run | None) -> Iterator[Bar]:
    if figures.of("A", "ours"):
        yield faster("A", "answers a second, 32 connections", figures.ratio("A", "req_per_s"))
        yield at_most("A", "CPU an answer", 0.4, figures.ratio("A", "cpu_ms_per_req"), "× naive's")
        yield connections(figures.of("A", "ours"))
    if figures.of("A1", "ours"):
        yield at_most("A", "time to first token, 1 connection", 0.6, figures.ratio("A1", "ttft_ms", "p50"), "× naive's")
    if figures.of("B", "ours"):
        yield at_most("B", "CPU an event", 0.12, figures.ratio("B", "cpu_us_per_event"), "× naive's")
    if figures.of("C", "ours"):
        yield at_most("C", "CPU an event, 200 live streams", 0.7, figures.ratio("C", "cpu_us_per_event"), "× naive's")
        yield at_most("C", "longest gap between chunks", 100, figures.median("C", "ours", "gap_max_ms"), "ms")
    if runs := figures.of("C1000", "ours"):
        lost = sum(run[field] for run in runs for field in DAMAGE)
        yield Bar("C", "1,000 live streams, 2 workers: lost or damaged", "0", str(lost), lost == 0)
    if figures.of("whole", "ours"):
        yield faster("whole answers", "answers a second, 32 connections", figures.ratio("whole", "req_per_s"))
    if figures.of("usage", "with"):
        used = figures.median("usage", "with", "cpu_ms_per_req") - figures.median("usage", "without", "cpu_ms_per_req")
        yield at_most("usage", "CPU for include_usage, 100 kB prompt", 8, used, "ms")
    for workload, pace in (("tools", "at once"), ("toolsC", "200 live streams")):
        if figures.of(workload, "plain"):
            yield from tools(figures, workload, pace)
    if hold:
        yield at_most("hold", "memory an idle stream", 60, hold["pss_kb_per_stream"], "KB")
        held, ended = hold["held"], hold["upstream_cancelled"]
        slowest = hold["cancel_after_ms"]["max"]
        met = held == hold["wanted"] == ended and slowest <= 1000
        yield Bar("hold", "hang-up seen upstream", "≤ 1000 ms, all", f"{slowest:.0f} ms, {ended} of {held}", met)
    if answers := figures.damaged()[1]:
        damaged = figures.damaged()[0]
        yield Bar("all", "answers lost or damaged", "0", f"{damaged} of {answers}", damaged == 0)


def faster(workload: str, what: str, ratio: float) -> Bar:
    return Bar(workload, what, "≥ 2.5 × naive's", f"{ratio:.3g} × naive's", ratio >= 2.5)


def tools(figures: Figures, workload: str, pace: str) -> Iterator[Bar]:
    for target, what, limit in (("native", "native tool calls", 1.3), ("xml", "XML tool calls", 2)):
        cost = figures.ratio(workload, "cpu_us_per_event", of=target, to="plain")
        yield at_most("tools", f"CPU an event, {what}, {pace}", limit, cost, "× plain text's")


def connections(runs: list[Run]) -> Bar:
    most = max(run["upstream"]["connections"] for run in runs)
    allowed = runs[0]["concurrency"]
    requests = min(run["upstream"]["requests"] for run in runs)
    return Bar("A", f"connections to Poe for {requests} answers", f"≤ {allowed}", str(most), most <= allowed)


def _at(run: Run, path: tuple[str, ...]) -> float:
    value: Any = run
    for key in path:
        value = value[key]
    return float(value)


def main() -> None:
    directory = Path(sys.argv[1])
    lines = directory / "runs.jsonl"
    runs = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    held = directory / "hold.json"
    rows = list(bars(Figures(runs), json.loads(held.read_text()) if held.exists() else None))
    print("| workload | what | bar | measured | met |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {row.workload} | {row.what} | {row.wanted} | {row.measured} | {'yes' if row.met else 'NO'} |")


if __name__ == "__main__":
    main()
