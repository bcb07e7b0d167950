#!/bin/sh
# cybertron_eps.sh - cybertron has layer_norm_eps in its configuration, and computes with 1e-5; its gelu is the form with tanh.
#
# One would guess: the eps of LayerNorm is the configuration's, 1e-12 for all of Google's BERTs, and "gelu" is GELU (the form with tanh has
# a name of its own, "gelu_new").
# What happens: whatever layer_norm_eps says, every LayerNorm is made with 1e-5, and there is one GELU, by tanh. The last hidden state of
# bert-base-uncased comes out at -51 dB from PyTorch's; a BERT with both of these, and nothing else, is at -124 dB from cybertron's (that
# was measured with the real weights, and is not repeated here).
# Seen with cybertron 0.2.1, spago 1.1.0, go 1.26, 2026-11-30. Exits with 1 if it is otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > go.mod <<'MODULE'
module finding

go 1.24.0

require github.com/nlpodyssey/cybertron v0.2.1
MODULE
cat > main.go <<'GO'
package main

import (
	"fmt"
	"math"
	"os"

	"github.com/nlpodyssey/cybertron/pkg/models/bert"
	"github.com/nlpodyssey/spago/mat"
	"github.com/nlpodyssey/spago/nn"
)

func forward(model nn.StandardModel, x ...float32) float64 {
	return model.Forward(mat.NewDense[float32](mat.WithBacking(x)))[0].Value().Data().F64()[0]
}

func main() {
	ok := true
	for _, eps := range []float64{1e-12, 1e-5, 0.1} {
		model := bert.New[float32](bert.Config{HiddenSize: 2, EmbeddingsSize: 2, IntermediateSize: 4, NumAttentionHeads: 1, NumHiddenLayers: 1,
			VocabSize: 3, MaxPositionEmbeddings: 4, TypeVocabSize: 2, HiddenAct: "gelu", LayerNormEps: eps})
		block := model.Encoder.Layers[0].FF
		block.Norm.W.ReplaceValue(mat.NewDense[float32](mat.WithBacking([]float32{1, 1})))
		y, want, with := forward(block.Norm, 0.001, -0.001), 0.001/math.Sqrt(1e-6+eps), 0.001/math.Sqrt(1e-6+1e-5)
		fmt.Printf("    layer_norm_eps %-6g LayerNorm of (0.001, -0.001): %.4f, expected %.4f\n", eps, y, want)
		ok = ok && math.Abs(y-with) < 1e-4
		y, want = forward(block.MLP[1], 2), 1+math.Erf(math.Sqrt2)
		with = 1 + math.Tanh(math.Sqrt(2/math.Pi)*(2+0.044715*8))
		if eps == 1e-12 {
			fmt.Printf("    gelu of 2: %.6f; by erf %.6f, by tanh %.6f\n", y, want, with)
		}
		ok = ok && math.Abs(y-with) < 1e-6 && math.Abs(y-want) > 5e-5
	}
	if !ok {
		os.Exit(1)
	}
}
GO
go mod tidy > noise 2>&1 || { cat noise; exit 2; }
go list -m github.com/nlpodyssey/cybertron github.com/nlpodyssey/spago
go build -o finding . && ./finding
