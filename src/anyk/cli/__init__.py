"""The command line: one command per file, and `main`, which turns every error into one line and an exit status.

Click and Rich are used here and nowhere else.
"""

import click

from anyk.cli.bench import bench
from anyk.cli.codes import codes
from anyk.cli.commands import Commands
from anyk.cli.demo import demo
from anyk.cli.discover import discover
from anyk.cli.matmul import matmul
from anyk.cli.plan import plan
from anyk.cli.report_page import report
from anyk.cli.reproduce import reproduce
from anyk.cli.show import show
from anyk.cli.simulate import simulate
from anyk.cli.train import train

__all__ = ["main"]


_EXAMPLES = (
    "anyk demo",
    "anyk codes",
    "anyk show matdot --inner 4 --workers 10",
    "anyk plan 20000x20000 20000x20000 --workers 40 --stragglers 8",
    "anyk matmul A.npy B.npy -o C.npy --code matdot --inner 4 --workers 10",
)


@click.group(
    cls=Commands, examples=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="anyk", message="anyk %(version)s")
def main() -> None:
    """Matrix products on P workers, recovered from any k of their answers.

    Exit status: 0 done, 2 wrong usage or input, 3 too few answers, 4 too little precision, 1 a bug, 130 stopped by
    Ctrl-C. With ANYK_DEBUG=1 errors come with their traceback.
    """


for command in (demo, matmul, plan, simulate, codes, show, discover, train, bench, report, reproduce):
    main.add_command(command)
