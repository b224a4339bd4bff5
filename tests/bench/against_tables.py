"""What is measured against whom, the goals, and how the figures are shown."""
from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from against_children import Answer

MOELAB = "moelab"
ONE_THREAD = "moelab, 1 thread"
TORCH_BEST = "PyTorch, best"
LAYER_BEST = "better of loop and grouped_mm"


@dataclass(frozen=True)
class Case:
    name: str  # "2000x32", "2000x32@2" on two threads, "d64-E8"
    group: str  # "seed", "seed-2t", "moe", "seed-cuda", "moe-cuda"
    threads: int
    request: str  # with {variant} and {count}
    device: str = "cpu"

    @property
    def is_layer(self) -> bool:
        return self.request.startswith("moe ")


def seed_case(V: int, B: int, threads: int = 1, device: str = "cpu") -> Case:
    name, group = (f"{V}x{B}", "seed") if threads == 1 else (f"{V}x{B}@{threads}", f"seed-{threads}t")
    return Case(name, group if device == "cpu" else f"{group}-{device}", threads,
                f"seed {V} {B} {{variant}} {{count}}", device)


def layer_case(d: int, E: int, device: str = "cpu") -> Case:
    return Case(f"d{d}-E{E}", "moe" if device == "cpu" else f"moe-{device}", 1,
                f"moe {d} {E} 2048 {{variant}} {{count}}", device)


SEED_SIZES = ((11, 8), (500, 32), (2000, 32), (2000, 128), (8000, 32), (8000, 128))
LAYER_SIZES = ((64, 8), (64, 64), (64, 256), (128, 64), (256, 8), (256, 64))
CASES = [*(seed_case(V, B) for V, B in SEED_SIZES),
         *(seed_case(V, B, 2) for V, B in ((2000, 32), (2000, 128), (8000, 128))),
         *(layer_case(d, E) for d, E in LAYER_SIZES),
         *(seed_case(V, B, device="cuda") for V, B in SEED_SIZES),
         *(layer_case(d, E, device="cuda") for d, E in (*LAYER_SIZES, (1024, 8)))]
GROUPS = {"seed": "The seed model's training step, 1 thread", "seed-2t": "The seed model's training step, 2 threads",
          "moe": "The mixture layer: top-2, 2,048 tokens, 4 d hidden units, forward and backward, 1 thread",
          "seed-cuda": "The seed model's training step on the GPU",
          "moe-cuda": "The mixture layer on the GPU: top-2, 2,048 tokens, 4 d hidden units, forward and backward"}


@dataclass(frozen=True)
class Row:
    label: str
    peer: str
    variant: str


SEED_ROWS = [Row("Keras TensorFlow fit", "keras-tensorflow", "fit"),
             Row("Keras TensorFlow train_on_batch", "keras-tensorflow", "train_on_batch"),
             Row("Keras TensorFlow train_on_batch, XLA", "keras-tensorflow", "train_on_batch_xla"),
             Row("Keras JAX fit", "keras-jax", "fit"),
             Row("JAX by hand", "jax", "step"),
             Row("PyTorch eager", "torch", "eager"),
             Row("PyTorch, fused Adam", "torch", "fused"),
             Row("PyTorch, batched experts, fused Adam", "torch", "batched"),
             Row("PyTorch, torch.compile, batched, fused", "torch", "compiled")]
LAYER_ROWS = [Row("PyTorch, loop over experts", "torch-moe", "loop"),
              Row("PyTorch, grouped_mm", "torch-moe", "grouped")]
CUDA_SEED_ROWS = [Row("PyTorch eager", "torch", "eager"),
                  Row("PyTorch, fused Adam", "torch", "fused"),
                  Row("PyTorch, torch.compile reduce-overhead", "torch", "reduce-overhead"),
                  Row("PyTorch, CUDA graph by hand", "torch", "graph")]
# PyTorch's grouped product is one kernel in bfloat16 alone; in float32 it is a loop that waits for the experts' counts.
CUDA_LAYER_ROWS = [Row("PyTorch, loop over experts", "torch-moe", "loop"),
                   Row("PyTorch, grouped_mm", "torch-moe", "grouped"),
                   Row("PyTorch, grouped_mm in bfloat16", "torch-moe", "grouped-bfloat16")]
