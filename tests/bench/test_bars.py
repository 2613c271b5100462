"""The table of bars says what the figures say."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CLEAN = dict.fromkeys(
    [
        "failed",
        "content_mismatch",
        "reasoning_mismatch",
        "tool_mismatch",
        "no_done",
        "no_finish_reason",
        "no_usage",
        "false_end",
    ],
    0,
)


def run(label: str, target: str, **figures: Any) -> dict[str, Any]:
    return {"label": label, "target": target, "ok": 10, "concurrency": 32, **CLEAN, **figures}


def table(directory: Path, runs: list[dict[str, Any]], hold: dict[str, Any] | None = None) -> list[str]:
    (directory / "runs.jsonl").write_text("".join(json.dumps(one) + "\n" for one in runs))
    if hold is not None:
        (directory / "hold.json").write_text(json.dumps(hold))
    printed = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "bars.py"), str(directory)], check=True, capture_output=True, text=True
    )
    return printed.stdout.splitlines()[2:]


def test_ratios_are_of_medians(tmp_path: Path) -> None:
    naive = [run("B", "naive", cpu_us_per_event=cost) for cost in (40, 50, 1000)]
    ours = [run("B", "ours", cpu_us_per_event=cost) for cost in (1, 5, 9)]
    first, last = table(tmp_path, naive + ours)
    assert first == "| B | CPU an event | ≤ 0.12 × naive's | 0.1 × naive's | yes |"
    assert last == "| all | answers lost or damaged | 0 | 0 of 30 | yes |"


def test_what_is_missed_is_told(tmp_path: Path) -> None:
    upstream = {"connections": 40, "requests": 100}
    naive = run("A", "naive", req_per_s=100, cpu_ms_per_req=5)
    ours = run("A", "ours", req_per_s=240, cpu_ms_per_req=2, upstream=upstream, content_mismatch=3)
    rows = table(tmp_path, [naive, ours])
    assert [row.endswith("| NO |") for row in rows] == [True, False, True, True]
    assert "3 of 10" in rows[-1]


def test_every_client_that_hung_up_counts(tmp_path: Path) -> None:
    hold = {
        "pss_kb_per_stream": 30.5,
        "wanted": 100,
        "held": 100,
        "upstream_cancelled": 99,
        "cancel_after_ms": {"max": 400.0},
    }
    memory, hang_up = table(tmp_path, [], hold)
    assert memory.endswith("| 30.5 KB | yes |")
    assert hang_up.endswith("| 400 ms, 99 of 100 | NO |")


def test_tool_calls_are_held_against_plain_text(tmp_path: Path) -> None:
    costs = {"plain": 50.0, "native": 60.0, "xml": 101.0}
    runs = [run("toolsC", target, cpu_us_per_event=cost) for target, cost in costs.items()]
    runs.append(run("toolsC", "xml", cpu_us_per_event=103.0, tool_mismatch=1))
    native, xml, last = table(tmp_path, runs)
    assert native.startswith("| tools | CPU an event, native tool calls, 200 live streams | ≤ 1.3 × plain text's |")
    assert native.endswith("| 1.2 × plain text's | yes |")
    assert xml.endswith("| ≤ 2 × plain text's | 2.04 × plain text's | NO |")
    assert last == "| all | answers lost or damaged | 0 | 1 of 40 | NO |"
