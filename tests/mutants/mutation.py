"""make mutation SEED=1 COUNT=200: how many small random faults does no test see?

    python3 tests/mutants/mutation.py --seed N --count N [--jobs N] [--only TEXT] [--sanitize]
                                      --compile COMMAND --parts FILES --tests FILES --convert FILES

Plants one fault at a time in a copy of the sources, as many in each file, compiles the files that it touches, and runs
the tests that enter its function, the fast ones first, until one fails. README.md beside this file says what the faults
are and how to read what is printed. Nothing but Python's standard library."""
import argparse
import collections
import concurrent.futures
import glob
import os
import random
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
HERE = os.path.join(ROOT, "build", "mutation")
FAST = {"bert.c", "tensor.c"}                       # -O3, or the tests take minutes; the rest is compiled in less time
NO_NONSENSE = ("-Wformat -Wno-format-truncation -Wno-format-overflow -Werror=format -Werror=incompatible-pointer-types "
               "-Werror=int-conversion -Werror=return-type -Werror=discarded-qualifiers")
SANITIZE = "-g -fsanitize=address,undefined -fno-sanitize-recover=all"

Fault = collections.namedtuple("Fault", "file line kind before after function")    # function: the line of its `{`


# ----------------------------------------------------------------------------------------------------------------------
# Faults: every small change of one line that has a meaning
# ----------------------------------------------------------------------------------------------------------------------
def code_only(text):
    """The text with comments and literals blanked out, byte for byte as long: where it is blank nothing is changed."""
    def blank(match):
        return re.sub(r"[^\n]", "\0", match.group())
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'", blank, text, flags=re.S)


def function_lines(lines):
    """(number, where its function begins), from 0, of the lines inside functions: from a `{` that is a line to a `}`
    that is one."""
    begin = None
    for n, line in enumerate(lines):
        if line == "{":
            begin = n
        elif line == "}":
            begin = None
        elif begin is not None:
            yield n, begin


# What is found in the blanked line, what it becomes. As in this project, a binary operator has a space on each side.
SWAPS = [
    ("<", r" <(?= )", [" <=", " >"]), ("<=", r" <=(?= )", [" <", " >"]), (">", r" >(?= )", [" >=", " <"]),
    (">=", r" >=(?= )", [" >", " <"]), ("==", r" ==(?= )", [" !="]), ("!=", r" !=(?= )", [" =="]),
    ("+", r" \+(?= )", [" -"]), ("-", r" -(?= )", [" +"]), ("*", r"(?<=[\w)\]]) \*(?= )", [" /"]),
    ("/", r" /(?= )", [" *"]), ("%", r" %(?= )", [" /"]),
    ("&&", r" &&(?= |$)", [" ||"]), ("||", r" \|\|(?= |$)", [" &&"]),
    ("+=", r" \+=(?= )", [" -=", " ="]), ("-=", r" -=(?= )", [" +="]), ("|=", r" \|=(?= )", [" ="]),
    ("true", r"\btrue\b", ["false"]), ("false", r"\bfalse\b", ["true"]),
    ("break", r"\bbreak;", ["continue;"]), ("continue", r"\bcontinue;", ["break;"]),
    ("sign", r"(?<=[(=,] )-(?=[\w(])|(?<=[\[(])-(?=[\w(])|(?<=return )-(?=[\w(])", [""]),
    ("not", r"!(?=[\w(*])", [""]), ("++", r"\+\+", ["--"]),
]
NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")


