"""The contract of codes, on every row of the table."""

import pytest

from anyk.bases import BASES
from anyk.codes import CATALOGUE
from anyk.testing.codes import CodeContract

# Families of which most smaller sets decode: their threshold is the worst case.
SMALLER_SETS_DECODE = {"replication"}


@pytest.mark.parametrize("name", CATALOGUE)
class TestEveryCode(CodeContract):
    @pytest.fixture(autouse=True)
    def row(self, name):
        self.family = CATALOGUE[name]
        self.smaller_sets_decode = name in SMALLER_SETS_DECODE

    def make(self):
        return self.family.function(**self.family.example)

    def test_the_code_has_the_name_of_its_row(self, name):
        assert self.make().name == name

    def test_the_threshold_is_the_formula_of_its_row(self):
        code = self.make()
        numbers = {**self.family.example, "P": code.workers}
        assert eval(self.family.threshold, numbers) == code.recovery_threshold

    def test_the_description_is_one_line(self):
        assert self.family.description == self.family.description.strip()
        assert "\n" not in self.family.description


@pytest.mark.parametrize("basis", BASES)
class TestEveryBasis(CodeContract):
    @pytest.fixture(autouse=True)
    def row(self, basis):
        self.basis = basis

    def make(self):
        return CATALOGUE["polydot"].function(2, 2, 1, workers=8, basis=self.basis)


def test_exceptions_belong_to_a_row():
    assert set(CATALOGUE) >= SMALLER_SETS_DECODE
