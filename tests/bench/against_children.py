"""Programs that time steps on request: `moelab bench --serve` and the peers of peers/protocol.py."""
from __future__ import annotations

import os
import select
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, NamedTuple


class Failed(Exception):
    """A program could not start or answer; the message is the reason."""


class Answer(NamedTuple):
    wall: float  # seconds a step
    processor: float  # of all threads
    loss: float


@dataclass
class Child:
    """A program pinned to `cores`; it starts when it is first asked."""

    command: list[str]
    cores: set[int]
    environment: dict[str, str]
    patience: float = 900  # seconds: torch.compile takes minutes for a large model
    greeting: str = ""  # what follows "ready"
    process: subprocess.Popen[bytes] | None = None
    errors: IO[bytes] | None = None
    never: str = field(default="", init=False)  # why it cannot be started

    def pinned(self) -> Callable[[], None]:
        # Before it runs: libraries count the cores that they may use when they are loaded.
        return lambda: os.sched_setaffinity(0, self.cores)

    def start(self) -> None:
        if self.process is not None and self.process.poll() is None:
            return
        if self.never:
            raise Failed(self.never)
        self.stop()
        self.errors = tempfile.TemporaryFile()
        try:
            self.process = subprocess.Popen(self.command, env=os.environ | self.environment, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=self.errors, preexec_fn=self.pinned())
            first = self.line()
            if first.split()[:1] != ["ready"]:
                raise Failed(f"it began with '{first}'")
            self.greeting = first.removeprefix("ready").strip()
        except (Failed, OSError) as reason:
            self.stop()
            self.never = str(reason)
            raise Failed(self.never) from reason

    def ask(self, request: str) -> Answer:
        self.start()
        assert self.process is not None and self.process.stdin is not None
        try:
            self.process.stdin.write(f"{request}\n".encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # its last words are the better reason
        line = self.line()
        try:
            answer = Answer(*(float(word) for word in line.split()))
        except (TypeError, ValueError):
            raise Failed(line.removeprefix("error: ")) from None
        if not all(x == x and abs(x) < float("inf") for x in answer):
            raise Failed(f"it answered {line}")
        return answer

    def line(self) -> str:
        """Its next line; it writes one at a time, so none waits in a buffer."""
        assert self.process is not None and self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], self.patience)[0]:
            self.stop()
            raise Failed(f"no answer within {self.patience:.0f} s")
        line = self.process.stdout.readline().decode(errors="replace").strip()
        if not line:
            code = self.process.wait()
            raise Failed(f"it ended with code {code}: {self.last_words()}")
        return line

    def last_words(self) -> str:
        if self.errors is None:
            return "nothing was said"
        self.errors.seek(0)
        lines = [line.strip() for line in self.errors.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1][:300] if lines else "nothing was said"

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                try:
                    if pipe is not None:
                        pipe.close()
                except OSError:  # what it was not told in time
                    pass
        if self.errors is not None:
            self.errors.close()
        self.process = self.errors = None
