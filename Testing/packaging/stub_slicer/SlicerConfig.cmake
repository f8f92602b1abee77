# A stand-in for Slicer's CMake package, enough for an extension of scripted modules:
#   cmake -DSlicer_DIR=Testing/packaging/stub_slicer <extension>
# Stricter than Slicer: a file that two modules install to one place is an error with every generator.
set(Slicer_REVISION "34000")
set(Slicer_OS "linux")
set(Slicer_ARCHITECTURE "amd64")
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR "lib/Slicer-5.12/qt-scripted-modules")
set(Slicer_SHARE_DIR "share/Slicer-5.12")

set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/GenerateConfig.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/ExtensionCPack.cmake")
