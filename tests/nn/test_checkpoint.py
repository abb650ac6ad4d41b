"""Checkpoints survive what happens to processes and to disks."""

import errno
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, MultiStepLR, SequentialLR

from anyk.errors import InputError
from anyk.nn import CodedSGD, Guard, VirtualNodes, generalized_polydot, product_mds, protect
from anyk.nn.plain import plain, tagged
from tests.nn.guarded import CODE, NODES, Run, distance, same, without_guard
from tests.nn.hitting import Hitting

#: What decoding lost blocks from other nodes' may change.
ROUNDING = 1e-13


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def saved(directory: Path, total: int = 9, every: int = 4) -> dict[str, torch.Tensor]:
    """A run that ended, with checkpoints of its last steps; its weights."""
    run = Run()
    return run.make(run.guarded(directory, every=every), total)


def node(directory: Path, step: int, number: int) -> Path:
    return directory / f"step-{step:012d}" / f"node-{number:04d}.safetensors"


# --- processes that die -----------------------------------------------------------------------------------------------


@pytest.mark.cluster
@pytest.mark.timeout(300)  # some thirty lives, one after the other
def test_a_run_killed_at_any_moment_ends_with_the_weights_of_one_that_was_not(tmp_path: Path) -> None:
    """Before each change that a save makes on the disk, and at random moments; the runs are in `tests.nn.mortal`."""
    root = Path(__file__).parents[2]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.nn.mortal", str(tmp_path), "3"],
        cwd=root,
        env=os.environ | threads,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)

    assert told["ends"]["undisturbed"] == [0, 0]
    assert set(told["ends"]["staged"]) == {-9}
    assert set(told["ends"]["sudden"]) <= {-9, 0}
    assert told["starts"] == sorted(told["starts"])
    assert told["starts"][-1] > 20
    assert told["left"] == ["step-000000000078", "step-000000000080"]
    assert same(load_file(tmp_path / "hard.safetensors"), load_file(tmp_path / "quiet.safetensors"))


def test_a_run_goes_on_in_another_process_as_if_nothing_had_happened(tmp_path: Path) -> None:
    torch.manual_seed(1)
    saved(tmp_path, 6)
    torch.manual_seed(2)
    run = Run()
    guard = run.guarded(tmp_path)
    assert guard.step == 6
    assert [layer.program.updates for layer in run.model.layers] == [6, 6]

    assert same(run.make(guard, 11), without_guard(11))
    assert guard.report().executed == 5


def test_what_interrupted_saves_have_left_is_removed_and_two_checkpoints_stay(tmp_path: Path) -> None:
    saved(tmp_path, 9, every=2)
    assert names(tmp_path) == ["step-000000000008", "step-000000000009"]
    for name in (".saving-step-000000000010", ".removed-step-000000000006"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "node-0000.safetensors").write_bytes(b"half")
    guard = Run().guarded(tmp_path)

    assert guard.step == 9
    assert names(tmp_path) == ["step-000000000008", "step-000000000009"]


# --- what is in them --------------------------------------------------------------------------------------------------


