"""Training steps of autoencoders (sigmoid, Adam, float32), the zoo's own models beside the same networks in torch.

    python -m benchmarks.autoencoder_step [--seconds 10] [--compiled]

plain: squared error. denoising: 30 % of the pixels masked anew in every step, cross-entropy. All on one thread, in turn,
a few steps each; reported is the best processor time of a step, in microseconds, and symdl's over the best of torch's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

import symdl
from symdl.zoo import Autoencoder, DenoisingAutoencoder

Step = Callable[[], object]
SIZES = ((64, 32, 32), (784, 256, 100), (784, 1000, 100))  # features, units, rows of a batch
KINDS = ("plain", "denoising")
RATE, LOST = 0.003, 0.3


def symdl_step(kind: str, features: int, units: int, x: np.ndarray) -> Step:
    settings: dict[str, Any] = {"sizes": (features, units), "learning_rate": RATE}
    model = (
        Autoencoder(**settings) if kind == "plain" else DenoisingAutoencoder(corruption=LOST, tied=False, **settings)
    )
    return lambda: model.trainer.step(x)


def torch_step(kind: str, features: int, units: int, x: np.ndarray, compiled: bool) -> Step:
    import torch  # a peer

    torch.set_num_threads(1)
    encoder, decoder = torch.nn.Linear(features, units), torch.nn.Linear(units, features)
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=RATE, fused=True)

    def forward(x: Any) -> Any:
        seen = x if kind == "plain" else x * (torch.rand_like(x) >= LOST)
        z = decoder(torch.sigmoid(encoder(seen)))
        if kind == "plain":
            return ((torch.sigmoid(z) - x) ** 2).mean()
        return torch.nn.functional.binary_cross_entropy_with_logits(z, x)

    run, data = (torch.compile(forward) if compiled else forward), torch.from_numpy(x)

    def step() -> float:
        adam.zero_grad()
        loss = run(data)
        loss.backward()
        adam.step()
        return float(loss.detach())

    return step


def best(steps: dict[str, Step], seconds: float) -> dict[str, float]:
    """The least processor time of a step of each, in seconds; the first call of each compiles it."""
    for step in steps.values():
        step()
    found = dict.fromkeys(steps, float("inf"))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, step in steps.items():
            for _ in range(5):
                start = time.thread_time()
                step()
                found[name] = min(found[name], time.thread_time() - start)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="for each network")
    parser.add_argument("--compiled", action="store_true", help="torch.compile too, which takes a minute to compile")
    options = parser.parse_args()
    symdl.config.threads = 1
    rng = np.random.default_rng(0)
    print(f"{'network':<26}" + "".join(f"{name:>16}" for name in ("symdl us", "torch us", "compiled us", "ratio")))
    for features, units, rows in SIZES:
        x = rng.random((rows, features)).astype(np.float32)
        for kind in KINDS:
            steps = {"symdl": symdl_step(kind, features, units, x)}
            for name, compiled in (("eager", False), ("compiled", True)):
                if find_spec("torch") and (options.compiled or not compiled):
                    steps[name] = torch_step(kind, features, units, x, compiled)
            times = best(steps, options.seconds)
            peers = [t for name, t in times.items() if name != "symdl"]
            cells = [
                f"{times[name] * 1e6:>16.0f}" if name in times else f"{'-':>16}"
                for name in ("symdl", "eager", "compiled")
            ]
            ratio = f"{times['symdl'] / min(peers):>16.2f}" if peers else ""
            print(f"{kind:<10} {features}-{units}, {rows:<6}" + "".join(cells) + ratio, flush=True)


if __name__ == "__main__":
    main()
