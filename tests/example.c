/* example.c - the library in twenty lines: which piece fits the [MASK]?
 *
 *     make install PREFIX=$HOME/bert
 *     cc tests/example.c -I $HOME/bert/include -L $HOME/bert/lib -lbert -lm -o example
 *     ./example weights/bert-base-uncased "The cat sat on the [MASK]."             floor
 *
 * tests/install.sh compiles it against an installed copy and runs it. */
#include <bert.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *directory = argc > 1 ? argv[1] : "weights/bert-base-uncased", *text = argc > 2 ? argv[2] : "[MASK]";
    Error e;
    Tokenizer t;
    Bert m;
    Encoding x = {0};
    Activations a;
    int mask = 0, best = 0;
    if (tokenizer_load(&t, directory, CASE_AUTO, &e) || bert_load(&m, directory, &e) ||
        encode(&t, (Text){text, strlen(text)}, NULL, &(EncodeOptions){.segments = -1}, &x, &e))
        return fprintf(stderr, "%s\n", e.message), (int)e.status;
    while (mask < x.T - 1 && x.input_ids[mask] != t.mask_id) mask++;
    Batch batch = {1, &x.T, x.input_ids, x.token_type_ids, x.attention_mask};
    if (batch_check(&batch, &m.config, &e) ||
        activations_new(&a, &m, &batch, &(Request){.mlm_rows = &mask, .M = 1}, &e))
        return fprintf(stderr, "%s\n", e.message), (int)e.status;
    /* m.has_mlm says whether there is an MLM head */
    forward(&m, &a);
    for (int id = 1; id < m.config.V; id++)
        if (a.logits[id] > a.logits[best]) best = id;
    printf("%s\n", tokenizer_piece(&t, best));
    activations_free(&a), encoding_free(&x), bert_free(&m), tokenizer_free(&t);
}
