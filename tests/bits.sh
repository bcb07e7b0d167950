#!/bin/sh
# bits.sh - equal bits: the same program built in many ways must compute the same numbers, byte for byte.
#
#     sh tests/bits.sh        (as `make test` does)
#     sh tests/bits.sh RISC   only the builds with that in their names, after the reference
#
# tests/print_bits.c prints a checksum over every intermediate of 22 runs of two formula models, 20 over gradients and
# weights of some steps of learning, one of the bank sentence on the pocket model, and one on the real weights if they
# are there (in the builds marked `real`: the others are slow). Built each time is what computes: tensor.c, bert.c,
# learn.c, train_data.c, the formula; the rest is compiled once for each kind of processor.
# Emulators without fast floating-point take minutes for all of it: builds marked `few` compute 23 of the 43 checksums
# (print_bits --few), and say so.
# A big-endian machine is the one that computes nothing: there the ids must be the same, and weights refused by name.
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

# A clang that knows RISC-V's vectors as more than an experiment (from 16 on).
modern=clang-19
! command -v clang-19 > /dev/null && [ "$(clang -dumpversion 2> /dev/null | cut -d. -f1)" -ge 16 ] 2> /dev/null &&
    modern=clang
riscv='--target=riscv64-linux-gnu -O2 -static'
wasm='--target=wasm32-wasi -D_WASI_EMULATED_MMAN -include tests/wasi.h'

# name of the build | compiler | its flags | `real`: on the real weights, too; `few`: a part | what runs the program
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
        for long in 0 1; do
            echo "$cc, narrow panels in vectors of $((32 + 32 * long)) bytes|$cc|-O2 -march=native -DLONG_TILES=$long||"
        done
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
    if [ "$machine" != riscv64 ]; then
        echo 'RISC-V|riscv64-linux-gnu-gcc|-O2 -static|few|qemu-riscv64'
        for bits in 128 256 512; do
            echo "RISC-V, clang, vectors of $bits bits|$modern|$riscv -march=rv64gcv_zvl${bits}b|few|\
qemu-riscv64 -cpu rv64,v=true,vlen=$bits,vext_spec=v1.0"
        done
    fi
    if [ "$machine" != ppc64le ]; then
        echo 'POWER|powerpc64le-linux-gnu-gcc|-O2 -static|few|qemu-ppc64le'
    fi
    echo "WebAssembly|$modern|$wasm -O2 -lwasi-emulated-mman|few|node --no-warnings tests/wasi.mjs"
    echo "WebAssembly, the page's vectors|$modern|$wasm -O2 -msimd128 -lwasi-emulated-mman|few|node --no-warnings tests/wasi.mjs"
    echo 'WRONG, sums cut every 64|gcc|-O2 -march=native||'
}

# rest_of CC FLAGS: the object with what does not compute, for that kind of processor
rest_of() {
    case $2 in
        *riscv64*) echo "$work/rest-riscv64-linux-gnu-gcc.o" ;;
        *wasm32*) echo "$work/rest-wasm32.o" ;;
        *) echo "$work/rest-$1.o" ;;
    esac
}

# one NUMBER NAME CC FLAGS WHERE RUNNER: builds and runs it; $work/NUMBER.out is there if that succeeded
one() {
    n=$1 name=$2 cc=$3 flags=$4 runner=$6 tensor=tensor.c arguments=weights/pocket
    case $name in WRONG*) tensor=$work/wrong.c ;; esac
    case $5 in real) arguments="weights/pocket $real" ;; few) arguments='--few weights/pocket' ;; esac
    # shellcheck disable=SC2086     (no arguments, or several words)
    make -s CC="$cc" CFLAGS="$flags" BITS="$work/$n" BITS_REST="$(rest_of "$cc" "$flags")" TENSOR="$tensor" \
        "$work/$n" > "$work/$n.log" 2>&1 &&
        $runner "$work/$n" $arguments > "$work/$n.part" 2>> "$work/$n.log" && mv "$work/$n.part" "$work/$n.out"
}

