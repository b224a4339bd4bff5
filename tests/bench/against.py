#!/usr/bin/env python3
"""Times moelab against Keras, JAX and PyTorch on this machine, side by side; with --device cuda against PyTorch on the GPU.

`moelab bench --serve` and the programs of tests/bench/peers/ train the same model and take turns, round by round, pinned
to the same cores; of each round the peer's time is divided by moelab's, and the median of these ratios stands next to its
goal. A peer that cannot be installed or run is named in a sentence, and the rest goes on. The peers' Python environment is
made where it is missing (about 8 GB). Exit code 0 also where goals are missed, since figures are for people; 1 where a loss
does not fall as it must, so that somebody does other work.

On the GPU, too, seconds are the wall's over many steps, from an idle GPU until it is idle again, with clocks left alone.
moelab reads loss and load of every step there, as its training does; the peers read the loss once a request, at its end:
what waiting for every step costs is in moelab's figure alone. All compute in float32 without TF32; where a row says
bfloat16, its experts do not. Without a GPU that moelab can use --device cuda says why, with exit code 1.
"""
from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from against_children import Answer, Child, Failed
from against_environment import PACKAGES, make_environment
from against_tables import (CASES, GROUPS, MOELAB, ONE_THREAD, ROWS, Case, Line, Result, Row, goals_met, markdown,
                            seed_case, with_best)

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAMS = {"keras-tensorflow": "keras_peer.py", "keras-jax": "keras_peer.py", "jax": "jax_peer.py",
            "torch": "torch_seed_peer.py", "torch-moe": "torch_mixture_peer.py"}
PACKAGES_OF = {"keras-tensorflow": "tensorflow", "keras-jax": "jax", "jax": "jax", "torch": "torch",
               "torch-moe": "torch"}
CHECKED_STEPS = 550  # ten epochs of 500x32


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = {device: [c.name for c in CASES if c.device == device] for device in ("cpu", "cuda")}
    groups = {device: list(dict.fromkeys(c.group for c in CASES if c.device == device)) for device in names}
    parser.add_argument("--moelab", type=Path, default=ROOT / "build/release/app/moelab", metavar="FILE",
                        help="the program to measure (build/release/app/moelab)")
    parser.add_argument("--venv", type=Path, default=ROOT / "build/against-venv", metavar="DIR",
                        help="the peers' Python environment (build/against-venv): "
                        + "; ".join(", ".join(p) for p in PACKAGES.values()))
    parser.add_argument("--python-tf", type=Path, metavar="FILE",
                        help="a Python that has Keras, TensorFlow and JAX, in the environment's place")
    parser.add_argument("--python-torch", type=Path, metavar="FILE",
                        help="a Python that has PyTorch, in the environment's place")
    parser.add_argument("--device", choices=list(names), default="cpu", help="where all of them compute (cpu)")
    parser.add_argument("--cases", metavar="NAME,...",
                        help="only these, of " + "; with --device cuda of ".join(
                            f"{', '.join(groups[device])} (whole tables), {', '.join(names[device])}" for device in names))
    parser.add_argument("--peers", metavar="NAME,...",
                        help=f"only these, of {', '.join(PROGRAMS)}; with --device cuda of torch, torch-moe")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds a case (9, with --quick 3)")
    parser.add_argument("--quick", action="store_true", help="few short rounds: whether it works, no figures to keep")
    parser.add_argument("--no-check", action="store_true",
                        help="leave out the first look whether everybody's loss falls from ln V")
    parser.add_argument("--within", type=float, default=math.inf, metavar="SECONDS",
                        help="begin no further case after so many seconds")
    parser.add_argument("--cores", metavar="I,J",
                        help="run on these cores (the last ones that this process may use: 2, with --device cuda 4)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure of every round here")
    given = parser.parse_args()
    given.rounds = (3 if given.quick else 9) if given.rounds is None else given.rounds
    named = chosen(parser, "--cases", given.cases, [*groups[given.device], *names[given.device]])
    given.cases = [c for c in CASES
                   if c.device == given.device and (not named or c.name in named or c.group in named)]
    given.peers = peers_of(parser, given)
    if given.rounds < 1:
        parser.error("--rounds takes a whole number from 1")
    if not given.moelab.is_file():
        parser.error(f"there is no {given.moelab}: build the release preset's target moelab, or name one by --moelab")
    for option, python in (("--python-tf", given.python_tf), ("--python-torch", given.python_torch)):
        if python is not None and not python.is_file():
            parser.error(f"{option} names {python}, which is no file")
    idle = [c for c in given.cases if not any(row.peer in given.peers for row in ROWS[c.group])]
    if named and idle:
        parser.error(f"none of {', '.join(given.peers)} runs {idle[0].name}; "
                     f"{', '.join(sorted({row.peer for row in ROWS[idle[0].group]}))} would")
    given.cases = [c for c in given.cases if c not in idle]
    may = sorted(os.sched_getaffinity(0))
    try:
        # PyTorch's backward pass on a GPU has a thread of its own.
        given.cores = ([int(c) for c in given.cores.split(",")] if given.cores
                       else may[-2:] if given.device == "cpu" else may[-4:])
    except ValueError:
        parser.error(f"--cores cannot be '{given.cores}': it takes numbers of cores, as 0,1")
    if not set(given.cores) <= set(may):
        parser.error(f"--cores takes cores of {', '.join(map(str, may))}")
    return given


