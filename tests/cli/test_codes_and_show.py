"""``anyk codes``, ``anyk show``, and the help of every command."""

import json

import click
import pytest

import anyk
from anyk.cli import code_options, main


def test_codes_lists_every_family(run):
    done = run("codes")

    assert done.exit_code == 0
    for name, family in anyk.codes.CATALOGUE.items():
        assert name in done.stdout
        assert family.threshold in done.stdout


def test_codes_as_json(run):
    told = json.loads(run("codes", "--json").stdout)["codes"]

    assert [code["name"] for code in told] == list(anyk.codes.CATALOGUE)
    matdot = next(code for code in told if code["name"] == "matdot")
    assert matdot["recovery_threshold"] == "2*inner - 1"
    assert {"name": "inner", "required": True} in matdot["parameters"]
    assert {"name": "basis", "required": False, "default": "trigonometric"} in matdot["parameters"]


@pytest.mark.parametrize("name", anyk.codes.CATALOGUE)
def test_show_knows_every_family(name, run):
    done = run("show", *code_options.example(name).split())

    assert done.exit_code == 0, done.output
    assert f"{name}: any" in done.stdout
    assert "Expected relative error on random float64 matrices" in done.stdout


@pytest.mark.parametrize("name", anyk.codes.CATALOGUE)
def test_show_as_json_has_a_row_for_every_number_of_missing_workers(name, run):
    told = json.loads(run("show", *code_options.example(name).split(), "--json").stdout)

    missing = [row["missing"] for row in told["expected_errors"]]
    assert missing == list(range(told["workers"] - told["recovery_threshold"] + 1))
    assert all(row["median"] <= row["worst"] for row in told["expected_errors"])
    assert all(row["answers"] < told["recovery_threshold"] for row in told["lucky_sets"])


def test_show_finds_lucky_sets_below_the_threshold(run):
    told = json.loads(
        run("show", "replication", "--rows", 2, "--inner", 1, "--cols", 2, "--copies", 2, "--json").stdout
    )

    # Any 7 of 8; but 4 answers do if they are of 4 different blocks: 2^4 of the 70 sets.
    fewest = told["lucky_sets"][-1]
    assert fewest["answers"] == 4
    assert fewest["decoding"] == pytest.approx(16 / 70)


def test_show_counts_errors_in_the_dtype_asked_for(run):
    worst = [
        json.loads(run("show", "matdot", "--inner", 4, "--workers", 10, "--dtype", dtype, "--json").stdout)[
            "expected_errors"
        ][0]["worst"]
        for dtype in ("float64", "float32")
    ]

    assert worst[1] > 1e6 * worst[0]


def test_show_of_a_file_is_show_of_the_code(run, tmp_path):
    path = tmp_path / "code.json"
    first = run("show", "matdot", "--inner", 4, "--workers", 10, "--save", path)

    assert run("show", path).stdout == first.stdout


def test_a_code_cannot_be_saved_where_there_is_no_directory(run, tmp_path):
    done = run("show", "matdot", "--inner", 4, "--workers", 10, "--save", tmp_path / "nowhere" / "code.json")

    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")


@pytest.mark.parametrize("words", [(), *((name,) for name in main.commands)], ids=" ".join)
def test_help_has_examples_that_parse(words, run):
    done = run(*words, "--help")

    assert done.exit_code == 0
    assert "Examples:" in done.stdout
    assert all(len(line) <= 100 for line in done.stdout.splitlines())
    command = main.commands[words[0]] if words else main
    for line in command.examples:
        name, *rest = line.split()[1:]
        main.commands[name].make_context(name, rest)


def test_every_option_says_what_it_is():
    for command in main.commands.values():
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or parameter.help, (command.name, parameter.name)


def test_version(run):
    assert run("--version").stdout.startswith("anyk ")
