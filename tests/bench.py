#!/usr/bin/env python3
"""bench.py - how fast is bert.c, what does it cost, and how near is that to what the machine can do? (`make bench`)

    python3 tests/bench.py [--quick] [--plot FILE.svg] [--march x86-64-v3]
                           [--only forward,half,sizes,sentences,embedders,process,memory,growth,tricks]

Writes Markdown tables to standard output and to build/bench.md, a plot to build/speed.svg; tests/SPEED.md and
notebooks/speed.svg are copies of one run.
No speed is asserted; the exit code is 1 if another program's last hidden state is not ours.

How it is measured. One thread everywhere: every program runs on one and the same processor core (taskset) with one
thread asked for. float32, the same weights (tests/bench_models.py writes them in each program's format), the same
ids. The programs take turns: one forward pass each, round after round, after one that does not count; medians over
the rounds. Time is processor time, which other programs on the machine disturb least; on a quiet machine it is the
time on the clock. The limits are measured in the same run by tests/bench_forward.c: how many multiply-adds the core
does when nothing waits, how fast it reads the weights.
--march: bert.c is built for that processor; for x86-64-v3 PyTorch is asked for AVX2, too (OTHERS_AVX2).
bert.c reads the weights from the disk once, at the start, as after a restart of the machine: see forget_weights.

The others are taken from the environment of this python3 ($PYTHON in `make`) where that has the versions pinned in
tests/bench-requirements.txt, else installed into build/bench-venv. gte-pure-C is cloned with git, or $GTE names a
directory that has it; its second build needs OpenBLAS (Debian: libopenblas-dev). What is missing is listed as not
measured, with the reason.
"""
import argparse
import array
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import time

import bench_tricks
import texts

ROOT = pathlib.Path(__file__).resolve().parents[1]
TESTS, WORK, VENV = ROOT / "tests", ROOT / "build" / "bench", ROOT / "build" / "bench-venv"
MODEL = ROOT / "weights" / "bert-base-uncased"
MINILM = ROOT / "weights" / "all-MiniLM-L6-v2"
POCKET = ROOT / "weights" / "pocket"
PINS = dict(
    line.strip().split("==") for line in (TESTS / "bench-requirements.txt").read_text().splitlines() if "==" in line
)
GTE_SOURCE, GTE_COMMIT = "https://github.com/antirez/gte-pure-C", "0c3fee9afcd02848337dcec29bb48824b3d7cab3"
LENGTHS = (8, 22, 128, 512)
CORE = max(os.sched_getaffinity(0))
ONE_THREAD = {
    name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
}
ENVIRONMENT = (
    os.environ | ONE_THREAD | {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(TESTS)}
)


class Missing(Exception):
    """Why something is not measured."""


# ----------------------------------------------------------------------------------------------------------------------
# Processes on one core
# ----------------------------------------------------------------------------------------------------------------------
def pinned(command):
    return ["taskset", "-c", str(CORE), *map(str, command)]


def run(command, **rest):
    """A helper's work: its words are shown only if it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        text=True,
        env=ENVIRONMENT,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **rest,
    )
    if done.returncode:
        raise Missing(f"{' '.join(map(str, command[:4]))} failed: {done.stdout.strip().splitlines()[-1:] or ''}")
    return done.stdout


def whole_process(command):
    """(processor seconds, seconds on the clock, most memory in bytes) of a command, from its start to its end."""
    start = time.perf_counter()
    process = subprocess.Popen(
        pinned(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT, cwd=ROOT
    )
    usage = finished(process, command)
    return processor_seconds(usage), time.perf_counter() - start, usage.ru_maxrss * 1024


def finished(process, command):
    """Waits for the end of a process: what it used."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Missing(f"{command[0]} ends with {process.returncode}")
    return usage


def processor_seconds(usage):
    return usage.ru_utime + usage.ru_stime


def wait_until_idle(process):
    """Returns when a filter has answered all it was given and sleeps, in wait for more: twice in a row."""
    asleep, end = 0, time.monotonic() + 600
    while asleep < 2:
        if time.monotonic() > end:
            process.kill()
        time.sleep(0.05)
        state = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        asleep = asleep + 1 if state in "SZ" else 0  # Z: it has ended, which `finished` will tell


