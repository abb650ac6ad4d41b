"""Execute a notebook in place: run its cells in order, and store what they print, return and draw.

    python examples/run_notebook.py examples/any_k_of_p.ipynb

A notebook is JSON; for one that only prints and draws no server is needed. Text, the last expression of a cell and
matplotlib figures are kept, as Jupyter would.
"""

import ast
import contextlib
import io
import json
import os
import sys
from base64 import b64encode
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "agg")


def outputs(source: str, names: dict, number: int) -> list[dict]:
    """Run one cell; what Jupyter would show below it."""
    tree, printed, value = ast.parse(source), io.StringIO(), None
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, f"cell {number}", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
    shown = [{"output_type": "stream", "name": "stdout", "text": lines(printed.getvalue())}] if printed.tell() else []
    shown += [
        {"output_type": "display_data", "metadata": {}, "data": {"image/png": png, "text/plain": ["<Figure>"]}}
        for png in figures()
    ]
    if value is not None:
        text = {"text/plain": lines(repr(value))}
        shown.append({"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": text})
    return shown


def figures() -> list[str]:
    """What was drawn, as PNG in base64."""
    if "matplotlib.pyplot" not in sys.modules:
        return []
    import matplotlib.pyplot as plt

    drawn = []
    for number in plt.get_fignums():
        buffer = io.BytesIO()
        plt.figure(number).savefig(buffer, format="png", dpi=90, metadata={"Software": None})
        drawn.append(b64encode(buffer.getvalue()).decode())
    plt.close("all")
    return drawn


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def run(path: Path) -> dict:
    """The notebook with new outputs."""
    notebook, names = json.loads(path.read_text()), {"__name__": "__main__"}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells, start=1):
        cell["execution_count"], cell["outputs"] = number, outputs("".join(cell["source"]), names, number)
    return notebook


if __name__ == "__main__":
    where = Path(sys.argv[1])
    where.write_text(json.dumps(run(where), indent=1, ensure_ascii=False) + "\n")
