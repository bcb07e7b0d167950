#!/bin/sh
# lint_sizes.sh - no raw arithmetic on sizes: every malloc, calloc and realloc whose size is a product or a sum that did
# not come from size_mul or size_add must stand in tests/lint_sizes.known, with the reason why it cannot wrap. It looks at
# one line at a time, and at what is written inside the brackets: `n * sizeof *p` in a variable of its own escapes it.
set -u
cd "$(dirname "$0")/.." || exit 2
mkdir -p build
for file in ./*.c weights/*.c verify/*.c cli/*.c; do
    awk -v file="${file#./}" '/(malloc|calloc|realloc)\(/ && !/^ *(\/\*|\*)/ {
        line = $0
        sub(/^ */, "", line)
        sub(/ *\/\*.*\*\/$/, "", line)
        code = line
        sub(/.*(malloc|calloc|realloc)\(/, "", code)
        gsub(/\*+[a-z_]+,/, ",", code)                                  # realloc(*array, ...: no product
        product = code
        gsub(/, sizeof \**[a-zA-Z_>.-]+/, "", product)                  # calloc multiplies these two itself, and checks
        if (product ~ / [*+] /) print file " | " line
    }' "$file"
done > build/sizes
sed -n 's/^\(.* | .*\)   # .*/\1/p' tests/lint_sizes.known | sort > build/sizes.known
new=$(sort build/sizes | comm -23 - build/sizes.known) gone=$(sort build/sizes | comm -13 - build/sizes.known)
[ -z "$new" ] || { echo 'raw arithmetic on a size: use size_mul and size_add, or say in tests/lint_sizes.known why not:' && echo "$new"; }
[ -z "$gone" ] || { echo 'no longer there, but in tests/lint_sizes.known:' && echo "$gone"; }
echo "$(wc -l < build/sizes) products or sums, all with a reason: $([ -z "$new$gone" ] && echo yes || echo no)"
[ -z "$new$gone" ]
