# What lets another extension find this one's build tree.
file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/${EXTENSION_NAME}Config.cmake" @ONLY
  CONTENT "set(@EXTENSION_NAME@_SOURCE_DIR \"@CMAKE_SOURCE_DIR@\")\n")
