"""What clusters must look like to be spaces."""

from __future__ import annotations

import numpy as np
import pytest

from DeepMRILib.pvs import SegmentOptions
from DeepMRILib.pvs.shapes import only_tubes


@pytest.mark.parametrize(("width", "kept"), [(1.0, (1, 2)), (2.0, (1, 2)), (4.0, (1, 2, 4)), (6.0, (1, 2, 4, 6))])
def test_clusters_thicker_than_the_setting_are_left_out(width: float, kept: tuple[int, ...]) -> None:
    score = np.zeros((60, 30, 30), np.float32)
    places = {edge: (slice(2, 50), slice(start, start + edge), slice(5, 5 + edge)) for edge, start in
              ((1, 2), (2, 6), (4, 11), (6, 18))}  # fmt: skip
    for place in places.values():
        score[place] = 0.9
    found = only_tubes(score, SegmentOptions(max_width=width, max_size=1e5))
    assert tuple(edge for edge, place in places.items() if (found[place] > 0).all()) == kept
    assert (found > 0).sum() == sum(48 * edge**2 for edge in kept)