def matching(text, start):
    """The place of the parenthesis that closes the one at `start`, or -1."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] in "([{") - (text[i] in ")]}")
        if depth == 0:
            return i
    return -1


def arguments(text, start):
    """The (begin, end) of the arguments of the call whose parenthesis opens at `start`; none if it goes on below."""
    end = matching(text, start)
    places, depth, begin = [], 0, start + 1
    for i in range(start + 1, end + 1):
        if text[i] in "([{":
            depth += 1
        elif text[i] in ")]}" and i < end:
            depth -= 1
        elif (text[i] == "," and depth == 0) or i == end:
            places.append((begin, i))
            begin = i + 1
    return places if end > 0 else []


def changes(line, code):
    """All (kind, new line) of one line of a function; `code` is the same line with comments and literals blanked."""
    def put(begin, end, text):
        return line[:begin] + text + line[end:]
    for kind, pattern, others in SWAPS:
        for match in re.finditer(pattern, code):
            for other in others:
                yield kind, put(match.start(), match.end(), other)
    room = re.match(r" *(?:static |const |struct |unsigned )*\w+ \**\w+\[(\d+)\]", code)      # one more changes nothing
    for match in NUMBER.finditer(code):
        for other in (int(match.group()) + 1, int(match.group()) - 1):
            if room and match.start() == room.start(1) and other > int(match.group()):
                continue
            if other >= 0:
                yield "number", put(match.start(), match.end(), str(other))
    match = re.search(r"\b(if|while) \(", code)
    if match:
        begin, end = match.end(), matching(code, match.end() - 1)
        if end > 0:
            yield "negated", put(begin, end, "!(" + line[begin:end] + ")")
            rest = code[end + 1:].strip()
            if match.group(1) == "if" and re.match(r"return\b|goto\b|continue;|break;|\w+\(|\w+ = fail\(", rest):
                yield "check dropped", put(begin, end, "0 && (" + line[begin:end] + ")")
    match = re.search(r" \? ([^?:]+) : ([^?:;]+?)(?=[;,)]|$)", code)
    if match and code[match.start(1):match.end(2)].count("(") == code[match.start(1):match.end(2)].count(")"):
        (a, b), (c, d) = match.span(1), match.span(2)
        yield "branches swapped", line[:a] + line[c:d] + line[b:c] + line[a:b] + line[d:]
    for match in re.finditer(r"\b(?!if|for|while|switch|return|sizeof)\w+\(", code):
        places = arguments(code, match.end() - 1)
        for (a, b), (c, d) in zip(places, places[1:]):
            first, second = line[a:b].strip(), line[c:d].strip()
            if first != second and not code[:match.end()].endswith("calloc("):             # a product has no order
                yield "arguments swapped", line[:a] + (" " if line[a] == " " else "") + second + ", " + first + line[d:]
    statement = re.match(r"( +)((?:\w[\w>.\[\]*() +-]* (?:[-+*/|&]?=) |\w+\(|\(void\)|[\w>.\[\]-]+(?:\+\+|--)).*;) *$",
                         code.replace("\0", " "))
    declares = r" *(return|const|static|int|size_t|real|double|float|bool|char|Status|break|continue)\b"
    if statement and not re.match(declares, code):
        yield "statement dropped", line[:len(statement.group(1))] + ";"
        yield "returns early", line[:len(statement.group(1))] + "return BERT_OK; " + line[len(statement.group(1)):]


def faults_of(file, root=ROOT):
    """All faults of a file, one list for each line that has some."""
    with open(os.path.join(root, file), encoding="utf-8") as f:
        text = f.read()
    lines, codes = text.split("\n"), code_only(text).split("\n")
    for n, begin in function_lines(lines):
        code = codes[n]
        if code.lstrip().startswith("#") or "assert(" in code or not code.strip("\0 "):
            continue
        found = sorted({Fault(file, n + 1, kind, lines[n], new, begin + 1)
                        for kind, new in changes(lines[n], code) if new != lines[n]})
        if found:
            yield found


def choose(files, root, generator):
    """A line of faults of the sources in `root`, one file after another, no line twice."""
    waiting = {}
    for file in files:
        by_line = list(faults_of(file, root))
        generator.shuffle(by_line)
        waiting[file] = []
        for found in by_line:                               # first the kind: a line has more numbers than conditions
            kind = generator.choice(sorted({fault.kind for fault in found}))
            waiting[file].append(generator.choice([fault for fault in found if fault.kind == kind]))
    while any(waiting.values()):
        for file in files:
            if waiting[file]:
                yield waiting[file].pop()


# ----------------------------------------------------------------------------------------------------------------------
# A copy of the project in which faults are planted
# ----------------------------------------------------------------------------------------------------------------------
def limits(memory, processor):
    """For a child: its own group, so that all of it can be ended; no core, no endless memory, file or loop."""
    os.setsid()
    if processor:
        resource.setrlimit(resource.RLIMIT_CPU, (processor, processor + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


class Copy:
    """The sources, their objects and three programs, in build/mutation/NAME."""

    def __init__(self, name, options):
        self.options, self.here = options, os.path.join(HERE, name)
        shutil.rmtree(self.here, ignore_errors=True)
        os.makedirs(os.path.join(self.here, "build", "tmp"))
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
        for path in listed.stdout.split("\n"):
            if path and os.path.isfile(os.path.join(ROOT, path)):
                os.makedirs(os.path.dirname(os.path.join(self.here, path)) or self.here, exist_ok=True)
                shutil.copy(os.path.join(ROOT, path), os.path.join(self.here, path))
        for path in glob.glob(os.path.join(ROOT, "weights", "*", "*")):         # the models, if they are there
            target = os.path.join(self.here, os.path.relpath(path, ROOT))
            if not os.path.exists(target):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.symlink(path, target)
        shutil.copy(os.path.join(ROOT, "build", "steps.h"), os.path.join(self.here, "build", "steps.h"))
        self.programs = {"bert": options.parts, "build/tests": options.tests, "build/convert": options.convert}
        self.spoiled = set()                                                    # programs that were linked with a fault
        self.includes = {}                                                      # file.c -> the tests that include it
        for test in options.tests:
            with open(os.path.join(ROOT, test), encoding="utf-8") as f:
                for included in re.findall(r'#include "([\w/.]+\.c)"', f.read()):
                    self.includes.setdefault(included, set()).add(test)

    def run(self, command, seconds, memory=0, processor=0, **environment):
        """(exit code, what it printed); the code is None if it took too long. `seconds` are the clock's, which are many
        on a busy machine; `processor` seconds are the program's own."""
        env = dict(os.environ, TMPDIR=os.path.join(self.here, "build", "tmp"), LC_ALL="C", SKIPS_FAIL="0",
                   FIRST_ONLY="1", **environment)
        process = subprocess.Popen(command, shell=isinstance(command, str), cwd=self.here, env=env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   errors="replace", preexec_fn=lambda: limits(memory, processor))
        try:
            output = process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            output = None
        try:
            os.killpg(process.pid, signal.SIGKILL)                              # and what it has left running
        except ProcessLookupError:
            pass
        if output is None:
            process.communicate()
            return None, ""
        return process.returncode, output

    def compile(self, files, flags="", include=""):
        """Objects of these files, under build/objects; what the compiler said, "" if all went well."""
        for file in files:
            target = f"build/objects{'-sanitized' if flags else ''}/{file[:-2]}.o"
            os.makedirs(os.path.dirname(os.path.join(self.here, target)), exist_ok=True)
            level = f"{flags} " + ("-O3" if file in FAST else "-O1" if flags else "-O2")
            if include:
                level += f" -include {include}"
            code, said = self.run(f"{self.options.compile} {NO_NONSENSE} {level} -c {file} -o {target}", 600)
            if code != 0:
                return said or "the compiler took too long"
        return ""

    def link(self, touched, flags=""):
        """Links the programs that hold one of these files, and those that still hold the fault before this one."""
        for program, files in self.programs.items():
            if program not in self.spoiled and not set(files) & set(touched):
                continue
            self.spoiled.discard(program)
            if set(files) & set(touched):
                self.spoiled.add(program)
            objects = " ".join(f"build/objects{'-sanitized' if flags else ''}/{file[:-2]}.o" for file in files)
            code, said = self.run(f"{self.options.compile} {flags} {objects} -o {program} -lm", 600)
            if code != 0:
                return said or "the linker took too long"
        return ""

    def touched(self, file):
        """The files that must be compiled when this one has changed: the tests may include it."""
        return ([file] if any(file in files for files in self.programs.values()) else []) + \
            sorted(self.includes.get(file, ()))

    def write(self, fault, line):
        path = os.path.join(self.here, fault.file)
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")
        lines[fault.line - 1] = line
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(lines))

    def objects(self, files):
        contents = []
        for file in files:
            with open(os.path.join(self.here, f"build/objects/{file[:-2]}.o"), "rb") as f:
                contents.append(f.read())
        return contents

    def forget(self):
        """What tests that failed have left behind."""
        shutil.rmtree(os.path.join(self.here, "build", "tmp"), ignore_errors=True)
        os.makedirs(os.path.join(self.here, "build", "tmp"))


