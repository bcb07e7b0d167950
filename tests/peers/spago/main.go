// runtimes - cybertron's BERT on spago: rows of ids in, the last hidden state out, as ../runtimes_python.py has it.
//
//	go run . MODEL ROWS OUT
//
// MODEL has config.json, vocab.txt and pytorch_model.bin. It takes pieces, not ids, and no mask: padding at the end is left away.
package main

import (
	"bufio"
	"encoding/binary"
	"os"
	"strconv"
	"strings"

	"github.com/nlpodyssey/cybertron/pkg/converter/bert"
	models "github.com/nlpodyssey/cybertron/pkg/models/bert"
	"github.com/nlpodyssey/spago/nn"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	directory := os.Args[1]
	check(bert.Convert[float32](directory, false))
	model, err := nn.LoadFromFile[*models.ModelForSequenceEncoding](directory + "/spago_model.bin")
	check(err)
	rows, err := os.Open(os.Args[2])
	check(err)
	out, err := os.Create(os.Args[3])
	check(err)
	width := model.Bert.Config.HiddenSize
	for lines := bufio.NewScanner(rows); lines.Scan(); {
		ids := strings.Fields(lines.Text())
		lines.Scan() // token types: it makes them itself
		lines.Scan()
		var pieces []string
		for i, mask := range strings.Fields(lines.Text()) {
			id, err := strconv.Atoi(ids[i])
			check(err)
			if piece, _ := model.Bert.Embeddings.Vocab.Term(id); mask == "1" {
				pieces = append(pieces, piece)
			}
		}
		numbers := make([]float32, len(ids)*width)
		for i, state := range model.Bert.EncodeTokens(pieces) {
			copy(numbers[i*width:], state.Value().Data().F32())
		}
		check(binary.Write(out, binary.LittleEndian, numbers))
	}
	check(out.Close())
}