ROWS = {"seed": SEED_ROWS, "seed-2t": SEED_ROWS, "moe": LAYER_ROWS,
        "seed-cuda": CUDA_SEED_ROWS, "moe-cuda": CUDA_LAYER_ROWS}
BEST = {"seed": TORCH_BEST, "seed-2t": TORCH_BEST, "moe": LAYER_BEST,
        "seed-cuda": TORCH_BEST, "moe-cuda": LAYER_BEST}
BEST_OF = {"torch": TORCH_BEST, "torch-moe": LAYER_BEST}

# (case, row): times slower than moelab at least, and the stretch where there is one.
CPU_GOALS: dict[tuple[str, str], tuple[float, float | None]] = {
    ("11x8", "Keras TensorFlow fit"): (100, None),
    ("11x8", "PyTorch eager"): (30, None),
    ("11x8", "JAX by hand"): (5, 10),
    ("2000x32", "Keras TensorFlow train_on_batch"): (8, None),
    ("2000x32", "Keras JAX fit"): (4, None),
    ("2000x32", "PyTorch eager"): (6.5, None),
    ("2000x32", TORCH_BEST): (4, None),
    ("2000x32", "JAX by hand"): (2.7, 3.5),
    ("8000x128", "Keras TensorFlow fit"): (4, None),
    ("8000x128", "Keras TensorFlow train_on_batch"): (4, None),
    ("8000x128", TORCH_BEST): (2.4, None),
    ("8000x128", "JAX by hand"): (2, 2.5),
    ("2000x32@2", ONE_THREAD): (1.5, None),
    ("2000x128@2", ONE_THREAD): (1.5, None),
    ("8000x128@2", ONE_THREAD): (1.75, None),
    ("d256-E8", LAYER_BEST): (1.15, 1.5),
    ("d256-E64", LAYER_BEST): (1.6, 2),
    ("d64-E64", LAYER_BEST): (2.5, 3.5),
    ("d64-E256", LAYER_BEST): (2.1, 4),
}
CUDA_GOALS: dict[tuple[str, str], tuple[float, float | None]] = {
    ("2000x32", "PyTorch eager"): (20, None),
    ("2000x32", "PyTorch, torch.compile reduce-overhead"): (5, None),
    **{(f"d{d}-E{E}", label): (goal, None) for d, E in LAYER_SIZES
       for label, goal in (("PyTorch, loop over experts", 10), ("PyTorch, grouped_mm", 1.5),
                           ("PyTorch, grouped_mm in bfloat16", 1.5))},
}
GOALS = {"cpu": CPU_GOALS, "cuda": CUDA_GOALS}
# moelab's own time a step in seconds, at most.
CUDA_LIMITS = {"2000x32": 30e-6}
LIMITS = {"cpu": {}, "cuda": CUDA_LIMITS}


