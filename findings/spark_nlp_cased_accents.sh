#!/bin/sh
# spark_nlp_cased_accents.sh - Spark NLP's BERT takes the accents away from cased models, too.
#
# One would guess: setCaseSensitive(true), for a cased BERT, keeps the text as that model was trained on it: with capitals and
# with accents, as Google's do_lower_case=False does.
# What happens: BasicTokenizer, which BertEmbeddings calls for every token, strips accents in both cases; capitals stay. A multilingual or German cased BERT reads "fur", "Muller" and "uber". Beside that, only ASCII
# punctuation is split off: in a word-dash-word with U+2014, or in typographic quotes that reach it, all is one word, and [UNK].
# Seen with com.johnsnowlabs.nlp:spark-nlp_2.12 5.5.3, its two classes alone, without Spark; Java 17, 2026-11-30. Exits
# with 1 if it behaves otherwise. Needs mvn, java.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>a</groupId><artifactId>a</artifactId>
<version>1</version><dependencies>
<dependency><groupId>com.johnsnowlabs.nlp</groupId><artifactId>spark-nlp_2.12</artifactId><version>5.5.3</version><exclusions><exclusion>
<groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>
<dependency><groupId>org.scala-lang</groupId><artifactId>scala-library</artifactId><version>2.12.18</version></dependency>
</dependencies></project>
XML
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib > log 2>&1 || { cat log; exit 1; }
cat > Look.java <<'JAVA'
import com.johnsnowlabs.nlp.annotators.common.Sentence;
import com.johnsnowlabs.nlp.annotators.tokenizer.wordpiece.BasicTokenizer;
import java.util.Arrays;
import java.util.stream.Collectors;

public class Look {
    static String words(String text) {
        boolean caseSensitive = true, hasBeginEnd = false;
        var tokenizer = new BasicTokenizer(caseSensitive, hasBeginEnd);
        return Arrays.stream(tokenizer.tokenize(new Sentence(text, 0, text.length() - 1, 0, scala.Option.empty())))
                .map(t -> t.token()).collect(Collectors.joining(" "));
    }

    public static void main(String[] none) {
        String accents = words("f\u00fcr M\u00fcller"), hyphen = words("now-then"), dash = words("now\u2014then");
        System.out.println("f(u-umlaut)r M(u-umlaut)ller: " + accents + "; now-then: " + hyphen + "; with U+2014: "
                + dash.split(" ").length + " word");
        System.exit(accents.equals("fur Muller") && hyphen.equals("now - then") && dash.split(" ").length == 1 ? 0 : 1);
    }
}
JAVA
echo "$(basename lib/spark-nlp_*.jar .jar)"
java -cp 'lib/*' Look.java
