# bert.c. Two commands to begin with:  make demo   and   make test
#
#   make            ./bert, the command line, in float32
#   make bert64     the same program in float64: the oracle that float32 is measured against
#   make plain      ./bert-plain, without the fast kernel: slow, and the same bits
#   make weights    fetches a model, converts it, verifies it. MODEL=bert-base-uncased (the default), bert-base-cased,
#                   bert-base-multilingual-cased or all-MiniLM-L6-v2; FROM=FILE takes a copy at hand instead of the network
#   make demo       the documents' bank sentence
#   make check      the tests on formula models, in seconds: what to run after changing a line
#   make test       every test, some minutes; fetches the weights if they are missing. OFFLINE=1: does not, and skips aloud
#   make mutants    plants known mistakes, one at a time, and names the first test that fails; fails if one survives
#   make mutation   plants small random faults, one at a time, and says which of them no test sees: SEED=1 COUNT=200 JOBS=1
#   make curves     exp, tanh and both GELUs against libm for every float there is (some minutes)
#   make pipes      many processes on one copy of the weights: by hand, under GNU parallel, under Apache Spark
#   make linear     counts the tokenizer's work for texts of 1, 2, 4 ... 64 MB: twice the text, twice the work
#   make sweep      every small damage to every kind of file, in one process, under ASan and UBSan (about two minutes)
#   make faults     the Nth malloc, open, read, write, rename ... fails, for every N; full disks, signals, limits
#   make coverage   the lines of readers and tokenizer that no test reaches; valgrind: memcheck; analyze: gcc and cppcheck
#   make fuzz       throws hostile files and texts at every reader, 30 seconds each (needs clang); SECONDS=1200 for
#                   longer, TARGET=fuzz_vocab for one of them. tests/fuzz/README.md
#   make replay     the inputs that fuzzing has collected, once each, with any compiler
#   make bench      the tokenizer against two others, the model against six, a step of learning against PyTorch's, one
#                   thread, medians, beside the machine's
#                   limits; tables in build/bench.md. BENCH=quick: few repeats. (It fetches the others and the text.)
#   make notebooks  runs every notebook again and compares what it prints (notebooks/requirements.txt says what it needs);
#                   fetches the models that are missing. PYTHON=python3 says which
#   make documents  runs every command of notebooks/ERRATA.md and compares what it prints
#   make page       build/bert.html: the program, a model and the page in one file, which a browser opens from disk.
#                   PAGE_MODEL=DIRECTORY, by default weights/pocket; needs clang with wasm-ld and wasi-libc (page/README.md)
#   make page-test  the page in node and in Chromium: the same bits as ./bert, every view, keyboard, screen reader
#   make install    the program, its manual page, libbert.a and bert.h: PREFIX=/usr/local; uninstall
#   make clean      removes what was built; fetched models stay
#   make help       this list
#
# make CC=clang CFLAGS=-O0 honours both. What the numbers need is added whatever CFLAGS says.

# -mtune=generic: gcc's tuning for some processors slows the kernel by a quarter; -falign-loops: a loop that begins
# anywhere, by 1 %.
CFLAGS  ?= -O3 -march=native -mtune=generic -falign-loops=32
MODEL   ?= bert-base-uncased
FROM    ?=
OFFLINE ?=
PYTHON  ?= python3
SECONDS ?= 30
TARGET  ?=

# C11; no fused, reordered or approximated floating-point arithmetic: the promise of equal bits rests on this line.
NUMBERS = -std=c11 -ffp-contract=off -fno-fast-math -fno-trapping-math -fno-math-errno
DEFINES = -D_POSIX_C_SOURCE=200809L -I. -Ibuild
COMPILE = $(CC) $(CFLAGS) -Wall -Wextra -Wpedantic -Wno-psabi $(NUMBERS) $(DEFINES)

# The rooms. Calls go one way: cli -> verify -> book -> weights.
BOOK    = tokenizer.c tensor.c bert.c learn.c
WEIGHTS = $(addprefix weights/, files.c json.c sha256.c safetensors.c shards.c config.c labels.c model.c parameters.c training.c \
          vocabulary.c added.c tokenizer_json.c modules.c program.c)
