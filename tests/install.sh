#!/bin/sh
# install.sh - make install into a folder of its own: the program runs there, its manual page is one, and tests/example.c
# compiles and answers with nothing but what was installed. `make test` runs it. With the real weights if they are there,
# else with a formula model.
set -eu
cd "$(dirname "$0")/.."
here=$PWD/build/installed
rm -rf "$here"
make -s install PREFIX="$here" > /dev/null
passed=0
is() {                                                          # is WHAT GOT WANTED
    [ "$2" = "$3" ] || { echo "    FAILED: $1: '$2', expected '$3'"; exit 1; }
    echo "$1: $2"
    passed=$((passed + 1))
}

cd "$here"                                                      # nothing of the sources is near
${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror -I "$here/include" ../../tests/example.c -L "$here/lib" -lbert -lm -o example
model=../../weights/bert-base-uncased
if [ -f $model/model.safetensors ]; then
    is 'the example, on the real weights' "$(./example $model 'The cat sat on the [MASK].')" floor
else
    echo '    SKIPPED: the real weights are not there (make weights)'
fi
../formula tiny "$here/tiny"
is 'the example and the program agree' "$(./example "$here/tiny" '[MASK]')" \
    "$(bin/bert fill-mask -q -m "$here/tiny" --top-k 1 '[MASK]' | cut -f 2)"
is 'a sentence that is wrong' "$(./example "$here/nothing" 2>&1 > /dev/null | grep -c 'nothing: found neither vocab.txt')" 1
for verb in $(bin/bert --help | sed -n 's/^  \([a-z-]*\)  .*/\1/p'); do
    grep -q "^\.SS bert $verb" share/man/man1/bert.1 || { echo "    FAILED: the manual page lacks $verb"; exit 1; }
done
is 'headings of the manual page' "$(grep -c '^\.SH' share/man/man1/bert.1)" "$(grep '^\.SH' share/man/man1/bert.1 | sort -u | grep -c .)"
cd ../..
make -s uninstall PREFIX="$here" > /dev/null
is 'files that stay after make uninstall' "$(find "$here" -type f | grep -vc '/tiny/\|/example$')" 0
echo "install: $passed passed, 0 failed"
