"""What a guard has done, as a value."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class GuardReport:
    """What a guard has done since this process started.

    Args:
        useful: steps that the model has behind it, those of earlier processes included.
        executed: steps begun, those rolled back included.
        rollbacks: how often it went back to a checkpoint.
        checkpoints: saved.
        unsaved: checkpoints that could not be written to the disk; the run went on with a copy in memory.
        injected: hits of the fault model.
        located: answers thrown out.
        regenerated: stored blocks rebuilt.
        refreshed: replicated numbers replaced by the majority's.
        joined: how often the node here was left out, or replaced, and joined the others again.
        reencoded: how often everything stored was encoded again because of drift.
        drift: distance of the stored blocks from their code, as a multiple of the rounding that screening expects;
            measured the last time they were verified and saved or encoded again.
        interval: steps between checkpoints, at present.
        verify_seconds: spent in verification.
        save_seconds: spent in writing checkpoints.
        rollback_seconds: spent in rolling back.
        stuck: more steps were executed than the limit allows.
        history: the last 1000 roll-backs, restarts and re-encodings, in words.
    """

    useful: int
    executed: int
    rollbacks: int
    checkpoints: int
    unsaved: int
    injected: int
    located: int
    regenerated: int
    refreshed: int
    joined: int
    reencoded: int
    drift: float
    interval: int
    verify_seconds: float
    save_seconds: float
    rollback_seconds: float
    stuck: bool
    history: tuple[str, ...]

    def __str__(self) -> str:
        told = {each.name.replace("_", " "): getattr(self, each.name) for each in fields(self)}
        del told["history"]
        lines = [
            f"{name:16}  {value:.3g}" if isinstance(value, float) else f"{name:16}  {value}"
            for name, value in told.items()
        ]
        return "\n".join([*lines, *(f"  {each}" for each in self.history[-10:])])