class Worker:
    """A program that answers commands line by line: bench_forward.c, bench_gte.c, bench_peer.py."""

    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen(
            pinned(command),
            text=True,
            env=ENVIRONMENT,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, *words):
        try:
            print(*words, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        if not answer:
            raise Missing(f"{self.name} ended at '{words[0]}' with {self.process.wait()}")
        return answer.split()

    def ms(self, *words):
        return float(self.ask(*words)[0])  # processor time; the second number is the clock's

    def hidden(self, T, gelu="hidden"):
        path = WORK / "hidden"
        self.ask(gelu, T, path)
        return array.array("f", path.read_bytes())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# ----------------------------------------------------------------------------------------------------------------------
# The other programs
# ----------------------------------------------------------------------------------------------------------------------
CHECK = """
import importlib.metadata, sys
for name, version in (pin.split("==") for pin in sys.argv[1:]):
    if importlib.metadata.version(name).split("+")[0] != version:
        sys.exit(1)
"""


def python_with(*names, own=None):
    """A python that has these packages in their pinned versions: this one, or build/bench-venv's; or build/bench-venv-OWN's,
    for those that do not go with the other pins."""
    pins = [f"{name}=={PINS[name]}" if "==" not in name else name for name in names]
    has = lambda python: subprocess.run([python, "-c", CHECK, *pins], stderr=subprocess.DEVNULL).returncode == 0
    if has(sys.executable):
        return sys.executable
    venv = pathlib.Path(f"{VENV}-{own}") if own else VENV
    python = venv / "bin" / "python"
    if not python.exists():
        run([sys.executable, "-m", "venv", "--system-site-packages", venv])
    if not has(python):
        print("installing", *pins, file=sys.stderr)
        run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pins])
    return python


def converted(form, suffix, *packages, model=MODEL):
    """A model in another program's format, made once."""
    path = WORK / f"{model.name}{suffix}"
    if not path.exists():
        run([python_with(*packages, "numpy", "safetensors"), TESTS / "bench_models.py", form, model, path])
    return path


def onnx_file(form="onnx", suffix=".onnx", model=MODEL):
    return converted(form, suffix, "torch", "transformers", "onnx", "onnxscript", model=model)


def forget_weights():
    """The weights leave the page cache, so that bert.c reads them from the disk, in pages of 2 MB where it can."""
    with open(MODEL / "model.safetensors", "rb") as f:
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


march = None  # --march


def bert(cc, model=MODEL):
    program = ROOT / "build" / f"bench-forward-{cc}{'-' + march if march else ''}"
    if not shutil.which(cc):
        raise Missing(f"{cc} is not installed")
    flags = [f"CFLAGS=-O3 -march={march} -mtune=generic -falign-loops=32"] if march else []
    run(["make", "-s", f"CC={cc}", *flags, f"BENCH_FORWARD=build/{program.name}", f"build/{program.name}"])
    return [program, model]


def gte(blas):
    source = pathlib.Path(os.environ.get("GTE") or WORK / "gte-pure-C")
    if not source.exists():
        run(["git", "clone", "--quiet", GTE_SOURCE, source])
        run(["git", "-C", source, "checkout", "--quiet", GTE_COMMIT])
    program = WORK / ("gte-blas" if blas else "gte")
    flags = ["-DUSE_BLAS", "-lopenblas"] if blas else ["-DUSE_GENERIC"]
    run(
        [
            "gcc",
            "-O3",
            "-march=native",
            "-ffast-math",
            f"-I{source}",
            TESTS / "bench_gte.c",
            "-o",
            program,
            *flags,
            "-lm",
        ]
    )
    return [program, converted("gte", ".gtemodel")]


def peer(package, path, *packages):
    return [
        python_with(package, "numpy", *packages),
        TESTS / "bench_peer.py",
        package.replace("llama-cpp-python", "llama.cpp"),
        path(),
    ]


# What asks the others for AVX2 only. ONNX Runtime has no such setting.
OTHERS_AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}

PROGRAMS = {
    "bert.c (gcc)": lambda: bert("gcc"),
    "bert.c (clang)": lambda: bert("clang"),
    f"ONNX Runtime {PINS['onnxruntime']}": lambda: peer("onnxruntime", onnx_file),
    f"OpenVINO {PINS['openvino']}": lambda: peer("openvino", onnx_file),
    f"PyTorch {PINS['torch']}": lambda: peer("torch", lambda: MODEL, "transformers", "safetensors"),
    f"llama.cpp ({PINS['llama-cpp-python']})": lambda: peer(
        "llama-cpp-python", lambda: converted("gguf", ".gguf", "gguf")
    ),
    "gte-pure-C": lambda: gte(False),
    "gte-pure-C + OpenBLAS": lambda: gte(True),
}
OURS, ONNX = "bert.c (gcc)", f"ONNX Runtime {PINS['onnxruntime']}"
TANH = ("llama.cpp", "gte-pure-C")  # they have the tanh GELU only: compared with ours by that


def start_programs(report, programs):
    """name -> Worker; who cannot be started is reported."""
    workers = {}
    for name, command in programs.items():
        try:
            worker = Worker(name, [*command(), WORK / "ids"])
            worker.ask("run", LENGTHS[0])
            workers[name] = worker
        except (Missing, OSError) as why:
            report(f"not measured: {name}: {why}\n")
    return workers


# ----------------------------------------------------------------------------------------------------------------------
# Inputs, limits
# ----------------------------------------------------------------------------------------------------------------------
def write_ids(lengths):
    """Each length once: [CLS], words of the vocabulary, [SEP]."""
    with open(WORK / "ids", "w") as f:
        for T in sorted(set(lengths)):
            print(101, *(2000 + i * 7 % 2900 for i in range(T - 2)), 102, file=f)


