"""A clean MRML scene for each test, and no VTK error that goes unseen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import required

required.need("slicer", "needs Slicer's MRML libraries: pip install slicer-core")


@pytest.fixture
def scene() -> Iterator:
    """``slicer.mrmlScene``, empty before and after; the test fails when VTK reports an error."""
    import slicer
    import vtk
    from slicerapp.scene import bootstrap

    a_scene = bootstrap()
    errors: list[str] = []
    window = vtk.vtkOutputWindow.GetInstance()

    @vtk.calldata_type(vtk.VTK_STRING)
    def note(caller: vtk.vtkObject, event: str, text: str) -> None:
        errors.append(text)

    tag = window.AddObserver("ErrorEvent", note)
    a_scene.Clear(0)
    # In the application it is always there; slicer-core makes it when it is first asked for.
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scene)
    try:
        yield a_scene
        a_scene.Clear(0)
    finally:
        window.RemoveObserver(tag)
    assert not errors, "VTK reported: " + "\n".join(errors)