def chosen(parser: argparse.ArgumentParser, option: str, text: str | None, known: list[str]) -> list[str]:
    names = text.split(",") if text else []
    for name in names:
        if name not in known:
            parser.error(f"{option} does not know '{name}'; there are {', '.join(known)}")
    return names


def peers_of(parser: argparse.ArgumentParser, given: argparse.Namespace) -> list[str]:
    run = {row.peer for c in CASES if c.device == given.device for row in ROWS[c.group]}
    known = [peer for peer in PROGRAMS if peer in run]
    return chosen(parser, "--peers", given.peers, known) or known


def processor_name() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")


def gpu_name() -> str:
    try:
        ran = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
                             capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "a GPU that nvidia-smi does not name"
    return ", driver ".join(ran.stdout.splitlines()[0].split(", "))


def why_not(given: argparse.Namespace) -> str:
    """Why moelab cannot use the GPU; empty where it can."""
    with ExitStack() as stack:
        child = Child(served(given, 1), set(given.cores), {})
        stack.callback(child.stop)
        try:
            child.start()
        except Failed as why:
            return str(why).removeprefix("it ended with code 1: ").removeprefix(f"{given.moelab.name}: ").rstrip(".")
    return ""


def served(given: argparse.Namespace, threads: int) -> list[str]:
    return [str(given.moelab), "bench", "--serve", "--threads", str(threads), "--device", given.device]


def moelab_version(program: Path) -> str:
    ran = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return ", ".join(line.strip() for line in ran.stdout.splitlines() if line.strip())


def say(text: str = "") -> None:
    print(text, flush=True)


