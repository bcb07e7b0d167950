#!/bin/sh
# check.sh - make check: the tests on formula models, without real weights. What someone who has just changed a line wants
# to know: the first test that fails, its first number that is not so, and how many others fail. All of it is in
# build/check.log.
set -u
cd "$(dirname "$0")/.." || exit 2
if FORMULA=1 build/tests > build/check.log 2> build/check.err; then
    tail -n 1 build/check.log
    exit 0
fi
awk '/^[A-Za-z0-9_]+$/ { test = $0; said = 0 }
    /^    not so: / && !said { first[test] = $0; said = 1 }
    /^    FAILED: / { failed[n++] = test }
    END {
        if (n == 0) print "the tests ended in " test
        for (i = 0; i < n && i < 12; i++) {
            print failed[i]
            if (i == 0) print substr(first[failed[i]], 1, 400)
        }
        if (n > 12) print "and " n - 12 " more"
    }' build/check.log
tail -n 1 build/check.log
echo 'All that was not so: build/check.log'
exit 1
