"""Figures and tables of papers, done again with anyk, one command each.

    python -m papers                                   # which papers, which figures
    python -m papers approximate-matmul fig2a
    python -m papers approximate-matmul logistic --data path/to/mnist
    python -m papers codenet tradeoff

`anyk reproduce` is the same, wherever it finds this folder.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

#: Name of a paper -> its module, which has `FIGURES` (name -> what it shows) and `main(arguments)`.
PAPERS = {
    "approximate-matmul": "papers.approximate_matmul.__main__",
    "codenet": "papers.codenet.__main__",
}


def listed() -> str:
    """All papers and figures."""
    lines = [__doc__.strip(), ""]
    for paper, module in PAPERS.items():
        lines += [f"{paper}:", *(f"  {name:<12} {says}" for name, says in import_module(module).FIGURES.items())]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run one; 2 where there is no such paper or figure."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(listed())
        return 0
    paper, *rest = arguments
    if paper not in PAPERS:
        print(f"no paper named {paper!r}; there are {', '.join(PAPERS)}", file=sys.stderr)
        return 2
    return int(import_module(PAPERS[paper]).main(rest))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
