"""Slicer's nodes to the library's objects and back. Needs slicer, vtk and numpy; never qt, ctk or the application."""
