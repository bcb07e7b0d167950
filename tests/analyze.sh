#!/bin/sh
# analyze.sh FILE.c ... - make analyze: gcc -fanalyzer and cppcheck. Each kind of report per file must stand in
# tests/analyze.known, with the reason why it is none of our concern. A new kind fails; one that no longer comes is said.
set -u
cd "$(dirname "$0")/.." || exit 2
mkdir -p build
log=build/analyze.log reports=build/analyze.reports
: > "$log"
if ! gcc -fanalyzer -x c -c /dev/null -o /dev/null 2> /dev/null || ! command -v cppcheck > /dev/null; then
    echo 'SKIPPED: gcc with -fanalyzer, or cppcheck, is missing'
    [ "${SKIPS_FAIL:-0}" != 1 ]
    exit
fi
for file in "$@"; do
    gcc -O1 -std=c11 -Wno-psabi -I. -Ibuild -D_POSIX_C_SOURCE=200809L -fdiagnostics-plain-output -fanalyzer -c "$file" -o /dev/null 2>> "$log"
done
cppcheck --quiet --std=c11 -I. -Ibuild --enable=warning,performance,portability -D__GNUC__ --template='{file}:{line}:{column}: warning: {message} [cppcheck-{id}]' \
    "$@" 2>> "$log"
sed -n 's/^\([a-z_./]*\.[ch]\):.*warning: .*\[-W\(analyzer[a-z-]*\)\].*/\1 \2/p; s/^\([a-z_./]*\.[ch]\):.*warning: .*\[\(cppcheck-[A-Za-z]*\)\]/\1 \2/p' "$log" |
    sort -u > "$reports"
sed -n "s/^\([a-z_.\/]*\.c [A-Za-z-]*\) .*/\1/p" tests/analyze.known | sort -u > "$reports.known"
new=$(comm -23 "$reports" "$reports.known") gone=$(comm -13 "$reports" "$reports.known")
[ -z "$new" ] || { echo 'not in tests/analyze.known:' && echo "$new" && grep warning "$log"; }
[ -z "$gone" ] || { echo 'in tests/analyze.known, but not reported (another version of gcc or cppcheck?):' && echo "$gone"; }
echo "$(wc -l < "$reports") kinds of reports, all explained: $([ -z "$new" ] && echo yes || echo no)"
[ -z "$new" ]
