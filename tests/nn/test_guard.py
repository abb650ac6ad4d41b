"""Whatever goes wrong, a guarded run ends where the undisturbed one does, or says that it cannot."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from anyk.errors import InputError, Uncorrectable
from anyk.nn import CodedLinear, CodedSGD, Guard, SoftErrors, VirtualNodes, protect, replication
from anyk.nn.drift import drift
from anyk.nn.interval import Interval, best_interval
from tests.nn.guarded import CODE, NODES, Run, distance, same, without_guard
from tests.nn.hitting import Hitting

#: More than eight nodes on a grid of 2 x 2 can locate, in products and in what is stored.
TOO_MANY = [0, 2, 3, 5, 6]

#: What mending and decoding from other nodes may change: float64 rounding, through a few dozen updates.
ROUNDING = 1e-11


def spoil(blocks: torch.Tensor, nodes: list[int]) -> None:
    """Wrong numbers as large as the data."""
    with torch.no_grad():
        noise = torch.randn(blocks[nodes].shape, generator=torch.Generator().manual_seed(0), dtype=blocks.dtype)
        blocks[nodes] += noise * blocks.std()


# --- roll-backs -------------------------------------------------------------------------------------------------------


def test_a_guard_changes_nothing_where_nothing_goes_wrong(tmp_path: Path) -> None:
    run = Run()
    guard = run.guarded(tmp_path)

    assert same(run.make(guard, 10), without_guard(10))
    assert (guard.report().executed, guard.report().rollbacks, guard.report().checkpoints) == (10, 0, 4)


@pytest.mark.parametrize("where", ["product", "update", "stored"])
def test_more_errors_than_can_be_located_are_rolled_back_and_leave_no_trace(tmp_path: Path, where: str) -> None:
    nodes = Hitting(NODES, {})
    run = Run(nodes)
    guard = run.guarded(tmp_path)
    for step in guard.steps(14):
        if guard.report().executed in (3, 11):
            nodes.hits, nodes.left = {where: TOO_MANY}, {where: 1}
        with step:
            run.step(step.number)

    assert guard.report().rollbacks == 2
    assert guard.report().useful == 14 < guard.report().executed
    assert same(guard.export(), without_guard(14))


def test_copies_that_only_notice_errors_end_at_the_error_free_weights_by_rolling_back(tmp_path: Path) -> None:
    errors = SoftErrors(2e-3, rng=3)
    run = Run(VirtualNodes(NODES, errors=errors, attempts=1), replication(2, 2, nodes=NODES))
    guard = run.guarded(tmp_path, every=2)
    weights = run.make(guard, 20)

    assert guard.report().injected == errors.injected > 0
    assert guard.report().rollbacks > 0
    assert distance(weights, without_guard(20)) < ROUNDING


def test_the_steps_that_come_again_are_those_since_the_checkpoint(tmp_path: Path) -> None:
    nodes = Hitting(NODES, {})
    run = Run(nodes)
    guard = run.guarded(tmp_path, every=3)
    seen = []
    for step in guard.steps(6):
        seen.append((int(step), step.done))
        nodes.hits, nodes.left = ({"product": TOO_MANY}, {"product": 1}) if len(seen) == 5 else ({}, {})
        with step:
            run.step(step.number)
        seen[-1] = (int(step), step.done)

    assert seen == [(0, True), (1, True), (2, True), (3, True), (4, False), (3, True), (4, True), (5, True)]


def test_a_hopeless_run_ends_and_says_that_it_is_stuck(tmp_path: Path) -> None:
    run = Run(Hitting(NODES, {"product": TOO_MANY}))
    guard = run.guarded(tmp_path)
    with pytest.raises(Uncorrectable, match="stuck: 7 steps were executed and 0 of 100 are made, after 7 roll-backs"):
        run.make(guard, 100, limit=7)

    report = guard.report()
    assert (report.stuck, report.executed, report.useful, report.rollbacks) == (True, 7, 0, 7)


def test_by_default_a_run_is_stuck_after_three_times_the_steps_it_needs(tmp_path: Path) -> None:
    run = Run(Hitting(NODES, {"product": TOO_MANY}))
    guard = run.guarded(tmp_path)
    with pytest.raises(Uncorrectable, match="stuck"):
        run.make(guard, 4)

    assert guard.report().executed == 12


def test_without_a_with_an_uncorrectable_product_ends_the_program(tmp_path: Path) -> None:
    nodes = Hitting(NODES, {"product": TOO_MANY}, times=1)
    run = Run(nodes)
    guard = run.guarded(tmp_path)

    def train() -> None:
        for step in guard.steps(8):
            run.step(step.number)

    with pytest.raises(Uncorrectable):
        train()
    train()

    assert same(guard.export(), without_guard(8))


def test_a_step_that_an_error_of_the_program_broke_off_is_rolled_back_before_it_goes_on(tmp_path: Path) -> None:
    run = Run()
    guard = run.guarded(tmp_path)

    def train() -> None:
        for step in guard.steps(9):
            with step:
                run.step(step.number)
                if step.number == 6:
                    raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train()
    assert guard.step == 6

    assert same(run.make(guard, 9), without_guard(9))
    assert guard.report().rollbacks == 1


def test_a_loop_left_between_steps_goes_on_where_it_was(tmp_path: Path) -> None:
    run = Run()
    guard = run.guarded(tmp_path)
    for step in guard.steps(9):
        with step:
            run.step(step.number)
        if step.number == 5:
            break
    assert guard.checkpoint()
    assert guard.step == 6

    assert same(run.make(guard, 9), without_guard(9))
    assert guard.report().executed == 9


def test_no_checkpoint_is_made_inside_a_step(tmp_path: Path) -> None:
    run = Run()
    guard = run.guarded(tmp_path)
    for step in guard.steps(1):
        with step, pytest.raises(InputError, match="step 0 is under way"):
            guard.checkpoint()


def test_where_the_copy_in_memory_is_spoilt_too_the_files_are_used(tmp_path: Path) -> None:
    nodes = Hitting(NODES, {})
    run = Run(nodes)
    guard = run.guarded(tmp_path)
    for step in guard.steps(10):
        if guard.report().executed == 7:
            assert guard._keeper.kept is not None
            spoil(guard._keeper.kept.tensors["parameter/module.0.coded"], TOO_MANY)
            nodes.hits, nodes.left = {"product": TOO_MANY}, {"product": 1}
        with step:
            run.step(step.number)

    assert any("restored from the files" in each for each in guard.report().history)
    assert same(guard.export(), without_guard(10))


# --- verification -----------------------------------------------------------------------------------------------------


def places(run: Run) -> dict[str, torch.Tensor]:
    """Everything the nodes store, of one layer."""
    layer = run.model.layers[0]
    assert layer.bias is not None
    velocity = run.optimizer.state[layer.bias]["momentum_buffer"]
    return {
        "weights": layer.coded.detach(),
        "velocity": layer.momentum[0],
        "bias": layer.bias.detach(),
        "velocity of the bias": velocity,
    }


@pytest.mark.parametrize("place", ["weights", "velocity"])
def test_verification_finds_errors_that_probes_of_ones_cannot_see(tmp_path: Path, place: str) -> None:
    run = Run()
    guard = run.guarded(tmp_path)
    run.make(guard, 3)
    stored = places(run)[place]
    right = stored.clone()
    unseen = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    stored[4, :2, :2] += unseen
    assert all((stored.sum(dim=dim) - right.sum(dim=dim)).abs().max() < 1e-14 for dim in (1, 2))

    assert guard.checkpoint()
    assert guard.report().regenerated == 1
    assert (stored - right).abs().max() < 1e-14


@pytest.mark.parametrize("place", ["bias", "velocity of the bias"])
def test_verification_gives_every_node_the_copy_that_most_have(tmp_path: Path, place: str) -> None:
    run = Run()
    guard = run.guarded(tmp_path)
    run.make(guard, 3)
    stored = places(run)[place]
    right = stored.clone()
    stored[2, 1] += 1e-9

    assert guard.checkpoint()
    assert torch.equal(stored, right)
    assert guard.report().refreshed == 1


@pytest.mark.parametrize("place", ["weights", "velocity"])
def test_stored_errors_that_cannot_be_located_are_never_saved_evaluated_or_exported(tmp_path: Path, place: str) -> None:
    uses: list[Callable[[Guard, Run], object]] = [
        lambda guard, run: guard.checkpoint(),
        lambda guard, run: guard.evaluate(lambda model: model(torch.zeros(1, 6, dtype=torch.float64))),
        lambda guard, run: guard.export(),
    ]
    for count, use in enumerate(uses):
        run = Run()
        guard = run.guarded(tmp_path / f"{place} {count}")
        for step in guard.steps(4):
            with step:
                run.step(step.number)
        good = {name: tensor.clone() for name, tensor in places(run).items()}
        spoil(places(run)[place], TOO_MANY)
        use(guard, run)

        assert guard.report().rollbacks == 1
        assert all(torch.equal(tensor, good[name]) for name, tensor in places(run).items())


def test_a_measurement_is_repeated_until_its_products_are_right(tmp_path: Path) -> None:
    nodes = Hitting(NODES, {})
    run = Run(nodes)
    guard = run.guarded(tmp_path)
    weights = run.make(guard, 3)
    x = torch.randn(5, 6, dtype=torch.float64)
    nodes.hits, nodes.left = {"product": TOO_MANY}, {"product": 3}
    calls = []

    def measure(model: nn.Module) -> torch.Tensor:
        calls.append(model.training)
        assert not torch.is_grad_enabled()
        return model(x)

    answers = guard.evaluate(measure)
    run.plain.load_state_dict(weights)

    assert calls == [False] * 4
    assert run.model.training
    assert torch.allclose(answers, run.plain.eval()(x), rtol=0, atol=1e-12)
    assert guard.report().rollbacks == 0


def test_a_measurement_that_never_succeeds_is_given_up(tmp_path: Path) -> None:
    run = Run(Hitting(NODES, {"product": TOO_MANY}))
    guard = run.guarded(tmp_path)

    with pytest.raises(Uncorrectable, match="stuck: the model could not be evaluated in 10 attempts"):
        guard.evaluate(lambda model: model(torch.zeros(1, 6, dtype=torch.float64)))
    assert guard.report().stuck


def test_an_evaluation_that_rolls_back_makes_its_steps_come_again(tmp_path: Path) -> None:
    run = Run()
    guard = run.guarded(tmp_path, every=4)
    for step in guard.steps(8):
        with step:
            run.step(step.number)
        if guard.report().executed == 6:
            spoil(places(run)["weights"], TOO_MANY)
            guard.evaluate(lambda model: None)

    assert guard.report().executed == 10
    assert same(guard.export(), without_guard(8))


def regression(directory: Path, dtype: torch.dtype, signal: float, steps: int, lr: float) -> tuple[Guard, nn.Linear]:
    """A line fitted to all samples at once, on nodes without errors and by plain torch."""
    torch.manual_seed(0)
    x, noise = torch.randn(256, 8, dtype=dtype), torch.randn(256, 4, dtype=dtype)
    y = signal * x @ torch.randn(8, 4, dtype=dtype) + noise
    plain = nn.Linear(8, 4, dtype=dtype)
    model = protect(plain, CODE, VirtualNodes(NODES))
    optimizer = CodedSGD(model.parameters(), lr=lr, momentum=0.5)
    guard = Guard(model, optimizer, directory, every=1000)

    def train(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        optimizer.step()

    for step in guard.steps(steps):
        with step:
            train(model, optimizer)
    ordinary = torch.optim.SGD(plain.parameters(), lr=lr, momentum=0.5)
    for _ in range(steps):
        train(plain, ordinary)
    return guard, plain


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_that_cancel_once_training_has_converged_are_not_errors(tmp_path: Path, dtype: torch.dtype) -> None:
    guard, _ = regression(tmp_path, dtype, signal=1.0, steps=200, lr=0.3)
    velocity = guard.module.layers[0].momentum[0]
    assert velocity.abs().max() < 100 * torch.finfo(dtype).eps  # nothing but rounding is left of it
    report = guard.report()
    assert (report.rollbacks, report.located, report.regenerated) == (0, 0, 0)

    velocity[3, 1, 1] += 1e-3
    guard.checkpoint()
    assert guard.report().regenerated == 1
    assert velocity.abs().max() < 100 * torch.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounding_that_piles_up_step_after_step_is_not_taken_for_errors(tmp_path: Path, dtype: torch.dtype) -> None:
    guard, plain = regression(tmp_path, dtype, signal=0.0, steps=150, lr=1.0)
    report, weights = guard.report(), guard.export()

    assert report.rollbacks == 0
    assert report.reencoded >= 1
    assert report.located <= report.reencoded
    assert distance(weights, plain.state_dict()) < 1000 * torch.finfo(dtype).eps


# --- drift ------------------------------------------------------------------------------------------------------------


def test_blocks_that_drift_too_far_are_encoded_again_and_mean_the_same(tmp_path: Path) -> None:
    run = Run()
    guard = run.guarded(tmp_path)
    run.make(guard, 3)
    layer = run.model.layers[0]
    before, usual = layer.weight, drift(layer.program, layer.coded.detach())
    noise = layer.program.noise(torch.float64) * layer.coded.std()
    with torch.no_grad():
        layer.coded += 4 * noise * torch.randn(layer.coded.shape, dtype=torch.float64)
    disturbed = layer.weight
    for step in guard.steps(4):
        with step:
            pass

    report = guard.report()
    assert report.reencoded == 1
    assert report.regenerated == 0
    assert 3 < report.drift < 8
    assert drift(layer.program, layer.coded.detach()) < 3 > usual
    assert (layer.weight - disturbed).abs().max() <= 8 * torch.finfo(torch.float64).eps * disturbed.abs().max()
    assert (layer.weight - before).abs().max() <= 16 * noise
    assert "encoded again" in report.history[-1]


def test_after_ten_thousand_updates_blocks_are_encoded_again(tmp_path: Path) -> None:
    run = Run()
    guard = run.guarded(tmp_path)
    run.make(guard, 3)
    for layer in run.model.layers:
        layer.program.updates = 9_999
    weights = run.make(guard, 4)

    assert guard.report().reencoded == 1
    assert [layer.program.updates for layer in run.model.layers] == [0, 0]
    assert distance(weights, without_guard(4)) < 1e-14


@pytest.mark.parametrize("wrong", [float("inf"), float("nan"), 1e300])
def test_numbers_that_are_none_have_no_drift(wrong: float) -> None:
    layer = Run().model.layers[0]
    with torch.no_grad():
        layer.coded[2, 0, 0] = wrong

    assert drift(layer.program, layer.coded.detach()) == float("inf")
    assert drift(layer.program, torch.zeros_like(layer.coded)) == 0.0


def test_drift_is_about_one_while_updates_round_as_usual(tmp_path: Path) -> None:
    run = Run(width=64)
    guard = run.guarded(tmp_path, every=100)
    run.make(guard, 100)

    assert 0.2 < guard.report().drift < 3
    assert guard.report().reencoded == 0


# --- how often --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("save", "failing", "best"), [(1.0, 1e-4, 141), (1.0, 1e-2, 14), (0.1, 1e-2, 4), (10, 1e-3, 141)]
)
def test_the_interval_is_the_square_root_rule_where_roll_backs_are_rare(save: float, failing: float, best: int) -> None:
    chosen = best_interval(save, 1.0, rollbacks=round(failing * 1e6), executed=10**6)

    assert abs(chosen - best) <= max(1, 0.05 * best)


def test_the_interval_is_short_where_most_steps_fail_and_never_longer_than_a_thousand() -> None:
    times = {every: ((1 - 0.5) ** -every - 1) / (0.5 * every) + 12 / every for every in range(1, 20)}
    best = min(times, key=times.__getitem__)

    assert best_interval(12.0, 1.0, rollbacks=500_000, executed=10**6) == best == 3
    assert best_interval(10.0, 1.0, rollbacks=10**6, executed=10**6) == 1
    assert best_interval(100.0, 0.001, rollbacks=0, executed=10**9) == 1000
    assert best_interval(0.0, 1.0, rollbacks=0, executed=0) == 1


def test_the_interval_follows_what_is_measured() -> None:
    interval = Interval("auto", lambda seconds: seconds)
    fixed = Interval(7, lambda seconds: seconds)
    interval.measure(0, 0)
    assert interval.steps == 10
    for each in (interval, fixed):
        for seconds in (0.01, 0.01, 5.0):
            each.step_took(seconds)
        each.save_took(0.1)
    lengths = []
    for rollbacks in (0, 1, 10, 100, 400):
        for each in (interval, fixed):
            each.measure(rollbacks, 400)
        lengths.append(interval.steps)

    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] == best_interval(0.1, 0.01, 0, 400) > 100
    assert lengths[-1] == 1
    assert fixed.steps == 7


def test_an_automatic_interval_grows_while_nothing_fails(tmp_path: Path) -> None:
    run, ticks = Run(), iter(range(10**9))
    guard = Guard(run.model, run.optimizer, tmp_path, others=[run.schedule], clock=lambda: next(ticks) / 100)
    saved = []
    for step in guard.steps(45):
        with step:
            run.step(step.number)
        saved.append(guard.report().checkpoints)

    gaps = [saved.count(each) for each in sorted(set(saved))]
    assert 10 == gaps[0] < gaps[1] < guard.report().interval
    assert same(guard.export(), without_guard(45))


def test_an_automatic_interval_shrinks_while_steps_fail_although_nothing_was_saved_yet(tmp_path: Path) -> None:
    run, ticks = Run(Hitting(NODES, {"product": TOO_MANY}, times=10)), iter(range(10**9))
    guard = Guard(run.model, run.optimizer, tmp_path, others=[run.schedule], clock=lambda: next(ticks) / 100)
    lengths = []
    for step in guard.steps(8, limit=30):
        with step:
            run.step(step.number)
        lengths.append(guard.report().interval)

    assert lengths[0] == 10
    assert lengths[9] < 4
    assert same(guard.export(), without_guard(8))


# --- all kinds of models ----------------------------------------------------------------------------------------------


def test_models_that_are_coded_in_part_are_guarded_whole(tmp_path: Path) -> None:
    torch.manual_seed(0)
    nodes = Hitting(NODES, {})
    code = CODE
    plain = nn.Sequential(nn.Linear(6, NODES), nn.LayerNorm(NODES), nn.Linear(NODES, 4), nn.BatchNorm1d(4)).double()
    model = nn.Sequential(CodedLinear.from_linear(plain[0], code, nodes), *plain[1:])
    inner = nn.Sequential(protect(model[2], code, nodes), model[3])
    model = nn.Sequential(model[0], model[1], inner)
    optimizer = CodedSGD(model.parameters(), lr=0.1, momentum=0.5)
    guard = Guard(model, optimizer, tmp_path, every=2)
    x = torch.randn(16, 6, dtype=torch.float64)

    def train(hit: bool) -> None:
        for step in guard.steps(guard.step + 4):
            if hit and guard.report().executed % 3 == 0:
                nodes.hits, nodes.left = {"product": TOO_MANY}, {"product": 1}
            if not hit:
                nodes.hits, nodes.left = {"product": [1]}, {"product": 1}
            with step:
                optimizer.zero_grad()
                model(x).square().mean().backward()
                optimizer.step()

    train(hit=False)
    norm = model[1].weight.detach().clone()
    assert len(set(norm.tolist())) == NODES  # one weight a feature: not copies of the nodes
    before = guard.export()
    train(hit=True)
    assert guard.report().rollbacks > 0
    after = guard.export()

    assert list(before) == ["0.weight", "0.bias", "1.weight", "1.bias", "2.0.weight", "2.0.bias"] + [
        f"2.1.{name}" for name in plain[3].state_dict()
    ]
    assert int(after["2.1.num_batches_tracked"]) == 8
    ordinary = nn.Sequential(plain[0], plain[1], nn.Sequential(plain[2], plain[3]))
    ordinary.load_state_dict(after)
    model.eval()
    nodes.hits = {}
    assert torch.allclose(ordinary.eval()(x), model(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"every": 0}, r"`Guard\(every=0\)` needs an integer of at least 1, or 'auto'"),
        ({"every": "often"}, r"`Guard\(every='often'\)`"),
        ({"module": nn.Linear(2, 2)}, "Linear has no coded layer to guard"),
        (
            {"optimizer": torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)},
            "updated by anyk.nn.CodedSGD, not SGD",
        ),
        ({"optimizer": CodedSGD([nn.Parameter(torch.zeros(1))], lr=0.1)}, "parameters that are not the model's"),
    ],
)
def test_a_guard_refuses_what_it_cannot_guard(tmp_path: Path, change: dict[str, object], says: str) -> None:
    run = Run()
    given = {"module": run.model, "optimizer": run.optimizer, "directory": tmp_path / "new", "every": 3} | change

    with pytest.raises(InputError, match=says):
        Guard(**given)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_counts_of_steps_are_checked_at_once(tmp_path: Path) -> None:
    guard = Run().guarded(tmp_path)

    with pytest.raises(InputError, match=r"`guard.steps\(total=2.5\)`"):
        guard.steps(2.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"`guard.steps\(limit=0\)`"):
        guard.steps(3, limit=0)


def test_a_report_can_be_read(tmp_path: Path) -> None:
    run = Run(Hitting(NODES, {"product": TOO_MANY}, times=1))
    guard = run.guarded(tmp_path)
    run.make(guard, 5)
    lines = str(guard.report()).splitlines()

    assert "rollbacks         1" in lines
    assert "executed          6" in lines
    assert any("rolled back to 0: 0 forward" in line for line in lines)
    assert guard.report().save_seconds > 0 < guard.report().verify_seconds
    assert guard.report().rollback_seconds > 0
