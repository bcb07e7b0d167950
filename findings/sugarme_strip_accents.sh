#!/bin/sh
# github.com/sugarme/tokenizer v0.3.0, with the tokenizer.json of tokenizers 0.23.3 (run 2026-11-28): accents stay.
#
# One would guess: "strip_accents": null, which every uncased BERT's tokenizer.json has, means in Go what it means in the library
#                  that wrote it: as lowercase says, that is, accents go. At least true means that they go.
# What happens:    FromFile reads null as false: accents stay, and "Caf\u00e9" is [UNK]. With true only accents that are characters of
#                  their own are dropped: letters are not decomposed before, so that U+00E9 stays all the same.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check tokenizers==0.23.3
venv/bin/python - <<'END'
import json
import tokenizers
words = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cafe"])}
t = tokenizers.BertWordPieceTokenizer(words, lowercase=True)
t.save("null.json")
made = json.load(open("null.json"))
print("tokenizers writes strip_accents:", made["normalizer"]["strip_accents"], "and gives", t.encode("Caf\u00e9", add_special_tokens=False).tokens)
made["normalizer"]["strip_accents"] = True
json.dump(made, open("true.json", "w"))
END
cat > main.go <<'END'
package main

import (
	"fmt"
	"os"

	"github.com/sugarme/tokenizer/pretrained"
)

func main() {
	found := map[string]string{}
	for _, name := range []string{"null", "true"} {
		t, err := pretrained.FromFile(name + ".json")
		if err != nil {
			panic(err)
		}
		for _, text := range []string{"Caf\u00e9", "Cafe\u0301"} {
			e, err := t.EncodeSingle(text, false)
			if err != nil {
				panic(err)
			}
			found[name] += fmt.Sprint(e.Tokens)
		}
		fmt.Println("sugarme/tokenizer v0.3.0, strip_accents", name+", Caf U+00E9 and Cafe U+0301:", found[name])
	}
	if found["null"] != "[[UNK]][[UNK]]" || found["true"] != "[[UNK]][cafe]" {
		os.Exit(1)
	}
}
END
go mod init finding > log 2>&1
go get github.com/sugarme/tokenizer@v0.3.0 > log 2>&1
go mod tidy > log 2>&1
go run .
