#!/bin/sh
# dl4j_letters_lost.sh - Deeplearning4j's BertWordPieceTokenizer leaves out letters that the vocabulary does not have.
#
# One would guess: a word with a letter that is no piece is [UNK], as in BERT; or the letter is.
# What happens: characters that are in no piece are deleted from the text before words are read, without a word. The rest of the
# word stays, and is another word: "cat" with a rune in it is a cat. A sentence in a script that the vocabulary lacks
# is an empty one. And where all letters are known but no piece fits, it ends with an exception instead of [UNK], which is
# never used.
# Seen with deeplearning4j-nlp 1.0.0-M2.1 (August 2022, the newest), Java 17, 2026-11-30. Exits with 1 if it behaves otherwise.
# Needs mvn, java.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
none='<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>'
cat > pom.xml <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>a</groupId><artifactId>a</artifactId>
<version>1</version><dependencies>
<dependency><groupId>org.deeplearning4j</groupId><artifactId>deeplearning4j-nlp</artifactId><version>1.0.0-M2.1</version>$none</dependency>
<dependency><groupId>it.unimi.dsi</groupId><artifactId>fastutil</artifactId><version>8.5.12</version></dependency>
<dependency><groupId>commons-io</groupId><artifactId>commons-io</artifactId><version>2.11.0</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.17</version></dependency>
</dependencies></project>
XML
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib > log 2>&1 || { cat log; exit 1; }
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' the cat '##s' sat on mat a > vocab.txt
cat > Look.java <<'JAVA'
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.deeplearning4j.text.tokenization.tokenizerfactory.BertWordPieceTokenizerFactory;

public class Look {
    public static void main(String[] none) throws Exception {
        var factory = new BertWordPieceTokenizerFactory(new File("vocab.txt"), true, true, StandardCharsets.UTF_8);
        List<String> plain = factory.create("the cats sat").getTokens(), rune = factory.create("the ca\u16a0ts sat").getTokens();
        List<String> empty = factory.create("\u03c4\u03bf \u03c3\u03c0\u03af\u03c4\u03b9").getTokens();
        String said = "nothing";
        try {
            factory.create("the hat").getTokens();
        } catch (IllegalStateException e) {
            said = "an exception";
        }
        System.out.println("the cats sat: " + plain + "; with a rune in cats: " + rune + "; in Greek: " + empty + "; the hat: " + said);
        boolean same = plain.equals(List.of("the", "cat", "##s", "sat")) && rune.equals(plain) && empty.isEmpty();
        System.exit(same && said.equals("an exception") ? 0 : 1);
    }
}
JAVA
echo "$(basename lib/deeplearning4j-nlp-*.jar .jar)"
java -cp 'lib/*' Look.java
