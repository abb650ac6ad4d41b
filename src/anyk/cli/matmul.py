"""``anyk matmul``: files in, a file out, and who answered."""

import warnings
from contextlib import closing
from typing import Any

import click

import anyk
from anyk import engines, faults
from anyk.cli import files
from anyk.cli.code_options import CodeName, build, code_options, take
from anyk.cli.commands import Examples
from anyk.cli.progress import Progress
from anyk.cli.recording import Recording
from anyk.cli.report import as_json, report
from anyk.cli.streaming import streamed
from anyk.cli.streams import say, tell
from anyk.code import Code
from anyk.engines import Engine
from anyk.engines.drive import Watch
from anyk.errors import InputError
from anyk.verbs import Product
from anyk.verbs.screen import KINDS

_SECONDS = click.FloatRange(min=0, min_open=True)


_EXAMPLES = (
    "anyk matmul A.npy B.npy -o C.npy --code matdot --inner 4 --workers 10",
    "anyk matmul A.npy B.npy -o C.npy --workers 10 --stragglers 3",
    "anyk matmul data.npz:A data.npz:B -o C.npz:C --workers 8 --stragglers 2 --timeout 60",
    "anyk matmul A.npy B.npy --code matdot --inner 4 --workers 12 --wrong 2 --faults wrong-block",
    "anyk matmul A.mtx B.mtx -o C.mtx --code polynomial --rows 2 --cols 2 --workers 6 --json",
    "anyk matmul A.npy B.npy --code matdot --inner 4 --workers 10 --faults slow-node --unit 0.5",
    "anyk matmul A.npy B.npy --code approximate_matdot --inner 5 --workers 10 --stream --tolerance 0.01",
    "anyk matmul A.npy B.npy --code matdot --inner 4 --workers 10 --record run.json",
)


@click.command(cls=Examples, short_help="Multiply the matrices in two files.", examples=_EXAMPLES)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("-o", "--output", metavar="FILE", help="Where C goes; an old file is replaced whole or not at all.")
@click.option("--code", type=CodeName(), help="A family (see `anyk codes`) or a saved code. Default: planned.")
@code_options
@click.option("--stragglers", type=click.IntRange(0), help="Without --code: how many answers may be missing.")
@click.option("--wrong", type=click.IntRange(0), default=0, help="How many answers may be wrong without notice.")
@click.option("--screen", type=click.Choice(KINDS), help="How wrong answers are found.  [default: checked]")
@click.option("--engine", metavar="NAME[:N]", default="processes", show_default=True, help="Who computes.")
@click.option("--timeout", type=_SECONDS, metavar="SECONDS", help="Give up after this time.")
@click.option("--deadline", type=_SECONDS, metavar="SECONDS", help="Take the best answer there is at this time.")
@click.option("--tolerance", type=_SECONDS, metavar="ERROR", help="Take the earliest answer with this relative error.")
@click.option(
    "--stream", "is_stream", is_flag=True, help="Tell each better product as answers come, until --tolerance."
)
@click.option("--retries", type=click.IntRange(0), default=1, show_default=True, help="Repeats of a lost task.")
@click.option("--faults", "model", metavar="PRESET[:…]", help=f"Injected faults: {', '.join(faults.PRESETS)}.")
@click.option("--unit", type=_SECONDS, default=1.0, show_default=True, help="Seconds of a task time in --faults.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of tables, faults and probes.")
@click.option("--record", metavar="FILE", help="Write what happened as JSON, for `anyk report`; also if it fails.")
@click.option("--planned", metavar="FILE", help="With --record: what `anyk plan --json` wrote, to be compared.")
@click.option("--json", "is_json", is_flag=True, help="Exactly one JSON object on stdout.")
@click.option("--quiet", "-q", is_flag=True, help="No report.")
def matmul(a: str, b: str, output: str | None, is_json: bool, quiet: bool, **options: Any) -> None:
    """Multiply the matrices in files A and B, recovered from any k of P workers' answers.

    Files are .npy, .npz (file.npz:name where it holds several arrays), Matrix Market .mtx and .mtx.gz; the output's
    format follows its name. Integers are multiplied exactly. The reported error is measured.
    """
    if output is not None:
        files.ensure_writable(output)
    recording = Recording(options.pop("record"), options["engine"], options.pop("planned"))
    left, right = (_loaded(text) for text in (a, b))
    code = _code(options, dtype=str(left.dtype if left.dtype == right.dtype else "float64"))
    with warnings.catch_warnings(record=True) as caught, recording.of(left.shape, right.shape, code):
        warnings.simplefilter("always")
        product = _multiplied(left, right, code, options, quiet, recording)
    told = [str(each.message) for each in caught]
    for line in told:
        tell(f"warning: {line}")
    if output is not None:
        files.write(output, product.value)
    recording.keep(product)
    if is_json:
        click.echo(as_json(product, output, told))
    elif not quiet:
        say(report(product, output))


