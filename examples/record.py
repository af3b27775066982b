"""Runs the programs by convgrad and PyTorch (if installed); writes output/ and the table in README.md.

`python examples/record.py [names]`, on an idle machine; CONVGRAD_DATA must name the folder with all data.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
HELPERS = {"data", "make_checkpoint", "record"}
LIBRARIES = {"convgrad": ["-m", "convgrad.torch"], "PyTorch": []}


def run(program, library, repeat):
    """The output and the least of the times in seconds, from start to end of the process, on one core."""
    command = [sys.executable, *LIBRARIES[library], str(program)]
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
        times.append(time.perf_counter() - start)
        if done.returncode:
            sys.exit(f"{program.name} under {library} failed:\n{done.stderr}")
    return done.stdout, min(times)


def row(program, repeat, with_torch):
    """One row of the table; the output under convgrad is written."""
    shows = program.read_text().split('"""')[1].splitlines()[0].rstrip(".")
    text, seconds = run(program, "convgrad", repeat)
    (HERE / "output" / f"{program.stem}.txt").write_text(text)
    metric, _, value = text.splitlines()[-1].rpartition(": ")
    other, other_seconds = "", ""
    if with_torch and "torchvision" not in program.stem:
        text, their_seconds = run(program, "PyTorch", repeat)
        other, other_seconds = text.rpartition(": ")[2].strip(), f"{their_seconds:.1f}"
    print(f"{program.stem:20} {metric}: {value} {other}   {seconds:.1f} s {other_seconds}", flush=True)
    return f"| `{program.name}` | {shows} | {metric} | {value} | {other} | {seconds:.1f} | {other_seconds} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="programs to run anew (default: all)")
    parser.add_argument("--repeat", type=int, default=2)
    args = parser.parse_args()
    readme = HERE / "README.md"
    text = readme.read_text()
    with_torch = importlib.util.find_spec("torch") is not None
    for program in sorted(HERE.glob("*.py")):
        if program.stem in HELPERS or (args.names and program.stem not in args.names):
            continue
        new = row(program, args.repeat, with_torch)
        text, found = re.subn(
            rf"^\| `{program.name}` \|.*$", lambda _, new=new: new, text, flags=re.MULTILINE
        )
        if not found:
            text = text.replace("|---|---|---|---|---|---|---|\n", f"|---|---|---|---|---|---|---|\n{new}\n")
        readme.write_text(text)


if __name__ == "__main__":
    main()
