"""These files are imported by the tests that use them, never collected: ``python/`` has names such as packaging."""

collect_ignore_glob = ["*.py"]