def test_every_node_has_a_file_of_its_own_and_the_manifest_vouches_for_them(tmp_path: Path) -> None:
    run = Run()
    run.make(run.guarded(tmp_path), 4)
    layer = run.model.layers[0]
    facts = json.loads((tmp_path / "step-000000000004" / "manifest.json").read_text())
    files = {path.name: path for path in (tmp_path / "step-000000000004").glob("node-*")}

    assert facts["step"] == 4
    assert facts["nodes"] == len(files) == NODES
    assert facts["files"] == {name: sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert facts["model"]["code of module.0"].startswith("TrainingCode('generalized_polydot', grid 2 x 2, 8 nodes)")
    assert facts["groups"][0]["lr"] == run.optimizer.param_groups[0]["lr"]
    assert facts["updates"] == {"module.0": 4, "module.3": 4}
    held = load_file(files["node-0003.safetensors"])
    assert torch.equal(held["parameter/module.0.coded"], layer.coded[3])
    assert torch.equal(held["momentum/module.0.coded"], layer.momentum[0][3])
    assert held["parameter/module.0.coded"].numel() * 4 == 8 * 6  # a quarter of the padded matrix


@pytest.mark.parametrize(
    "value",
    [None, 1.5, [1, [True]], (1, (2,)), {1: "a", (2, 3): None}, {"a": {"b": (1,)}}, {"tuple": 1}, {"pairs": [[1]]}],
)
def test_plain_states_come_back_from_json_as_they_were(value: object) -> None:
    assert plain(json.loads(json.dumps(tagged(value)))) == value


def test_schedules_of_schedules_come_back_from_the_files(tmp_path: Path) -> None:
    def scheduled() -> tuple[Run, Guard]:
        run = Run()
        warm = LambdaLR(run.optimizer, lambda step: (step + 1) / 3)
        run.schedule = SequentialLR(run.optimizer, [warm, MultiStepLR(run.optimizer, [1, 3])], milestones=[2])
        return run, run.guarded(tmp_path, every=3)

    run, guard = scheduled()
    run.make(guard, 4)
    later, resumed = scheduled()
    assert resumed.step == 4
    rates = []
    for each in (run, later):
        for _ in range(3):
            each.schedule.step()
        rates.append(each.optimizer.param_groups[0]["lr"])

    assert rates[0] == rates[1] == pytest.approx(0.001)


def test_states_that_only_running_code_could_read_are_refused(tmp_path: Path) -> None:
    class Opaque:
        def state_dict(self) -> dict[str, object]:
            return {"rng": object()}

        def load_state_dict(self, state: object) -> None:
            raise NotImplementedError

    run = Run()
    guard = Guard(run.model, run.optimizer, tmp_path, others=[Opaque()])

    with pytest.raises(InputError, match="a state with a object in it cannot be saved"):
        run.make(guard, 1)
    assert names(tmp_path) == []


# --- damaged files ----------------------------------------------------------------------------------------------------


def missing(path: Path) -> None:
    path.unlink()


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 0x10
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [missing, truncated, flipped, empty])
def test_files_of_some_nodes_may_be_lost_or_damaged(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    weights = saved(tmp_path)
    for number in (0, 3, 5):
        damage(node(tmp_path, 9, number))
    run = Run()
    guard = run.guarded(tmp_path)

    assert guard.step == 9
    assert distance(guard.export(), weights) < ROUNDING
    layer = run.model.layers[0]
    assert layer.bias is not None
    assert all(torch.equal(copy, layer.bias[0]) for copy in layer.bias)
    assert torch.equal(layer.bias[0], weights["0.bias"])
    assert guard.report().regenerated == 3
    assert [f"step 9: node {number}:" in "".join(guard.report().history) for number in range(NODES)] == [
        number in (0, 3, 5) for number in range(NODES)
    ]
    assert distance(run.make(guard, 14), without_guard(14)) < 1e-11


def test_one_node_of_a_product_code_is_regenerated_from_the_others(tmp_path: Path) -> None:
    code = product_mds(2, 2, nodes=12)
    run = Run(code=code)
    weights = run.make(run.guarded(tmp_path), 3)
    missing(node(tmp_path, 3, 1))
    guard = Run(code=code).guarded(tmp_path)

    assert distance(guard.export(), weights) < ROUNDING


def test_more_lost_than_the_code_bears_is_an_older_checkpoint(tmp_path: Path) -> None:
    saved(tmp_path)
    for number in range(5):
        flipped(node(tmp_path, 9, number))
    run = Run()
    guard = run.guarded(tmp_path)

    assert guard.step == 8
    assert "step 9: 0 stored blocks: the 3 right ones do not decode" in guard.report().history[0]
    assert same(run.make(guard, 12), without_guard(12))
    assert names(tmp_path) == ["step-000000000008", "step-000000000012"]


@pytest.mark.parametrize("damage", [missing, truncated, flipped, empty])
def test_a_damaged_manifest_is_an_older_checkpoint(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    saved(tmp_path)
    damage(tmp_path / "step-000000000009" / "manifest.json")

    assert Run().guarded(tmp_path).step == 8


def test_a_checkpoint_that_could_not_be_used_is_written_again(tmp_path: Path) -> None:
    saved(tmp_path)
    missing(tmp_path / "step-000000000009" / "manifest.json")
    run = Run()
    weights = run.make(run.guarded(tmp_path), 9)

    assert names(tmp_path) == ["step-000000000008", "step-000000000009"]
    assert same(Run().guarded(tmp_path).export(), weights)


def test_no_usable_checkpoint_is_an_error_that_names_the_reasons_and_leaves_the_model_alone(tmp_path: Path) -> None:
    saved(tmp_path)
    for step, lost in ((8, range(6)), (9, range(8))):
        for number in lost:
            missing(node(tmp_path, step, number))
    run = Run()
    before = run.model.export()

    with pytest.raises(InputError, match=r"no checkpoint in .* can be used: step 9: .* is lost.*; step 8: .*2 right"):
        run.guarded(tmp_path)
    assert same(run.model.export(), before)


def other_width() -> Run:
    return Run(width=16)


def other_code() -> Run:
    return Run(code=generalized_polydot(2, 2, nodes=NODES, mirrored=True))


def other_nodes() -> Run:
    return Run(code=generalized_polydot(2, 2, nodes=9))


def other_dtype() -> Run:
    run = Run()
    model = protect(run.plain.float(), CODE, VirtualNodes(NODES))
    run.model, run.optimizer = model, CodedSGD(model.parameters(), lr=0.1)
    return run


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (other_width, r"parameter/module.0.bias is 'replicated float64 \(8,\)' there and '.*\(16,\)' here"),
        (other_code, "code of module.0 is .TrainingCode.* there and .TrainingCode.* here"),
        (other_nodes, "code of module.0 is .*8 nodes.* there and .*9 nodes.* here"),
        (other_dtype, "parameter/module.0.bias is 'replicated float64.*' there and 'replicated float32.*' here"),
    ],
)
def test_checkpoints_of_another_model_are_refused(tmp_path: Path, other: Callable[[], Run], says: str) -> None:
    saved(tmp_path)

    with pytest.raises(InputError, match=f"checkpoints of another model: {says}"):
        other().guarded(tmp_path)


