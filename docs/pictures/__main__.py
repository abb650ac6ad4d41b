"""Draw the manual's pictures."""

import sys
from importlib import import_module
from pathlib import Path

from papers.drawing import save

HERE = Path(__file__).parent
NAMES = ("survivors", "conditioning", "anytime", "timeline", "training")


def main(names: list[str]) -> int:
    """Draw those named, or all."""
    unknown = sorted({*names} - {*NAMES})
    if unknown:
        print(f"no picture named {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names or NAMES:
        for path in save(import_module(f"docs.pictures.{name}").draw(), HERE / name):
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