def _loaded(text: str) -> files.Array:
    loaded = files.read(text)
    if loaded.note:
        tell(f"note: {loaded.note}")
    return loaded.matrix


def _code(options: dict[str, Any], dtype: str) -> Code | None:
    """The code asked for; None: the rule decides, from --workers and --stragglers."""
    name, stragglers = options.pop("code"), options["stragglers"]
    given = take(options)
    if name is not None:
        if stragglers is not None:
            raise InputError("`--stragglers` chooses a code where --code names none. With --code, add --workers.")
        return build(name, given, seed=options["seed"], dtype=dtype)
    options["workers"] = given.pop("workers", None)
    if given:
        flags = ", ".join(f"--{name}" for name in given)
        raise InputError(
            f"`{flags}` describes a code, and --code names none. Add --code with a family of `anyk codes`."
        )
    return None


def _multiplied(
    left: files.Array,
    right: files.Array,
    code: Code | None,
    options: dict[str, Any],
    quiet: bool,
    recording: Recording,
) -> Product:
    needed = None if code is None else code.recovery_threshold
    with closing(_engine(code, options)) as engine, Progress(engine.clock.now, needed, quiet) as progress:
        watch = recording.watch(progress.see)
        if options["is_stream"]:
            return _streamed(left, right, code, engine, options, quiet, watch)
        return anyk.matmul(
            left,
            right,
            code,
            workers=options.get("workers"),
            stragglers=options["stragglers"] or 0,
            wrong=options["wrong"],
            screen=options["screen"],
            tolerance=options["tolerance"],
            engine=engine,
            stop=None if options["deadline"] is None else anyk.deadline(options["deadline"]),
            timeout=options["timeout"],
            retries=options["retries"],
            rng=options["seed"],
            watch=watch,
        )


def _streamed(
    left: files.Array,
    right: files.Array,
    code: Code | None,
    engine: Engine,
    options: dict[str, Any],
    quiet: bool,
    watch: Watch,
) -> Product:
    return streamed(
        left,
        right,
        code,
        engine,
        stragglers=options["stragglers"] or 0,
        wrong=options["wrong"],
        screen=options["screen"],
        tolerance=options["tolerance"],
        deadline=options["deadline"],
        timeout=options["timeout"],
        retries=options["retries"],
        seed=options["seed"],
        watch=watch,
        quiet=quiet,
    )


def _engine(code: Code | None, options: dict[str, Any]) -> Engine:
    """The engine asked for, with its faults; as many workers as the code has tasks, unless the name says otherwise."""
    spare = options["stragglers"] or 0
    workers = code.workers if code else options["workers"] or max(2, engines.cores()) + spare
    model = None if options["model"] is None else faults.preset(options["model"], unit_seconds=options["unit"])
    return engines.open(options["engine"], faults=model, seed=options["seed"], workers=workers)
