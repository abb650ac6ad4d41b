"""The tutorial on codes, followed to the letter."""

import pytest

from tests.docs.tutorial import blocks_of, copy_project, insert, run, run_pytest


@pytest.fixture(scope="module")
def blocks():
    return blocks_of("extend/code.md")


def test_one_file_and_one_row_make_a_code_that_the_kit_tests(tmp_path, blocks):
    copy_project(tmp_path)
    (tmp_path / "src/anyk/codes/parity.py").write_text(blocks["src/anyk/codes/parity.py"])
    table = tmp_path / "src/anyk/codes/__init__.py"
    text = insert(table.read_text(), "from anyk.codes.polydot", blocks["the imports"])
    text = insert(text, '    "polydot",', blocks["__all__"])
    table.write_text(insert(text, '        "polydot": Family(', blocks["CATALOGUE"]))

    said = run_pytest(tmp_path, *blocks["console"].removeprefix("$ python -m pytest ").split())
    assert "parity.py::anyk.codes.parity.parity PASSED" in said
    assert "test_any_threshold_many_answers_decode[parity] PASSED" in said
    assert "test_the_threshold_is_the_formula_of_its_row[parity] PASSED" in said


def test_outside_the_package_the_same_file_is_used_and_tested(tmp_path, blocks):
    (tmp_path / "parity.py").write_text(blocks["src/anyk/codes/parity.py"])
    for name in ("use.py", "test_parity.py"):
        (tmp_path / name).write_text(blocks[name])

    run(tmp_path, "use.py")
    assert "TestParity::test_one_answer_fewer_does_not_decode PASSED" in run_pytest(tmp_path, "test_parity.py")
