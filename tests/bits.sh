#!/bin/sh
# bits.sh - equal bits: the same program built in many ways must compute the same numbers, byte for byte.
#
#     sh tests/bits.sh        (as `make test` does)
#
# tests/print_bits.c prints a checksum over every intermediate of 22 runs of two formula models, 20 over gradients and
# weights of some steps of learning, and one of the bank sentence on the real weights if they are there (in the builds
# marked `real`: the others are slow). Built each time is what computes: tensor.c, bert.c,
# learn.c, train_data.c, the formula; the rest is compiled once for each kind of processor.
# The last build is wrong on purpose, and must differ: it shows that a checksum would notice.
# What is not installed is skipped aloud; SKIPS_FAIL=1 fails then.
set -u
cd "$(dirname "$0")/.." || exit 2
work=build/bits
passed=0 failed=0 skipped=0
machine=$(uname -m)
rm -rf "$work"
mkdir -p "$work"

real=''
[ -f weights/bert-base-uncased/model.safetensors ] && real=weights/bert-base-uncased

# name of the build | compiler | its flags | on the real weights, too? | what runs the program on this machine
list() {
    echo 'reference|gcc|-O3 -march=native -mtune=generic -falign-loops=32|real|'
    for cc in gcc clang; do
        echo "$cc -O0|$cc|-O0||"
        echo "$cc -O2|$cc|-O2 -march=native||"
        echo "$cc -O3 -march=native|$cc|-O3 -march=native|real|"
    done
    echo 'gcc, the definition alone (-DPLAIN)|gcc|-O3 -march=native -DPLAIN|real|'
    # The builds above have the length of this machine's registers; these have the one and the other.
    for cc in gcc clang; do
        echo "$cc, vectors of 32 bytes|$cc|-O2 -march=native -DVECTOR_BYTES=32|real|"
        echo "$cc, vectors of 64 bytes|$cc|-O2 -march=native -DVECTOR_BYTES=64|real|"
    done
    if [ "$machine" = x86_64 ]; then
        echo 'gcc without AVX and fma|gcc|-O3 -march=x86-64||'
        echo 'gcc without AVX and fma, vectors of 64 bytes|gcc|-O2 -march=x86-64 -DVECTOR_BYTES=64||'
        echo 'clang without AVX and fma|clang|-O2 -march=x86-64||'
    fi
    if [ "$machine" != aarch64 ]; then
        echo 'AArch64|aarch64-linux-gnu-gcc|-O2 -static||qemu-aarch64'
        echo 'AArch64, vectors of 64 bytes|aarch64-linux-gnu-gcc|-O2 -static -DVECTOR_BYTES=64||qemu-aarch64'
        echo 'AArch64, the definition alone (-DPLAIN)|aarch64-linux-gnu-gcc|-O2 -static -DPLAIN||qemu-aarch64'
    fi
    echo 'WRONG, sums cut every 64|gcc|-O2 -march=native||'
}

# one NUMBER NAME CC FLAGS REAL RUNNER: builds and runs it; $work/NUMBER.out is there if that succeeded
one() {
    n=$1 name=$2 cc=$3 flags=$4 runner=$6 tensor=tensor.c directory=''
    case $name in WRONG*) tensor=$work/wrong.c ;; esac
    [ "$5" = real ] && directory=$real
    # shellcheck disable=SC2086     (an empty directory or runner is no argument)
    make -s CC="$cc" CFLAGS="$flags" BITS="$work/$n" BITS_REST="$work/rest-$cc.o" TENSOR="$tensor" "$work/$n" \
        > "$work/$n.log" 2>&1 &&
        $runner "$work/$n" $directory > "$work/$n.part" 2>> "$work/$n.log" && mv "$work/$n.part" "$work/$n.out"
}

# missing CC RUNNER: prints which of them is not installed. Asked once, before the first build: a compiler that is
# installed while this runs changes nothing.
missing() {
    for tool in "$1" $2; do
        command -v "$tool" > /dev/null 2>&1 || { echo "$tool"; return; }
    done
}

# The part that does not compute, for each compiler that is there; then the builds, two at a time.
sed 's/SUM_CHUNK/64/g' tensor.c > "$work/wrong.c"
for cc in gcc clang aarch64-linux-gnu-gcc; do
    [ -n "$(missing $cc '')" ] || make -s CC=$cc CFLAGS=-O1 BITS_REST="$work/rest-$cc.o" "$work/rest-$cc.o" || exit 1
done
n=0
list > "$work/list"
while IFS='|' read -r name cc flags where runner; do
    n=$((n + 1))
    missing "$cc" "$runner" > "$work/$n.missing"
    [ -s "$work/$n.missing" ] && continue
    one $n "$name" "$cc" "$flags" "$where" "$runner" &
    [ $((n % 2)) -eq 0 ] && wait
done < "$work/list"
wait

# same NUMBER: its lines are the reference's; without the real weights' line where it did not run on them
same() {
    lines=$(wc -l < "$work/$1.out")
    [ "$lines" -ge 42 ] && sed "${lines}q" "$work/1.out" | cmp -s - "$work/$1.out"
}

n=0
while IFS='|' read -r name cc flags where runner; do
    n=$((n + 1)) tool=$(cat "$work/$n.missing")
    if [ -n "$tool" ]; then
        echo "    SKIPPED: $tool is not installed ($name)"
        skipped=$((skipped + 1))
    elif [ ! -f "$work/$n.out" ]; then
        echo "DOES NOT BUILD OR RUN: $name"
        sed 3q "$work/$n.log"
        failed=$((failed + 1))
    elif case $name in WRONG*) ! same $n ;; *) same $n ;; esac; then
        echo "$(wc -l < "$work/$n.out") checksums as expected: $name"
        passed=$((passed + 1))
    else
        echo "OTHER BITS THAN EXPECTED: $name"
        sed "$(wc -l < "$work/$n.out")q" "$work/1.out" | diff - "$work/$n.out" | sed 6q
        failed=$((failed + 1))
    fi
done < "$work/list"

# The command line, too: whole trace files of ./bert and ./bert-plain.
build/formula tiny "$work/tiny" || exit 1
for bert in bert bert-plain; do
    "./$bert" trace -q -m "$work/tiny" -o "$work/$bert.safetensors" --pair 'he likes playing' -- 'the cat sat' || exit 1
done
if cmp -s "$work/bert.safetensors" "$work/bert-plain.safetensors"; then
    echo 'the same trace file: ./bert and ./bert-plain'
    passed=$((passed + 1))
else
    echo 'OTHER BITS: ./bert-plain'
    failed=$((failed + 1))
fi
[ -n "$real" ] || echo '    SKIPPED: the real weights are not there (make weights)'
[ -n "$real" ] || skipped=$((skipped + 1))
echo "equal bits: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] && { [ "$skipped" -eq 0 ] || [ "${SKIPS_FAIL:-0}" != 1 ]; }
