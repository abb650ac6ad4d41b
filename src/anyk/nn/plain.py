"""Plain values as JSON and back, without running anything."""

from collections.abc import Mapping
from typing import Any

from anyk.errors import InputError

#: Keys of dictionaries that stand for something else.
_TAGS = ({"tuple"}, {"pairs"})


def tagged(value: Any) -> Any:
    """What `json.dumps` takes; tuples, and dictionaries whose keys are no strings, are marked.

    Raises:
        InputError: a value that only running something could make again.

    >>> tagged({"lr": 0.1, "milestones": {30: 1}})
    {'lr': 0.1, 'milestones': {'pairs': [[30, 1]]}}
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [tagged(each) for each in value]
    if isinstance(value, tuple):
        return {"tuple": [tagged(each) for each in value]}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value) and set(value) not in _TAGS:
        return {key: tagged(each) for key, each in value.items()}
    if isinstance(value, Mapping):
        return {"pairs": [[tagged(key), tagged(each)] for key, each in value.items()]}
    raise InputError(
        f"Guard: a state with a {type(value).__name__} in it cannot be saved: checkpoints are read without running "
        "anything. Give objects whose state_dict holds numbers, strings, lists, tuples and dictionaries."
    )


def plain(value: Any) -> Any:
    """The value again.

    >>> plain(tagged({1: (2, None)}))
    {1: (2, None)}
    """
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        if set(value) == {"tuple"}:
            return tuple(plain(each) for each in value["tuple"])
        if set(value) == {"pairs"}:
            return {plain(key): plain(each) for key, each in value["pairs"]}
        return {key: plain(each) for key, each in value.items()}
    return value
