"""What differs between two states of models.yaml as JSON has them, for whoever came second."""

from typing import Any, TypedDict

_ABSENT = object()


class Change(TypedDict):
    """`path` is for people: a model's name may hold dots too. None stands for what was not there."""

    path: str
    before: Any
    after: Any


def same(one: Any, other: Any) -> bool:
    """As JSON sees it: 1 is 1.0, which a browser writes alike, and no `true`; the order of keys says nothing."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """From one to the other, each at the deepest key that has a name."""
    found: list[Change] = []
    _compare("", before, after, found)
    return found


def without_before(found: list[Change]) -> list[Change]:
    """For a state that is not known any more: what is there now is all that can be said."""
    return [{"path": change["path"], "before": None, "after": change["after"]} for change in found]


def _compare(path: str, before: Any, after: Any, found: list[Change]) -> None:
    if path == "custom_models":
        named = _by_id(before), _by_id(after)
        before, after = (before, after) if None in named else named
    if same(before, after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            _compare(f"{path}.{key}" if path else key, before.get(key, _ABSENT), after.get(key, _ABSENT), found)
        return
    told = [None if value is _ABSENT else value for value in (before, after)]
    found.append({"path": path, "before": told[0], "after": told[1]})


def _by_id(items: Any) -> dict[Any, Any] | None:
    """A list of models by their ids, where each has one of its own."""
    if not isinstance(items, list):
        return None
    ids = [item.get("id") if isinstance(item, dict) else None for item in items]
    if not all(isinstance(name, str) for name in ids) or len(set(ids)) != len(ids):
        return None
    return dict(zip(ids, items, strict=True))
