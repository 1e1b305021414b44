"""A fuzzing campaign: mutated inputs for all targets, guided by the code that they reach (atheris, libFuzzer).

Usage: scripts/fuzz [SECONDS [TARGET...]]. Seeds are `corpus/TARGET/*`; what they lead to is kept in a temporary folder
alone. An input that breaks a target is told, with the command that keeps it: the campaign then ends with an error.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ringway"]):
    from fuzz.corpus import CORPUS, TARGETS, seeds

INPUT_BYTES_MAX = 4096
MEMORY_MIB_MAX = 2048
INPUT_S_MAX = 10


def main() -> None:
    """Run the campaign that the arguments describe; does not return."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    names = sys.argv[2:] or sorted(TARGETS)
    targets = [TARGETS[name] for name in names]

    def test_one_input(data: bytes) -> None:
        if data:
            targets[data[0] % len(targets)](data[1:])

    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, name in enumerate(names):
        for seed in seeds(name):
            (corpus / f"{name}-{seed.name}").write_bytes(bytes((number,)) + seed.read_bytes())
    sys.stdout.write(
        f"{len(names)} targets, {seconds} s. An input that breaks one is written to {folder}/crash-*: its first byte "
        f"says which target (of {', '.join(f'{n} {name}' for n, name in enumerate(names))}); keep the rest of it in "
        f"{CORPUS.name}/TARGET/ when the fault is mended.\n"
    )
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={INPUT_BYTES_MAX}",
        f"-rss_limit_mb={MEMORY_MIB_MAX}",
        f"-timeout={INPUT_S_MAX}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