class Field:
    """All programs that take turns, on so many threads."""

    def __init__(self, given: argparse.Namespace, pythons: dict[str, Path | str], threads: int, stack: ExitStack) -> None:
        self.lost: dict[str, str] = {}
        self.children: dict[str, Child] = {}
        self.versions: dict[str, str] = {}
        self.stack = stack
        on_cpu = given.device == "cpu"
        cores = set(given.cores[-threads:] if on_cpu else given.cores)
        # No peer looks for a GPU where none is asked for, and none starts more threads than it may use.
        environment = {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3",
                       "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads),
                       "TORCHINDUCTOR_COMPILE_THREADS": "1" if on_cpu else str(len(cores)), "PYTHONDONTWRITEBYTECODE": "1",
                       "TORCHINDUCTOR_CACHE_DIR": str(given.venv / "compiled"), "KERAS_HOME": str(given.venv / "keras")}
        if on_cpu:
            environment["CUDA_VISIBLE_DEVICES"] = ""
        if threads == 1:
            environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
        self.add(MOELAB, served(given, threads), cores, {})
        if threads > 1:
            self.add(ONE_THREAD, served(given, 1), {given.cores[-1]}, {})
        for peer in given.peers:
            python = pythons[PACKAGES_OF[peer]]
            if isinstance(python, str):
                self.lose(peer, python)
                continue
            backend = {"KERAS_BACKEND": peer.removeprefix("keras-")} if peer.startswith("keras-") else {}
            self.add(peer, [str(python), str(HERE / "peers" / PROGRAMS[peer]), str(threads),
                            *([] if on_cpu else [given.device])], cores, environment | backend)

    def add(self, name: str, command: list[str], cores: set[int], environment: dict[str, str]) -> None:
        self.children[name] = Child(command, cores, environment)
        self.stack.callback(self.children[name].stop)

    def lose(self, name: str, why: str) -> None:
        if name not in self.lost:
            say(f"{name} is left out: {why}.")
        self.lost[name] = why

    def start(self, name: str) -> bool:
        if name in self.lost or name not in self.children:
            return False
        try:
            self.children[name].start()
        except Failed as why:
            if name == MOELAB:
                raise
            self.lose(name, str(why))
            return False
        self.versions[name] = self.children[name].greeting
        return True

    def rows(self, case: Case) -> list[Row]:
        """Who takes part: moelab first."""
        rows = [Row(MOELAB, MOELAB, "top2" if case.is_layer else "dense")]
        if ONE_THREAD in self.children:
            rows.append(Row(ONE_THREAD, ONE_THREAD, "dense"))
        rows += ROWS[case.group]
        return [row for row in rows if self.start(row.peer)]

    def ask(self, row: Row, case: Case, count: int) -> Answer:
        return self.children[row.peer].ask(case.request.format(variant=row.variant, count=count))


def check(field: Field, checked: Case) -> bool:
    """Whether every loss begins at ln V and falls."""
    right = True
    guess = math.log(int(checked.request.split()[1]))
    say(f"Loss of {checked.name} at first and after {CHECKED_STEPS} steps; ln V is {guess:.3f} (fit: the mean of an epoch):")
    for row in field.rows(checked):
        try:
            first, last = field.ask(row, checked, 1).loss, field.ask(row, checked, CHECKED_STEPS).loss
        except Failed as why:
            say(f"  {row.label:<38} failed: {why}.")
            continue
        good = abs(first - guess) < 0.05 * guess and last < 0.98 * guess
        right = right and good
        say(f"  {row.label:<38} {first:.3f} -> {last:.3f}{'' if good else '   WRONG: this is not the same work'}")
    say()
    return right


def counts(field: Field, case: Case, rows: list[Row], seconds: float) -> dict[str, int]:
    """How many steps a round of each takes; rows that fail are missing."""
    found = {}
    for row in rows:
        try:
            field.ask(row, case, 1)  # warms up
            found[row.label] = max(1, math.ceil(seconds / field.ask(row, case, 2).wall))
        except Failed as why:
            say(f"{row.label} has no figure for {case.name}: {why}.")
            if row.label == MOELAB:
                raise
    return found


def measure(field: Field, case: Case, rounds: int, seconds: float) -> Result:
    rows = field.rows(case)
    steps = counts(field, case, rows, seconds)
    answers: dict[str, list[Answer]] = {label: [] for label in steps}
    for i in range(rounds):
        # Each round begins with another one: nobody always comes after the same neighbour's cold caches.
        for row in rows[i % len(rows):] + rows[:i % len(rows)]:
            if row.label not in answers:
                continue
            try:
                answers[row.label].append(field.ask(row, case, steps[row.label]))
            except Failed as why:
                if row.label == MOELAB:
                    raise
                say(f"{row.label} has no figure for {case.name}: {why}.")
                del answers[row.label]
    own = answers[MOELAB]
    lines = [Line(label, mine, [a.wall / b.wall for a, b in zip(mine, own)]) for label, mine in answers.items()]
    return Result(case, with_best(case, lines, {row.label: row.peer for row in rows}))


