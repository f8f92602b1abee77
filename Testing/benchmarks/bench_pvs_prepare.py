"""From images to the box of 1 mm and back: errors of places, Dice of the approximate mask, seconds.

    python Testing/benchmarks/bench_pvs_prepare.py [--seeds 3]

Needs the real data (../shared/data or DEEPMRI_TEST_DATA). The brains of the drawn heads are known; the mask that comes
with the real T1 is a warped template and no truth. The FLAIRs are drawn from T1s by inverting tissue against fluid.
Seconds are of the processor and of the clock.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "library")]

from pvs_prepare_heads import CONTRASTS, dice, label_map, rendered, true_brain
from test_pvs_prepare import GRIDS, SPOTS, ball, grid, turned

from DeepMRILib.errors import InputError
from DeepMRILib.pvs.brainlabels import brain_of_labels
from DeepMRILib.pvs.brainmask import approximate_brain
from DeepMRILib.pvs.options import SegmentOptions
from DeepMRILib.pvs.prepare import prepare
from DeepMRILib.volume import LabelVolume, Volume

DATA = Path(os.environ.get("DEEPMRI_TEST_DATA", ROOT.parent / "shared" / "data"))


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="heads drawn in each contrast")
    seeds = parser.parse_args().seeds
    print(f"load of the computer {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "")
    print_round_trips()
    print_masks(seeds)
    print_flairs()


def print_round_trips() -> None:
    """Largest distance in mm of the spots' centres of mass from the truth."""
    for name, how in GRIDS.items():
        affine, shape = grid(*how)
        image, mask = ball(affine, shape, width=4.0 if "5 mm" in name else 2.5)
        begin = time.process_time(), time.perf_counter()
        ready = prepare({"t1": image}, SegmentOptions(), brain_mask=mask)
        probability = np.clip((ready.problem.images["t1"] - 150) / 250, 0, 1)
        native = ready.to_native(probability)
        errors = [error(probability, ready.problem.affine), error(native, affine)]
        print(f"{name:20s} box {errors[0]:.3f} mm, native {errors[1]:.3f} mm; {seconds(begin)}")


def error(values: np.ndarray, affine: np.ndarray) -> float:
    """The largest distance of a spot found from the nearest true one."""
    parts, count = ndimage.label(values > 0.05)
    centres = np.array(ndimage.center_of_mass(values, parts, range(1, count + 1))) @ affine[:3, :3].T + affine[:3, 3]
    return float(np.linalg.norm(centres[:, None] - SPOTS, axis=2).min(axis=1).max())


def print_masks(seeds: int) -> None:
    """Dice of the approximate mask."""
    labels = label_map(DATA)
    truth = true_brain(labels)
    for contrast in CONTRASTS:
        for seed in range(20, 20 + seeds):
            head = rendered(labels, contrast, seed)
            print_mask(f"drawn {contrast}, seed {seed}", head, truth, fluid_bright=contrast == "t2")
    print_mask("real T1 (template, no truth)", t1(), mask().array > 0)
    print_mask("real T1 without skull (aseg)", stripped(), aseg())


def print_mask(name: str, head: Volume, truth: np.ndarray, *, fluid_bright: bool = False) -> None:
    """One line."""
    begin = time.process_time(), time.perf_counter()
    found = approximate_brain(head, fluid_bright).on(head.affine, head.shape)
    millilitres = found.sum() * head.voxel_volume / 1000, truth.sum() * head.voxel_volume / 1000
    print(
        f"{name:30s} Dice {dice(found, truth):.3f}, {millilitres[0]:.0f} of {millilitres[1]:.0f} ml; {seconds(begin)}"
    )


def print_flairs() -> None:
    """Errors of the registration, and what is said of another head."""
    own = mask()
    flair, other = drawn_flair(t1(), own.array > 0), drawn_flair(stripped(), aseg())
    for degrees, shift in (((0, 0, 0), (0, 0, 0)), ((15, -5, 10), (30, -10, 5)), ((-10, 12, -15), (-15, 20, -30))):
        centre = flair.ras_from_voxel(np.argwhere(own.array > 0).mean(axis=0))[0]
        move = np.eye(4)
        move[:3, :3] = turned(*degrees)
        move[:3, 3] = centre - move[:3, :3] @ centre + shift
        begin = time.process_time(), time.perf_counter()
        away = Volume(flair.array, move @ flair.affine)
        ready = prepare({"t1": t1(), "flair": away}, SegmentOptions(), brain_mask=own)
        rows = {row["check"]: row["value"] for row in ready.qc if row["check"].startswith("FLAIR")}
        said = ", ".join(f"{name} {value:.2f}" for name, value in rows.items())
        print(f"FLAIR turned {degrees}, moved {np.linalg.norm(shift):.2f} mm: {said}; {seconds(begin)}")
    print_refusal(t1(), own, other)
    print_refusal(stripped(), Volume(aseg(), stripped().affine), flair)


def print_refusal(image: Volume, brain: Volume, strange: Volume) -> None:
    """What is said of another head's FLAIR."""
    try:
        prepare({"t1": image, "flair": strange}, SegmentOptions(), brain_mask=brain)
    except InputError as refused:
        print(f"FLAIR of another head refused: {refused}")
    else:
        print("FLAIR of another head: TAKEN")


def drawn_flair(volume: Volume, brain: np.ndarray) -> Volume:
    """A T1 with tissue inverted and fluid left dark."""
    values = np.clip(volume.array / np.percentile(volume.array[brain], 99), 0, 1.5)
    inverted = np.where(values < 0.35, 0.8 * values, np.maximum(0, 1.25 - values))
    noise = 0.02 * np.random.default_rng(0).standard_normal(values.shape)
    return Volume((300 * (ndimage.gaussian_filter(inverted, 0.7) + noise)).astype(np.float32), volume.affine)


def t1() -> Volume:
    """The real T1 of a whole head."""
    return _loaded("t1_uih_A/uihA_t1_1mm_defaced.nii.gz")


def mask() -> Volume:
    """Its mask, a warped template."""
    return _loaded("t1_uih_A/uihA_approx_brainmask.nii.gz")


def stripped() -> Volume:
    """A real T1 without skull."""
    return _loaded("seg_vxm_brain/vxm_test_scan_t1.nii.gz")


def aseg() -> np.ndarray:
    """What FreeSurfer's labels cover of it, bool."""
    labels = _loaded("seg_vxm_brain/vxm_test_scan_aseg.nii.gz")
    return brain_of_labels(LabelVolume(labels.array, labels.affine)).values


def seconds(begin: tuple[float, float]) -> str:
    """Processor and clock since then."""
    return f"processor {time.process_time() - begin[0]:.1f} s, clock {time.perf_counter() - begin[1]:.1f} s"


def _loaded(name: str) -> Volume:
    import nibabel

    loaded = nibabel.load(DATA / name)
    return Volume(np.asanyarray(loaded.dataobj), loaded.affine)


if __name__ == "__main__":
    main()
