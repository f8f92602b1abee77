"""DeepMRILib: the library behind the DeepMRI extension. Importing it costs nothing."""

__version__ = "0.1.0"