VERIFY  = $(addprefix verify/, trace.c compare.c twins.c layout.c slices.c report.c trial.c rounding.c verify.c mistakes.c unseen.c gradients.c habits.c)
CLI     = $(addprefix cli/, main.c options.c inputs.c output.c tokenize.c vectors.c sentence.c predict.c classify.c attention.c traces.c \
          explain.c explain_cards.c explain_learn.c explain_tables.c goldens.c info.c demo.c \
          spans.c tag.c answer.c train.c train_model.c train_data.c train_dev.c train_task.c train_answer.c train_score.c train_teacher.c \
          learn_vocab.c)
unexport WEIGHTS CONVERT        # lists here; to weights/fetch.sh a place for models and a program
CORE    = $(BOOK) $(WEIGHTS)
# What only the converter reads.
FOREIGN = $(addprefix weights/, tensorbundle.c zip.c torch.c)
PARTS   = $(CORE) $(VERIFY) $(CLI)
TESTS   = $(CORE) $(VERIFY) $(FOREIGN) cli/spans.c cli/train_data.c cli/train_score.c tests/formula.c tests/torch_file.c tests/checksum.c tests/shell.c \
          tests/run.c $(wildcard tests/test_*.c)
HEADERS = $(wildcard *.h weights/*.h verify/*.h cli/*.h tests/*.h page/*.h) weights/convert.c build/steps.h

bert:

# Where each step stands, for `bert explain`. (The header is only touched when it changes; the stamp says that it was looked at.)
build/steps.h: build/steps.stamp ;
build/steps.stamp: tokenizer.c bert.c cli/explain.c cli/steps.sh
	@mkdir -p build
	@sh cli/steps.sh > build/steps.new
	@cmp -s build/steps.new build/steps.h || cp build/steps.new build/steps.h
	@touch $@

# Object files, each kind in a folder of its own: where one file has changed, one file is compiled. `flags` is written
# anew when the compiler or its flags are others than last time. -MMD notes which headers a file includes.
# $(call objects,KIND,FILES); $(eval $(call kind,KIND,FLAGS)) makes the rules.
objects = $(patsubst %.c,build/$(1)/%.o,$(2))
define kind
build/$(1)/flags: FORCE
	@mkdir -p $$(@D)
	@echo '$$(COMPILE) $(2)' | cmp -s - $$@ || echo '$$(COMPILE) $(2)' > $$@
build/$(1)/%.o: %.c build/$(1)/flags | build/steps.h
	@mkdir -p $$(@D)
	$$(SAY) '  cc $(if $(2),$(2) )$$<'
	@$$(COMPILE) $(2) -MMD -MP -c $$< -o $$@
endef
SAY = $(if $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),@:,@echo)
$(eval $(call kind,float,))
$(eval $(call kind,double,-DREAL=double))
$(eval $(call kind,plain,-DPLAIN))
-include $(shell find build/float build/double build/plain -name '*.d' 2> /dev/null)

# $(call link,KIND,FILES)
link = $(COMPILE) $(call objects,$(1),$(2)) -o $@ -lm
bert: $(call objects,float,$(PARTS))
	@$(call link,float,$(PARTS))
bert64: $(call objects,double,$(PARTS))
	@$(call link,double,$(PARTS))
bert-plain: $(call objects,plain,$(PARTS))
	@$(call link,plain,$(PARTS))
plain: bert-plain

# The converter is a program of its own: TensorFlow checkpoint -> safetensors.
CONVERT = $(CORE) $(FOREIGN) weights/convert.c
build/convert: $(call objects,float,$(CONVERT))
	@$(call link,float,$(CONVERT))

# (test_weights.c includes convert.c.)
build/tests: $(call objects,float,$(TESTS))
	@$(call link,float,$(TESTS))
build/tests64: $(call objects,double,$(TESTS))
	@$(call link,double,$(TESTS))
# The same with whatever CFLAGS asks for, under a name of its own: for the sanitizers.
build/sanitized: $(TESTS) $(HEADERS)
	@mkdir -p build
	$(COMPILE) $(TESTS) -o $@ -lm

FORMULA = $(CORE) tests/formula.c tests/make_formula.c
build/formula: $(call objects,float,$(FORMULA))
	@$(call link,float,$(FORMULA))

# For tests/conformance/test_learn.py: a model and inputs in, the parameters after some steps of learning out.
LEARN_STEPS = $(CORE) tests/learn_steps.c
build/learn_steps64: $(call objects,double,$(LEARN_STEPS))
	@$(call link,double,$(LEARN_STEPS))

# For tests/compare_tokenizer.py: lines in, ids out.
STREAM = $(CORE) tests/tokenize_stream.c
build/tokenize_stream: $(call objects,float,$(STREAM))
	@$(call link,float,$(STREAM))

# For tests/peers/run.py: lines and another tokenizer's ids in, the habits that explain them out.
HABITS = $(CORE) $(VERIFY) tests/name_habits.c
build/name_habits: $(call objects,float,$(HABITS))
	@$(call link,float,$(HABITS))

# The library: what bert.h declares; tests/example.c is a program that uses it.
LIBRARY = $(filter-out weights/program.c,$(CORE))
build/libbert.a: $(call objects,float,$(LIBRARY))
	@rm -f $@
	@$(AR) rcs $@ $^

# make install PREFIX=$HOME/bert: the program with its pages for man, the library and its header. DESTDIR for packages.
PREFIX ?= /usr/local
build/bert.1: bert cli/man.sh
	@sh cli/man.sh ./bert > $@
install: bert build/libbert.a build/bert.1
	mkdir -p '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/lib' '$(DESTDIR)$(PREFIX)/include' '$(DESTDIR)$(PREFIX)/share/man/man1'
	cp bert '$(DESTDIR)$(PREFIX)/bin/bert'
	cp build/libbert.a '$(DESTDIR)$(PREFIX)/lib/libbert.a'
	cp bert.h '$(DESTDIR)$(PREFIX)/include/bert.h'
	cp build/bert.1 '$(DESTDIR)$(PREFIX)/share/man/man1/bert.1'
uninstall:
	rm -f '$(DESTDIR)$(PREFIX)/bin/bert' '$(DESTDIR)$(PREFIX)/lib/libbert.a' '$(DESTDIR)$(PREFIX)/include/bert.h' \
	    '$(DESTDIR)$(PREFIX)/share/man/man1/bert.1'

# The page: the same C for WebAssembly, twice (page/lanes.h says why), and everything in one file. The memory never grows:
# worker.js makes it as large as the model needs. Debian: clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32.
PAGE_MODEL ?= weights/pocket
WASM_CC    ?= $(shell command -v clang-19 || echo clang)
WASM        = $(WASM_CC) --target=wasm32-wasi -O3 -msimd128 -mexec-model=reactor -Wall -Wextra -Wpedantic -Wno-psabi $(NUMBERS) \
              $(DEFINES) -DNO_MMAP -D_WASI_EMULATED_MMAN -include page/wasi.h
PAGE_PARTS  = $(BOOK) $(filter-out weights/program.c,$(WEIGHTS)) $(VERIFY) page/page.c
WASM_LINK   = -lwasi-emulated-mman -Wl,--import-memory,--initial-memory=33554432,--max-memory=4294967296,-z,stack-size=1048576,--gc-sections,--strip-all
build/page/exact.wasm: $(PAGE_PARTS) $(filter-out build/steps.h,$(HEADERS))
	@mkdir -p build/page
	$(WASM) $(PAGE_PARTS) $(WASM_LINK) -o $@
build/page/relaxed.wasm: $(PAGE_PARTS) $(filter-out build/steps.h,$(HEADERS))
	@mkdir -p build/page
	$(WASM) -mrelaxed-simd $(PAGE_PARTS) $(WASM_LINK) -o $@
page: build/page/exact.wasm build/page/relaxed.wasm
	sh page/bundle.sh '$(PAGE_MODEL)' build/bert.html
page-test: build/page/exact.wasm build/page/relaxed.wasm bert build/formula
	MAKE='$(MAKE)' sh tests/page/run.sh '$(PAGE_MODEL)'

# For tests/bits.sh: what computes is built in many ways as $(BITS); the rest, which does not, once for each compiler.
BITS      = build/bits/bits
BITS_REST = build/bits/rest.o
TENSOR    = tensor.c
$(BITS_REST): $(filter-out build/steps.h,$(HEADERS))
	@mkdir -p build/bits
	$(COMPILE) -r -nostdlib $(filter-out bert.c tensor.c learn.c weights/program.c,$(CORE)) $(VERIFY) tests/checksum.c tests/print_bits.c -o $@
$(BITS): $(BITS_REST) bert.c $(TENSOR) learn.c cli/train_data.c tests/formula.c $(filter-out build/steps.h,$(HEADERS))
	$(COMPILE) bert.c $(TENSOR) learn.c cli/train_data.c tests/formula.c $(BITS_REST) -o $@ -lm
# The whole program for another machine, as tests/bits.sh says by CC and CFLAGS.
build/bits/bert-other: $(PARTS) $(HEADERS)
	$(COMPILE) $(PARTS) -o $@ -lm

weights: build/convert
	MODEL='$(MODEL)' FROM='$(FROM)' sh weights/fetch.sh

# The weights of bert-base-uncased, fetched if they are missing, unless OFFLINE=1.
weights/bert-base-uncased/model.safetensors:
	@if [ '$(OFFLINE)' = 1 ]; then echo 'OFFLINE=1: the weights are missing and are not fetched'; \
	else $(MAKE) --no-print-directory weights MODEL=bert-base-uncased; fi

# In float64, because it shows eight digits. Where nothing can be fetched the pocket model shows its own numbers.
demo: bert bert64
	@[ -f weights/bert-base-uncased/model.safetensors ] || [ '$(OFFLINE)' = 1 ] || \
	    $(MAKE) --no-print-directory weights MODEL=bert-base-uncased || echo 'weights: nothing was fetched' >&2
	@./bert64 demo

# The formula models alone, in seconds: what to run after changing a line. No download; real weights are not looked at.
check: bert bert-plain build/tests
	@sh tests/check.sh

# In float64 only what has to do with numbers; equal bits between builds; two processes on one copy of the weights;
# then the whole suite in float32, whose last line is the count.
test: bert bert64 bert-plain build/tests build/tests64 build/convert build/formula weights/bert-base-uncased/model.safetensors
	build/tests64 pytorch_s
	build/tests64 fast_
	sh tests/bits.sh
	sh tests/pipes.sh processes
	sh tests/install.sh
	build/tests

# Compiled so that every run of instructions counts itself: is the tokenizer's work linear?
build/count_work: tokenizer.c weights/vocabulary.c tests/count_work.c $(HEADERS)
	@mkdir -p build
	$(COMPILE) -fsanitize-coverage=trace-pc -c tokenizer.c -o build/counted_tokenizer.o
	$(COMPILE) -fsanitize-coverage=trace-pc -c weights/vocabulary.c -o build/counted_vocabulary.o
	$(COMPILE) build/counted_tokenizer.o build/counted_vocabulary.o \
	    $(filter-out weights/vocabulary.c,$(CORE:tokenizer.c=)) tests/count_work.c -o $@ -lm
linear: build/count_work
	build/count_work weights/bert-base-uncased

pipes: bert build/formula
	sh tests/pipes.sh

# One forward pass after another, for tests/bench.py, which has it built by gcc and by clang.
BENCH_FORWARD  = build/bench-forward
$(BENCH_FORWARD): $(CORE) tests/bench_forward.c $(HEADERS)
	@mkdir -p build
	$(COMPILE) $(CORE) tests/bench_forward.c -o $@ -lm

# One step of learning after another, for tests/bench_train.py.
BENCH_TRAIN    = build/bench-train
$(BENCH_TRAIN): $(CORE) cli/train_data.c tests/bench_train.c $(HEADERS)
	@mkdir -p build
	$(COMPILE) $(CORE) cli/train_data.c tests/bench_train.c -o $@ -lm

bench: bert linear weights/bert-base-uncased/model.safetensors
	$(PYTHON) tests/bench_tokenizer.py
	$(PYTHON) tests/bench.py
	$(PYTHON) tests/bench_train.py

# Every small damage to every kind of file. The linker sends file_open and malloc to tests/sweep.c; what includes files
# of the tests needs not use all of them.
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all
SWEPT = $(CORE) $(VERIFY) $(FOREIGN) $(addprefix cli/, train_answer.c train_data.c spans.c) tests/sweep_questions.c
build/sweep: $(SWEPT) tests/formula.c tests/torch_file.c tests/sweep.c tests/test_weights.c $(HEADERS)
	@mkdir -p build
	$(COMPILE) -O2 -g $(SANITIZE) -Wl,--wrap=file_open,--wrap=malloc,--wrap=calloc,--wrap=realloc \
	    $(SWEPT) tests/formula.c tests/torch_file.c tests/sweep.c -o $@ -lm
sweep: build/sweep
	build/sweep

# The Nth call that can fail does, for every N, under ASan and LeakSanitizer; then what a system does to a program.
WRAPPED = malloc calloc realloc strdup mmap read fstat stat opendir readdir fopen realpath mkstemp fdopen fchmod fflush \
    rename mkdir dup open fwrite fclose forward
comma = ,
build/faults: $(PARTS) $(FOREIGN) weights/convert.c tests/formula.c tests/torch_file.c tests/faults.c tests/checkpoint.c $(HEADERS)
	@mkdir -p build
	$(COMPILE) -O1 -g $(SANITIZE) -Dmain=bert_main -c cli/main.c -o build/faults_main.o
	$(COMPILE) -O1 -g $(SANITIZE) $(patsubst %,-Wl$(comma)--wrap=%,$(WRAPPED)) $(filter-out cli/main.c,$(PARTS)) \
	    build/faults_main.o $(FOREIGN) tests/formula.c tests/torch_file.c tests/faults.c tests/checkpoint.c -o $@ -lm
faults: bert build/faults build/convert build/formula
	build/faults
	sh tests/faults.sh

# Which lines of the readers, the JSON reader and the tokenizer no test reaches: tests/COVERAGE-readers.md has the reasons.
READERS = $(filter-out weights/config.c weights/model.c weights/parameters.c,$(WEIGHTS)) $(FOREIGN) weights/convert.c tokenizer.c
coverage: build/steps.h
	python3 tests/coverage.py '$(CC) $(NUMBERS) $(DEFINES) -Wno-psabi' '$(patsubst %,-Wl$(comma)--wrap=%,$(WRAPPED))' \
	    '$(TESTS)' '$(CORE)' '$(VERIFY) $(CLI)' '$(FOREIGN)' '$(READERS)'

# Without AVX, which valgrind does not know in full, and without the real weights, which take it minutes.
build/plain-tests: $(TESTS) $(HEADERS)
	@mkdir -p build
	$(CC) -O1 -g -Wall -Wextra -Wpedantic -Wno-psabi $(NUMBERS) $(DEFINES) $(TESTS) -o $@ -lm
valgrind: build/plain-tests
	sh tests/valgrind.sh

# Two programs that read programs. What they still say, and why it stays, is in tests/COVERAGE-readers.md.
analyze:
	sh tests/lint_sizes.sh
	sh tests/analyze.sh $(PARTS) $(FOREIGN) weights/convert.c

curves: build/tests
	CURVES=1 build/tests curves_are_within

# Fuzz targets, each its own program: clang's libFuzzer with sanitizers, or a main that replays files. NO_MMAP: files
# are read into memory of their size, so that a step beyond is seen. An archive: what a target includes is not linked
# twice. (trace-cmp: libFuzzer watches every comparison. The tokenizer's searches in tables would take most of the time.)
FUZZ_TARGETS = $(notdir $(basename $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_PARTS   = $(CORE) $(VERIFY) $(filter-out cli/main.c,$(CLI)) $(FOREIGN) tests/formula.c tests/torch_file.c \
               tests/fuzz/fuzz.c
FUZZ_COMPILE = clang -g -O2 -march=native -fno-omit-frame-pointer -Wall -Wextra -Wpedantic -Wno-psabi $(NUMBERS) \
               -DNO_MMAP $(DEFINES) -fsanitize=address,undefined,float-cast-overflow \
               -fno-sanitize-recover=all
FUZZ_HEADERS = $(HEADERS) tests/fuzz/fuzz.h cli/main.c
build/fuzz/library.a: $(FUZZ_PARTS) $(FUZZ_HEADERS)
	@command -v clang > /dev/null || { echo 'make fuzz needs clang and its libFuzzer (on Debian: clang)'; exit 1; }
	@mkdir -p build/fuzz && rm -f build/fuzz/*.o $@
	cd build/fuzz && $(FUZZ_COMPILE) -I../.. -I.. -fsanitize=fuzzer-no-link -c $(FUZZ_PARTS:%=../../%)
	cd build/fuzz && $(FUZZ_COMPILE) -I../.. -I.. -fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp -c ../../tokenizer.c
	cd build/fuzz && ar rcs library.a *.o
build/fuzz/fuzz_%: tests/fuzz/fuzz_%.c build/fuzz/library.a
	$(FUZZ_COMPILE) -fsanitize=fuzzer $^ -o $@ -lm
fuzz: $(FUZZ_TARGETS:%=build/fuzz/%)
	sh tests/fuzz/run.sh $(SECONDS) $(TARGET)

build/replay/library.a: $(FUZZ_PARTS) tests/fuzz/replay.c $(FUZZ_HEADERS)
	@mkdir -p build/replay && rm -f build/replay/*.o $@
	cd build/replay && $(COMPILE) -I../.. -I.. -DNO_MMAP -c $(FUZZ_PARTS:%=../../%) ../../tests/fuzz/replay.c && ar rcs library.a *.o
build/replay/fuzz_%: tests/fuzz/fuzz_%.c build/replay/library.a
	$(COMPILE) -DNO_MMAP $^ -o $@ -lm
replay: $(FUZZ_TARGETS:%=build/replay/%)
	for target in $(FUZZ_TARGETS); do $(RUN) build/replay/$$target tests/fuzz/corpus/$$target || exit 1; done

notebooks: bert bert64 weights/bert-base-uncased/model.safetensors
	@for model in bert-base-cased all-MiniLM-L6-v2; do \
		[ -f weights/$$model/model.safetensors ] || $(MAKE) weights MODEL=$$model || exit; done
	$(PYTHON) notebooks/run.py

documents: bert weights/bert-base-uncased/model.safetensors
	python3 tests/check_documents.py

mutants:
	sh tests/mutants/run.sh

SEED  ?= 1
COUNT ?= 200
JOBS  ?= 1
mutation: build/steps.h
	$(PYTHON) tests/mutants/mutation.py --seed $(SEED) --count $(COUNT) --jobs $(JOBS) $(MUTATION) \
	    --compile '$(CC) -march=native -mtune=generic $(NUMBERS) $(DEFINES)' --parts '$(PARTS)' --tests '$(TESTS)' \
	    --convert '$(CONVERT)'

help:
	@sed -n 's/^#   make /make /p; s/^#    /    /p' Makefile

FORCE:

clean:
	rm -rf bert bert64 bert-plain build

.PHONY: plain page page-test weights demo check install uninstall help test pipes linear fuzz replay sweep faults coverage valgrind analyze bench curves \
    notebooks documents mutants mutation clean FORCE
