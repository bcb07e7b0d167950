"""bench_tricks.py - what each trick for speed brings: bench.py's table (f).

A trick is taken away by changing one to three places of the sources in a copy (the result stays, but for the two about
curves), and the time of a forward pass without it stands beside the time with all of them. A place that is no longer
there is an error, so that this list follows the code.
"""
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
# what is taken away: [(file, there, instead), ...]
TRICKS = {
    "12 sums at once: one weight row at a time": [
        ("tensor.c", "K = g->w.cols, step = tiles[width / 8].rows;", "K = g->w.cols, step = 1;"),
        ("tensor.c", "(count == step ? full : single_row)", "(count == 0 ? full : single_row)"),
    ],
    "vectors of 64 bytes (on a machine that has them)": [
        ("tensor.c", "#define VECTOR_BYTES 64", "#define VECTOR_BYTES 32"),
    ],
    "vectors of 64 bytes for panels of 16 and 24 tokens (where two start in a cycle)": [
        ("tensor.c", "#define LONG_TILES 1", "#define LONG_TILES 0"),
    ],
    "weights asked for ahead": [
        ("tensor.c", "last ? weights : panel_behind", "last ? (Ahead){NULL, 0, false} : panel_behind"),
    ],
    "asked for the L2 cache only, for narrow panels": [
        ("tensor.c", "if (width <= (LONG_TILES ? 24 : 16) || panel) __builtin", "if (panel) __builtin"),
    ],
    "groups of weight rows that stay in the cache": [
        ("tensor.c", "if (N <= 8) return ROWS_8;", ""),
        ("bert.h", "ROW_GROUP = 48", "ROW_GROUP = 3072"),
        ("tensor.c", "return N <= PANEL || (K > 1024 && N < 1024) ? ROW_GROUP / 2 : ROW_GROUP;", "return ROW_GROUP;"),
    ],
    "transposing by squares of 8 x 8": [
        ("tensor.c", "size_t square_rows = in.rows / 8 * 8,", "size_t square_rows = 0,"),
    ],
    "curves on vectors: libm, one number at a time": [
        ("tensor.c", "for (; is_double && i < n; i++)", "for (; i < n; i++)"),
    ],
    "softmax's exp in float: in double": [
        ("tensor.c", "void exp_all(real *out, const real *x, size_t n) { map(out, x, n, exp_lanes, FLOATS, exp); }",
         "static inline void exp_double(real *out, const real *x) { store_doubles(out, exp_curve(load_doubles(x))); }\n"
         "void exp_all(real *out, const real *x, size_t n) { map(out, x, n, exp_double, DOUBLES, exp); }"),
    ],
    "the feed-forward's middle left packed": [
        ("bert.c", "if (keeps_steps(a)) {\n        linear(s->intermediate_dense,", "if (true) {\n        linear(s->intermediate_dense,"),
        ("bert.c", "(keeps_steps(a) ? N : scratch_rows(N)) * F", "N * F"),
        ("bert.c", "if (keeps_steps(a)) linear(s->output_dense", "if (true) linear(s->output_dense"),
        ("bert.c", "width = keeps_steps(a) ? larger(H, F) : H;", "width = larger(H, F);"),
    ],
    "one head's scores after the other in one place": [
        ("tests/bench_forward.c", ".keep = KEEP_NOTHING", ".keep = KEEP_ATTENTION"),
    ],
    "pages of 2 MB for the intermediates": [
        ("bert.c", "wish_large_pages(a->memory, bytes);", ""),
    ],
}
DEFINITION = "all of them: the definition (`make plain`)"


def build(directory, changes, flags="", program="build/bench-forward"):
    """A bench_forward, or bench_train, of the sources with these changes, built by the Makefile; its path."""
    for pattern in ("Makefile", "*.[ch]", "weights/*.[ch]", "verify/*.[ch]", "cli/*", "tests/bench_*.c"):
        for path in ROOT.glob(pattern):
            copy = directory / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    for name, there, instead in changes:
        text = (directory / name).read_text("utf-8")
        if text.count(there) != 1:
            raise ValueError(f"bench_tricks.py: {name} has {text.count(there)} times: {there!r}")
        (directory / name).write_text(text.replace(there, instead), "utf-8")
    subprocess.run(["make", "-s", "CC=gcc " + flags + " -w", program], cwd=directory, check=True)
    return directory / program


def programs(work):
    """what is taken away -> program"""
    shutil.rmtree(work, ignore_errors=True)
    built = {"nothing": build(work / "all", [])}
    for number, (name, changes) in enumerate(TRICKS.items()):
        built[name] = build(work / str(number), changes)
    built[DEFINITION] = build(work / "plain", [], "-DPLAIN")
    return built
