# learn.sh NEW OPTIONS: `bert train -o NEW OPTIONS`, for tests/golden/tasks.txt. Its exit code, what it says, its log
# (both without how fast it was), and the SHA-256 of the model.
new=$1
shift
./bert train -o "$new" "$@" > "$new.said" 2>&1
echo "exit $?"
sed -E 's/[0-9,.]+ tokens.s +[0-9:]+ left/SPEED/' "$new.said"
rm "$new.said"
[ ! -e "$new/training/log.jsonl" ] || sed -E 's/, .tokens_per_second.: *[0-9.]+//' "$new/training/log.jsonl"
[ ! -e "$new/model.safetensors" ] || sha256sum < "$new/model.safetensors"
