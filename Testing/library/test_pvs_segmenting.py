"""``pvs.segment`` as a whole: what its result says of itself, and what it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from DeepMRILib.pvs import SegmentOptions, segment
from DeepMRILib.pvs.example import segment_inputs

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_TORCH = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, Absent())
sys.path.insert(0, sys.argv[1])
from DeepMRILib.errors import DependencyError
from DeepMRILib.pvs import SegmentOptions, segment
try:
    segment({"t1": None}, SegmentOptions(engine="network"))
except DependencyError as error:
    print(error)
"""


def test_a_network_without_pytorch_is_told_before_the_image_is_looked_at() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, str(ROOT)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Segmenting with a network needs the Python package torch")


def test_the_result_says_where_its_brain_mask_is_from() -> None:
    inputs = segment_inputs()
    t1, labels, mask = inputs["t1"], inputs["parcellation"], inputs["brain_mask"]
    options = SegmentOptions(scales=(0.8,))
    by_labels = segment({"t1": t1}, options, parcellation=labels)
    by_mask = segment({"t1": t1}, options, brain_mask=mask, parcellation=labels)
    assert by_labels.provenance.inputs["brain_mask"] == "of the parcellation"
    assert by_mask.provenance.inputs["brain_mask"] == "given"
    meanings = [dict(zip(r.qc.columns["check"], r.qc.columns["meaning"], strict=True)) for r in (by_labels, by_mask)]
    assert "what the parcellation covers" in meanings[0]["brain volume"]
    assert "the mask that was given" in meanings[1]["brain volume"]
    assert not any("approximate" in note for note in by_labels.provenance.notes)