def sizes(directory):
    c = json.loads((directory / "config.json").read_text())
    return c["num_hidden_layers"], c["hidden_size"], c["intermediate_size"]


class Limits:
    """What the machine can do, and what a forward pass asks of it."""

    def __init__(self, workers):
        ours = [w for name, w in workers.items() if name.startswith("bert.c")]
        self.peak = max(w.ms("peak") for w in ours)  # 10^9 multiply-adds a second
        self.read = max(w.ms("read") for w in ours)  # GB/s

    def arithmetic(self, T, L, H, F, B=1):
        """ms: four (H,H) and two (F,H) matrices for each token; scores and context for each pair of tokens."""
        return B * T * L * (4 * H * H + 2 * H * F + 2 * T * H) / self.peak / 1e6

    def memory(self, L, H, F):
        """ms: every matrix of every layer is read once."""
        return 4 * L * (4 * H * H + 2 * H * F) / self.read / 1e6


# ----------------------------------------------------------------------------------------------------------------------
# Tables
# ----------------------------------------------------------------------------------------------------------------------
def digits(x):
    return f"{x:,.0f}" if x >= 1000 else f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def markdown(head, rows):
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rows)) + "\n"


class Report:
    def __init__(self):
        self.file = open(ROOT / "build" / "bench.md", "w", encoding="utf-8")

    def __call__(self, text):
        print(text, flush=True)
        print(text, file=self.file, flush=True)


# ----------------------------------------------------------------------------------------------------------------------
# (a) one forward pass
# ----------------------------------------------------------------------------------------------------------------------
def interleaved(workers, command, rounds):
    """name -> milliseconds of each round. Who needs more than 3 seconds runs in the first round only."""
    times = {name: [] for name in workers}
    for name, w in workers.items():
        w.ask(*command)  # does not count
    for _ in range(rounds):
        for name, w in workers.items():
            if not times[name] or times[name][-1] < 3000:
                times[name].append(w.ms(*command))
    return times


def compare_outputs(report, workers):
    """The last hidden state of everyone against ours. False if one differs by more than rounding."""
    rows, good = [], True
    for name, w in workers.items():
        worst = []
        for T in (22, 512):
            ours, theirs = workers[OURS].hidden(T, "tanh" if name.startswith(TANH) else "hidden"), w.hidden(T)
            worst.append(max(abs(a - b) for a, b in zip(ours, theirs)) if len(ours) == len(theirs) else float("inf"))
        note = "same bits" if not any(worst) else "tanh GELU on both sides" if name.startswith(TANH) else ""
        good = good and max(worst) < (
            1e-1 if name.startswith("llama.cpp") else 1e-3
        )  # its GELU is a table of half precision
        rows.append([name, *(f"{x:.1e}" for x in worst), note])
    report(
        "Last hidden state, largest difference from bert.c (gcc):\n\n"
        + markdown(["", "22 tokens", "512 tokens", ""], rows)
    )
    return good


def bench_forward(report, workers, limits, quick):
    good = compare_outputs(report, workers)
    L, H, F = sizes(MODEL)
    medians = {}
    for T in LENGTHS:
        rounds = {8: 5, 22: 5, 128: 3, 512: 1}[T] if quick else {8: 41, 22: 31, 128: 11, 512: 5}[T]
        times = interleaved(workers, ("run", T), rounds)
        medians[T] = {name: statistics.median(t) for name, t in times.items()}
    names = list(workers)
    row = lambda title, value: [title, *(value(T) for T in LENGTHS)]
    ms = [
        row("limit: arithmetic", lambda T: digits(limits.arithmetic(T, L, H, F))),
        row("limit: memory", lambda T: digits(limits.memory(L, H, F))),
    ]
    ms += [row(name, lambda T: digits(medians[T][name])) for name in names]
    ms.append(
        row(
            "bert.c (gcc) reaches of the larger limit",
            lambda T: f"{max(limits.arithmetic(T, L, H, F), limits.memory(L, H, F)) / medians[T][OURS]:.0%}",
        )
    )
    report("One forward pass of bert-base-uncased, milliseconds:\n\n" + markdown(["tokens", *LENGTHS], ms))
    ratios = [row(name, lambda T: f"{medians[T][name] / medians[T][OURS]:.2f}x") for name in names if name != OURS]
    report("Their time over that of bert.c (gcc):\n\n" + markdown(["tokens", *LENGTHS], ratios))
    return good, medians


