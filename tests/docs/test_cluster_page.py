"""The page on clusters, and its example."""

import ast
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from anyk.engines import ENGINES, OBJECTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/cluster.md").read_text()


def example():
    spec = spec_from_file_location("on_a_cluster", ROOT / "examples/on_a_cluster.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_engine_named_on_the_page_exists_and_every_engine_with_workers_elsewhere_is_named():
    named = set(re.findall(r'"(\w+)(?::\d+|://[^"]*)?"`', PAGE)) & set(re.findall(r"\w+", PAGE))

    assert named <= set(ENGINES)
    assert set(ENGINES) - {"inline", "simulated"} <= named
    assert set(OBJECTS.values()) <= named


def test_its_python_is_python():
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

    assert len(blocks) >= 5
    for block in blocks:
        compile(block, "cluster.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("spec", ["futures:4", pytest.param("processes:4", marks=pytest.mark.cluster)])
def test_the_example_finds_the_largest_singular_value(spec, capsys):
    A = np.random.default_rng(0).standard_normal((900, 600))
    found = example().main(spec, steps=150)

    np.testing.assert_allclose(found, np.linalg.norm(A, 2), rtol=1e-3)
    assert "4 workers" in capsys.readouterr().out


def test_the_example_names_engines_that_exist():
    text = example().__doc__
    names = re.findall(r"on_a_cluster\.py '?(\w+)", text)

    assert len(names) == 5
    assert set(names) <= set(ENGINES)
