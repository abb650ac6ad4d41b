"""``anyk matmul --stream``: one line for each better product, until it is good enough."""

from math import log10

import anyk
from anyk import planning
from anyk.cli.files import Array
from anyk.cli.streams import tell
from anyk.code import Code
from anyk.engines import Engine
from anyk.engines.drive import Watch
from anyk.errors import InputError
from anyk.verbs import Product
from anyk.verbs.screen import Kind, Screening

BAR_WIDTH = 24

#: Without a tolerance the bar is full at this error.
_FULL = 1e-15


def streamed(
    left: Array,
    right: Array,
    code: Code | None,
    engine: Engine,
    *,
    stragglers: int,
    wrong: int,
    screen: Kind | None,
    tolerance: float | None,
    deadline: float | None,
    timeout: float | None,
    retries: int,
    seed: int,
    watch: Watch,
    quiet: bool,
) -> Product:
    """The last product of `anyk.stream`; each one is told as it comes.

    Raises:
        InputError: no answer made a product.
    """
    asked = Screening.of("stream", code, wrong, screen, "random")
    spare = stragglers + (asked.extra if asked else 0)
    chosen = code or planning.choose(left.shape, right.shape, workers=len(engine.lanes), stragglers=spare)
    last: Product | None = None
    products = anyk.stream(
        left,
        right,
        chosen,
        wrong=wrong,
        screen=screen,
        tolerance=tolerance,
        deadline=deadline,
        engine=engine,
        timeout=timeout,
        retries=retries,
        rng=seed,
        watch=watch,
    )
    for product in products:
        last = product
        if not quiet:
            tell(_line(product, tolerance or _FULL))
    if last is None:
        raise InputError("`anyk matmul --stream` got no product out of these matrices. Multiply them without --stream.")
    return last


def _line(product: Product, goal: float) -> str:
    error = product.error or _FULL
    full = round(BAR_WIDTH * min(1.0, max(0.0, log10(error) / log10(goal)))) if goal < 1 else BAR_WIDTH
    tasks = product.code.workers if product.code else 0
    return f"{'█' * full}{'░' * (BAR_WIDTH - full)}  error {error:.1e} from {len(product.survivors)} of {tasks} answers"
