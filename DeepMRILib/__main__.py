"""``python -m DeepMRILib``: the command line, or with ``worker`` the process that computes for Slicer's panels."""

import sys


def main() -> int:
    """Start the worker or the command line."""
    if sys.argv[1:] == ["worker"]:
        from DeepMRILib import worker

        return worker.main()
    from DeepMRILib import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
