import pytest

from anyk.errors import InputError
from anyk.faults import PRESETS, Bimodal, Bursts, Crash, Draw, Fate, Pareto, SlowNodes, Trace, preset

UNITLESS = {"none", "slow-node", "crash", "bit-flip", "wrong-block"}


def example(name, file):
    return f"{name}:{file}" if name == "trace" else name


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "delays.csv"
    path.write_text("1,2\n")
    return path


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_model_with_a_source_of_one_line(name, file):
    assert isinstance(preset(example(name, file)).fate(Draw(0, 0, 0)), Fate)
    assert PRESETS[name].source.strip()
    assert "\n" not in PRESETS[name].source


@pytest.mark.parametrize("name", [name for name in PRESETS if name not in UNITLESS])
def test_every_delay_preset_takes_the_unit(name, file):
    assert preset(example(name, file), unit_seconds=0.2).unit_seconds == 0.2


def test_the_control_does_nothing():
    assert {preset("none").fate(Draw(0, round, rank)) for round in range(9) for rank in range(9)} == {Fate()}


def test_presets_are_the_documented_settings(file):
    assert preset("lambda") == Bursts()
    assert preset("slow-node") == SlowNodes(1 / 16, 2.5)
    assert preset("dolly", 0.1) == Bimodal(0.05, 8.0, 0.1)


def test_values_after_a_colon_replace_the_setting_in_order(file):
    assert preset("pareto:1.5") == Pareto(shape=1.5)
    assert preset("bimodal:0.2") == Bimodal(0.2, 10.0)
    assert preset("bimodal:0.2,5", 2.0) == Bimodal(0.2, 5.0, 2.0)
    assert preset("crash:0.05") == Crash(probability=0.05)
    assert preset(f"trace:{file}") == Trace([[1.0, 2.0]])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lamda", r"`preset\('lamda'\)` does not exist. Choose one of: none, lambda, slow-node, .*trace"),
        ("pareto:x", r"takes numbers, and 'x' came"),
        ("pareto:1,2", r"takes shape, and 2 values came"),
        ("none:1", r"takes no values, and 1 values came"),
        ("trace", r"needs a source after a colon, and none came. Write trace:delays.csv"),
        ("bimodal:2", r"`Bimodal\(probability=2.0\)`.*from 0 to 1"),
    ],
)
def test_a_wrong_name_says_what_is_right(name, words):
    with pytest.raises(InputError, match=words):
        preset(name)