def figure(value: float) -> str:
    """Three digits, and no exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def spread(values: list[float]) -> str:
    return f"{figure(min(values))}..{figure(max(values))}"


def shown_time(seconds: list[float], with_range: bool = False) -> str:
    middle = statistics.median(seconds)
    unit, size = ("us", 1e6) if middle < 1e-3 else ("ms", 1e3)
    text = f"{figure(middle * size)} {unit}"
    return f"{text:>8} [{spread([s * size for s in seconds])}]" if with_range else text


@dataclass
class Line:
    """One row of a case: its answers, a round each, in the order of moelab's own."""

    label: str
    answers: list[Answer]
    ratios: list[float] = field(default_factory=list)  # its time over moelab's of the same round
    note: str = ""

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def wall(self) -> float:
        return statistics.median(a.wall for a in self.answers)

    def met(self, case: Case) -> bool | None:
        """Whether its goal is met; None where it has none."""
        if self.label == MOELAB:
            limit = LIMITS[case.device].get(case.name)
            return None if limit is None else self.wall <= limit
        goal = GOALS[case.device].get((case.name, self.label))
        return None if goal is None else self.ratio >= goal[0]

    def verdict(self, case: Case) -> str:
        met = self.met(case)
        if met is None:
            return ""
        if self.label == MOELAB:
            return f"at most {shown_time([LIMITS[case.device][case.name]])}: {'met' if met else 'missed'}"
        goal, stretch = GOALS[case.device][case.name, self.label]
        text = f"goal {goal:g}: {'met' if met else 'missed'}"
        if stretch is not None:
            text += f"; stretch {stretch:g}: {'met' if self.ratio >= stretch else 'missed'}"
        return text

    def shown(self, case: Case) -> str:
        times = shown_time([a.wall for a in self.answers], with_range=True)
        busy = statistics.median(a.processor / a.wall for a in self.answers)
        ratio = "" if self.label == MOELAB else f"{figure(self.ratio):>5}x [{spread(self.ratios)}]"
        return f"  {self.label:<38} {times:<26} {busy:4.2f} {ratio:<21} {self.note} {self.verdict(case)}".rstrip()

    def as_json(self, case: Case) -> dict[str, object]:
        goal, stretch = GOALS[case.device].get((case.name, self.label), (None, None))
        return {"row": self.label, "wall_seconds": [a.wall for a in self.answers],
                "processor_seconds": [a.processor for a in self.answers], "loss": self.answers[-1].loss,
                "ratios": self.ratios, "ratio": self.ratio, "goal": goal, "stretch": stretch,
                "met": self.met(case), "note": self.note}


@dataclass
class Result:
    case: Case
    lines: list[Line]  # moelab first

    def find(self, label: str) -> Line | None:
        return next((line for line in self.lines if line.label == label), None)

    def shown(self) -> str:
        head = f"{self.case.name}: time a step [range], processor over wall, times slower than moelab [range]"
        return "\n".join([head, *(line.shown(self.case) for line in self.lines)])

    def as_json(self) -> dict[str, object]:
        return {"case": self.case.name, "group": self.case.group, "threads": self.case.threads,
                "rows": [line.as_json(self.case) for line in self.lines]}


def with_best(case: Case, lines: list[Line], peers: dict[str, str]) -> list[Line]:
    """`lines` and, after the rows of PyTorch, the fastest of these; peers: each row's peer."""
    best = BEST[case.group]
    rivals = [line for line in lines if BEST_OF.get(peers.get(line.label, "")) == best]
    if not rivals:
        return lines
    fastest = min(rivals, key=lambda line: line.ratio)
    note = f"({fastest.label.removeprefix('PyTorch').removeprefix(',').strip()})"
    return [*lines, Line(best, fastest.answers, fastest.ratios, note)]


def cell(result: Result, label: str) -> str:
    line = result.find(label)
    if line is None:
        return "-"
    met = line.met(result.case)
    if label == MOELAB:
        text, goal = shown_time([a.wall for a in line.answers]), LIMITS[result.case.device].get(result.case.name, 0)
        return text + ("" if met is None else f" ({shown_time([goal])}: {'met' if met else 'missed'})")
    goal = GOALS[result.case.device].get((result.case.name, label), (0,))[0]
    return figure(line.ratio) + ("" if met is None else f" ({goal:g}: {'met' if met else 'missed'})")


def markdown(group: str, results: list[Result]) -> str:
    """Times slower than moelab, medians; in brackets the goal."""
    labels = [row.label for row in ROWS[group]] + [BEST[group]] + ([ONE_THREAD] if group == "seed-2t" else [])
    table = [["", *(r.case.name for r in results)],
             *([label, *(cell(r, label) for r in results)] for label in [MOELAB, *labels])]
    text = [f"| {' | '.join(cells)} |" for cells in table]
    return "\n".join([f"{GROUPS[group]}: times slower than moelab (goal)", "", text[0],
                      "|---" * len(table[0]) + "|", *text[1:]])


def goals_met(results: list[Result]) -> str:
    met = [good for r in results for line in r.lines if (good := line.met(r.case)) is not None]
    return f"{sum(met)} of {len(met)} goals met."
