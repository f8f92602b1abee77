"""What the PVSSegment panel shows in Slicer's views: the overlay, the place of a cluster, tables and chart."""

from __future__ import annotations

from typing import Any

import slicer
import slicer.util

OPACITY = 0.5


def showOverlay(image: Any, overlay: Any, opacity: float = OPACITY) -> None:
    """Show an image in the slice views with a map over it; with None for the map, the image alone."""
    if image is not None:
        slicer.util.setSliceViewerLayers(background=image, foreground=overlay, foregroundOpacity=opacity)


def jumpTo(position: Any) -> None:
    """Move all slice views to a place in the world, RAS mm, and centre them there."""
    slicer.modules.markups.logic().JumpSlicesToLocation(*(float(value) for value in position), True)
