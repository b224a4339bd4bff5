"""The Python environment of the peers: made once, with pinned versions."""
from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

# By what needs them, so that one that cannot be installed leaves the others.
PACKAGES = {"tensorflow": ["keras==3.15.1", "tensorflow-cpu==2.21.0", "numpy==2.4.6"],
            "jax": ["keras==3.15.1", "jax==0.10.2", "jaxlib==0.10.2", "numpy==2.4.6"],
            "torch": ["torch==2.15.0", "numpy==2.4.6"]}
LARGE = {"tensorflow": "1.5 GB", "jax": "0.5 GB", "torch": "5.5 GB, since its wheel brings CUDA's libraries along"}

INSTALLED = """
import sys
from importlib.metadata import version
sys.exit(any(version(p.split("==")[0]) != p.split("==")[1] for p in sys.argv[1:]))
"""


def has(python: Path, packages: list[str]) -> bool:
    return subprocess.run([python, "-c", INSTALLED, *packages], stderr=subprocess.DEVNULL, check=False).returncode == 0


def size_of(folder: Path) -> int:
    return sum(os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(folder) for name in names)


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "nothing was said"


def make_environment(folder: Path, groups: list[str]) -> dict[str, Path | str]:
    """A Python for each group of packages, or in its place why there is none."""
    python = folder / "bin" / "python"
    missing = [g for g in groups if not python.exists() or not has(python, PACKAGES[g])]
    if not missing:
        return {g: python for g in groups}
    for group in missing:
        print(f"Installs {', '.join(PACKAGES[group])} into {folder} (about {LARGE[group]}).", flush=True)
    try:
        if not python.exists():
            venv.create(folder, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = f"{folder} could not be made: {error}"
        return {g: why for g in groups}
    found: dict[str, Path | str] = {g: python for g in groups}
    for group in missing:
        ran = subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES[group]], text=True, check=False,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if ran.returncode != 0:
            found[group] = f"pip could not install it: {last_line(ran.stdout)}"
    print(f"{folder} takes {size_of(folder) / 1e9:.1f} GB on disk.", file=sys.stdout, flush=True)
    return found
