"""``python -m DeepMRILib``: the command line, or with ``worker`` the process that computes for Slicer's panels."""

import sys


def main() -> int:
    """Start the worker or the command line."""
    if sys.argv[1:] == ["worker"]:
        from DeepMRILib import worker

        return worker.main()
    try:
        from DeepMRILib import cli

        return cli.main()
    except KeyboardInterrupt:  # while that was being imported
        return 130


if __name__ == "__main__":
    sys.exit(main())
