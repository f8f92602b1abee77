"""Train a small network for interactive segmentation on generated lesions: ``train_interactive_small.py OUT``.

It makes 3,000 lesions with points placed twice in each (``DeepMRILib.interactive.lesions``; 2 GB of temporary files),
trains for 4,000 steps of two samples, and writes OUT/interactive-small, a model's folder. On two busy cores the lesions
took 17 minutes in two processes and the training 38 on one thread. Everything is seeded, and what was stopped goes on
where it was. No real image and no phantom that networks are scored on is used.

DeepMRI ships the network if and only if ``Testing/benchmarks/bench_interactive_small.py`` shows that it beats the
engines without weights. So far it does not, and none is shipped: it is better on lesions like those it was trained on,
on a glioma and in a cord, and worse on all phantoms and on a breast lesion.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from DeepMRILib.device import seed_everything
from DeepMRILib.interactive.lesions_samples import PLAN, Samples, network_input
from DeepMRILib.interactive.network import build
from DeepMRILib.interactive.network_engine import SHIPPED
from DeepMRILib.interactive.network_forward import once
from DeepMRILib.interactive.trained import TrainedModel
from DeepMRILib.interactive.weight_shapes import fold_key
from DeepMRILib.model_store import CARD, WEIGHTS
from DeepMRILib.options import to_json
from DeepMRILib.results import Provenance
from DeepMRILib.training import TrainOptions, TrainResult, train
from DeepMRILib.weight_files import sha256_of, write_safetensors
from DeepMRILib.writing import replacing, replacing_folder

LESIONS_PER_FILE, DRAWS = 50, 2
HELD_OUT = 10_000_000
"""Seeds of the lesions for validation begin here."""
STEPS_PER_EPOCH = 125
SEED = 0


@dataclass(eq=False)
class LesionSet(torch.utils.data.Dataset):
    """Samples with their maps, augmented unless they are for validation."""

    samples: Samples
    augmented: bool = True
    random: np.random.Generator | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        values, target = network_input(self.samples, index, self.random if self.augmented else None)
        return torch.from_numpy(np.ascontiguousarray(values)), torch.from_numpy(np.ascontiguousarray(target))

    def set_random_state(self, seed: int) -> None:
        """Called by the training loop at the start of each epoch."""
        self.random = np.random.default_rng(seed)


def write_samples(folder: Path, number: int) -> None:
    """One file of the pool; left alone when it is there."""
    path = folder / f"chunk_{number:04d}.npz"
    if not path.exists():
        first = number * LESIONS_PER_FILE
        samples = Samples.of(range(first, first + LESIONS_PER_FILE), DRAWS)
        with replacing(path) as (temporary,), temporary.open("wb") as stream:
            np.savez(stream, **vars(samples))


def read_samples(folder: Path, count: int) -> Samples:
    """The visible lesions in the first ``count`` files of the pool, in memory."""
    parts = []
    for number in range(count):
        with np.load(folder / f"chunk_{number:04d}.npz") as stored:
            parts.append(Samples(**{name: stored[name] for name in Samples.__dataclass_fields__}))
    return Samples.joined(parts).visible()


def answer(model: torch.nn.Module, values: torch.Tensor) -> torch.Tensor:
    """The network's outputs (n, 2, a, b, c) float32, computed in bfloat16 where the processor has it."""
    with torch.autocast("cpu", torch.bfloat16):
        return model(values.to(memory_format=torch.channels_last_3d)).float()


