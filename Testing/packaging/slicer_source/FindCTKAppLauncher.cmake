# The launcher starts a built Slicer; there is none.
set(CTKAppLauncher_FOUND TRUE)
function(ctkAppLauncherConfigureForExecutable)
endfunction()
