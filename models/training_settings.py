"""How a network is trained: every choice in one place, with the 2021 project's defaults."""

from __future__ import annotations

import dataclasses
import difflib
import math
from dataclasses import asdict, dataclass

from deepdiva.errors import InvalidValueError

SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that decides what weights come out, besides the data.

    Attributes:
        epochs: passes through the training data; online, spells of `epoch_steps` steps.
        batch_size: sounds per step.
        optimizer: a class of `torch.optim`, in any case of letters.
        learning_rate: step size of the optimizer, the highest of the schedule.
        weight_decay: weight decay of the optimizer.
        schedule: `constant`, or `cosine`: falls to a hundredth along half a cosine.
        warmup_steps: steps over which the learning rate rises from 0, before either.
        loss: name in `losses`; the posterior has its own.
        metrics: names in `losses`, reported for the test data.
        gradient_norm: longest gradient that is let through.
        patience: epochs without a better test loss after which training stops; 0 never stops.
        save_every: epochs between two kept weight files.
        precision: `float32`, or `bfloat16` for all but the flow's arithmetic, faster where the
            processor knows it.
        seed: decides the first weights, the order of the data, dropout and online data.
    """

    epochs: int = 10
    batch_size: int = 64
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: str = "constant"
    warmup_steps: int = 0
    loss: str = "rmse"
    metrics: tuple[str, ...] = ("mean_absolute_error",)
    gradient_norm: float = 5.0
    patience: int = 0
    save_every: int = 50
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, lowest in (
            ("epochs", 1),
            ("batch_size", 1),
            ("warmup_steps", 0),
            ("patience", 0),
            ("save_every", 1),
            ("seed", 0),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or value < lowest:
                raise InvalidValueError(
                    f"{name} is {value!r}: it must be a whole number of at least {lowest}."
                )
        for name in ("learning_rate", "gradient_norm"):
            value = getattr(self, name)
            if not math.isfinite(value) or value <= 0:
                raise InvalidValueError(f"{name} is {value!r}: it must be above 0.")
        if not math.isfinite(self.weight_decay) or self.weight_decay < 0:
            raise InvalidValueError(
                f"weight_decay is {self.weight_decay!r}: it must be 0 or above."
            )
        for name, choices in (
            ("schedule", SCHEDULES),
            ("precision", ("float32", "bfloat16")),
        ):
            value = getattr(self, name)
            if value not in choices:
                raise InvalidValueError(f"{name} is {value!r}: choose {' or '.join(choices)}.")

    def to_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> TrainingSettings:
        """The way back from JSON.

        Raises:
            InvalidValueError: a setting that does not exist, or a value outside its range.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise InvalidValueError(
                    f"There is no training setting {name!r}.{hint} There are: "
                    f"{', '.join(sorted(known))}."
                )
        tupled = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**tupled)  # type: ignore[arg-type]


def learning_rate(settings: TrainingSettings, step: int, total: int) -> float:
    """Learning rate of a step, a function of nothing else, so that a resumed training has it too.

    Args:
        settings: schedule, highest rate and warm-up.
        step: number of the step, from 0.
        total: steps of the whole training.

    Returns:
        The rate, above 0.
    """
    rate = settings.learning_rate
    if step < settings.warmup_steps:
        return rate * (step + 1) / settings.warmup_steps
    if settings.schedule == "cosine":
        done = (step - settings.warmup_steps) / max(1, total - settings.warmup_steps)
        return rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0))))
    return rate
