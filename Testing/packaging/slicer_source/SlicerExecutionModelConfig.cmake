# Command line modules in C++: Slicer's macros ask for the package, scripted modules use nothing of it.
set(SlicerExecutionModel_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/vtkMacroKitPythonWrap.cmake")