def test_names(options):
    """The tests as run.c runs them: the names in the lists of the tests' files."""
    names = []
    for test in options.tests:
        with open(os.path.join(ROOT, test), encoding="utf-8") as f:
            lists = re.findall(r"const Test \w+\[\] = \{(.*?)\{NULL, NULL\}", f.read(), flags=re.S)
        names += re.findall(r'\{"(\w+)"', "".join(lists))
    return names


COVER_H = "extern unsigned char *mutation_entered;\n"
COVER_C = """#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
static unsigned char nowhere[SIZE];
unsigned char *mutation_entered = nowhere;
__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("MUTATION_ENTERED");
    int file = path ? open(path, O_RDWR) : -1;
    void *map = file >= 0 ? mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
    if (map != MAP_FAILED) mutation_entered = map;
    if (file >= 0) close(file);
}
"""


def processor_seconds():
    """Of all children that have ended. The clock would say how busy the machine is."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def mark_functions(copy, files):
    """Lets every function of these files note that it was entered; [(file, line of its `{`)], in the order of the bytes
    that they set. The bytes are a file that all processes share: a process that a signal ends has noted what it did."""
    functions = []
    for file in files:
        path = os.path.join(copy.here, file)
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")
        for begin in sorted({begin for _, begin in function_lines(lines)}):
            lines[begin] = f"{{ mutation_entered[{len(functions)}] = 1;"
            functions.append((file, begin + 1))
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(lines))
    with open(os.path.join(copy.here, "build", "entered.h"), "w", encoding="utf-8") as f:
        f.write(COVER_H)
    with open(os.path.join(copy.here, "build/entered.c"), "w", encoding="utf-8") as f:
        f.write(COVER_C.replace("SIZE", str(len(functions) + 1)))
    return functions


def measure(copy, names, options):
    """[(seconds, name)] of the tests that pass without any fault, the fastest first, and for each function the names of
    those that enter it, {(file, line): {name, ...}}; what does not pass is said. The copy is used up."""
    everything = sorted({file for files in copy.programs.values() for file in files})
    functions = mark_functions(copy, sorted(set(options.parts) | set(options.convert)))
    copy.programs = {program: files + ["build/entered.c"] for program, files in copy.programs.items()}
    said = copy.compile(everything, include="build/entered.h") or copy.compile(["build/entered.c"]) or \
        copy.link(everything)
    if said:
        sys.exit(f"without any fault, with marked functions: {said}")
    timed, entering = [], {function: set() for function in functions}
    bytes_file = os.path.join(copy.here, "build", "entered")
    for name in names:
        with open(bytes_file, "wb") as f:
            f.write(bytes(len(functions) + 1))
        start = processor_seconds()
        code, said = copy.run(["build/tests", name], 600, MUTATION_ENTERED=bytes_file)
        seconds = processor_seconds() - start
        if code != 0:
            print(f"without any fault {name} fails, and is left out: {said[-300:].strip()}")
        elif "SKIPPED" in said:
            print(f"{name} is skipped here")
        elif seconds <= options.longest:
            timed.append((seconds, name))
            with open(bytes_file, "rb") as f:
                for function, entered in zip(functions, f.read()):
                    if entered:
                        entering[function].add(name)
    shutil.rmtree(copy.here, ignore_errors=True)
    return sorted(timed), entering


# ----------------------------------------------------------------------------------------------------------------------
# One fault
# ----------------------------------------------------------------------------------------------------------------------
def reaching(fault, tests, entering):
    """Those of the tests that enter the function of the fault. The others run as if it were not there."""
    names = entering[fault.file, fault.function]
    return [(seconds, name) for seconds, name in tests if name in names]


DEVICES = {path: os.stat(path).st_rdev for path in ("/dev/full", "/dev/null", "/dev/zero") if os.path.exists(path)}


def restore_devices():
    """Where root runs this, a fault may put a file in the place of a device that a test writes to. All that comes after
    would be judged by tests that fail for this reason."""
    for path, number in DEVICES.items():
        if not os.path.exists(path) or os.stat(path).st_rdev != number:
            if os.path.lexists(path):
                os.remove(path)
            os.mknod(path, stat.S_IFCHR | 0o666, number)
            os.chmod(path, 0o666)


def judge(copy, fault, tests):
    """None if it cannot be planted; else the name of the first test that sees it, or "" if none does."""
    files = copy.touched(fault.file)
    before = copy.objects(files)
    copy.write(fault, fault.after)
    try:
        if copy.compile(files) or copy.objects(files) == before:
            return None
        if copy.link(files):
            return None
        for seconds, name in tests:
            code, _ = copy.run(["build/tests", name], max(300, 300 * seconds), 16 << 30, int(max(15, 30 * seconds)))
            if code != 0:
                return name + (" (takes too long)" if code is None else "")
        return ""
    finally:
        copy.write(fault, fault.before)
        for file, content in zip(files, before):
            with open(os.path.join(copy.here, f"build/objects/{file[:-2]}.o"), "wb") as f:
                f.write(content)
        copy.forget()
        restore_devices()


def judge_sanitized(copy, fault, tests):
    """The same with the sanitizers: memory that is lost, or used wrongly."""
    files = copy.touched(fault.file)
    copy.write(fault, fault.after)
    try:
        if copy.compile(files, SANITIZE) or copy.link(files, SANITIZE):
            return ""
        for seconds, name in tests:
            code, _ = copy.run(["build/tests", name], max(30, 60 * seconds), ASAN_OPTIONS="detect_leaks=1")
            if code != 0:
                return name
        return ""
    finally:
        copy.write(fault, fault.before)
        copy.compile(files, SANITIZE)
        copy.forget()
        restore_devices()


def show(fault):
    return f"{fault.file}:{fault.line}: {fault.kind}\n    - {fault.before.strip()}\n    + {fault.after.strip()}"


def run_all(options):
    """Plants faults until there are enough; returns [(fault, test that sees it or "")]."""
    names = test_names(options)
    copies = [Copy(f"copy-{n}", options) for n in range(options.jobs)]
    marked = Copy("marked", options)                      # now: the sources may change meanwhile
    everything = sorted({file for files in copies[0].programs.values() for file in files})
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for said in pool.map(lambda copy: copy.compile(everything) or copy.link(everything), copies):
            if said:
                sys.exit(f"without any fault: {said}")
    tests, entering = measure(marked, names, options)
    entered = sum(1 for names in entering.values() if names)
    print(f"{len(tests)} tests, which enter {entered} of {len(entering)} functions, {sum(seconds for seconds, _ in tests):.0f} s; the slowest: " +
          ", ".join(f"{name} {seconds:.1f} s" for seconds, name in reversed(tests[-5:])), flush=True)
    files = [file for file in sorted(set(options.parts) | set(options.convert)) if options.only in file]
    line = choose(files, copies[0].here, random.Random(options.seed))
    results, lock, seen_by = [], threading.Lock(), collections.Counter()

    def work(copy):
        while True:
            with lock:
                if len(results) >= options.count:
                    return
                fault = next(line, None)
                if not fault:
                    return
            with lock:                                      # the tests that see many faults in little time come first
                order = sorted(reaching(fault, tests, entering), key=lambda test: test[0] / (1 + 2 * seen_by[test[1]]))
            seen = judge(copy, fault, order)
            with lock:
                seen_by[seen and seen.split()[0]] += 1
                if seen is None or len(results) >= options.count:
                    continue
                results.append((fault, seen))
                print(f"{len(results):4d}  {fault.file}:{fault.line} {fault.kind}: " +
                      (f"killed by {seen}" if seen else f"SURVIVED\n      - {fault.before.strip()}\n"
                       f"      + {fault.after.strip()}"), flush=True)

    threads = [threading.Thread(target=work, args=(copy,)) for copy in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return copies[0], results, tests, entering


def sanitize(copy, survivors, tests, entering):
    """{fault: the test that sees it under the sanitizers}, for those that nothing has seen so far. Slow tests, which
    are those with real weights, are left out, and so are those that fail without any fault."""
    if not survivors:
        return {}
    everything = sorted({file for files in copy.programs.values() for file in files})
    said = copy.compile(everything, SANITIZE) or copy.link(everything, SANITIZE)
    if said:
        sys.exit(f"without any fault, sanitized: {said}")
    print("under the sanitizers:", flush=True)
    needed = {name for fault in survivors for _, name in reaching(fault, tests, entering)}
    timed = []
    for seconds, name in tests:
        if seconds < 0.7 and name in needed:
            start = processor_seconds()
            if copy.run(["build/tests", name], 600, ASAN_OPTIONS="detect_leaks=1")[0] == 0:
                timed.append((processor_seconds() - start, name))
    return {fault: judge_sanitized(copy, fault, reaching(fault, timed, entering)) for fault in survivors}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="", help="files whose names contain this")
    parser.add_argument("--longest", type=float, default=60, help="processor seconds of a test that is still run")
    parser.add_argument("--sanitize", action="store_true", help="survivors once more, under the sanitizers")
    for name in ("compile", "parts", "tests", "convert"):
        parser.add_argument("--" + name, required=True, type=str if name == "compile" else str.split)
    options = parser.parse_args()
    copy, results, tests, entering = run_all(options)
    survivors = [fault for fault, seen in results if not seen]
    sanitized = sanitize(copy, survivors, tests, entering) if options.sanitize else {}
    print(f"\n{'file':26} planted  killed  memory only  survived")
    for file in sorted({fault.file for fault, _ in results}) + ["total"]:
        here = [(fault, seen) for fault, seen in results if file in (fault.file, "total")]
        memory = sum(1 for fault, _ in here if sanitized.get(fault))
        alive = sum(1 for fault, seen in here if not seen and not sanitized.get(fault))
        print(f"{file:26} {len(here):7}  {sum(1 for _, seen in here if seen):6}  {memory:11}  {alive:8}")
    for title, chosen in (("seen by the sanitizers only", [f for f in survivors if sanitized.get(f)]),
                          ("survived", [f for f in survivors if not sanitized.get(f)])):
        if chosen:
            print(f"\n{title}:")
        for fault in chosen:
            print(show(fault) + (f"\n    by {sanitized[fault]}" if sanitized.get(fault) else ""))


if __name__ == "__main__":
    main()
