"""The tutorial on fault models, followed to the letter."""

import pytest

from tests.docs.tutorial import blocks_of, copy_project, insert, run_pytest


@pytest.fixture(scope="module")
def blocks():
    return blocks_of("extend/fault-model.md")


def test_one_file_and_one_row_make_a_fault_model_that_the_kit_tests(tmp_path, blocks):
    copy_project(tmp_path)
    (tmp_path / "src/anyk/faults/sawtooth.py").write_text(blocks["src/anyk/faults/sawtooth.py"])
    table = tmp_path / "src/anyk/faults/__init__.py"
    text = insert(table.read_text(), "from anyk.faults.slow_nodes", blocks["the imports"])
    text = insert(text, '    "SlowNodes",', blocks["__all__"])
    table.write_text(insert(text, '    "slow-nodes": Family(', blocks["FAULTS"]))

    said = run_pytest(tmp_path, *blocks["console"].removeprefix("$ python -m pytest ").split())
    assert "sawtooth.py::anyk.faults.sawtooth.Sawtooth PASSED" in said
    assert "test_a_seed_decides_every_fate[sawtooth] PASSED" in said
    assert "test_rounds_are_independent[sawtooth] PASSED" in said


def test_outside_the_package_the_kit_is_run_on_the_same_file(tmp_path, blocks):
    (tmp_path / "sawtooth.py").write_text(blocks["src/anyk/faults/sawtooth.py"])
    (tmp_path / "test_sawtooth.py").write_text(blocks["test_sawtooth.py"])

    assert "TestSawtooth::test_the_repr_builds_the_model_again PASSED" in run_pytest(tmp_path, "test_sawtooth.py")
