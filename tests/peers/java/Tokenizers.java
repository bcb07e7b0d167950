// Tokenizers.java - one WordPiece of Maven: lines in, ids out, as ../tokenizers_python.py has it.
//
//     java -cp 'lib/*' Tokenizers.java NAME VOCAB TOKENIZER_JSON cased|uncased LINES OUT
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.modality.nlp.DefaultVocabulary;
import ai.djl.modality.nlp.bert.BertFullTokenizer;
import com.johnsnowlabs.nlp.annotators.common.IndexedToken;
import com.johnsnowlabs.nlp.annotators.common.Sentence;
import com.johnsnowlabs.nlp.annotators.common.TokenPiece;
import com.johnsnowlabs.nlp.annotators.tokenizer.wordpiece.BasicTokenizer;
import com.johnsnowlabs.nlp.annotators.tokenizer.wordpiece.WordpieceEncoder;
import com.yahoo.language.process.Embedder;
import com.yahoo.language.wordpiece.WordPieceEmbedder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.*;
import java.util.function.Function;
import opennlp.tools.tokenize.WordpieceTokenizer;
import org.deeplearning4j.text.tokenization.tokenizerfactory.BertWordPieceTokenizerFactory;
import org.tribuo.util.tokens.impl.wordpiece.Wordpiece;
import org.tribuo.util.tokens.impl.wordpiece.WordpieceBasicTokenizer;

public class Tokenizers {
    public static void main(String[] a) throws Exception {
        final boolean lower = a[3].equals("uncased");
        final List<String> pieces = Arrays.asList(Files.readString(Path.of(a[1])).split("\n"));
        final Map<String, Long> ids = new HashMap<>();
        for (String piece : pieces) ids.put(piece, (long) ids.size());
        final Function<List<String>, List<Long>> look = found -> found.stream().map(p -> ids.getOrDefault(p, ids.get("[UNK]"))).toList();
        Function<String, List<Long>> encode;
        if (a[0].equals("djl-tokenizers")) {
            HuggingFaceTokenizer t = HuggingFaceTokenizer.newInstance(Path.of(a[2]), Map.of("addSpecialTokens", "false", "truncation", "false"));
            encode = text -> Arrays.stream(t.encode(text).getIds()).boxed().toList();
        } else if (a[0].equals("djl-api")) {
            BertFullTokenizer t = new BertFullTokenizer(DefaultVocabulary.builder().add(pieces).optUnknownToken("[UNK]").build(), lower);
            encode = text -> look.apply(t.tokenize(text));
        } else if (a[0].equals("vespa")) {                  // lowers every text
            WordPieceEmbedder t = new WordPieceEmbedder.Builder(a[1]).build();
            encode = text -> t.embed(text, new Embedder.Context("peers")).stream().map(Integer::longValue).toList();
        } else if (a[0].equals("tribuo")) {
            Set<String> special = Set.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]");
            var t = new org.tribuo.util.tokens.impl.wordpiece.WordpieceTokenizer(
                    new Wordpiece(new HashSet<>(pieces)), new WordpieceBasicTokenizer(true), lower, lower, special);
            encode = text -> look.apply(t.split(text));
        } else if (a[0].equals("dl4j")) {
            var t = new BertWordPieceTokenizerFactory(Path.of(a[1]).toFile(), lower, lower, StandardCharsets.UTF_8);
            encode = text -> look.apply(t.create(text).getTokens());
        } else if (a[0].equals("spark-nlp")) {
            scala.collection.mutable.HashMap<String, Object> all = new scala.collection.mutable.HashMap<>();
            for (String piece : pieces) all.put(piece, ids.get(piece).intValue());
            @SuppressWarnings("unchecked")
            var vocabulary = (scala.collection.immutable.Map<String, Object>) scala.collection.immutable.Map$.MODULE$.apply(all.toSeq());
            BasicTokenizer words = new BasicTokenizer(!lower, false);
            WordpieceEncoder t = new WordpieceEncoder(vocabulary, "[UNK]", 200, "##");
            encode = text -> {
                List<Long> out = new ArrayList<>();
                for (IndexedToken word : words.tokenize(new Sentence(text, 0, text.length() - 1, 0, scala.Option.empty())))
                    for (TokenPiece p : t.encode(word)) out.add((long) p.pieceId());
                return out;
            };
        } else {                                            // takes text as it is: lower case is its caller's matter
            WordpieceTokenizer t = new WordpieceTokenizer(new HashSet<>(pieces));
            encode = text -> {
                String[] all = t.tokenize(lower ? text.toLowerCase(Locale.ROOT) : text);
                return look.apply(Arrays.asList(all).subList(1, all.length - 1));
            };
        }
        StringBuilder out = new StringBuilder();
        String text = Files.readString(Path.of(a[4]));
        for (String line : text.substring(0, text.length() - 1).split("\n", -1)) {
            StringJoiner row = new StringJoiner(" ");
            for (long id : encode.apply(line)) row.add(Long.toString(id));
            out.append(row).append("\n");
        }
        Files.writeString(Path.of(a[5]), out);
    }
}
