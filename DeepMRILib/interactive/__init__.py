"""Interactive segmentation: a lesion from six points placed just inside its margin (InteractiveNet)."""

from DeepMRILib.interactive.options import SegmentOptions
from DeepMRILib.interactive.result import InteractiveResult
from DeepMRILib.interactive.segmenting import segment

__all__ = ["InteractiveResult", "SegmentOptions", "segment"]