def losses_agree(result: Result) -> bool:
    """Whether PyTorch's ways through the mixture layer, which start from the same numbers, do the same work."""
    losses = {line.label: line.answers[-1].loss for line in result.lines
              if line.answers and line.label.startswith("PyTorch,")}
    exact = [loss for label, loss in losses.items() if "bfloat16" not in label]
    size = max(map(abs, losses.values()), default=0.0)
    good = (max(exact, default=0.0) - min(exact, default=0.0) <= 1e-3 * size
            and max(losses.values(), default=0.0) - min(losses.values(), default=0.0) <= 0.1 * size)
    if not good:
        say(f"  WRONG: {', '.join(f'{label} has a loss of {loss:.6g}' for label, loss in losses.items())}.")
    return good


def measure_all(given: argparse.Namespace, pythons: dict[str, Path | str], report: dict[str, object]) -> list[Result]:
    results: list[Result] = []
    seconds = 0.05 if given.quick else 0.25
    began = time.monotonic()
    for threads in sorted({c.threads for c in given.cases}):
        if threads > len(given.cores):
            say(f"The cases on {threads} threads are left out: there is one core.")
            continue
        with ExitStack() as stack:
            field = Field(given, pythons, threads, stack)
            cases = [c for c in given.cases if c.threads == threads]
            if not given.no_check and not all(c.is_layer for c in cases):
                report["check"] = check(field, seed_case(500, 32, device=given.device)) and report.get("check", True)
            for case in cases:
                if time.monotonic() - began > given.within:
                    say(f"{case.name} is left out: {given.within:g} s are over.")
                    continue
                results.append(measure(field, case, given.rounds, seconds))
                if case.is_layer and not given.no_check:
                    report["check"] = losses_agree(results[-1]) and report.get("check", True)
                say(results[-1].shown() + "\n")
            report["peers"] = {**report.get("peers", {}), **field.versions}
            report["left_out"] = {**report.get("left_out", {}), **field.lost}
    return results


def pythons_of(given: argparse.Namespace) -> dict[str, Path | str]:
    own = {"tensorflow": given.python_tf, "jax": given.python_tf, "torch": given.python_torch}
    pythons: dict[str, Path | str] = {group: path for group, path in own.items() if path is not None}
    needed = sorted({PACKAGES_OF[peer] for peer in given.peers} - set(pythons))
    return pythons | make_environment(given.venv, needed) if needed else pythons


def main() -> int:
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: the programs end with this one
    if given.device != "cpu" and (why := why_not(given)):
        say(f"There are no figures of the GPU, since {given.moelab} could not use one: {why}.")
        return 1
    pythons = pythons_of(given)
    report: dict[str, object] = {"processor": processor_name(), "cores": given.cores, "rounds": given.rounds,
                                 "moelab": str(given.moelab), "moelab_version": moelab_version(given.moelab)}
    if given.device != "cpu":
        report["gpu"] = gpu_name()
        say(f"{report['gpu']}; on the host:")
    say(f"{report['processor']}, cores {given.cores}; {given.moelab}: {report['moelab_version']}")
    say(f"{given.rounds} rounds a case; medians; ranges in brackets.\n")
    try:
        results = measure_all(given, pythons, report)
    except Failed as why:
        say(f"{given.moelab} did not answer: {why}.")
        return 1
    for group in GROUPS:
        of_group = [r for r in results if r.case.group == group]
        if of_group:
            say(markdown(group, of_group) + "\n")
    peers = [f"{name}: {version}" for name, version in report["peers"].items() if version]
    say(f"Peers: {'; '.join(peers) or 'none'}. {goals_met(results)}")
    if given.json is not None:
        given.json.write_text(json.dumps(report | {"cases": [r.as_json() for r in results]}, indent=1) + "\n")
    return 0 if report.get("check", True) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
