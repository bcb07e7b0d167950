#!/bin/sh
# steps.sh - prints steps.h, from which `bert explain` says where each step stands: the file and line of each STEP n
# heading, and the line of the function that cli/explain.c names for the step. The Makefile runs it.
set -eu
cd "$(dirname "$0")/.."
# Lines "STEPn file line" and "function file line": a definition begins in column 1 and ends in no semicolon.
places=$(awk 'FNR == 1 { file = FILENAME }
    match($0, /STEP [0-9]+ - /) { split(substr($0, RSTART), word, " "); print "STEP" word[2], file, FNR }
    /^[A-Za-z].*\(.*[^;]$/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name); print name, file, FNR }
' tokenizer.c bert.c)
# The functions, one a line, in the order of the table in explain.c: {"MODULE" or NULL, "name", "function", ...
functions=$(awk -F '"' '/^    \{(NULL|"[A-Z ]+"), "[^"]*", "[a-z_]+",/ { print $1 ~ /NULL/ ? $4 : $6 }' cli/explain.c)
echo '/* steps.h - where each step stands, for `bert explain`: made by cli/steps.sh. */'
echo '#ifndef STEPS_H'
echo '#define STEPS_H'
echo 'static const struct { const char *file; int line, function_line; } step_places[] = {'
n=1
while [ $n -le 16 ]; do
    echo "$places" | awk -v n=$n -v name="$(echo "$functions" | sed -n ${n}p)" '
        $1 == "STEP" n { file = $2; line = $3 }
        $1 == name && $2 == file && $3 > line && !begins { begins = $3 }
        END { printf "    {\"%s\", %d, %d},  /* %d */\n", file, line, begins, n; exit !begins }'
    n=$((n + 1))
done
echo '};'
echo '#endif'