# missing CC FLAGS RUNNER: prints what is not installed. Asked once, before the first build: a compiler that is
# installed while this runs changes nothing.
missing() {
    for tool in "$1" ${3%% *}; do
        command -v "$tool" > /dev/null 2>&1 || { echo "$tool"; return; }
    done
    case $2 in
        *riscv64*) tool=riscv64-linux-gnu-gcc; command -v $tool > /dev/null 2>&1 || echo "$tool" ;;
        *wasm32*) echo 'int main(void) { return 0; }' |
            "$1" --target=wasm32-wasi -x c - -o "$work/try.wasm" 2> /dev/null ||
            echo "wasm-ld, wasi-libc or clang's library for wasm32" ;;
    esac
}

# The part that does not compute, for each compiler that is there; then the builds, two at a time.
sed 's/SUM_CHUNK/64/g' tensor.c > "$work/wrong.c"
for cc in gcc clang aarch64-linux-gnu-gcc riscv64-linux-gnu-gcc powerpc64le-linux-gnu-gcc; do
    [ -n "$(missing $cc '' '')" ] || make -s CC=$cc CFLAGS=-O1 BITS_REST="$work/rest-$cc.o" "$work/rest-$cc.o" || exit 1
done
[ -n "$(missing $modern "$wasm" '')" ] ||
    make -s CC=$modern CFLAGS="-O1 $wasm" BITS_REST="$work/rest-wasm32.o" "$work/rest-wasm32.o" || exit 1
n=0
list | grep -e '^reference' -e "${1:-}" > "$work/list"
while IFS='|' read -r name cc flags where runner; do
    n=$((n + 1))
    missing "$cc" "$flags" "$runner" > "$work/$n.missing"
    [ -s "$work/$n.missing" ] && continue
    one $n "$name" "$cc" "$flags" "$where" "$runner" &
    [ $((n % 2)) -eq 0 ] && wait
done < "$work/list"
wait

# wanted NUMBER WHERE: the reference's lines; without the real weights' where it did not run on them
[ ! -f "$work/1.out" ] || "$work/1" --few weights/pocket > "$work/few" || exit 1
wanted() {
    if [ "$2" = few ]; then cat "$work/few"; else sed "$(wc -l < "$work/$1.out")q" "$work/1.out"; fi
}

# same NUMBER WHERE
same() {
    [ "$(wc -l < "$work/$1.out")" -ge "$([ "$2" = few ] && echo 23 || echo 43)" ] &&
        wanted "$1" "$2" | cmp -s - "$work/$1.out"
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
    elif case $name in WRONG*) ! same $n "$where" ;; *) same $n "$where" ;; esac; then
        echo "$(wc -l < "$work/$n.out") checksums as expected: $name$([ "$where" = few ] && echo ' (few)')"
        passed=$((passed + 1))
    else
        echo "OTHER BITS THAN EXPECTED: $name"
        wanted $n "$where" | diff - "$work/$n.out" | sed 6q
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

# A big-endian machine: s390x. gcc -std=c11 computes float in double there unless it is told not to.
other=s390x-linux-gnu-gcc
big_endian() {
    pieces=${real:-$work/tiny}
    make -s CC=$other CFLAGS='-O0 -static -fexcess-precision=fast' "$work/bert-other" &&
        ./bert tokenize -m "$pieces" --format json -f README.md > "$work/little.json" &&
        qemu-s390x "$work/bert-other" tokenize -m "$pieces" --format json -f README.md > "$work/big.json" &&
        cmp "$work/little.json" "$work/big.json" || return 1
    qemu-s390x "$work/bert-other" embed -m "$work/tiny" 'the cat sat' > "$work/big.out" 2> "$work/big.err"
    [ $? -eq 6 ] && [ ! -s "$work/big.out" ] && grep -q 'this machine is big-endian' "$work/big.err"
}
tool=$(missing $other '' qemu-s390x)
if [ -n "$tool" ]; then
    echo "    SKIPPED: $tool is not installed (s390x: a big-endian machine)"
    skipped=$((skipped + 1))
elif big_endian; then
    echo "$(wc -l < "$work/big.json") lines with the same ids, and weights refused by name: s390x, big-endian"
    passed=$((passed + 1))
else
    echo 'FAILS: s390x, big-endian'
    failed=$((failed + 1))
fi
[ -n "$real" ] || echo '    SKIPPED: the real weights are not there (make weights)'
[ -n "$real" ] || skipped=$((skipped + 1))
echo "equal bits: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] && { [ "$skipped" -eq 0 ] || [ "${SKIPS_FAIL:-0}" != 1 ]; }
