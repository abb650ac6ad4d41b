"""The value: what makes a code, what does not, and files that come back as they went."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import anyk
from anyk.code import Code, refuse_if_useless
from anyk.code.files import listed, unlisted
from anyk.errors import CodeError, InputError
from anyk.partition import Partition

MATDOT = anyk.codes.matdot(3, 8)
RANDOM = anyk.codes.random_khatri_rao(2, 3, 9, rng=0)
CIRCLE = anyk.codes.matdot(3, 8, basis="unit_circle")


# --- made valid or not at all ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"left": MATDOT.left[:, :2]}, "do not fit partition"),
        ({"right": MATDOT.right[..., :7]}, "do not fit partition"),
        ({"left": np.zeros(())}, "do not fit partition"),
        ({"left": np.where(MATDOT.left == 1, np.nan, MATDOT.left)}, "finite"),
        ({"right": np.full(MATDOT.right.shape, np.inf)}, "finite"),
        ({"recovery_threshold": 0}, "thresholds 0"),
        ({"recovery_threshold": 9, "exact_threshold": 9}, "thresholds 9"),
        ({"recovery_threshold": 6, "exact_threshold": 5}, "rise"),
        ({"recovery_threshold": 5.0}, "integers"),
        ({"recovery_threshold": True}, "integers"),
        ({"positions": np.zeros(8, int)}, "positions must hold each of 0 … 7 once"),
        ({"positions": np.arange(7)}, "positions must hold each of 0 … 7 once"),
        ({"positions": np.arange(8)[None]}, "positions must hold each of 0 … 7 once"),
        ({"positions": np.arange(8)}, "not the trigonometric ones"),
        ({"right": MATDOT.right * 1.0000001}, "not the trigonometric ones"),
        ({"left": 1j * MATDOT.left}, "not the trigonometric ones"),
        ({"exact_threshold": 4, "recovery_threshold": 4}, "not the trigonometric ones"),
    ],
)
def test_what_makes_no_code_is_refused(change, message):
    with pytest.raises(CodeError, match=message):
        replace(MATDOT, **change)


def test_tables_are_the_codes_own():
    left = RANDOM.left.copy()
    code = replace(RANDOM, left=left)
    left[:] = 0
    assert np.array_equal(code.left, RANDOM.left)
    positions = MATDOT.positions.copy()
    code = replace(MATDOT, positions=positions)
    positions[:] = 0
    assert np.array_equal(code.positions, MATDOT.positions)


def test_integer_tables_become_floating():
    code = Code("whole", Partition(1, 1, 1), np.ones((1, 1, 2), int), np.ones((1, 1, 2), int), 1)
    assert code.left.dtype == code.right.dtype == np.float64


def test_codes_are_compared_and_remembered_by_identity():
    assert replace(MATDOT) != MATDOT
    assert len({MATDOT, replace(MATDOT)}) == 2


# --- what follows from the tables --------------------------------------------------------------------------------


def test_the_order_of_survivors_is_the_order_of_their_weights():
    tasks = [6, 0, 3, 7, 2]
    weights, _ = MATDOT.solve(tasks)
    again, _ = MATDOT.solve(sorted(tasks))
    assert weights == pytest.approx(again[:, np.argsort(np.argsort(tasks))], abs=1e-14)


@pytest.mark.parametrize("survivors", [[0, 0, 1], [8], [-1], [0, 1, 2, 3, 4, 5, 6, 7, 8]])
def test_survivors_must_be_distinct_tasks(survivors):
    for ask in (MATDOT.expected_error, MATDOT.noise_amplification, MATDOT.solve):
        with pytest.raises(InputError, match=r"distinct tasks 0 … 7"):
            ask(survivors)


def test_from_no_answer_nothing_is_known():
    assert MATDOT.expected_error([]) == 1.0
    assert MATDOT.noise_amplification([]) == 0.0


def test_the_worst_error_is_the_largest_of_all_sets():
    errors = MATDOT.errors(5)
    assert errors.shape == (56,)
    assert MATDOT.worst_error(5) == errors.max()
    assert errors.max() == pytest.approx(
        max(
            MATDOT.expected_error(np.delete(range(8), [a, b, c]))
            for a, b, c in np.array(np.meshgrid(*[range(8)] * 3)).reshape(3, -1).T
            if a < b < c
        )
    )


@pytest.mark.parametrize(("answers", "random", "adversarial"), [(4, 0, 0), (5, 0, 0), (6, 0, 0), (7, 1, 1), (8, 2, 1)])
def test_wrong_answers_take_one_spare_each_or_two_if_they_conspire(answers, random, adversarial):
    assert MATDOT.wrong_answers_correctable(answers) == random
    assert MATDOT.wrong_answers_correctable(answers, model="adversarial") == adversarial


def test_an_unknown_model_of_errors_is_refused():
    with pytest.raises(InputError, match="'random' or 'adversarial'"):
        MATDOT.wrong_answers_correctable(8, model="friendly")


@pytest.mark.parametrize(("a", "b"), [((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (2, 3)), ((1, 2, 3), (3, 1))])
def test_only_matrices_that_can_be_multiplied_are_encoded(a, b):
    with pytest.raises(InputError, match="can be multiplied"):
        MATDOT.encode(np.zeros(a), np.zeros(b))


def test_a_code_useless_in_its_dtype_is_refused_with_the_way_out():
    code = replace(anyk.codes.polynomial(4, 4, 32), name="wide")
    assert refuse_if_useless(code, "wide()", "float64", "Do so.") is code
    with pytest.raises(CodeError, match=r"`wide\(\)` cannot hold a relative error of 0.001 in bfloat16.*Do so\."):
        refuse_if_useless(code, "wide()", "bfloat16", "Do so.")


def test_the_description_says_what_a_worker_holds():
    text = anyk.codes.generalized_polydot(2, 2, 2, 12).describe()
    assert "any 9 of 12 answers give the product" in text
    assert "1/4 of A, 1/4 of B, 1/8 of the product's work" in text
    assert "1/4 of C; 9 of them are 2.25 C" in text
    assert "1.5 times the uncoded product" in text
    assert "may be lost  3; located when wrong: 2 random, 1 adversarial" in text
    assert "complex (twice the memory" in CIRCLE.describe()


# --- files -------------------------------------------------------------------------------------------------------

numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(numbers, min_size=6, max_size=6), st.booleans())
def test_every_bit_survives_a_file(values, is_complex):
    table = np.array(values)
    if is_complex:
        table = np.empty(3, complex)
        table.real, table.imag = values[:3], values[3:]

    assert unlisted(json.loads(json.dumps(listed(table)))).tobytes() == table.tobytes()


@pytest.mark.parametrize("code", [MATDOT, RANDOM, CIRCLE, anyk.codes.uncoded(1, 1, 1)], ids=str)
def test_a_saved_code_comes_back(tmp_path, code):
    code.save(tmp_path / "code.json")
    assert anyk.codes.load(str(tmp_path / "code.json")).left.tobytes() == code.left.tobytes()


def test_an_existing_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "code.json"
    MATDOT.save(path)
    before = path.read_text()

    def interrupted(self, data, encoding=None):
        with open(self, "w", encoding=encoding) as file:  # noqa: PTH123 (write_text is what is replaced here)
            file.write(data[: len(data) // 2])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(type(path), "write_text", interrupted)
        with pytest.raises(KeyboardInterrupt):
            RANDOM.save(path)
    assert path.read_text() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["code.json"]

    RANDOM.save(path)
    assert Code.load(path).name == "random_khatri_rao"


@pytest.fixture
def damaged(tmp_path):
    """Write a file that lost something, and load it."""

    def load(text):
        path = tmp_path / "code.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Code.load(path)

    return load


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("codes") / "code.json"
    MATDOT.save(path)
    return path.read_text()


@pytest.mark.parametrize("fraction", np.linspace(0, 0.999, 23))
def test_a_truncated_file_is_refused(damaged, text, fraction):
    with pytest.raises(InputError, match="found no readable code there"):
        damaged(text[: int(len(text) * fraction)])


@pytest.mark.parametrize(
    "change",
    [
        {"anyk_code": 2},
        {"anyk_code": None},
        {"partition": {"rows": 1, "inner": 2, "cols": 1}},
        {"partition": {"rows": 1, "inner": 3}},
        {"partition": {"rows": 1, "inner": 3, "cols": 1, "depth": 1}},
        {"partition": [1, 3, 1]},
        {"workers": 7},
        {"recovery_threshold": 9},
        {"recovery_threshold": 5.5},
        {"exact_threshold": "5"},
        {"design_error": "small"},
        {"positions": [0, 1, 2, 3, 4, 5, 6, 7]},
        {"positions": [0, 1, 2]},
        {"positions": "scattered"},
        {"left": [[[1.0]]]},
        {"left": [[[1.0] * 8, [1.0] * 7, [1.0] * 8]]},
        {"left": [[[10**400] * 8] * 3]},
        {"left": None},
        {"right": {"real": 1}},
    ],
    ids=lambda change: json.dumps(change)[:40],
)
def test_a_file_whose_parts_do_not_fit_is_refused(damaged, text, change):
    with pytest.raises(InputError, match="found no readable code there"):
        damaged(json.dumps({**json.loads(text), **change}))


@pytest.mark.parametrize("missing", ["anyk_code", "partition", "workers", "left", "right", "positions", "name"])
def test_a_file_without_one_of_its_parts_is_refused(damaged, text, missing):
    with pytest.raises(InputError, match=missing):
        damaged(json.dumps({key: value for key, value in json.loads(text).items() if key != missing}))


@given(where=st.integers(0, 2**20), to=st.sampled_from("0123456789"))
def test_a_digit_that_changed_in_the_tables_is_noticed(text, tmp_path_factory, where, to):
    """Coefficients of this code follow from its positions; only their last digits may differ unnoticed."""
    digits = [at for at in range(text.index('"left"'), len(text)) if text[at].isdigit()]
    at = digits[where % len(digits)]
    changed = text[:at] + to + text[at + 1 :]
    path = tmp_path_factory.mktemp("codes") / "code.json"
    path.write_text(changed)
    try:
        code = Code.load(path)
    except InputError:
        return
    assert code.left == pytest.approx(MATDOT.left, abs=1e-12)
    assert code.right == pytest.approx(MATDOT.right, abs=1e-12)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b"[]", b"null", b"3", b'"code"', b"{}", pytest.param(b"[" * 3000, id="deep")]
)
def test_what_is_no_code_at_all_is_refused(damaged, data):
    with pytest.raises(InputError, match="found no readable code there"):
        damaged(data)


def test_tables_that_decode_nothing_are_refused(damaged, tmp_path):
    code = replace(RANDOM, left=np.ones_like(RANDOM.left))
    code.save(tmp_path / "useless.json")
    with pytest.raises(InputError, match="do not decode"):
        anyk.codes.load(tmp_path / "useless.json")


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"absent\.json"):
        Code.load(tmp_path / "absent.json")


def test_a_pickled_code_carries_nothing_remembered():
    MATDOT.expected_error(range(5))
    assert len(pickle.dumps(MATDOT)) < 2 * (MATDOT.left.nbytes + MATDOT.right.nbytes) + 1000