# --- disks that fail --------------------------------------------------------------------------------------------------


@contextmanager
def full_from(write: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing more fits on the disk from the so-many-th flush on."""
    flush, left = os.fsync, iter(range(write))

    def full(handle: int) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        yield


@contextmanager
def small_files() -> Iterator[None]:
    """The operating system lets no file grow beyond 500 bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("write", [0, 3, 8, 9])
def test_on_a_full_disk_the_training_goes_on_and_the_checkpoint_before_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    run = Run()
    guard = run.guarded(tmp_path, every=4)
    run.make(guard, 4)
    with (
        full_from(write, monkeypatch),
        pytest.warns(RuntimeWarning, match=r"step 8 cannot be written.*No space left"),
        pytest.raises(InputError, match=r"step 11 cannot be written.*No space left") as met,
    ):
        run.make(guard, 11)

    assert "go on with guard.steps" in str(met.value)
    assert guard.step == 11
    assert guard.report().unsaved == 1
    assert names(tmp_path) == ["step-000000000000", "step-000000000004"]
    with torch.random.fork_rng():  # a guard that resumes sets torch's generator
        assert Run().guarded(tmp_path).step == 4
    assert same(run.make(guard, 11), without_guard(11))
    assert guard.report().executed == 11
    assert names(tmp_path)[-1] == "step-000000000011"


def test_on_a_full_disk_roll_backs_go_to_the_copy_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Hitting(NODES, {})
    run = Run(nodes)
    guard = run.guarded(tmp_path, every=4)
    run.make(guard, 4)
    with full_from(0, monkeypatch), pytest.warns(RuntimeWarning, match="step 8"):  # noqa: PT031
        for step in guard.steps(11):
            if guard.step == 9 and not guard.report().rollbacks:
                nodes.hits, nodes.left = {"product": [0, 1, 2]}, {"product": 1}
            with step:
                run.step(step.number)
            if guard.step == 10:
                break

    assert "step 9: rolled back to 8" in "".join(guard.report().history)
    assert same(run.make(guard, 11), without_guard(11))


def test_files_that_the_system_lets_not_grow_are_a_clear_error(tmp_path: Path) -> None:
    run = Run()
    guard = run.guarded(tmp_path, every=4)
    run.make(guard, 4)
    with small_files(), pytest.raises(InputError, match=r"step 8 cannot be written.*File too large"):
        run.make(guard, 8)

    assert names(tmp_path) == ["step-000000000000", "step-000000000004"]
    assert same(run.make(guard, 8), without_guard(8))


def test_a_directory_that_cannot_be_made_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InputError, match=r"`Guard\(directory='.*run'\)` cannot be used: Not a directory"):
        Run().guarded(tmp_path / "file" / "run")
    with pytest.raises(InputError, match=r"`Guard\(directory='.*file'\)` cannot be used: File exists"):
        Run().guarded(tmp_path / "file")


def test_a_directory_removed_under_the_training_is_made_again(tmp_path: Path) -> None:
    run = Run()
    guard = run.guarded(tmp_path / "run", every=4)
    run.make(guard, 4)
    for path in sorted((tmp_path / "run").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (tmp_path / "run").rmdir()

    assert same(run.make(guard, 8), without_guard(8))
    assert names(tmp_path / "run") == ["step-000000000008"]


def test_parts_that_are_not_coded_come_back_from_any_file(tmp_path: Path) -> None:
    def made() -> tuple[nn.Module, Guard]:
        torch.manual_seed(0)
        coded = protect(nn.Linear(4, 4).double(), CODE, VirtualNodes(NODES))
        model = nn.Sequential(coded, nn.BatchNorm1d(4).double())
        optimizer = CodedSGD(model.parameters(), lr=0.1, momentum=0.9)
        return model, Guard(model, optimizer, tmp_path, every=2)

    model, guard = made()
    for step in guard.steps(2):
        with step:
            model(torch.randn(8, 4, dtype=torch.float64)).pow(3).sum().backward()
            guard._inventory.optimizer.step()
    missing(node(tmp_path, 2, 0))
    _, resumed = made()

    assert resumed.step == 2
    assert distance(resumed.export(), guard.export()) < ROUNDING
