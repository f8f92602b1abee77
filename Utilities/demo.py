"""The demonstration: make an abdomen-sized phantom, fit it with every method, and write a page beside the truth.

    python Utilities/demo.py --output demo

Everything is done by the command line ``deepmri``, as a user would; only the comparison is computed here. Networks need
PyTorch: without it they are left out, and the page says so.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "Utilities")]

from demo_material import Step
from demo_page import write_page

from DeepMRILib import cli
from DeepMRILib.results import RESULT_FILE

NETWORK_PACKAGES = ("torch", "safetensors")
SMALL = ["--size", "36", "28", "3", "--spacing", "10.4", "10.4", "30"]
EVALUATION = ["--snr", "20", "--n", "5000", "--trainings", "1", "--members", "1"]
QUICK_EVALUATION = ["--snr", "20", "--n", "300", "--squares-size", "20", "--trainings", "1", "--members", "1",
                    "--epochs", "1", "--training-voxels", "2000"]  # fmt: skip


def main() -> int:
    """Run the demonstration; the exit code is that of the first command that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("demo"))
    parser.add_argument("--overwrite", action="store_true", help="replace an older demonstration")
    parser.add_argument("--no-network", action="store_true", help="leave out what needs PyTorch")
    parser.add_argument("--quick", action="store_true", help="small images and hardly any training: to try the page")
    arguments = parser.parse_args()
    output: Path = arguments.output
    if output.exists() and any(output.iterdir()):
        if not arguments.overwrite or not (output / "phantom" / RESULT_FILE).is_file():
            print(f"{output} exists and is not replaced; choose another --output.", file=sys.stderr)
            return 2
        shutil.rmtree(output)
    output.mkdir(parents=True, exist_ok=True)
    left_out = why_no_network(arguments.no_network)
    steps = []
    for name, command in commands(output, network=not left_out, quick=arguments.quick).items():
        print("deepmri " + " ".join(command), flush=True)
        started = time.perf_counter()
        code = cli.main(command)
        if code:
            return code
        steps.append(Step(name, command, time.perf_counter() - started))
    write_page(output, steps, left_out=left_out, quick=arguments.quick)
    print(f"Written: {output / 'index.html'}")
    return 0


def why_no_network(unwanted: bool) -> str:
    """Why networks are left out; empty when they are not."""
    if unwanted:
        return "it was started with --no-network"
    missing = [name for name in NETWORK_PACKAGES if importlib.util.find_spec(name) is None]
    return f"{' and '.join(missing)} cannot be imported here; pip install '.[cli,torch]' brings them" if missing else ""


def commands(output: Path, *, network: bool, quick: bool) -> dict[str, list[str]]:
    """The commands by the folder that each of them makes."""
    series, organs = output / "phantom" / "dwi.nii.gz", ["--labels", str(output / "phantom" / "labels.nii.gz")]
    small, methods = SMALL if quick else [], ["lsq", "segmented", "bayes"]
    made = {"phantom": ["ivim", "phantom", *small]}
    for method in methods:
        made[method] = ["ivim", "fit", str(series), "--method", method, *organs]
    if network:
        other = output / "other_subject" / "dwi.nii.gz"
        short = ["--members", "1", "--epochs", "1"] if quick else ["--members", "3"]
        made["other_subject"] = ["ivim", "phantom", "--subject", "1", "--seed", "1", *small]
        made["network"] = ["ivim", "train", str(series), str(other), "--name", "demo", *short]
        made["ivimnet"] = ["ivim", "apply", str(output / "network"), str(series), *organs]
        methods = [*methods, "ivimnet"]
    made["evaluation"] = ["ivim", "evaluate", "--methods", *methods, *(QUICK_EVALUATION if quick else EVALUATION)]
    return {name: [*command, "-o", str(output / name)] for name, command in made.items()}


if __name__ == "__main__":
    sys.exit(main())