def soft_dice(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Dice (n,) of the probability of the lesion and its share (n, a, b, c) of each voxel."""
    lesion = torch.softmax(outputs, dim=1)[:, 1]
    both = (lesion * target).sum((1, 2, 3))
    return (2 * both + 1) / (lesion.sum((1, 2, 3)) + target.sum((1, 2, 3)) + 1)


def loss(model: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """1 - Dice + cross-entropy against the lesion's share of each voxel."""
    outputs = answer(model, batch[0])
    target = batch[1]
    entropy = torch.nn.functional.cross_entropy(outputs, torch.stack([1 - target, target], dim=1))
    return 1 - soft_dice(outputs, target).mean() + entropy


def validation_loss(model: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """1 - Dice of the segmentation at 0.5."""
    lesion = (answer(model, batch[0]).argmax(1) == 1).float()
    target = (batch[1] >= 0.5).float()
    both = 2 * (lesion * target).sum((1, 2, 3))
    return 1 - (both / (lesion + target).sum((1, 2, 3)).clamp(min=1)).mean()


def report(start: float, fraction: float, message: str) -> None:
    """One line on the terminal."""
    print(f"\r{100 * fraction:5.1f} %  {time.perf_counter() - start:6.0f} s  {message}", end="", flush=True)


def write_model(folder: Path, found: TrainResult, options: argparse.Namespace) -> None:
    """The model's two files; its scores on lesions it has not seen come from ``bench_interactive_small.py --card``."""
    steps = options.epochs * STEPS_PER_EPOCH
    made = Provenance(
        job="Utilities/train_interactive_small.py",
        engine="MONAI DynUNet",
        options={"lesions": options.lesions, "draws": DRAWS, "steps": steps, **to_json(settings(options.epochs))},
        seed=SEED,
        seconds={"training": sum(epoch.seconds for epoch in found.history)},
    )
    model = TrainedModel(
        provenance=made,
        name=SHIPPED,
        plan=PLAN,
        weights={fold_key(0, name): values for name, values in once(found.best_weights).items()},
        folds=(0,),
        licence="Apache-2.0",
        source="DeepMRI, Utilities/train_interactive_small.py; architecture: DynUNet of MONAI; points as in "
        "InteractiveNet (Spaanderman et al., arXiv 2402.07746)",
        training_data=f"{options.lesions} generated lesions (DeepMRILib.interactive.lesions) with points placed "
        f"{DRAWS} times in each, those whose margin is visible; {2 * steps} samples drawn from them with augmentation. "
        "No image of a patient.",
        metrics={"Dice, generated lesions held out: mean": round(1 - found.best_loss, 4)},
    )
    with replacing_folder(folder) as place:
        write_safetensors(place / WEIGHTS, model.weights)
        whole = replace(model, provenance=replace(made, weights_sha256=sha256_of(place / WEIGHTS)))
        (place / CARD).write_text(whole.card().to_json(), encoding="utf-8")


def settings(epochs: int) -> TrainOptions:
    """Of the training."""
    return TrainOptions(
        device="cpu",
        epochs=epochs,
        batch_size=2,
        max_batches_per_epoch=STEPS_PER_EPOCH,
        optimizer="adamw",
        learning_rate=2.5e-3,
        weight_decay=1e-3,
        schedule="poly",
        patience=0,
        clip_gradient=5.0,
        seed=SEED,
    )


def main() -> None:
    """Generate, train, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--lesions", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=32, help=f"of {STEPS_PER_EPOCH} steps")
    parser.add_argument("--workers", type=int, default=2, help="processes that generate lesions")
    parser.add_argument("--threads", type=int, default=1, help="of the training")
    options = parser.parse_args()
    pool = options.out / "pool"
    pool.mkdir(parents=True, exist_ok=True)
    count = options.lesions // LESIONS_PER_FILE
    with multiprocessing.get_context("spawn").Pool(options.workers) as processes:
        processes.map(functools.partial(write_samples, pool), range(count), chunksize=1)
    torch.set_num_threads(options.threads)
    held_out = Samples.of(range(HELD_OUT, HELD_OUT + 48), 1).visible()
    seed_everything(SEED)
    model = build(PLAN).to(memory_format=torch.channels_last_3d)
    found = train(
        model,
        LesionSet(read_samples(pool, count)),
        loss,
        settings(options.epochs),
        validation=LesionSet(held_out, augmented=False),
        validation_loss=validation_loss,
        checkpoint=options.out / "checkpoint.pt",
        progress=functools.partial(report, time.perf_counter()),
    )
    print()
    for epoch in found.history:
        print(f"{epoch.number:4d} {epoch.loss:.4f} {1 - epoch.validation_loss:.4f} {epoch.seconds:.0f} s")
    write_model(options.out / SHIPPED, found, options)


if __name__ == "__main__":
    main()
