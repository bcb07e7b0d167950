#!/bin/sh
# tribuo_two_poolings.sh - Tribuo's BERTFeatureExtractor: what its poolings are the pooling of.
#
# One would guess: CLS is the last hidden state of [CLS], MEAN the mean of all tokens that are no padding, as
# sentence-transformers has both, and CLS_AND_MEAN the mean of these two.
# What happens: CLS is the pooler's output, after its matrix and tanh. MEAN leaves out [CLS] and [SEP]. CLS_AND_MEAN is the
# mean of the two all the same, of numbers between -1 and 1 and of hidden states. So no vector of a model that was trained
# for its mean (all-MiniLM-L6-v2 and its like) comes out as its authors have it.
# And a tokenizer.json with "strip_accents": null, as every published one has it, keeps the accents of an uncased model.
# Seen with org.tribuo:tribuo-onnx 4.3.2 (April 2025, the newest), its ONNX Runtime 1.20.0; the random model was made
# with torch 2.15.0, transformers 5.23.0, onnx 1.23.2, tokenizers 0.23.3; Java 17; 2026-11-30. Exits with 1 if it behaves
# otherwise. Needs mvn, java. PYTHON: a Python that has these versions; without one they are installed into a temporary folder.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python3}
if ! "$python" -c 'import onnx, tokenizers, torch, transformers
assert torch.__version__.split("+")[0] == "2.15.0" and transformers.__version__ == "5.23.0"
assert tokenizers.__version__ == "0.23.3" and onnx.__version__ == "1.23.2"' 2> "$work/missing"; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet onnx==1.23.2 tokenizers==0.23.3 transformers==5.23.0 torch==2.15.0
    python=$work/venv/bin/python
fi
cd "$work"
cat > pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>a</groupId><artifactId>a</artifactId>
<version>1</version><dependencies><dependency><groupId>org.tribuo</groupId><artifactId>tribuo-onnx</artifactId><version>4.3.2</version>
</dependency></dependencies></project>
XML
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib > log 2>&1 || { cat log; exit 1; }
cat > Pool.java <<'JAVA'
import java.nio.file.Path;
import org.tribuo.Feature;
import org.tribuo.classification.Label;
import org.tribuo.classification.LabelFactory;
import org.tribuo.interop.onnx.extractors.BERTFeatureExtractor;

public class Pool {
    public static void main(String[] arguments) throws Exception {
        final String[] texts = {"the cat sat on the mat.", "the caf\u00e9."};
        for (var pooling : BERTFeatureExtractor.OutputPooling.values())
            try (var bert = new BERTFeatureExtractor<>(new LabelFactory(), Path.of("bert.onnx"), Path.of("tokenizer.json"), pooling, 32, false)) {
                for (String text : texts) {
                    StringBuilder line = new StringBuilder(pooling.toString());
                    for (Feature f : bert.extract(new Label("any"), text)) line.append(" ").append(f.getValue());
                    System.out.println(line);
                }
            }
    }
}
JAVA
cat > make.py <<'PYTHON'
import torch
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertModel

TEXTS = ["the cat sat on the mat.", "the caf\u00e9."]
words = "[PAD] [UNK] [CLS] [SEP] [MASK] the cat sat on mat cafe .".split()
tokenizer = BertWordPieceTokenizer({w: i for i, w in enumerate(words)}, lowercase=True)
torch.manual_seed(0)
torch.set_num_threads(1)
bert = BertModel(BertConfig(vocab_size=len(words), hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
                            max_position_embeddings=32, initializer_range=0.3, attn_implementation="eager")).eval()
NAMES = ["input_ids", "attention_mask", "token_type_ids"]


class Outputs(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bert = bert

    def forward(self, *given):
        out = self.bert(**dict(zip(NAMES, given)))
        return out.last_hidden_state, out.pooler_output
PYTHON
cat > export.py <<'PYTHON'
from make import *

tokenizer.save("tokenizer.json")
one = torch.ones((1, 7), dtype=torch.long)
torch.onnx.export(Outputs().eval(), (one, one, one), "bert.onnx", input_names=NAMES, output_names=["output_0", "output_1"],
                  dynamic_axes={name: {0: "batch", 1: "length"} for name in NAMES}, dynamo=False, opset_version=17)
PYTHON
cat > look.py <<'PYTHON'
import sys
from make import *

got = [line.split() for line in open("vectors")]
vectors = {(name, i % len(TEXTS)): torch.tensor([float(x) for x in numbers]) for i, (name, *numbers) in enumerate(got)}


def candidates(ids):
    with torch.no_grad():
        out = bert(torch.tensor([ids]))
    hidden, pooled = out.last_hidden_state[0], out.pooler_output[0]
    inner = hidden[1:-1].mean(0)
    return {"hidden state of [CLS]": hidden[0], "mean of all": hidden.mean(0), "pooler": pooled, "mean without [CLS] and [SEP]": inner,
            "mean of pooler and mean without [CLS] and [SEP]": (pooled + inner) / 2}


def named(name, i, ids):
    return [what for what, v in candidates(ids).items() if len(v) == len(vectors[name, i]) and (v - vectors[name, i]).abs().max() < 1e-4]


ids = tokenizer.encode(TEXTS[0]).ids
found = {name: named(name, 0, ids) for name in ("CLS", "MEAN", "CLS_AND_MEAN")}
for name, what in found.items():
    print(f"{name} is: {', '.join(what) or 'none of these'}")
kept = [2, words.index("the"), words.index("[UNK]"), words.index("."), 3]
accents = bool(named("MEAN", 1, kept)) and not named("MEAN", 1, tokenizer.encode(TEXTS[1]).ids)
print('"strip_accents": null keeps accents:', accents)
sys.exit(found != {"CLS": ["pooler"], "MEAN": ["mean without [CLS] and [SEP]"],
                   "CLS_AND_MEAN": ["mean of pooler and mean without [CLS] and [SEP]"]} or not accents)
PYTHON
"$python" -W ignore export.py > log 2>&1 || { cat log; exit 1; }
java -cp 'lib/*' Pool.java > vectors 2> log || { cat log; exit 1; }
echo "$(basename lib/tribuo-onnx-*.jar .jar) $(basename lib/onnxruntime-*.jar .jar)"
"$python" -W ignore look.py
