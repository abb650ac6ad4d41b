"""Ways to use P workers, as far as times go: how many tasks, how much work in each, and when enough has come back."""

import ast
import inspect
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from anyk.bases import block_tables
from anyk.code import Code
from anyk.codes import CATALOGUE, Family
from anyk.errors import InputError
from anyk.simulation.speculation import SPECULATIONS, Speculation

#: Multiplying complex blocks of real matrices takes so many real multiplications.
_COMPLEX = 4

_CUT = ("rows", "inner", "cols")
_HOW = (
    "Write uncoded, replication:2, speculation (or speculation:spark3, speculation:cubed), or a family of `anyk codes` "
    "with its parameters but for the workers: matdot:4, polynomial:8x8, approximate_matdot:4x6."
)


@dataclass(frozen=True)
class Strategy:
    """One way to use workers.

    Args:
        name: as a person would write it.
        tasks: number of tasks; the first so many workers get one each.
        needed: answers that always suffice.
        share: work of one task, as a share of the whole uncoded product.
        copies: 0: any ``needed`` answers decode. Else task w computes block ``w % (tasks // copies)``, and one answer
            for every block is needed.
        speculation: late tasks are computed a second time by this rule, or None.

    >>> strategy("matdot:4", workers=10)
    Strategy(name='matdot:4', tasks=10, needed=7, share=0.25, copies=0, speculation=None)
    >>> strategy("replication:3", workers=10).tasks
    9
    """

    name: str
    tasks: int
    needed: int
    share: float
    copies: int = 0
    speculation: Speculation | None = None

    @classmethod
    def of(cls, code: Code) -> "Strategy":
        """What a code asks for; its tables say whether its tasks are plain copies of blocks."""
        cut = code.partition
        copies, rest = divmod(code.workers, cut.products)
        plain = not rest and all(
            np.array_equal(table, np.tile(block, copies))
            for table, block in zip((code.left, code.right), block_tables(cut.rows, cut.inner, cut.cols), strict=True)
        )
        share = (_COMPLEX if code.is_complex else 1) / cut.products
        return cls(code.name, code.workers, code.recovery_threshold, share, copies if plain else 0)


def strategy(given: "str | Code | Strategy", workers: int | None) -> Strategy:
    """A strategy by name, of a code, or as it is.

    Names: ``uncoded``, ``replication:<copies>``, ``speculation[:<rule>]`` (of `SPECULATIONS`; uncoded tasks), and every
    family of `anyk.codes.CATALOGUE` with its parameters in order, except ``workers``: ``matdot:4``,
    ``polynomial:20x20``. No table is built, so any number of workers will do; whether the code is precise enough is not
    asked.

    Args:
        given: which.
        workers: how many; None: as many as a code has tasks.

    Raises:
        InputError: no such name, parameters that do not fit, or too few workers.
    """
    if isinstance(given, Strategy):
        chosen = given
    elif isinstance(given, Code):
        chosen = Strategy.of(given)
    elif isinstance(given, str):
        if workers is None:
            raise InputError(f"`simulate({given!r})` needs a number of workers, for example workers=100.")
        chosen = _named(given, workers)
    else:
        raise InputError(f"`simulate({given!r})`: neither a name nor a code. {_HOW}")
    if workers is not None and workers < max(chosen.tasks, 1):
        raise InputError(
            f"`simulate({chosen.name!r}, workers={workers})`: it has {chosen.tasks} tasks, one for each worker. "
            f"Use {chosen.tasks} or more workers, or a code with fewer tasks."
        )
    return chosen


def _named(name: str, workers: int) -> Strategy:
    head, _, rest = name.partition(":")
    head = head.replace("-", "_")
    if workers < 1:
        raise InputError(f"`simulate({name!r}, workers={workers})`: at least 1 worker is needed.")
    if head == "speculation":
        rule = rest or "spark"
        if rule not in SPECULATIONS:
            raise InputError(f"`{name}`: there is no rule {rule!r}. Rules are {', '.join(SPECULATIONS)}.")
        return Strategy(name, workers, workers, 1 / workers, 1, SPECULATIONS[rule])
    if head == "uncoded" and not rest:
        return Strategy(name, workers, workers, 1 / workers, 1)
    if head == "replication":
        copies = _numbers(name, rest)[0] if rest else 2
        blocks = workers // copies if copies else 0
        if not blocks:
            raise InputError(f"`{name}` on {workers} workers: copies are from 1 to the number of workers.")
        return Strategy(name, copies * blocks, copies * blocks - copies + 1, 1 / blocks, copies)
    if head not in CATALOGUE:
        raise InputError(f"`{name}`: there is no strategy of that name. {_HOW}")
    return _coded(name, CATALOGUE[head], _numbers(name, rest), workers)


def _coded(name: str, family: Family, numbers: list[int], workers: int) -> Strategy:
    """A family by its own formula for the recovery threshold."""
    wanted = [each for each in family.parameters if each not in ("workers", "rng", "dtype", "basis", "profile")]
    required = [each for each in wanted if family.parameters[each].default is inspect.Parameter.empty]
    if not len(required) <= len(numbers) <= len(wanted) or not all(numbers):
        raise InputError(f"`{name}` takes {' x '.join(wanted)}, each at least 1. {_HOW}")
    given = dict(zip(wanted, numbers, strict=False))
    blocks = prod(given.get(each, 1) for each in _CUT)
    # Approximate codes without a number of results take the fewest there can be.
    fewest = given.get("results", blocks)
    needed = _value(ast.parse(family.threshold, mode="eval").body, {**given, "results": fewest, "P": workers})
    tasks = workers if "workers" in family.parameters else blocks
    if needed > tasks:
        raise InputError(f"`{name}` on {workers} workers cannot be decoded: {needed} answers are needed. Cut less.")
    return Strategy(name, tasks, needed, 1 / blocks, 0 if "workers" in family.parameters else 1)


def _numbers(name: str, text: str) -> list[int]:
    """The numbers after the colon."""
    parts = text.replace(",", "x").split("x") if text else []
    if not all(part.strip().isdecimal() for part in parts):
        raise InputError(f"`{name}`: whole numbers with an x between them follow the colon. {_HOW}")
    return [int(part) for part in parts]


_OPERATORS: Mapping[type, Any] = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}


def _value(term: ast.expr, names: Mapping[str, int]) -> int:
    """A formula of the catalogue, such as ``rows*cols*(2*inner - 1)``, with numbers in it."""
    match term:
        case ast.BinOp(left=left, op=op, right=right):
            return int(_OPERATORS[type(op)](_value(left, names), _value(right, names)))
        case ast.Name(id=name):
            return names.get(name, 1)  # what a family fixes or leaves out counts once
        case ast.Constant(value=int(value)):
            return value
    raise ValueError(f"{ast.unparse(term)} is no formula of a recovery threshold")
