"""Every example runs, at a small size, and shows what it says; the notebook's stored outputs are those it gives."""

import json
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
#: Those with a test of their own elsewhere, and the tool that makes the notebook.
ELSEWHERE = {"on_a_cluster", "run_notebook"}


def example(name):
    spec = spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pagerank_is_numpys_though_workers_are_killed(capsys):
    assert example("pagerank").main("futures:8", pages=200, steps=30) < 1e-12

    said = capsys.readouterr().out
    assert said.count("is killed") == said.count("Lost(") == 2
    assert "the same as NumPy alone: True" in said


@pytest.mark.cluster
def test_singular_values_are_numpys_on_real_processes_of_which_one_is_killed(capsys):
    assert example("singular_values").main("processes:8", height=120, depth=80) < 1e-10

    assert "worker 2 is killed" in capsys.readouterr().out


def test_ridge_regression_finds_the_worker_that_lies(capsys):
    assert example("ridge_regression").main("inline", samples=200, features=40) < 1e-9

    assert "by worker: {4: 2}" in capsys.readouterr().out


def test_nearest_neighbours_are_the_same_from_an_approximate_product(capsys):
    assert example("nearest_neighbours").main("inline", size=300, queries=40, features=50) == 1.0

    assert "(0, 2, 3, 5, 6, 7, 9)" in capsys.readouterr().out


def test_graph_convolution_is_numpys_with_slow_silent_and_killed_workers(capsys):
    assert example("graph_convolution").main("simulated", nodes=150) < 1e-12

    assert "group found for" in capsys.readouterr().out


def test_bit_flips_do_not_change_what_coded_nodes_learn():
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    found = example("bit_flips").main(rate=0.01, steps=25)

    without, coded, uncoded = found.values()
    assert coded == without > 0.5
    assert uncoded < 0.3


def test_an_anytime_product_gets_better_until_it_is_good_enough():
    errors = example("anytime").main("simulated", size=120, goal=1e-5)

    assert errors == sorted(errors, reverse=True)
    assert len(errors) >= 3
    assert errors[-1] <= 1e-5


@pytest.mark.cluster
@pytest.mark.slow  # a cluster is started for it
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Dask's own: sockets that it closes a little later
def test_dask_arrays_are_multiplied_on_dasks_workers(capsys):
    pytest.importorskip("distributed")

    assert example("dask_arrays").main(size=200) < 1e-12
    assert "on dask" in capsys.readouterr().out


def test_the_notebook_holds_what_its_cells_give():
    pytest.importorskip("matplotlib")
    path = EXAMPLES / "any_k_of_p.ipynb"

    stored, fresh = json.loads(path.read_text()), example("run_notebook").run(path)
    assert [shown(cell) for cell in fresh["cells"]] == [shown(cell) for cell in stored["cells"]]


def shown(cell):
    """Outputs as text; numbers with a fraction or an exponent may differ in their digits from machine to machine."""
    kept = [json.dumps(output.get("text") or output["data"]["text/plain"]) for output in cell.get("outputs", [])]
    return [re.sub(r"-?\d+\.\d*(e-?\d+)?|\d+e-\d+", "#", text) for text in kept]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short_is_tested_and_is_on_the_page(path):
    page = (EXAMPLES.parent / "docs/examples.md").read_text()

    assert len(path.read_text().splitlines()) <= 80
    assert f"examples/{path.name}" in page
    assert path.stem in ELSEWHERE or f'example("{path.stem}")' in Path(__file__).read_text()


def test_a_language_model_learns_on_coded_nodes_that_flip_bits_as_on_nodes_that_do_not():
    pytest.importorskip("torch")
    found = example("language_model").main(steps=6, width=16)

    assert found["coded"] == pytest.approx(found["clean"], rel=1e-4)
    assert found["clean"][-1] < found["clean"][0]
