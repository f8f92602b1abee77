# Asked for by UseSlicer.cmake; scripted modules are not compiled against it.
set(PythonQt_FOUND TRUE)
