#!/bin/sh
# bits.sh - equal bits: builds `bert` in several ways and requires that every one writes the same trace, byte for byte.
#
# Compared are whole trace files (every intermediate, every bit): of a sentence and of a pair on the real weights if they
# are there, of a formula model in any case. A compiler that is not installed is skipped aloud; SKIPS_FAIL=1 fails then.
set -u
cd "$(dirname "$0")/.." || exit 2
work=build/bits
mkdir -p "$work"
passed=0 failed=0 skipped=0

build/formula tiny "$work/tiny" || exit 1
sentence='After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi river bank.'
models=build/bits/tiny
[ -f weights/bert-base-uncased/model.safetensors ] && models="$models weights/bert-base-uncased"

# trace BINARY NAME: one line per trace, its SHA-256
trace() {
    for model in $models; do
        case $model in *tiny) text='the cat sat on my mat' ;; *) text=$sentence ;; esac
        "$1" trace -m "$model" --pair 'he likes playing' -o "$work/$2.safetensors" -- "$text" || return 1
        build/convert --sha256 "$work/$2.safetensors"
    done
}

# compare NAME CC CFLAGS...: builds with that compiler and those flags, and compares with the reference
compare() {
    name=$1 cc=$2
    shift 2
    if ! command -v "$cc" > /dev/null 2>&1; then
        echo "    SKIPPED: $cc is not installed ($name)"
        skipped=$((skipped + 1))
        return
    fi
    rm -f "$work/bert"
    if make -s -B CC="$cc" CFLAGS="$*" BERT="$work/bert" "$work/bert" > "$work/log" 2>&1 && [ "$(trace "$work/bert" other)" = "$reference" ]; then
        echo "same bits: $name"
        passed=$((passed + 1))
    else
        echo "OTHER BITS: $name"
        sed 3q "$work/log"
        failed=$((failed + 1))
    fi
}

reference=$(trace ./bert reference) || exit 1
if [ "$(trace ./bert-plain other)" = "$reference" ]; then
    echo "same bits: without the fast kernel (make plain)"
    passed=$((passed + 1))
else
    echo "OTHER BITS: without the fast kernel (make plain)"
    failed=$((failed + 1))
fi
compare 'gcc -O0' gcc -O0 -march=native
compare 'clang -O3' clang -O3 -march=native
case $(uname -m) in
x86_64) compare 'gcc without AVX and fma' gcc -O2 -march=x86-64 ;;
esac
rm -f "$work"/*.safetensors
echo "equal bits: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && { [ "$skipped" -eq 0 ] || [ "${SKIPS_FAIL:-0}" != 1 ]; }
