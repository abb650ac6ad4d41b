"""The archive holds what its index says, and nothing that a closed form does as well."""

import json
from dataclasses import asdict

import numpy as np
import pytest

import anyk
from anyk.codes import _archive
from anyk.errors import InputError
from benchmarks import archive as keeper

FILES = sorted(path for path in _archive.ARCHIVE.glob("*.json") if path.name != "index.json")
NAMES = [path.stem for path in FILES]


def test_the_index_lists_the_files():
    assert sorted(anyk.codes.archive()) == sorted(NAMES)
    assert len(NAMES) >= 10


@pytest.mark.parametrize("name", NAMES)
def test_every_found_code_loads_and_is_what_the_index_says(name):
    code, told = anyk.codes.load(name), anyk.codes.archive()[name]

    assert code.name == name
    assert (told.rows, told.inner, told.cols) == (code.partition.rows, code.partition.inner, code.partition.cols)
    assert (told.workers, told.results) == (code.workers, code.recovery_threshold)
    assert not code.is_complex


@pytest.mark.parametrize("name", NAMES)
def test_stated_errors_are_reproduced(name):
    told = anyk.codes.archive()[name]
    text = json.loads((_archive.ARCHIVE / f"{name}.json").read_text())["anyk_discovery"]
    code = anyk.codes.load(name)
    score = keeper.score_of(keeper.goal_of(code, text), code)

    # a machine whose long double is double sees these errors through its own rounding
    tolerance = 1e-6 if np.finfo(np.longdouble).eps < 1e-18 else 0.3
    for each in ("rms", "median", "worst", "amplification"):
        assert getattr(score, each) == pytest.approx(getattr(told, each), rel=tolerance)
        assert text["score"][each] == pytest.approx(getattr(told, each), rel=tolerance)
    assert (score.sets, score.all_sets) == (told.sets, text["score"]["all_sets"])
    assert score.all_sets or score.sets >= 1000
    if told.dtype not in ("bfloat16", "float16"):
        own = code.errors(told.results, told.dtype)
        if len(own) == told.sets:
            assert np.sqrt(np.mean(own**2)) == pytest.approx(told.rms, rel=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_every_found_code_is_better_than_its_closed_form(name):
    told = anyk.codes.archive()[name]

    assert told.gain >= keeper.LEAST_GAIN
    assert told.command.startswith("anyk discover ")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_closed_forms_are_as_bad_as_stated(name):
    told, entry = anyk.codes.archive()[name], keeper.entry(_archive.ARCHIVE / f"{name}.json")

    for each, number in asdict(entry).items():
        if isinstance(number, float):
            assert getattr(told, each) == pytest.approx(number, rel=1e-3)
        elif each != "closed_form":
            assert getattr(told, each) == number


@pytest.mark.parametrize("name", NAMES[:3])
def test_found_codes_multiply_as_well_as_stated(name):
    code, told = anyk.codes.load(name), anyk.codes.archive()[name]
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((40, 30 * code.partition.inner)), rng.standard_normal((30 * code.partition.inner, 40))
    product = anyk.matmul(A, B, code, engine="inline", rng=0, center=False)

    assert len(product.survivors) == told.results
    assert np.linalg.norm(product.value - A @ B) < 4 * max(told.worst, 1e-15) * np.linalg.norm(A @ B)


def test_a_name_that_is_not_there_says_where_names_are_listed():
    with pytest.raises(InputError, match="anyk codes --archive"):
        anyk.codes.load("1x9x1-any9of9-float8")


def test_a_path_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        anyk.codes.load(tmp_path / "nowhere.json")


@pytest.mark.parametrize("text", ["", "[", "{}", '[{"name": 1}]', "[1]", '{"name": "x"}'])
def test_a_damaged_index_is_refused(text, tmp_path, monkeypatch):
    (tmp_path / "index.json").write_text(text)
    monkeypatch.setattr(_archive, "ARCHIVE", tmp_path)
    _archive.archive.cache_clear()
    try:
        if text == "{}":  # an empty archive, by another name
            assert not _archive.archive()
        else:
            with pytest.raises(InputError, match="index is damaged"):
                _archive.archive()
    finally:
        monkeypatch.undo()
        _archive.archive.cache_clear()


def test_a_truncated_found_code_is_refused(tmp_path):
    whole = FILES[0].read_text()
    (tmp_path / "half.json").write_text(whole[: len(whole) // 2])

    with pytest.raises(InputError, match="no readable code"):
        anyk.codes.load(tmp_path / "half.json")


def test_a_code_that_is_no_better_is_not_taken_in(tmp_path, monkeypatch):
    monkeypatch.setattr(keeper, "ARCHIVE", tmp_path)
    anyk.discover(3, 5, 4, dtype="float32", budget=0, rng=0).save(tmp_path / "same.json")
    found = anyk.discover(3, 5, 4, dtype="float32", budget=60, rng=0)

    assert not keeper.taken_in(keeper.Discovery.load(tmp_path / "same.json"))
    assert keeper.taken_in(found)
    assert not keeper.taken_in(found), "it is there already"
    assert (tmp_path / f"{found.code.name}.json").exists()
