# Named by UseSlicer.cmake; nothing of it is used by scripted modules.
