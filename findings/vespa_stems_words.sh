#!/bin/sh
# Vespa's linguistics-components 8.700.24 (Java, run 2026-11-29): its WordPiece stems the words first, and has no [UNK].
#
# One would guess: WordPieceEmbedder, given BERT's vocab.txt, as Vespa's BertBaseEmbedder gives it, looks for the words of the text
#                  in it, and writes [UNK] for a word that the vocabulary cannot make.
# What happens:    each word goes through a search engine's stemmer before: "cats" is cat, "collections" collection, "padded" pad,
#                  though the vocabulary has pieces for all of them, and BERT learned them as other words. A word
#                  that cannot be made of pieces is left out, or, where its beginning is a piece, the rest of it. Nothing is said.
# Of 100 lines of plain English in tests/peers/lines.py 89 have other ids, with the vocabulary of bert-base-uncased.
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
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' the cat cats sat s '##at' collection collections pad padded ! > vocab.txt
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
        for (String text : List.of("The cats sat!", "padded collections", "zz cat", "the zcat sat", "the szat sat", "the \u20ac cat")) {
            StringBuilder said = new StringBuilder();
            for (int id : embedder.embed(text, new Embedder.Context("ask"))) said.append(" ").append(pieces.get(id));
            found.add(said.toString().trim());
            System.out.println(text + " -> " + said.toString().trim());
        }
        var seen = List.of("the cat sat !", "pad collection", "cat", "the sat", "the s sat", "the cat");
        System.exit(found.equals(seen) ? 0 : 1);
    }
}
END
java -Dfile.encoding=UTF-8 -cp 'lib/*' Ask.java
