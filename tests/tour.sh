#!/bin/sh
# tour.sh - make tour: writes where each step and function stands, after their lines have moved. tests/test_explain.c
# fails until that is done.
#   steps.h     file and line of each STEP n heading, and the line of the function that explain.c names for the step
#   README.md   links [file.c:12](file.c#L12) in a line that begins with a step's number ("**7. ...", "| 7 |"),
#               and links [`function`](file.c#L12)
set -eu
cd "$(dirname "$0")/.."
mkdir -p build
# Lines "STEP n", "file", "line" and "name", "file", "line": a definition begins in column 1 and ends in no semicolon.
awk 'FNR == 1 { file = FILENAME }
    match($0, /STEP [0-9]+ - /) { split(substr($0, RSTART), word, " "); print "STEP" word[2], file, FNR }
    /^[A-Za-z].*\(.*[^;]$/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name); print name, file, FNR }
' tokenizer.c tensor.c bert.c > build/places
# The functions, one a line, in the order of the table in explain.c: {"MODULE" or NULL, "name", "function", ...
awk -F '"' '/^    \{(NULL|"[A-Z ]+"), "[^"]*", "[a-z_]+",/ { print $1 ~ /NULL/ ? $4 : $6 }' explain.c > build/functions
{
    echo '/* steps.h - where each step stands, for `bert explain`. Written by `make tour`; tests/test_explain.c checks it. */'
    echo '#ifndef STEPS_H'
    echo '#define STEPS_H'
    echo 'static const struct { const char *file; int line, function_line; } step_places[] = {'
    n=1
    while [ $n -le 16 ]; do
        awk -v n=$n -v name="$(sed -n ${n}p build/functions)" '
            $1 == "STEP" n { file = $2; line = $3 }
            $1 == name && $2 == file && $3 > line && !begins { begins = $3 }
            END { printf "    {\"%s\", %d, %d},  /* %d */\n", file, line, begins, n; exit !begins }' build/places
        n=$((n + 1))
    done
    echo '};'
    echo '#endif'
} > build/steps.h
cmp -s build/steps.h steps.h || cp build/steps.h steps.h
awk 'NR == FNR { if (!($1 in at)) at[$1] = $2 "#L" $3; next }
    {
        step = ""
        if (match($0, /^(\*\*|\| )[0-9]+(\.| \|)/)) { step = $0; sub(/^[^0-9]*/, "", step); sub(/[^0-9].*/, "", step) }
        done = ""; rest = $0
        while (match(rest, /\[[^]\[]*\]\([a-z]+\.c#L[0-9]+\)/)) {
            link = substr(rest, RSTART, RLENGTH); name = link
            sub(/^\[`?/, "", name); sub(/`?\]\(.*/, "", name)
            key = name ~ /^[a-z]+\.c:/ ? "STEP" step : name
            if (!(key in at)) { print "tour.sh: nothing is known of " link > "/dev/stderr"; bad = 1 }
            else if (key != name) { place = at[key]; sub(/#L/, ":", place); link = "[" place "](" at[key] ")" }
            else link = "[`" name "`](" at[key] ")"
            done = done substr(rest, 1, RSTART - 1) link
            rest = substr(rest, RSTART + RLENGTH)
        }
        print done rest
    }
    END { exit bad }' build/places README.md > build/README.md
cmp -s build/README.md README.md || cp build/README.md README.md
