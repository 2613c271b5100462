"""Tables of docs/configuration.md, which cog runs in that file's comments (`make docs`)."""

from dataclasses import MISSING, Field, fields
from typing import Any

from poe2openai.config.settings import SettingInfo, Settings


def table(theme: str) -> str:
    """The variables of one theme as a markdown table, in the order of `Settings`, between the blank lines it needs."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for field in fields(Settings):
        info: SettingInfo = field.metadata["info"]
        if info.theme == theme:
            rows.append(f"| `{field.name.upper()}` | {_default(field, info)} | {info.sentence} |")
    if len(rows) == 2:
        raise ValueError(f"no setting has the theme {theme!r}")
    return "\n".join(["", *rows, ""])


def _default(field: "Field[Any]", info: SettingInfo) -> str:
    if field.default is MISSING:
        return info.shown_default or ""
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    shown = info.shown_default or (f"{field.default:g}" if isinstance(field.default, float) else str(field.default))
    return f"`{shown}`" if field.default not in {"", ()} else "none"
