#!/bin/sh
# Vespa's linguistics-components 8.700.24 (Java, run 2026-11-29): WordPieceEmbedder has no [UNK].
#
# One would guess: a WordPiece tokenizer that is given BERT's vocab.txt, as Vespa's BertBaseEmbedder gives it, writes [UNK] for a
#                  word that the vocabulary cannot make.
# What happens:    the word is left out, or, where its beginning is a piece, the rest of it. "zz cat" is the text "cat", and
#                  all words behind a lost one move to other positions. Nothing is said.
# The vocabulary of BERT-Base makes nearly every English word of letters, so that it shows in other scripts and in symbols.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
dependency() {
    echo "<dependency><groupId>$1</groupId><artifactId>$2</artifactId><version>$3</version><exclusions><exclusion><groupId>*</groupId>" \
        "<artifactId>*</artifactId></exclusion></exclusions></dependency>"
}
cat > pom.xml <<END
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>f</groupId><artifactId>f</artifactId><version>1</version><dependencies>
$(for name in linguistics-components linguistics vespajlib config-lib component; do dependency com.yahoo.vespa $name 8.700.24; done)
$(dependency com.google.guava guava 33.4.8-jre; dependency com.google.guava failureaccess 1.0.3)
</dependencies></project>
END
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib > log 2>&1 || { cat log; exit 2; }
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' the cat sat s '##at' ! > vocab.txt
cat > Ask.java <<'END'
import com.yahoo.language.process.Embedder;
import com.yahoo.language.wordpiece.WordPieceEmbedder;
import java.nio.file.*;
import java.util.*;

public class Ask {
    public static void main(String[] a) throws Exception {
        List<String> pieces = Files.readAllLines(Path.of("vocab.txt")), found = new ArrayList<>();
        var embedder = new WordPieceEmbedder.Builder("vocab.txt").build();
        System.out.println("com.yahoo.vespa:linguistics-components 8.700.24");
        for (String text : List.of("The cat sat!", "zz cat", "the zcat sat", "the szat sat", "the \u20ac cat")) {
            StringBuilder said = new StringBuilder();
            for (int id : embedder.embed(text, new Embedder.Context("ask"))) said.append(" ").append(pieces.get(id));
            found.add(said.toString().trim());
            System.out.println(text + " -> " + said.toString().trim());
        }
        var seen = List.of("the cat sat !", "cat", "the sat", "the s sat", "the cat");
        System.exit(found.equals(seen) ? 0 : 1);
    }
}
END
java -Dfile.encoding=UTF-8 -cp 'lib/*' Ask.java
