import pickle

import pytest

from anyk.errors import InputError
from anyk.faults import Draw, Trace


@pytest.fixture
def delays(tmp_path):
    file = tmp_path / "delays.csv"
    file.write_text("# rank 0, rank 1, rank 2\n0.1, 0.2, 0.3\n\n1, 2, 3e0\n")
    return file


def replay(trace, rounds, ranks):
    return [[trace.fate(Draw(0, round, rank)).delay_seconds for rank in range(ranks)] for round in range(rounds)]


def test_rows_are_rounds_and_columns_are_ranks(delays):
    assert replay(Trace(delays), 2, 3) == [[0.1, 0.2, 0.3], [1.0, 2.0, 3.0]]


def test_both_directions_wrap_around(delays):
    assert replay(Trace(delays), 3, 5) == [
        [0.1, 0.2, 0.3, 0.1, 0.2],
        [1.0, 2.0, 3.0, 1.0, 2.0],
        [0.1, 0.2, 0.3, 0.1, 0.2],
    ]


def test_a_file_and_its_rows_are_the_same_trace(delays):
    rows = Trace([[0.1, 0.2, 0.3], [1, 2, 3]])
    assert Trace(delays) == Trace(str(delays)) == rows
    assert hash(Trace(delays)) == hash(rows)


def test_the_unit_scales_every_delay():
    assert replay(Trace([[0.5, 2.0]], unit_seconds=0.5), 1, 2) == [[0.25, 1.0]]


def test_the_seed_plays_no_part(delays):
    assert Trace(delays).fate(Draw(1, 0, 2)) == Trace(delays).fate(Draw(2, 0, 2))


def test_the_numbers_travel_without_the_file(delays):
    trace = Trace(delays)
    text = pickle.dumps(trace)
    delays.unlink()

    assert pickle.loads(text) == trace


def test_the_repr_names_the_file_or_holds_the_rows(delays):
    assert eval(repr(Trace(delays))) == Trace(delays)
    assert repr(Trace([[1, 2]])) == "Trace(source=((1.0, 2.0),), unit_seconds=1.0)"


def test_a_table_exported_from_a_spreadsheet_is_read(tmp_path):
    file = tmp_path / "delays.csv"
    file.write_bytes(b"\xef\xbb\xbf0.5,1\r\n2,0.25\r\n")  # byte-order mark and carriage returns

    assert replay(Trace(file), 2, 2) == [[0.5, 1.0], [2.0, 0.25]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("# only titles\n\n", "empty"),
        ("rank0,rank1\n1,2\n", r"line 1, column 1: .* 'rank0' came.*before a line of titles"),
        ("1,2\n3,\n", r"line 2, column 2: .* '' came"),
        ("1,2,3\n4,5,6\n7,8\n", r"line 3, column 3: 3 columns are needed and 2 came"),
        ("1,2\n3,4,5\n", r"line 2, column 4: 2 columns are needed and 3 came"),
        ("1,2\n3,-4\n", r"line 2, column 2: .* '-4' came"),
        ("1,nan\n", r"line 1, column 2: .* 'nan' came"),
        ("1,2\n\n# cut\n3,inf\n", r"line 4, column 2: .* 'inf' came"),
        ("1;2\n", r"line 1, column 1: .* '1;2' came"),
    ],
)
def test_a_bad_file_is_refused_with_line_and_column(tmp_path, text, words):
    file = tmp_path / "delays.csv"
    file.write_text(text)

    with pytest.raises(InputError, match=words):
        Trace(file)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"Trace\('.*nowhere.csv'\)` cannot be read: .*No such file"):
        Trace(tmp_path / "nowhere.csv")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "delays.npy"
    file.write_bytes(b"\x93NUMPY\xff\xfe")

    with pytest.raises(InputError, match="cannot be read"):
        Trace(file)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "empty"),
        ([[]], "line 1, column 1: at least 1 columns"),
        ([[1.0], [1.0, 2.0]], "line 2, column 3: 1 columns are needed and 2 came"),
        ([[1.0, -1.0]], "line 1, column 2"),
        ([[1.0, True]], "line 1, column 2"),
        (5, "a file name or rows of numbers"),
        ([1.0, 2.0], "a file name or rows of numbers"),
    ],
)
def test_bad_rows_are_refused(rows, words):
    with pytest.raises(InputError, match=words):
        Trace(rows)
