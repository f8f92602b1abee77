"""All benchmarks, one after the other; the README's tables come from here.

python Testing/benchmarks/run_all.py
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run every bench_*.py; the exit code is 1 if one of them failed."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}, {platform.system()}\n")
    failed = 0
    for script in sorted(HERE.glob("bench_*.py")):
        print(f"## {script.stem}\n", flush=True)
        failed |= subprocess.run([sys.executable, str(script)], check=False, stderr=subprocess.DEVNULL).returncode != 0
        print(flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
