"""Runs the programs by convgrad and PyTorch (if installed); writes output/ and the table in README.md.

`python examples/record.py [names]`, on an idle machine; CONVGRAD_DATA must name the folder with all data.
"""

import argparse
import importlib.util
import os
import resource
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
HELPERS = {"data", "make_checkpoint", "record"}
LIBRARIES = {"convgrad": ["-m", "convgrad.torch"], "PyTorch": []}


def run(program, library, repeat):
    """The output, and the least processor time in seconds of ``repeat`` whole processes with one thread."""
    command = [sys.executable, *LIBRARIES[library], str(program)]
    one = os.environ | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": str(HERE.parent / "src"),
    }
    times = []
    for _ in range(repeat):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True, env=one)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
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
    lines = readme.read_text().splitlines()
    rows = {line.split("`")[1]: line for line in lines if line.startswith("| `")}
    with_torch = importlib.util.find_spec("torch") is not None
    for program in sorted(HERE.glob("*.py")):
        if program.stem not in HELPERS and (not args.names or program.stem in args.names):
            rows[program.name] = row(program, args.repeat, with_torch)
    others = [line for line in lines if not line.startswith("| `")]
    place = others.index("|---|---|---|---|---|---|---|") + 1
    others[place:place] = [rows[name] for name in sorted(rows)]
    readme.write_text("\n".join(others) + "\n")


if __name__ == "__main__":
    main()
