"""Train a network on a stream of slabs, keep the weights that score best on validation. Built on Lightning."""

import json
import logging
import math
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from pydantic import Field, ValidationError

from sxtbench.benchmark.environment import cpu, packages
from sxtbench.benchmark.scoring import score_primary
from sxtbench.benchmark.task import Task
from sxtbench.datasets.recipe import one_line, read_yaml
from sxtbench.distributions import Parameters
from sxtbench.errors import InputError
from sxtbench.files import require_writable, write_text
from sxtbench.learning.answers import answer_of, seen
from sxtbench.learning.inference import is_out_of_memory
from sxtbench.learning.losses import dice_focal_loss, lac_loss
from sxtbench.learning.networks import Network, build_network, fast_layout
from sxtbench.learning.slabs import SlabStream, batches, stream
from sxtbench.learning.stream_parameters import StreamParameters
from sxtbench.learning.weights import save_weights

Report = Callable[[str], None]


class TrainingParameters(Parameters):
    """What a training configuration file holds.

    Parameters
    ----------
    network : dict
        `name` and its arguments, as for `build_network`; classes and channels follow from the task and the stream.
    stream : StreamParameters
        How slabs are cut.
    steps : int
        Optimiser steps.
    batch_size, accumulate : int
        Slabs a forward pass, and forward passes a step.
    learning_rate, weight_decay : float
        Of AdamW; the rate rises over `warmup_steps` and falls along a cosine. Only weights of convolutions decay.
    clip : float
        Greatest norm of the gradient.
    precision : str
        As Lightning names it.
    ema_decay : float
        Of the moving average of weights and of BatchNorm's statistics, which is what is scored and kept.
    dice_weight, gamma : float
        Of the loss for labels; LAC is trained on its mean square error where the target is known.
    validate_every : int
        Steps between two validations; a checkpoint is written at each.
    validation_specimens : int
        The first so many, at the reference level.
    patience : int
        Validations without a gain before training stops.
    keep : str
        Which weights are written: "best", those that score best on validation, or "last", for a training towards
        something that validation does not hold, such as another domain; then nothing stops it early.
    """

    network: dict[str, Any]
    stream: StreamParameters = StreamParameters()
    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    accumulate: int = Field(default=1, ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    warmup_steps: int = Field(default=0, ge=0)
    clip: float = Field(default=1.0, gt=0)
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true"
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    dice_weight: float = Field(default=1.0, ge=0)
    gamma: float = Field(default=2.0, ge=1)
    validate_every: int = Field(ge=1)
    validation_specimens: int = Field(default=8, ge=1)
    patience: int = Field(default=10, ge=1)
    keep: Literal["best", "last"] = "best"


def load_training(path: Path, tier: str) -> TrainingParameters:
    """Read a training configuration: the values of all tiers and, under `tiers`, what differs.

    Parameters
    ----------
    path : Path
        A YAML file.
    tier : str
        Whose values to take; a file without `tiers` holds for all.

    Raises
    ------
    InputError
        For a file that cannot be read, and an unknown or impossible value.
    """
    content = read_yaml(path)
    tiers = content.pop("tiers", None) or {}
    if tiers and tier not in tiers:
        raise InputError(f"{path}: has no values for tier {tier!r}; it has {', '.join(tiers)}")
    for key, value in (tiers.get(tier) or {}).items():
        content[key] = {**content.get(key, {}), **value} if isinstance(value, dict) else value
    try:
        return TrainingParameters.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {one_line(error, TrainingParameters)}") from None


class _Epoch:
    """The batches between two validations, cut from one run of the stream; counts the seconds spent waiting."""

    def __init__(self, slabs: SlabStream, parameters: TrainingParameters, workers: int, step: int) -> None:
        self.length = parameters.validate_every * parameters.accumulate
        first = step * parameters.accumulate
        self.made = batches(slabs, parameters.batch_size, workers=workers, first_batch=first)
        self.waited = 0.0

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for _ in range(self.length):
            start = time.perf_counter()
            batch = next(self.made)
            self.waited += time.perf_counter() - start
            yield batch


class _Training(lightning.LightningModule):
    def __init__(
        self, task: Task, parameters: TrainingParameters, slabs: SlabStream, *, workers: int, network: torch.nn.Module
    ) -> None:
        super().__init__()
        self.task, self.parameters_, self.slabs, self.workers = task, parameters, slabs, workers
        self.network = network
        self.scores: list[float] = []
        self.classes = task.protocol.answer.classes
        self.seen = seen(task, parameters.stream)

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], _: int) -> torch.Tensor:
        inputs, targets = batch
        answer = self.network(inputs)
        if self.classes:
            chosen = self.parameters_
            loss: torch.Tensor = dice_focal_loss(answer, targets, dice_weight=chosen.dice_weight, gamma=chosen.gamma)
        else:
            loss = lac_loss(answer[:, 0], targets)
        self.log("loss", loss, on_step=True)
        return loss

    def train_dataloader(self) -> _Epoch:
        shard = (self.global_rank, self.trainer.world_size)
        self.epoch = _Epoch(self.slabs.starting_at(0, shard), self.parameters_, self.workers, self.trainer.global_step)
        return self.epoch

    def val_dataloader(self) -> list[int]:
        each = -(-self.parameters_.validation_specimens // self.trainer.world_size)  # Lightning wants as many a process
        return [self.global_rank + place * self.trainer.world_size for place in range(each)]

    def validation_step(self, number: int, _: int) -> None:
        data = self.task.dataset("validation", targets=True).at_reference
        if number >= min(len(data), self.parameters_.validation_specimens):
            return
        sample = data[number]
        answer = answer_of(self.network, sample, **self.seen)
        self.scores.append(score_primary(self.task, sample, answer))

    def configure_optimizers(self) -> Any:
        chosen = self.parameters_
        decaying = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [{"params": decaying, "weight_decay": chosen.weight_decay}, {"params": others, "weight_decay": 0.0}],
            lr=chosen.learning_rate,
        )

        def rate(step: int) -> float:
            warm = min(1.0, (step + 1) / (chosen.warmup_steps + 1))
            return warm * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * min(1.0, step / chosen.steps))))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class _Keep(Callback):
    """Write the averaged weights whenever they score best, and tell how it goes."""

    def __init__(self, out: Path, identity: dict[str, Any], report: Report | None) -> None:
        self.out, self.identity, self.report = out, identity, report
        self.best = -math.inf
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "history": self.history, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.history = state_dict["best"], state_dict["history"]
        self.seconds = state_dict["seconds"]

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self.started, self.batches, self.waited = time.perf_counter(), 0, pl_module.epoch.waited

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.batches += 1
        if self.report is None or self.batches % pl_module.parameters_.accumulate:
            return
        passed = time.perf_counter() - self.started
        rate = self.batches * pl_module.parameters_.batch_size * trainer.world_size / passed
        best = "" if self.best == -math.inf else f", best {self.best:.3f}"
        self.report(f"loss {float(outputs['loss']):.3f}, {rate:.1f} slabs/s{best}")

    def on_validation_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        pl_module.scores.clear()
        passed = time.perf_counter() - self.started
        self.seconds += passed
        self.waiting = (pl_module.epoch.waited - self.waited) / passed
        self.rate = self.batches * pl_module.parameters_.batch_size * trainer.world_size / passed

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Score what stands in the network now: Lightning has put the moving average there."""
        mine = torch.tensor([sum(pl_module.scores), float(len(pl_module.scores))], device=pl_module.device)
        total, count = trainer.strategy.reduce(mine, reduce_op="sum").tolist()
        score = total / count
        pl_module.log("score", torch.tensor(score), sync_dist=False)
        self.history.append(
            {
                "step": trainer.global_step,
                "score": round(score, 5),
                "loss": round(float(trainer.callback_metrics.get("loss", math.nan)), 5),
                "slabs_per_second": round(self.rate, 2),
                "waiting_share": round(self.waiting, 4),
                "training_seconds": round(self.seconds, 1),
            }
        )
        chosen = pl_module.parameters_
        better, self.best = score > self.best or chosen.keep == "last", max(score, self.best)
        last = max(row["step"] for row in self.history if row["score"] == round(self.best, 5))
        gone = (trainer.global_step - last) // chosen.validate_every
        trainer.should_stop = trainer.should_stop or (chosen.keep == "best" and gone >= chosen.patience)
        if not trainer.is_global_zero:
            return
        if better:
            told = {
                "task": self.identity["task"],
                "tier": self.identity["tier"],
                "score": f"{score:.5f}",
                "seen": json.dumps(pl_module.seen),
            }
            save_weights(self.out / "weights.safetensors", pl_module.network, metadata=told, half=True)
        content = {**self.identity, "best_score": round(self.best, 5), "history": self.history}
        write_text(self.out / "training.json", json.dumps(content, indent=1) + "\n")


def train(
    task: Task,
    parameters: TrainingParameters,
    out: Path,
    *,
    seed: int = 0,
    track: str = "stream",
    workers: int = 1,
    devices: int = 1,
    nodes: int = 1,
    resume: bool = False,
    force: bool = False,
    network: Network | None = None,
    slabs: SlabStream | None = None,
    about: dict[str, Any] | None = None,
    strategy: str = "auto",
    report: Report | None = None,
) -> dict[str, Any]:
    """Train a network for a task.

    Parameters
    ----------
    task : Task
        With its validation split, which is generated where it is missing.
    parameters : TrainingParameters
        From `load_training`.
    out : Path
        Gets `weights.safetensors` (the best on validation), `training.json`, a checkpoint, and for each start
        `log/version_N/metrics.csv`.
    seed : int
        Of the stream and of the first weights.
    track : str
        "stream" or "fixed", as for `stream`.
    workers : int
        Processes that make slabs ahead.
    devices, nodes : int
        Of Lightning: GPUs (processes on a CPU) of each node, and nodes.
    resume : bool
        Go on from the checkpoint in `out`.
    force : bool
        Resume although task, data or parameters are others.
    network : Module, optional
        To start from, such as `load_network` returns; a new one by default.
    slabs : SlabStream, optional
        Other training slabs.
    about : dict, optional
        What else `training.json` says, such as which weights were fine-tuned.
    strategy : str
        Lightning's, for several devices.
    report : callable
        Called with a line after each step.

    Returns
    -------
    dict
        The content of `training.json`.

    Raises
    ------
    InputError
        For a folder that holds another training, a network that does not fit the task, and when memory runs out.
    KeyboardInterrupt
        On Ctrl-C; what stood at the last validation is in `out`.
    """
    identity = {**_identity(task, parameters, seed, track), **(about or {})}
    require_writable(out)
    checkpoint = out / "checkpoint" / "last.ckpt"
    _check_folder(out, checkpoint, identity, resume=resume, force=force)
    torch.manual_seed(seed)
    classes = task.protocol.answer.classes
    asked = {"classes": max(1, len(classes)), "channels": len(parameters.stream.inputs)}
    model = network if network is not None else build_network({**parameters.network, **asked})
    for key, value in asked.items():
        if model.architecture[key] != value:
            raise InputError(f"the network has {model.architecture[key]} {key}, {task.name} asks for {value}")
    if not torch.cuda.is_available():
        fast_layout(model)
    found = slabs or stream(task, seed=seed, parameters=parameters.stream, track=track)
    keep = _Keep(out, identity, report)
    module = _Training(task, parameters, found, workers=workers, network=model)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    trainer = lightning.Trainer(
        accelerator="auto",
        devices=devices,
        num_nodes=nodes,
        strategy=strategy,
        precision=parameters.precision,
        max_steps=parameters.steps,
        accumulate_grad_batches=parameters.accumulate,
        gradient_clip_val=parameters.clip,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        log_every_n_steps=min(10, parameters.validate_every),
        logger=CSVLogger(out, name="log"),
        callbacks=[
            keep,
            # Statistics of the last step would not fit averaged weights.
            EMAWeightAveraging(use_buffers=True, decay=parameters.ema_decay),
            ModelCheckpoint(checkpoint.parent, "last", save_on_train_epoch_end=True, enable_version_counter=False),
        ],
    )
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, ckpt_path=checkpoint if resume and checkpoint.is_file() else None)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(
            f"out of memory with batch_size {parameters.batch_size}: lower batch_size and raise accumulate by as much, "
            "or lower stream.window or network.features"
        ) from error
    except SystemExit:  # what Lightning makes of Ctrl-C, which it ignores from then on
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None
    made: dict[str, Any] = json.loads((out / "training.json").read_text(encoding="utf-8"))
    return made


def _identity(task: Task, parameters: TrainingParameters, seed: int, track: str) -> dict[str, Any]:
    return {
        "task": task.name,
        "tier": task.tier,
        "task_hash": task.hash,
        "recipe_hash": task.dataset_spec.recipe.hash,
        "validation_fingerprint": task.dataset("validation").fingerprint,
        "track": track,
        "seed": seed,
        "parameters": parameters.model_dump(mode="json"),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else cpu(),
        "packages": packages(),
    }


def _check_folder(out: Path, checkpoint: Path, identity: dict[str, Any], *, resume: bool, force: bool) -> None:
    """Refuse to overwrite a training, or to go on with another one."""
    state = out / "training.json"
    if not resume:
        if checkpoint.exists() or state.exists():
            raise InputError(f"{out}: holds a training already; add --resume to go on with it, or choose another --out")
        return
    if not state.is_file():
        raise InputError(f"{out}: holds no training to resume (no training.json)")
    before = json.loads(state.read_text(encoding="utf-8"))
    for key in ("task", "tier", "task_hash", "recipe_hash", "track", "seed", "parameters"):
        changed = _difference(key, before.get(key), identity[key])
        if changed and not force:
            raise InputError(f"{out}: was trained with another {changed}; add --force to go on anyway")


def _difference(name: str, before: Any, now: Any) -> str:
    """Return the first entry that differs, such as `parameters.stream.window (64 before, 96 now)`, or nothing."""
    if isinstance(before, dict) and isinstance(now, dict):
        found = (_difference(f"{name}.{key}", before.get(key), now.get(key)) for key in {**before, **now})
        return next(filter(None, found), "")
    return "" if before == now else f"{name} ({before!r} before, {now!r} now)"
