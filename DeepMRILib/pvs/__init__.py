"""Perivascular spaces of the brain: the SHIVA networks in PyTorch, a network of our own, and filters for thin tubes."""
