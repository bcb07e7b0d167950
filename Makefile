# bert.c. Two commands to begin with:  make demo   and   make test
#
#   make            ./bert, the command line, in float32
#   make bert64     the same program in float64: the oracle that float32 is measured against
#   make plain      ./bert-plain, without the fast kernel: slow, and the same bits
#   make weights    fetches a model, converts it, verifies it. MODEL=bert-base-uncased (the default), bert-base-cased or
#                   all-MiniLM-L6-v2; FROM=FILE takes a copy at hand instead of the network
#   make demo       the documents' bank sentence
#   make test       every test; fetches the weights if they are missing. OFFLINE=1: does not, and skips aloud
#   make mutants    plants known mistakes, one at a time, and names the first test that fails; fails if one survives
#   make curves     exp, tanh and both GELUs against libm for every float there is (some minutes)
#   make linear     counts the tokenizer's work for texts of 1, 2, 4 ... 64 MB: twice the text, twice the work
#   make bench      the tokenizer against two others: same text, one thread, medians (fetches them and the text)
#   make notebooks  runs notebooks/7-verify-your-own.ipynb again (tests/conformance/requirements.txt says what it needs)
#   make clean      removes what was built; fetched models stay
#
# make CC=clang CFLAGS=-O0 honours both. What the numbers need is added whatever CFLAGS says.

CFLAGS  ?= -O3 -march=native -mtune=generic
MODEL   ?= bert-base-uncased
FROM    ?=
OFFLINE ?=

# C11; no fused, reordered or approximated floating-point arithmetic: the promise of equal bits rests on this line.
NUMBERS = -std=c11 -ffp-contract=off -fno-fast-math -fno-trapping-math -fno-math-errno
COMPILE = $(CC) $(CFLAGS) -Wall -Wextra -Wpedantic -Wno-psabi $(NUMBERS) -D_POSIX_C_SOURCE=200809L

CORE    = bert.c tensor.c tokenizer.c weights/safetensors.c weights/files.c weights/vocabulary.c
KIT     = compare.c verify.c mistakes.c
PARTS   = $(CORE) $(KIT) cli.c vectors.c inspect.c goldens.c main.c
TESTS   = $(CORE) $(KIT) weights/tensorbundle.c tests/formula.c tests/run.c $(wildcard tests/test_*.c)
HEADERS = $(wildcard *.h weights/*.h tests/*.h) weights/convert.c

# BERT is where `bert` is put; tests/bits.sh builds it elsewhere.
BERT    = bert
$(BERT): $(PARTS) $(HEADERS)
	$(COMPILE) $(PARTS) -o $@ -lm
bert64: $(PARTS) $(HEADERS)
	$(COMPILE) -DREAL=double $(PARTS) -o $@ -lm
bert-plain: $(PARTS) $(HEADERS)
	$(COMPILE) -DPLAIN $(PARTS) -o $@ -lm
plain: bert-plain

# The converter is a program of its own: TensorFlow checkpoint -> safetensors.
build/convert: $(CORE) weights/tensorbundle.c weights/convert.c $(HEADERS)
	@mkdir -p build
	$(COMPILE) $(CORE) weights/tensorbundle.c weights/convert.c -o $@ -lm

# (test_weights.c includes convert.c.)
build/tests: $(TESTS) $(HEADERS)
	@mkdir -p build
	$(COMPILE) $(TESTS) -o $@ -lm
# The same with whatever CFLAGS asks for, under a name of its own: for the sanitizers.
build/sanitized: $(TESTS) $(HEADERS)
	@mkdir -p build
	$(COMPILE) $(TESTS) -o $@ -lm
build/tests64: $(TESTS) $(HEADERS)
	@mkdir -p build
	$(COMPILE) -DREAL=double $(TESTS) -o $@ -lm

build/formula: $(CORE) tests/formula.c tests/make_formula.c $(HEADERS)
	@mkdir -p build
	$(COMPILE) $(CORE) tests/formula.c tests/make_formula.c -o $@ -lm

weights: build/convert
	MODEL='$(MODEL)' FROM='$(FROM)' sh weights/fetch.sh

# The weights of bert-base-uncased, fetched if they are missing, unless OFFLINE=1.
weights/bert-base-uncased/model.safetensors:
	@if [ '$(OFFLINE)' = 1 ]; then echo 'OFFLINE=1: the weights are missing and are not fetched'; \
	else $(MAKE) weights MODEL=bert-base-uncased; fi

# In float64, because it shows eight digits.
demo: bert bert64 weights/bert-base-uncased/model.safetensors
	@./bert64 demo

# In float64 only what has to do with numbers; then the whole suite in float32, whose last line is the count.
test: bert bert64 bert-plain build/tests build/tests64 build/convert build/formula weights/bert-base-uncased/model.safetensors
	build/tests64 pytorch_s
	sh tests/bits.sh
	build/tests

# Compiled so that every run of instructions counts itself: is the tokenizer's work linear?
build/count_work: tokenizer.c weights/vocabulary.c weights/files.c tests/count_work.c $(HEADERS)
	@mkdir -p build
	$(COMPILE) -fsanitize-coverage=trace-pc -c tokenizer.c -o build/counted_tokenizer.o
	$(COMPILE) -fsanitize-coverage=trace-pc -c weights/vocabulary.c -o build/counted_vocabulary.o
	$(COMPILE) build/counted_tokenizer.o build/counted_vocabulary.o weights/files.c tests/count_work.c -o $@ -lm
linear: build/count_work
	build/count_work weights/bert-base-uncased

bench: bert linear
	python3 tests/bench_tokenizer.py

curves: build/tests
	CURVES=1 build/tests curves_are_within

notebooks: bert weights/bert-base-uncased/model.safetensors
	python3 tests/conformance/run_notebook.py

mutants:
	sh tests/mutants/run.sh

clean:
	rm -rf bert bert64 bert-plain build

.PHONY: plain weights demo test linear bench curves notebooks mutants clean
