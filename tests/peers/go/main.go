// tokenizers.go - one WordPiece of Go: lines in, ids out, as ../tokenizers_python.py has it.
//
//	go run . NAME VOCAB TOKENIZER_JSON cased|uncased LINES OUT
package main

import (
	"fmt"
	"os"
	"strings"

	cybertron "github.com/nlpodyssey/cybertron/pkg/tokenizers/wordpiecetokenizer"
	"github.com/nlpodyssey/cybertron/pkg/vocabulary"
	"github.com/sugarme/tokenizer/pretrained"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	name, vocab, json, uncased := os.Args[1], os.Args[2], os.Args[3], os.Args[4] == "uncased"
	var encode func(text string) []int
	if name == "sugarme" {
		t, err := pretrained.FromFile(json)
		check(err)
		encode = func(text string) []int {
			e, err := t.EncodeSingle(text, false)
			check(err)
			return e.Ids
		}
	} else { // cybertron: its caller puts the text into lower case
		v, err := vocabulary.NewFromFile(vocab)
		check(err)
		t := cybertron.New(v)
		encode = func(text string) []int {
			if uncased {
				text = strings.ToLower(text)
			}
			var ids []int
			for _, token := range t.Tokenize(text) {
				id, ok := v.ID(token.String)
				if !ok {
					id, _ = v.ID("[UNK]")
				}
				ids = append(ids, id)
			}
			return ids
		}
	}
	text, err := os.ReadFile(os.Args[5])
	check(err)
	lines := strings.Split(string(text), "\n")
	guarded := func(text string) (row string) { // a panic is an answer, too, but none with ids
		defer func() {
			if recover() != nil {
				row = "failed"
			}
		}()
		return strings.Trim(fmt.Sprint(encode(text)), "[]")
	}
	var out strings.Builder
	for _, line := range lines[:len(lines)-1] {
		out.WriteString(guarded(line) + "\n")
	}
	check(os.WriteFile(os.Args[6], []byte(out.String()), 0o644))
}
