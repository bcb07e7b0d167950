#!/bin/sh
# valgrind.sh - make valgrind: the tests of readers, tokenizer and model under memcheck, which also sees uses of memory
# that was never written; ASan does not. Tests that take valgrind minutes are left out by name, and so are those that
# only start ./bert, which would not be looked at. Without the real weights.
set -u
cd "$(dirname "$0")/.." || exit 2
root=$PWD here=build/valgrind
rm -rf "$here"
mkdir -p "$here/weights/bert-base-uncased"
ln -s "$root"/tests "$root"/*.c "$root"/verify "$root"/cli "$here/" && cp weights/bert-base-uncased/vocab.txt "$here/weights/bert-base-uncased/"
names=$(sed -n 's/^    {"\([a-z_0-9]*\)", \1}.*/\1/p' tests/test_weights.c tests/test_tokenizer.c tests/test_model.c)
left_out='sha256_matches many_tensors_take half_precision_is_exact damaged_safetensors flipped_bits checkpoints_cut_off'
ran=0 failed=0 log=$root/build/valgrind.log
cd "$here" || exit 2
: > "$log"
for name in $names; do
    for slow in $left_out ${VALGRIND_LEFT_OUT:-}; do case $name in $slow*) continue 2 ;; esac; done
    ran=$((ran + 1))
    SHORT=1 SKIPS_FAIL=0 timeout 300 valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all \
        "$root/build/plain-tests" "$name" >> "$log" 2>&1 || { failed=$((failed + 1)) && echo "FAILED: $name" && tail -n 30 "$log"; }
done
echo "$ran tests under valgrind, $failed failed"
[ $failed -eq 0 ] && [ $ran -gt 30 ]
