"""What the panels of all modules share. Imports slicer, qt and ctk: only module files import this package."""
