#!/bin/sh
# Deep Java Library 0.38.0 (run 2026-11-28): its own BertFullTokenizer and its HuggingFaceTokenizer, Chinese text.
#
# One would guess: the class of ai.djl:api that is named after BERT treats Chinese as BERT does, each character a word.
# What happens:    it does not put spaces around Chinese characters: a whole run of them is one word, looked up as one, and [UNK]
#                  or pieces with ## follow. The other class, the Rust library behind JNI, has a word for each.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > pom.xml <<'END'
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>f</groupId><artifactId>f</artifactId><version>1</version><dependencies>
<dependency><groupId>ai.djl.huggingface</groupId><artifactId>tokenizers</artifactId><version>0.38.0</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.17</version></dependency>
</dependencies></project>
END
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib > log 2>&1
cat > tokenizer.json <<'END'
{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "post_processor": null, "decoder": null,
 "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
 "pre_tokenizer": {"type": "BertPreTokenizer"}, "model": {"type": "WordPiece", "unk_token": "[UNK]",
 "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {"[PAD]": 0, "[UNK]": 1, "\u4e2d": 2, "\u6587": 3}}}
END
cat > Ask.java <<'END'
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.modality.nlp.DefaultVocabulary;
import ai.djl.modality.nlp.bert.BertFullTokenizer;
import java.nio.file.Path;
import java.util.*;

public class Ask {
    public static void main(String[] a) throws Exception {
        String text = "\u4e2d\u6587";
        var words = DefaultVocabulary.builder().add(List.of("[PAD]", "[UNK]", "\u4e2d", "\u6587")).optUnknownToken("[UNK]").build();
        List<String> own = new BertFullTokenizer(words, true).tokenize(text);
        var hf = HuggingFaceTokenizer.newInstance(Path.of("tokenizer.json"), Map.of("addSpecialTokens", "false"));
        List<String> rust = Arrays.asList(hf.encode(text).getTokens());
        System.out.println("ai.djl:api 0.38.0 BertFullTokenizer: " + own.size() + " " + own);
        System.out.println("HuggingFaceTokenizer 0.38.0:         " + rust.size() + " " + rust);
        System.exit(own.equals(List.of("[UNK]")) && rust.equals(List.of("\u4e2d", "\u6587")) ? 0 : 1);
    }
}
END
java -Dfile.encoding=UTF-8 -cp 'lib/*' Ask.java