def bench_half(report, quick):
    """A file of half the bytes, for whom the same arithmetic waits."""
    forms = {"float32": MODEL} | {form: converted(form, f"-{form}", "torch", model=MODEL) for form in ("f16", "bf16")}
    rows = []
    for cc in ("gcc", "clang"):
        workers = {name: Worker(name, [bert(cc)[0], model, WORK / "ids"]) for name, model in forms.items()}
        cells = {name: [] for name in forms}
        for T in LENGTHS[:3]:
            times = interleaved(workers, ("run", T), {8: 21, 22: 15, 128: 7}[T] // (3 if quick else 1))
            for name, t in times.items():
                ratio = statistics.median(a / b for a, b in zip(t, times["float32"]))
                cells[name].append(digits(statistics.median(t)) + ("" if name == "float32" else f" ({ratio:.2f}x)"))
        rows += [[f"{name}, {cc}", *cells[name]] for name in forms]
        for w in workers.values():
            w.close()
    report(
        "Half-precision files of bert-base-uncased, milliseconds (medians of the pairs over float32):\n\n"
        + markdown(["tokens", *LENGTHS[:3]], rows)
    )


# ----------------------------------------------------------------------------------------------------------------------
# (a'') other sizes
# ----------------------------------------------------------------------------------------------------------------------
def random_model(name, size):
    directory = WORK / f"random-{name}"
    if not (directory / "config.json").exists():
        run([python_with("numpy", "safetensors"), TESTS / "bench_models.py", "random", size, MODEL, directory])
    return directory


def bench_sizes(report, quick):
    models = {"MiniLM (6L/384H)": MINILM, "the pocket model (5L/192H, a float16 file)": POCKET}
    for title, model in models.items():
        if not (model / "model.safetensors").exists():
            report(f"not measured: {title}: its weights are missing\n")
            continue
        programs = {
            "bert.c (gcc)": lambda: bert("gcc", model),
            "bert.c (clang)": lambda: bert("clang", model),
            ONNX: lambda: peer("onnxruntime", lambda: onnx_file(model=model)),
            f"OpenVINO {PINS['openvino']}": lambda: peer("openvino", lambda: onnx_file(model=model)),
            f"PyTorch {PINS['torch']}": lambda: peer("torch", lambda: model, "transformers", "safetensors"),
        }
        workers = start_programs(report, programs)
        hidden = {name: w.hidden(22) for name, w in workers.items()}
        worst = max(abs(a - b) for h in hidden.values() for a, b in zip(h, hidden[OURS]))
        cells = {name: [] for name in workers}
        for T in LENGTHS[:3]:
            times = interleaved(workers, ("run", T), {8: 101, 22: 51, 128: 15}[T] // (3 if quick else 1))
            for name, t in times.items():
                ratio = statistics.median(a / b for a, b in zip(t, times[OURS]))
                cells[name].append(digits(statistics.median(t)) + ("" if name == OURS else f" ({ratio:.2f}x)"))
        report(
            f"{title}, milliseconds (medians of the pairs over bert.c (gcc)); hidden states within {worst:.1e}:\n\n"
            + markdown(["tokens", *LENGTHS[:3]], [[name, *c] for name, c in cells.items()])
        )
        for w in workers.values():
            w.close()


# ----------------------------------------------------------------------------------------------------------------------
# (b) many sentences
# ----------------------------------------------------------------------------------------------------------------------
def sample_sentences(count):
    """Lines of the Brown corpus with 5 to 120 tokens, and their ids."""
    path = texts.fetch("english")
    ids = run(["./bert", "tokenize", "-m", MODEL, "--format", "ids", "-f", path]).splitlines()
    both = [(line, row) for line, row in zip(path.read_text("utf-8").split("\n"), ids) if 5 <= len(row.split()) <= 120]
    return random.Random(0).sample(both, count)


def write_batches(path, rows, size):
    with open(path, "w") as f:
        for i in range(0, len(rows), size):
            print(";".join(rows[i : i + size]), file=f)


def read_npy(path):
    data = path.read_bytes()
    return array.array("f", data[10 + int.from_bytes(data[8:10], "little") :])


def bench_sentences(report, workers, quick):
    count, parts = (100, 2) if quick else (1000, 5)
    pairs = sample_sentences(count)
    rows = [row for _, row in pairs]
    by_length = sorted(rows, key=lambda row: len(row.split()))
    files = {
        "one at a time": (rows, 1),
        "sorted by length, batches of 8": (by_length, 8),
        "as they come, padded batches of 32": (rows, 32),
    }
    ours = ["./bert", "embed", "-q", "-m", MODEL, "--layers", "-1", "--pooling", "mean", "--format", "npy"]
    for name, (order, size) in files.items():
        write_batches(WORK / name.replace(" ", "-"), order, size)
    seconds = dict.fromkeys(["bert embed", *files], 0.0)
    embed = subprocess.Popen(
        pinned([*ours, "-f", "-", "-o", WORK / "embed.npy"]), stdin=subprocess.PIPE, env=ENVIRONMENT, cwd=ROOT
    )
    for p in range(parts):  # everyone takes turns, a part each
        part = pairs[p * count // parts : (p + 1) * count // parts]
        try:
            embed.stdin.write("".join(line + "\n" for line, _ in part).encode())
            embed.stdin.flush()
        except BrokenPipeError:
            break
        wait_until_idle(embed)
        for name in files if ONNX in workers else ():
            seconds[name] += workers[ONNX].ms("batches", WORK / name.replace(" ", "-"), p, parts) / 1e3
    embed.stdin.close()
    seconds["bert embed"] = processor_seconds(finished(embed, ours))
    tokens = sum(len(row.split()) for row in rows)
    table = [
        [
            ("" if name == "bert embed" else "ONNX Runtime, ") + name,
            f"{s:.1f}",
            digits(tokens / s),
            f"{s / seconds['bert embed']:.2f}x",
        ]
        for name, s in seconds.items()
        if s
    ]
    report(
        f"{count:,} sentences of the Brown corpus, 5 to 120 tokens, {tokens:,} in all; mean of the last hidden state. "
        f"bert embed from start to end of its process, with its tokenizer, fed through a pipe; ONNX Runtime the calls alone:\n\n"
        + markdown(["", "seconds", "tokens/s", "over bert embed"], table)
    )
    if ONNX not in workers:
        return True
    workers[ONNX].ask("vectors", WORK / "one-at-a-time", WORK / "vectors")
    theirs = array.array("f", (WORK / "vectors").read_bytes())
    mine = read_npy(WORK / "embed.npy")
    worst = max(abs(a - b) for a, b in zip(mine, theirs)) if len(mine) == len(theirs) else float("inf")
    report(f"Largest difference between the two programs' vectors: {worst:.1e}\n")
    return worst < 1e-3


# ----------------------------------------------------------------------------------------------------------------------
# (b') many sentences, beside the programs that people use for their vectors
# ----------------------------------------------------------------------------------------------------------------------
def embedder(name, model, *packages, **rest):
    return lambda: [python_with(*packages, **rest), TESTS / "bench_embed_peer.py", name, model()]


# optimum-onnx goes with transformers 4 only, and so with an older sentence-transformers; optimum-intel with another 5.
EMBEDDERS = {
    f"sentence-transformers {PINS['sentence-transformers']}, OpenVINO {PINS['openvino']} (optimum-intel {PINS['optimum-intel']})": embedder(
        "st-openvino", lambda: MINILM, "sentence-transformers", "optimum-intel", "openvino", own="st-openvino"
    ),
    f"sentence-transformers 5.7.0, ONNX Runtime {PINS['onnxruntime']} (optimum-onnx {PINS['optimum-onnx']})": embedder(
        "st-onnx", lambda: MINILM, "sentence-transformers==5.7.0", "optimum-onnx", "onnxruntime", own="st-onnx"
    ),
    f"sentence-transformers {PINS['sentence-transformers']}, PyTorch {PINS['torch']}": embedder(
        "st-torch", lambda: MINILM, "sentence-transformers", "torch"
    ),
    f"fastembed {PINS['fastembed']}": embedder(
        "fastembed", lambda: onnx_file(model=MINILM), "fastembed", "onnxruntime", "transformers"
    ),
    f"llama.cpp (llama-cpp-python {PINS['llama-cpp-python']})": embedder(
        "llama.cpp", lambda: converted("gguf", ".gguf", "gguf", model=MINILM), "llama-cpp-python"
    ),
}


def bench_embedders(report, quick):
    """MiniLM's vectors of sentences, in batches of 1, 8 or 32: what is fastest with the first 100."""
    if not (MINILM / "model.safetensors").exists():
        report("not measured: vectors of sentences beside other programs: MiniLM's weights are missing\n")
        return True
    count, lines = 100 if quick else 1000, WORK / "sentences"
    lines.write_text("".join(line + "\n" for line, _ in sample_sentences(count)), "utf-8")
    ours = ["./bert", "embed", "-q", "-m", MINILM, "--format", "npy", "-f", lines, "-o", WORK / "minilm.npy"]
    workers, best = {}, {}
    for name, command in EMBEDDERS.items():
        try:
            workers[name] = Worker(name, [*command(), lines, MINILM])
            best[name] = min((1, 8, 32), key=lambda size: workers[name].ms("run", size, 100))
        except (Missing, OSError) as why:
            workers.pop(name, None)
            report(f"not measured: {name}: {why}\n")
    found = {name: [] for name in ("bert embed", *workers)}
    for _ in range(1 if quick else 3):
        found["bert embed"].append(whole_process(ours)[0])
        for name, w in workers.items():
            found[name].append(w.ms("run", best[name], count) / 1e3)
    mine, rows, good = read_npy(WORK / "minilm.npy"), [], True
    for name, seconds in found.items():
        worst = ""
        if name in workers:
            workers[name].ask("vectors", best[name], count, WORK / "vectors")
            theirs = array.array("f", (WORK / "vectors").read_bytes())
            worst = max(abs(a - b) for a, b in zip(mine, theirs)) if len(mine) == len(theirs) else float("inf")
            good = good and worst < (1e-2 if name.startswith("llama.cpp") else 1e-5)  # its GELU is a table of halves
            worst = f"{worst:.1e}"
            workers[name].close()
        ratio = statistics.median(a / b for a, b in zip(seconds, found["bert embed"]))
        rows.append([name, best.get(name, ""), f"{statistics.median(seconds):.2f}", f"{ratio:.2f}x", worst])
    report(
        f"{count:,} sentences with MiniLM, processor seconds; bert from start to end of its process, the others the calls alone, "
        f"in the fastest of batches of 1, 8 and 32:\n\n"
        + markdown(["", "batch", "seconds", "over bert embed", "largest difference"], rows)
    )
    return good


# ----------------------------------------------------------------------------------------------------------------------
# (c) a whole process: from files in the page cache to an answer
# ----------------------------------------------------------------------------------------------------------------------
SENTENCE = "The cat sat on the [MASK]."
WITH_ONNX = """
import sys
import numpy as np, onnxruntime, tokenizers
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
t = tokenizers.BertWordPieceTokenizer(sys.argv[2] + "/vocab.txt", lowercase=True)
x = t.encode(sys.argv[3])
row = lambda numbers: np.array([numbers], np.int64)
inputs = {"input_ids": row(x.ids), "token_type_ids": row(x.type_ids), "attention_mask": row(x.attention_mask)}
logits = session.run(None, inputs)[0][0]
logits = logits[x.ids.index(t.token_to_id("[MASK]"))]
p = np.exp(logits - logits.max())
p /= p.sum()
for i in np.argsort(-p)[:5]:
    print(t.id_to_token(int(i)), p[i])
"""
WITH_TRANSFORMERS = """
import sys
import torch, transformers
torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
for answer in transformers.pipeline("fill-mask", model=sys.argv[1])(sys.argv[2]):
    print(answer["token_str"], answer["score"])
"""


def bench_process(report, quick):
    tools = {
        "bert fill-mask": lambda: ["./bert", "fill-mask", "-m", MODEL, SENTENCE],
        "ONNX Runtime in Python": lambda: [
            python_with("onnxruntime", "tokenizers", "numpy"),
            "-c",
            WITH_ONNX,
            onnx_file("onnx-mlm", "-mlm.onnx"),
            MODEL,
            SENTENCE,
        ],
        "transformers": lambda: [python_with("transformers", "torch"), "-c", WITH_TRANSFORMERS, MODEL, SENTENCE],
    }
    commands, said = {}, {}
    for name, command in tools.items():
        try:
            commands[name] = command()
            done = subprocess.run(
                list(map(str, commands[name])), capture_output=True, text=True, env=ENVIRONMENT, cwd=ROOT
            )
            if done.returncode:
                raise Missing(done.stderr.strip().splitlines()[-1:])
            said[name] = "floor" in done.stdout
        except Missing as why:
            commands.pop(name, None)
            report(f"not measured: {name}: {why}\n")
    found = {name: [] for name in commands}
    for _ in range(2 if quick else 7):
        for name, command in commands.items():
            found[name].append(whole_process(command))
    median = lambda name, i: statistics.median(f[i] for f in found[name])
    base = median("bert fill-mask", 0)
    rows = [
        [
            name,
            f"{median(name, 0):.3f}",
            f"{median(name, 1):.3f}",
            f"{median(name, 2) / 1e6:,.0f}",
            f"{median(name, 0) / base:.1f}x",
        ]
        for name in found
    ]
    report(
        f"A whole process, from files in the page cache to the five best words of `{SENTENCE}`:\n\n"
        + markdown(["", "processor seconds", "clock", "most memory, MB", "over bert"], rows)
    )
    return all(said.values())


# ----------------------------------------------------------------------------------------------------------------------
# (d) memory
# ----------------------------------------------------------------------------------------------------------------------
def peak_memory(command):
    """(most resident memory of all, most that is the process's own): RssAnon, looked at every millisecond."""
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, cwd=ROOT)
    own = 0
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            own = max(
                own, *(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon")), 0
            )
        except (OSError, ValueError, TypeError):
            pass
        time.sleep(0.001)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Missing(f"{command[1]} ends with {process.returncode}")
    return usage.ru_maxrss * 1024, own


def bench_memory(report):
    weights = (MODEL / "model.safetensors").stat().st_size
    text = " ".join(["bank"] * 509) + " [MASK]"  # with [CLS] and [SEP] 512 tokens
    rows = []
    for command in (["./bert", "embed", "-m", MODEL, text], ["./bert", "fill-mask", "-m", MODEL, text]):
        whole, own = peak_memory(command)
        rows.append([f"bert {command[1]}", f"{whole / 1e6:.1f}", f"{own / 1e6:.1f}", f"{(whole - weights) / 1e6:.1f}"])
    report(
        f"Peak memory with 512 tokens, MB. The weights are {weights / 1e6:.1f} MB, mapped. All: ru_maxrss of the "
        "process; its own: the largest RssAnon in /proc/PID/status, looked at every millisecond:\n\n"
        + markdown(["", "all", "its own", "all less the weights"], rows)
    )


# ----------------------------------------------------------------------------------------------------------------------
# (e) how cost grows
# ----------------------------------------------------------------------------------------------------------------------
GROWTH_TOKENS = (2, 4, 8, 16, 22, 32, 64, 128, 256, 512)
MODELS = (("tiny", 2, 128), ("mini", 4, 256), ("small", 4, 512), ("medium", 8, 512))


def median_ms(worker, command, rounds):
    worker.ask(*command)
    return statistics.median(worker.ms(*command) for _ in range(rounds))


def other_models():
    """Google's smaller sizes with random weights, MiniLM if it is there, and the model itself."""
    for name, L, H in MODELS:
        yield name, random_model(name, f"{L},{H}")
    if (MINILM / "model.safetensors").exists():
        yield "MiniLM", MINILM
    yield "base", MODEL


def bench_growth(report, worker, limits, quick):
    L, H, F = sizes(MODEL)
    rounds = lambda T: 3 if quick or T > 128 else 9
    tokens = {T: median_ms(worker, ("run", T), 1 if quick and T > 128 else rounds(T)) for T in GROWTH_TOKENS}
    limit = lambda T, *size: max(limits.arithmetic(T, *size), limits.memory(*size))
    report(
        "Tokens (bert-base, 12 layers):\n\n"
        + markdown(
            ["tokens", *tokens],
            [
                ["ms", *map(digits, tokens.values())],
                ["limit", *(digits(limit(T, L, H, F)) for T in tokens)],
                ["ms per token", *(digits(ms / T) for T, ms in tokens.items())],
            ],
        )
    )
    layers = {l: median_ms(worker, ("layers", l, 128), rounds(128)) for l in (1, 3, 6, 9, 12)}
    report(
        "Layers (128 tokens):\n\n"
        + markdown(
            ["layers", *layers],
            [["ms", *map(digits, layers.values())], ["ms per layer", *(digits(ms / l) for l, ms in layers.items())]],
        )
    )
    batch = {B: median_ms(worker, ("batch", B, 22), 3) for B in (1, 2, 4, 8, 16, 32)}
    report(
        "Sentences of 22 tokens, in one batch without padding:\n\n"
        + markdown(
            ["sentences", *batch],
            [["ms", *map(digits, batch.values())], ["ms per sentence", *(digits(ms / B) for B, ms in batch.items())]],
        )
    )
    models, rows = {}, []
    for name, directory in other_models():
        other = Worker(name, [ROOT / "build" / "bench-forward-gcc", directory, WORK / "ids"])
        size = sizes(directory)
        weights = size[0] * (4 * size[1] ** 2 + 2 * size[1] * size[2])
        ms = [median_ms(other, ("run", T), rounds(T)) for T in (8, 128)]
        other.close()
        models[name] = weights, ms[1], limit(128, *size)
        rows.append(
            [
                name,
                f"{size[0]}L/{size[1]}H",
                f"{weights / 1e6:.1f}",
                digits(ms[0]),
                digits(limit(8, *size)),
                digits(ms[1]),
                digits(limit(128, *size)),
            ]
        )
    report(
        "Model size. Weights: those of the layers' matrices, in millions:\n\n"
        + markdown(["", "shape", "weights", "ms, 8 tokens", "limit", "ms, 128 tokens", "limit"], rows)
    )
    return tokens, models


PLOT = """
import json, sys
import matplotlib
matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "bert.c", "svg.fonttype": "path", "font.size": 9})
import matplotlib.pyplot as plt
d = json.load(sys.stdin)
figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
styles = [("o-", "black"), ("s--", "0.35"), ("^:", "0.5")]
for (name, points), (style, color) in zip(d["tokens"].items(), styles):
    left.plot(*zip(*points), style, color=color, markersize=4, label=name)
left.plot(*zip(*d["arithmetic"]), "-", color="0.65", linewidth=1, label="limit: arithmetic")
left.axhline(d["memory"], linestyle="-.", color="0.65", linewidth=1, label="limit: memory")
left.set(xscale="log", yscale="log", xlabel="tokens", ylabel="ms", title="bert-base, one forward pass, one core")
left.set_xticks([2, 8, 22, 128, 512], ["2", "8", "22", "128", "512"])
left.minorticks_off()
for name, weights, ms, limit in d["models"]:
    place = (-32, 5) if name == "MiniLM" else (4, -11)     # not over another one of nearly its size
    right.annotate(name, (weights / 1e6, ms), textcoords="offset points", xytext=place, fontsize=8)
millions = [m[1] / 1e6 for m in d["models"]]
right.plot(millions, [m[2] for m in d["models"]], "o-", color="black", markersize=4, label="bert.c")
right.plot(millions, [m[3] for m in d["models"]], "-", color="0.65", linewidth=1, label="limit: the larger one")
right.set(xscale="log", yscale="log", xlabel="weights of the layers, millions", title="128 tokens, other models")
for axis in (left, right):
    axis.grid(color="0.9", linewidth=0.5)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)
figure.savefig(sys.argv[1], metadata={"Date": None})
"""


def plot(path, tokens, models, medians, limits):
    """Two panels, in black and greys, told apart by marker and dash as well."""
    L, H, F = sizes(MODEL)
    curves = {"bert.c": list(tokens.items())}
    for name, title in ((ONNX, "ONNX Runtime"), (f"PyTorch {PINS['torch']}", "PyTorch")):
        if medians and name in medians[LENGTHS[0]]:
            curves[title] = [(T, medians[T][name]) for T in LENGTHS]
    order = sorted(([name, *m] for name, m in models.items()), key=lambda m: m[1])
    data = {
        "tokens": curves,
        "arithmetic": [(T, limits.arithmetic(T, L, H, F)) for T in tokens],
        "memory": limits.memory(L, H, F),
        "models": order,
    }
    run([python_with("matplotlib"), "-c", PLOT, path], input=json.dumps(data))


# ----------------------------------------------------------------------------------------------------------------------
# All of it
# ----------------------------------------------------------------------------------------------------------------------
# ----------------------------------------------------------------------------------------------------------------------
# (f) what each trick brings
# ----------------------------------------------------------------------------------------------------------------------
def bench_tricks_table(report, quick):
    built = bench_tricks.programs(WORK / "tricks")
    workers = {name: Worker(name, [program, MODEL, WORK / "ids"]) for name, program in built.items()}
    medians = {}
    for T in LENGTHS:
        some = {name: w for name, w in workers.items() if T < 512 or name != bench_tricks.DEFINITION}  # a minute a pass
        times = interleaved(some, ("run", T), {8: 5, 22: 5, 128: 3, 512: 1}[T] * (1 if quick else 3))
        medians[T] = {name: statistics.median(t) for name, t in times.items()}
    cell = lambda name, T: digits(medians[T][name]) if name in medians[T] else ""
    rows = [[name, *(cell(name, T) for T in LENGTHS)] for name in workers]
    report("Milliseconds without one trick (gcc):\n\n" + markdown(["taken away", *LENGTHS], rows))
    for w in workers.values():
        w.close()


def machine():
    names = {line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")}
    version = lambda cc: (
        subprocess.run([cc, "--version"], capture_output=True, text=True).stdout.splitlines()[0]
        if shutil.which(cc)
        else f"no {cc}"
    )
    return f"{', '.join(names)}; {version('gcc')}; {version('clang')}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", default=os.environ.get("BENCH") == "quick", help="few repeats (BENCH=quick)"
    )
    parser.add_argument(
        "--plot",
        type=pathlib.Path,
        help="where the plot goes (default build/speed.svg)",
        default=ROOT / "build" / "speed.svg",
    )
    parser.add_argument("--only", default="forward,half,sizes,sentences,embedders,process,memory,growth,tricks")
    parser.add_argument("--march", help="build bert.c for this processor, e.g. x86-64-v3")
    parser.add_argument("--programs", default="", help="in (a) only those whose names have one of these words, by commas")
    args = parser.parse_args()
    global march
    march = args.march
    if march == "x86-64-v3":
        ENVIRONMENT.update(OTHERS_AVX2)
    start, good, medians, only = time.time(), True, None, args.only.split(",")
    WORK.mkdir(parents=True, exist_ok=True)
    write_ids(LENGTHS + GROWTH_TOKENS)
    report = Report()
    report(f"One core of {machine()}. One thread, float32{', few repeats' if args.quick else ''}.\n")
    forget_weights()
    asked = [name for name in PROGRAMS if any(word in name for word in ("bert.c", "ONNX", *args.programs.split(",")))]
    wanted = {name: PROGRAMS[name] for name in (asked if "forward" in only else (OURS, ONNX))}
    workers = start_programs(report, wanted)
    limits = Limits(workers)
    report(f"Measured limits: {2 * limits.peak:.0f} GFLOP/s of multiply-adds, {limits.read:.1f} GB/s of reading.\n")
    if "forward" in only:
        good, medians = bench_forward(report, workers, limits, args.quick)
    if "half" in only:
        bench_half(report, args.quick)
    if "sizes" in only:
        bench_sizes(report, args.quick)
    for name in [n for n in workers if n not in (OURS, ONNX)]:
        workers.pop(name).close()  # their memory is needed no longer
    if "sentences" in only:
        good = bench_sentences(report, workers, args.quick) and good
    if "embedders" in only:
        good = bench_embedders(report, args.quick) and good
    if "process" in only:
        good = bench_process(report, args.quick) and good
    if "memory" in only:
        bench_memory(report)
    if "growth" in only:
        tokens, models = bench_growth(report, workers[OURS], limits, args.quick)
        try:
            plot(args.plot, tokens, models, medians, limits)
        except Missing as why:
            report(f"no plot: {why}\n")
    if "tricks" in only:
        bench_tricks_table(report, args.quick)
    report(f"{'The outputs agree' if good else 'AN OUTPUT DIFFERS'}; {(time.time() - start) / 60:.1f} minutes.\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
