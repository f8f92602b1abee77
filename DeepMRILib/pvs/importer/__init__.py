"""Networks of Keras, TensorFlow and ONNX as PyTorch modules, read without TensorFlow and without running their code."""
