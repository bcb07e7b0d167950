/* test_sentence.c - directories of sentence-transformers: the tiny model with modules.json and what it names. Vectors
 * are held against sums written here, from the tokens' vectors that ./bert prints. */
#include "shell.h"
#include <math.h>
#include <stdarg.h>

enum { H = 24, LONGEST = 32 };      /* the tiny model's */

/* =====================================================================================================================
 * Files and vectors
 * ================================================================================================================== */
/* Writes a file below the model's directory. */
static void put(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(const char *name, const char *format, ...)
{
    char path[600], *slash;
    va_list args;
    snprintf(path, sizeof path, "%s/%s", tiny, name);
    if ((slash = strrchr(name, '/')) != NULL) run("mkdir -p %s/%.*s", tiny, (int)(slash - name), name);
    FILE *f = fopen(path, "w");
    if (!check(f != NULL, "%s is written", path)) return;
    va_start(args, format);
    vfprintf(f, format, args);
    va_end(args);
    fclose(f);
}

/* modules.json: "Transformer: Pooling:1_Pooling Normalize:", each a class and a path. */
static void put_modules(const char *list)
{
    char text[4096] = "[", class[128], path[64];
    for (int n = 0, used; sscanf(list, " %127[^:]:%n", class, &used) == 1; n++) {
        list += used;
        *path = 0;
        if (sscanf(list, "%63[^ ]", path) == 1 && *list != ' ') list += strlen(path);
        else *path = 0;
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s{\"idx\": %d, \"name\": \"%d\", \"path\": \"%s\", "
                 "\"type\": \"%s%s\"}", n ? ", " : "", n, n, path, strchr(class, '.') ? "" :
                 "sentence_transformers.models.", class);
    }
    put("modules.json", "%s]\n", text);
}

/* What an earlier test of this file left is gone; the directory is that of Transformer and Pooling, mean. */
static bool sentence_model(void)
{
    if (!tiny_model()) return false;
    put_modules("Transformer: Pooling:1_Pooling");
    put("1_Pooling/config.json", "{\"word_embedding_dimension\": 24, \"pooling_mode_mean_tokens\": true}");
    return true;
}

static void sentence_remove(void)
{
    run("cd %s && rm -rf 1_Pooling 2_Dense 3_LayerNorm other modules.json sentence_*.json "
        "config_sentence_transformers.json "
        "tokenizer_config.json pairs", tiny);
    formula_remove(tiny);
}

/* Numbers of `output` into x; how many. */
static size_t numbers(double *x, size_t most)
{
    size_t n = 0;
    char *at = output, *end;
    for (; n < most; n++, at = end) {
        x[n] = strtod(at, &end);
        if (end == at) break;
    }
    return n;
}

/* ./bert embed with these options: the vector, of n numbers. */
static void embed(const char *options, double *x, size_t n)
{
    double more[H * LONGEST + 1];
    const int code = run("./bert embed -q -m %s %s", tiny, options);
    const size_t found = numbers(more, H * LONGEST + 1);
    if (!check(code == 0 && found == n, "embed %s: exit %d, %zu numbers, expected %zu", options, code, found, n))
        memset(more, 0, sizeof more);
    memcpy(x, more, n * sizeof *x);
}

static void near(const char *what, const double *got, const double *want, size_t n)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) worst = fmax(worst, isfinite(got[i]) ? fabs(got[i] - want[i]) : INFINITY);
    check(worst < 4e-6, "%s: the largest difference is %g", what, worst);
}

/* The vector of these options is that of those. */
static void same(const char *options, const char *others)
{
    static char first[sizeof output];
    int code = run("./bert embed -q -m %s %s", tiny, options);
    strcpy(first, output);
    check(code == 0 && *first, "embed %s: exit %d", options, code);
    code = run("./bert embed -q -m %s %s", tiny, others);
    check(code == 0 && !strcmp(first, output), "embed %s is embed %s", options, others);
}

static void refused(const char *options, int expected, const char *name, const char *key)
{
    const int code = run("./bert embed -q -m %s %s 2>&1", tiny, options);
    check(code == expected && strstr(output, name) && strstr(output, key),
          "embed %s: exit %d, expected %d with %s and %s: %s",
          options, code, expected, name, key, output);
}

/* =====================================================================================================================
 * Pooling
 * ================================================================================================================== */
static const char *const modes[] = {"cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"};
static const char *const flags[] = {"cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens",
                                    "weightedmean_tokens",
                                    "lasttoken"};

/* By the definitions, of the tokens from `first` on. */
static void pool_by_hand(double *out, const double *x, int T, int first, int mode)
{
    double weights = 0;
    for (int d = 0; d < H; d++) out[d] = mode == 1 ? -INFINITY : 0;
    for (int t = first; t < T; t++) {
        const double w = mode == 4 ? t + 1 : 1;
        weights += w;
        for (int d = 0; d < H; d++) {
            if (mode == 1) out[d] = fmax(out[d], x[t * H + d]);
            else if (mode == 0 ? t == first : mode == 5 ? t == T - 1 : true) out[d] += w * x[t * H + d];
        }
    }
    const double by = mode == 2 || mode == 4 ? weights : mode == 3 ? sqrt(weights) : 1;
    for (int d = 0; d < H; d++) out[d] /= by;
}

static void every_pooling_is_its_definition(void)
{
    double tokens[6 * H], got[H], want[H];
    if (!sentence_model()) return;
    embed("--layers -1 --pooling none 'the cat sat on'", tokens, 6 * H);
    for (int mode = 0; mode < 6; mode++) {
        pool_by_hand(want, tokens, 6, 0, mode);
        put("1_Pooling/config.json", "{\"embedding_dimension\": 24, \"pooling_mode\": \"%s\"}", modes[mode]);
        embed("'the cat sat on'", got, H);
        near(modes[mode], got, want, H);
        put("1_Pooling/config.json", "{\"pooling_mode_mean_tokens\": false, \"pooling_mode_%s\": true}", flags[mode]);
        embed("'the cat sat on'", got, H);
        near(flags[mode], got, want, H);
    }
    sentence_remove();
}

/* Names in their own order, flags in the library's: cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken. */
/* A file with the dimension alone means the library's default, the mean. */
static void a_pooling_of_the_dimension_alone_is_the_mean(void)
{
    static const char *const keys[] = {"embedding_dimension", "word_embedding_dimension"};
    double want[H], got[H];
    if (!sentence_model()) return;
    embed("'the cat'", want, H);
    for (int i = 0; i < 2; i++) {
        put("1_Pooling/config.json", "{\"%s\": %d}", keys[i], H);
        embed("'the cat'", got, H);
        near(keys[i], got, want, H);
    }
    put("1_Pooling/config.json", "{\"embedding_dimension\": 24, \"pooling_mode_mean_tokens\": false}");
    refused("a", 3, "1_Pooling/config.json", "found no pooling mode");
    put("1_Pooling/config.json", "{\"include_prompt\": true}");
    refused("a", 3, "1_Pooling/config.json", "found no pooling mode");
    sentence_remove();
}

static void several_poolings_stand_one_after_another(void)
{
    double tokens[5 * H], got[3 * H], want[3 * H];
    static const int named[] = {4, 0, 3}, flagged[] = {0, 3, 4};
    if (!sentence_model()) return;
    embed("--layers -1 --pooling none 'a cat sat'", tokens, 5 * H);
    for (int i = 0; i < 3; i++) pool_by_hand(want + i * H, tokens, 5, 0, named[i]);
    put("1_Pooling/config.json", "{\"pooling_mode\": [\"weightedmean\", \"cls\", \"mean_sqrt_len_tokens\"]}");
    embed("'a cat sat'", got, 3 * H);
    near("by name", got, want, 3 * H);
    for (int i = 0; i < 3; i++) pool_by_hand(want + i * H, tokens, 5, 0, flagged[i]);
    put("1_Pooling/config.json", "{\"pooling_mode_weightedmean_tokens\": true, \"pooling_mode_mean_sqrt_len_tokens\": "
        "true, "
        "\"pooling_mode_cls_token\": true}");
    embed("'a cat sat'", got, 3 * H);
    near("by flags", got, want, 3 * H);
    sentence_remove();
}

/* Padding on the left: cls is the first token that counts, and weightedmean counts from there. */
static void poolings_know_padding_on_the_left(void)
{
    static const int64_t ids[] = {0, 0, 2, 62, 3}, mask[] = {0, 0, 1, 1, 1};
    const SafeTensor pairs[] = {{.name = "input_ids", .dtype = DTYPE_I64, .rank = 1, .shape = {5}, .count = 5,
                                 .data = ids},
                                {.name = "attention_mask", .dtype = DTYPE_I64, .rank = 1, .shape = {5}, .count = 5,
                                 .data = mask}};
    double tokens[5 * H], got[H], want[H];
    char path[300], options[400], all[400];
    Error e;
    if (!sentence_model()) return;
    snprintf(path, sizeof path, "%s/pairs", tiny);
    check(safetensors_write(path, pairs, 2, NULL, 0, &e) == BERT_OK, "the ids are written");
    snprintf(options, sizeof options, "--inputs %s", path);
    snprintf(all, sizeof all, "--layers -1 --pooling none --inputs %s", path);
    embed(all, tokens, 5 * H);
    for (int mode = 0; mode < 6; mode++) {
        pool_by_hand(want, tokens + 2 * H, 3, 0, mode);
        put("1_Pooling/config.json", "{\"pooling_mode\": [\"%s\"], \"include_prompt\": false}", modes[mode]);
        embed(options, got, H);
        near(modes[mode], got, want, H);
    }
    sentence_remove();
}

/* =====================================================================================================================
 * What comes after the pooling
 * ================================================================================================================== */
/* out x in numbers, by a formula; written as dense.safetensors of a module. */
static float numbers_of[8 * H + H];

static void put_tensors(const char *directory, const char *weight, size_t rows, size_t cols, const char *bias)
{
    char path[600];
    Error e = {0};
    for (size_t i = 0; i < sizeof numbers_of / sizeof *numbers_of; i++) numbers_of[i] = formula_value("dense", i);
    const SafeTensor both[] = {
        {.name = (char *)weight, .dtype = DTYPE_F32, .rank = cols ? 2 : 1, .shape = {rows, cols},
         .count = rows * (cols ? cols : 1), .data = numbers_of},
        {.name = (char *)bias, .dtype = DTYPE_F32, .rank = 1, .shape = {rows}, .count = rows,
         .data = numbers_of + 8 * H}};
    snprintf(path, sizeof path, "%s/%s/model.safetensors", tiny, directory);
    check(safetensors_write(path, both, bias ? 2 : 1, NULL, 0, &e) == BERT_OK, "%s is written: %s", path, e.message);
}

static void dense_by_hand(double *out, const double *x, bool bias, bool hyperbolic)
{
    for (int o = 0; o < 8; o++) {
        out[o] = bias ? (double)numbers_of[8 * H + o] : 0;
        for (int i = 0; i < H; i++) out[o] += (double)numbers_of[o * H + i] * x[i];
        if (hyperbolic) out[o] = tanh(out[o]);
    }
}

/* With and without tanh, with and without bias; no word about either means both. */
static void a_dense_module_projects_the_vector(void)
{
    double mean[H], got[8], want[8];
    static const char *const keys[] = {"", ", \"bias\": false, \"activation_function\": "
                                       "\"torch.nn.modules.linear.Identity\"",
        (", \"bias\": false, \"activation_function\": \"torch.nn.modules.activation.Tanh\", \"module_input_name\": "
        "\"sentence_embedding\", \"module_output_name\": null"), ", \"activation_function\": \"torch.nn.Identity\""};
    if (!sentence_model()) return;
    embed("'the river bank'", mean, H);
    put_modules("Transformer: Pooling:1_Pooling Dense:2_Dense");
    for (int i = 0; i < 4; i++) {
        put("2_Dense/config.json", "{\"in_features\": 24, \"out_features\": 8%s}", keys[i]);
        put_tensors("2_Dense", "linear.weight", 8, H, i == 0 || i == 3 ? "linear.bias" : NULL);
        embed("'the river bank'", got, 8);
        dense_by_hand(want, mean, i == 0 || i == 3, i == 0 || i == 2);
        near(keys[i], got, want, 8);
    }
    sentence_remove();
}

/* LayerNorm before Dense is another vector than after it; Dropout changes nothing; Normalize may stand anywhere. */
static void modules_are_applied_in_the_order_of_the_list(void)
{
    double mean[H], alone[H], tokens[5 * H], unchanged[5 * H], got[8], want[8], mu = 0, variance = 0, length = 0;
    if (!sentence_model()) return;
    embed("'the river bank'", mean, H);
    embed("--pooling none 'the river bank'", tokens, 5 * H);
    put_modules("Transformer: Pooling:1_Pooling Dropout:x LayerNorm:3_LayerNorm Dense:2_Dense Normalize:not_there");
    put("3_LayerNorm/config.json", "{\"dimension\": 24}");
    put("2_Dense/config.json", "{\"in_features\": 24, \"out_features\": 8, \"bias\": false}");
    put_tensors("3_LayerNorm", "norm.weight", H, 0, "norm.bias");
    put_tensors("2_Dense", "linear.weight", 8, H, NULL);
    embed("'the river bank'", got, 8);
    for (int d = 0; d < H; d++) mu += mean[d] / H;
    for (int d = 0; d < H; d++) variance += (mean[d] - mu) * (mean[d] - mu) / H;
    for (int d = 0; d < H; d++)
        mean[d] = (mean[d] - mu) / sqrt(variance + 1e-5) * (double)numbers_of[d] + (double)numbers_of[8 * H + d];
    dense_by_hand(want, mean, false, true);
    for (int d = 0; d < 8; d++) length += want[d] * want[d];
    for (int d = 0; d < 8; d++) want[d] /= sqrt(length);
    near("LayerNorm, Dense, Normalize", got, want, 8);
    put_modules("Transformer: Pooling:1_Pooling LayerNorm:3_LayerNorm");         /* as wide as the hidden state */
    embed("'the river bank'", alone, H);
    near("LayerNorm alone", alone, mean, H);
    put_modules("Transformer: Pooling:1_Pooling Dropout:x LayerNorm:3_LayerNorm Dense:2_Dense Normalize:not_there");
    same("--pooling mean 'the cat'", "--pooling mean --layers -1 --normalize 'the cat'");
    run("./bert embed -m %s --pooling mean a 2>&1 >/dev/null", tiny);
    check(strstr(output, "modules.json but Normalize"), "it says what stays: %s", output);
    embed("--pooling none 'the river bank'", unchanged, 5 * H);
    near("Normalize is for the vectors of texts, not of tokens", unchanged, tokens, 5 * H);
    sentence_remove();
}

/* =====================================================================================================================
 * Texts
 * ================================================================================================================== */
static void texts_are_cut_to_the_length_of_the_directory(void)
{
    static const char *const names[] = {"sentence_bert_config.json", "sentence_xlnet_config.json"};
    if (!sentence_model()) return;
    for (int i = 0; i < 2; i++) {
        put(names[i], "{\"max_seq_length\": 5, \"do_lower_case\": false}");
        same("'the cat sat on the mat'", "'the cat sat'");
        same("--max-length 7 'the cat sat on the mat'", "--max-length 30 'the cat sat on the'");
        run("rm %s/%s", tiny, names[i]);
    }
    put("tokenizer_config.json", "{\"do_lower_case\": true, \"model_max_length\": 5}");
    same("'the cat sat on the mat'", "'the cat sat'");
    put("sentence_bert_config.json", "{\"max_seq_length\": 6}");
    same("'the cat sat on the mat'", "'the cat sat on'");
    put("tokenizer_config.json", "{\"do_lower_case\": true, \"model_max_length\": 1000000000000000019884624838656}");
    put("sentence_bert_config.json", "{\"max_seq_length\": null}");
    check(run("./bert embed -m %s 'a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a'", tiny) == 0,
          "32 positions");
    check(run("./bert fill-mask -q -m %s 'a [MASK] a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a' "
              "2>/dev/null", tiny) == 4, "only vectors are made of a part of the text");
    run("rm %s/modules.json", tiny);
    check(run("./bert embed -m %s 'a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a' 2>/dev/null",
              tiny)
          == 4, "without modules.json nobody asked for a cut");
    sentence_remove();
}

/* model_max_length among the arguments of the tokenizer comes before max_seq_length, wherever it stands. */
static void texts_are_cut_to_the_length_of_the_arguments(void)
{
    static const char *const keys[] = {"tokenizer_args", "processor_kwargs"};
    if (!sentence_model()) return;
    for (int i = 0; i < 2; i++) {
        put("sentence_bert_config.json", "{\"%s\": {\"model_max_length\": 5}}", keys[i]);
        same("'the cat sat on the mat'", "'the cat sat'");
        put("sentence_bert_config.json", "{\"%s\": {\"model_max_length\": 5}, \"max_seq_length\": 6}", keys[i]);
        same("'the cat sat on the mat'", "'the cat sat'");
    }
    sentence_remove();
}

/* truncate_dim: the first numbers of what the modules make; only --normalize comes after it. */
static void truncate_dim_leaves_the_first_numbers(void)
{
    double all[H], got[H];
    if (!sentence_model()) return;
    put_modules("Transformer: Pooling:1_Pooling Normalize:");
    embed("'the cat sat'", all, H);
    put("config_sentence_transformers.json", "{\"truncate_dim\": 8}");
    embed("'the cat sat'", got, 8);
    near("the first 8 of 24", got, all, 8);
    double sum = 0;
    for (int d = 0; d < 8; d++) sum += all[d] * all[d];
    for (int d = 0; d < 8; d++) all[d] /= sqrt(sum);
    embed("--normalize 'the cat sat'", got, 8);
    near("length 1 after it", got, all, 8);
    put("config_sentence_transformers.json", "{\"truncate_dim\": 25}");
    embed("'the cat sat'", got, H);
    put("config_sentence_transformers.json", "{\"truncate_dim\": null}");
    embed("'the cat sat'", got, H);
    check(run("./bert embed -m %s --pooling cls a 2>&1 >/dev/null", tiny) == 0 && !strstr(output, "truncate_dim"),
          "%s", output);
    put("config_sentence_transformers.json", "{\"truncate_dim\": 8}");
    check(run("./bert embed -m %s --pooling cls a 2>&1 >/dev/null", tiny) == 0 && strstr(output, "truncate_dim"),
          "%s", output);
    put("config_sentence_transformers.json", "{\"truncate_dim\": 0}");
    refused("a", 3, "/config_sentence_transformers.json: truncate_dim is 0", "expected 1 to");
    put("config_sentence_transformers.json", "{\"truncate_dim\": \"8\"}");
    refused("a", 3, "/config_sentence_transformers.json", "byte");
    sentence_remove();
}

/* The first score of `rank` and the matrix of `similarity` for two texts, against sums over their vectors. */
static void vectors_are_compared_as_the_directory_says(void)
{
    static const char *const names[] = {"cosine", "dot", "euclidean", "manhattan"};
    double a[H], b[H], want[4] = {0}, aa = 0, bb = 0, x[1];
    if (!sentence_model()) return;
    embed("'the cat sat'", a, H);
    embed("'a dog'", b, H);
    for (int d = 0; d < H; d++) {
        want[1] += a[d] * b[d];
        want[2] += (a[d] - b[d]) * (a[d] - b[d]);
        want[3] -= fabs(a[d] - b[d]);
        aa += a[d] * a[d];
        bb += b[d] * b[d];
    }
    want[0] = want[1] / sqrt(aa * bb);
    want[2] = -sqrt(want[2]);
    for (int i = 0; i < 4; i++) {
        put("config_sentence_transformers.json", "{\"similarity_fn_name\": \"%s\"}", names[i]);
        check(run("./bert rank -q -m %s 'the cat sat' 'a dog'", tiny) == 0 && numbers(x, 1) == 1, "rank: %s", output);
        near(names[i], x, &want[i], 1);
        const int code = run("./bert similarity -m %s --format json 'the cat sat' 'a dog' 2>&1", tiny);
        const char *key = strstr(output, i ? "\"similarities\": [[" : "\"cosines\": [[");
        const char *comma = key ? strchr(key, ',') : NULL;
        x[0] = comma ? strtod(comma + 1, NULL) : NAN;
        check(code == 0, "%s: %s", names[i], output);
        near(names[i], x, &want[i], 1);
        for (int k = 0; i && k < 2; k++)
            check(run("./bert %s --help | grep -w %s", k ? "rank" : "similarity", names[i]) == 0, "help names %s", names[i]);
    }
    put("config_sentence_transformers.json", "{\"similarity_fn_name\": \"maxsim\"}");
    check(run("./bert rank -q -m %s 'the cat sat' 'a dog'", tiny) == 0 && numbers(x, 1) == 1, "rank: %s", output);
    near("a name that is none to the library", x, &want[0], 1);
    sentence_remove();
}

/* A model that was trained with prompts and names no default: rank says that it used none. */
static void prompts_that_were_not_used_are_said(void)
{
    if (!sentence_model()) return;
    put("config_sentence_transformers.json",
        "{\"prompts\": {\"query\": \"the big \", \"document\": \"\", \"old\": null}}");
    check(run("./bert rank -m %s cat mat 2>&1 >/dev/null", tiny) == 0 && strstr(output, "(query)") &&
          strstr(output, "--prompt NAME"), "%s", output);
    check(run("./bert rank -m %s --prompt query cat mat 2>&1 >/dev/null", tiny) == 0 && !strstr(output, "(query)"),
          "%s", output);
    put("config_sentence_transformers.json", "{\"prompts\": {\"query\": \"\"}}");
    check(run("./bert rank -m %s cat mat 2>&1 >/dev/null", tiny) == 0 && !strstr(output, "prompts"), "%s", output);
    sentence_remove();
}

static void a_prompt_stands_before_the_text(void)
{
    if (!sentence_model()) return;
    refused("--prompt query a", 2, "--prompt query", "config_sentence_transformers.json");
    put("config_sentence_transformers.json",
        "{\"prompts\": {\"query\": \"the big \", \"document\": \"\", \"old\": null}, "
        "\"default_prompt_name\": null}");
    same("--prompt query 'cat sat'", "'the big cat sat'");
    same("--prompt document 'cat sat'", "'cat sat'");
    same("--prompt old 'cat sat'", "'cat sat'");
    same("--prompt query --pair mat 'cat sat'", "--pair mat 'the big cat sat'");
    refused("--prompt none a", 2, "query, document, old", "none");
    put("config_sentence_transformers.json",
        "{\"default_prompt_name\": \"query\", \"prompts\": {\"query\": \"the big \"}}");
    same("'cat sat'", "--prompt query 'cat sat'");
    check(run("printf 'cat\\n\\ta \\300\\n' | ./bert embed -m %s 2>&1 >/dev/null", tiny) == 4 &&
          strstr(output, "line 2, byte 4"), "bytes are those of the line: %s", output);
    check(run("./bert explain --step 16 -m %s 'the cat'", tiny) == 0 && strstr(output, "default prompt"),
          "explain does not show another vector: %s", output);
    check(run("./bert rank -q -m %s 'cat' 'cat' 'the mat'", tiny) == 0 && !strncmp(output, "1\tcat\n", 6),
          "rank puts it before the query and the texts: %s", output);
    put("config_sentence_transformers.json",
        "{\"default_prompt_name\": \"x\", \"prompts\": {\"query\": \"the big \"}}");
    refused("a", 3, "config_sentence_transformers.json", "\"x\"");
    sentence_remove();
}

static void a_prompt_can_be_left_out_of_the_pooling(void)
{
    double tokens[6 * H], got[H], want[H];
    if (!sentence_model()) return;
    put("config_sentence_transformers.json", "{\"prompts\": {\"query\": \"the big \"}}");
    embed("--layers -1 --pooling none 'the big cat sat'", tokens, 6 * H);
    for (int mode = 0; mode < 6; mode++) {
        pool_by_hand(want, tokens, 6, 3, mode);
        put("1_Pooling/config.json", "{\"pooling_mode\": \"%s\", \"include_prompt\": false}", modes[mode]);
        embed("--prompt query 'cat sat'", got, H);
        near(modes[mode], got, want, H);
    }
    sentence_remove();
}

/* Where no file names [SEP], the library counts it with the prompt, and the text's first token is left out, too. */
static void a_sep_without_a_name_counts_with_the_prompt(void)
{
    static const char *const configs[] = {"\"sep_token\": \"[SEP]\"", "\"pad_token\": \"[PAD]\""};
    double tokens[6 * H], got[H], want[H];
    if (!sentence_model()) return;
    put("config_sentence_transformers.json", "{\"prompts\": {\"query\": \"the big \"}}");
    put("1_Pooling/config.json", "{\"pooling_mode\": \"mean\", \"include_prompt\": false}");
    embed("--layers -1 --pooling none 'the big cat sat'", tokens, 6 * H);
    run("cd %s && { printf '{\"normalizer\": {\"type\": \"BertNormalizer\", \"lowercase\": true}, \"pre_tokenizer\": "
        "{\"type\": \"BertPreTokenizer\"}, \"post_processor\": {\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 3], "
        "\"cls\": [\"[CLS]\", 2]}, \"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"vocab\": {'; "
        "sed 's/[\\\"]/\\\\&/g' vocab.txt | "
        "awk '{ printf \"%%s\\\"%%s\\\": %%d\", (NR > 1 ? \", \" : \"\"), $0, NR - 1 }'; "
        "echo '}}}'; } > tokenizer.json", tiny);
    for (int i = 0; i < 2; i++) {
        put("tokenizer_config.json", "{\"tokenizer_class\": \"TokenizersBackend\", %s}", configs[i]);
        pool_by_hand(want, tokens, 6, 3 + i, 2);
        embed("--prompt query 'cat sat'", got, H);
        near(configs[i], got, want, H);
    }
    run("rm %s/tokenizer.json", tiny);
    sentence_remove();
}

/* =====================================================================================================================
 * Layouts, and what is refused
 * ================================================================================================================== */
static void modules_lie_where_the_list_says(void)
{
    double want[H], got[H];
    if (!sentence_model()) return;
    embed("'the cat'", want, H);
    put("other/1_Pooling/config.json", "{\"pooling_mode_mean_tokens\": true}");
    run("cd %s && mkdir other/model && mv config.json vocab.txt model.safetensors other/model && rm -r 1_Pooling",
        tiny);
    put("other/model/sentence_bert_config.json", "{\"max_seq_length\": 4}");
    put_modules("sentence_transformers.base.modules.transformer.Transformer:other/model/ "
                "sentence_transformers.sentence_transformer.modules.pooling.Pooling:other/1_Pooling");
    embed("'the cat sat on the mat'", got, H);
    near("the model in a directory of its own", got, want, H);
    check(run("./bert tokenize -m %s --format ids 'the cat'", tiny) == 0 && !strcmp(output, "2 61 62 3\n"),
          "tokenize finds it");
    run("cd %s && mv other/model/* . ", tiny);
    sentence_remove();
}

/* do_lower_case is true for a cased vocabulary: capitals go, accents stay. */
static void lower_case_is_asked_for_by_the_transformer(void)
{
    if (!sentence_model()) return;
    put("tokenizer_config.json", "{\"do_lower_case\": false}");
    put("sentence_bert_config.json", "{\"do_lower_case\": true}");
    check(run("./bert tokenize -m %s --format ids 'The CAT'", tiny) == 0 && !strcmp(output, "2 61 62 3\n"),
          "ids: %s", output);
    check(run("./bert tokenize -m %s --cased --format ids 'The cat'", tiny) == 0 && !strcmp(output, "2 1 62 3\n"),
          "--cased counts: %s", output);
    put("sentence_bert_config.json", "{\"do_lower_case\": false}");
    check(run("./bert tokenize -m %s --format ids 'The cat'", tiny) == 0 && !strcmp(output, "2 1 62 3\n"),
          "ids: %s", output);
    sentence_remove();
}

static void modules_that_cannot_be_obeyed_are_refused_by_name(void)
{
    static const char *const lists[] = {"Transformer: CNN:1", "Transformer: LSTM:1",
                                        "WordEmbeddings: Pooling:1_Pooling",
        "BoW: Pooling:1_Pooling", "Router: Pooling:1_Pooling", "own.Transformer: Pooling:1_Pooling",
        "Transformer: pylate.models.Dense:1", "Transformer: Pooling:1_Pooling WeightedLayerPooling:2",
        "Transformer: Pooling:1_Pooling Pooling:1_Pooling", "Transformer: WordWeights:1 Pooling:1_Pooling"};
    static const char *const named[] = {"CNN", "LSTM", "WordEmbeddings", "BoW", "Router", "own.Transformer", "pylate",
        "WeightedLayerPooling", "module 2", "WordWeights"};
    if (!sentence_model()) return;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        put_modules(lists[i]);
        refused("a", 3, "modules.json", named[i]);
        check(run("./bert embed -q -m %s --pooling mean a", tiny) == 0, "a recipe of one's own: %s", lists[i]);
    }
    put_modules("Transformer:");
    refused("a", 3, "modules.json", "ends after its Transformer, expected a Pooling");
    put_modules("Transformer: Pooling:../1_Pooling");
    refused("a", 3, "modules.json", "../1_Pooling");
    put_modules("Transformer: Pooling:/1_Pooling");
    refused("a", 3, "modules.json", "\"path\"");
    put("modules.json", "[{\"name\": \"0\", \"path\": \"\"}]");
    refused("a", 3, "modules.json", "no \"type\"");
    put("modules.json", "[{\"name\": \"0\", \"type\": \"sentence_transformers.models.Transformer\"}, {\"name\": \"0\", "
        "\"path\": \"1_Pooling\", \"type\": \"sentence_transformers.models.Pooling\"}]");
    refused("a", 3, "modules.json", "two modules");
    put("modules.json", "[\xff]");
    refused("a", 3, "modules.json", "UTF-8");
    sentence_remove();
}

static void keys_that_cannot_be_obeyed_are_refused_by_name(void)
{
    static const char *const texts[][2] = {
        {"{\"transformer_task\": \"sequence-classification\"}", "transformer_task"},
        {"{\"max_seq_length\": 0}", "max_seq_length"},
        {"{\"model_args\": {\"dtype\": \"float16\"}}", "dtype"},
        {"{\"tokenizer_name_or_path\": \"x\"}", "tokenizer_name_or_path"},
        {"{\"module_output_name\": \"x\"}", "module_output_name"}, {"{\"unknown\": 1}", "unknown"},
        {"{\"modality_config\": {\"text\": {\"method\": \"x\"}}}", "method"}};
    static const char *const dense[][2] = {
        {"\"in_features\": 23, \"out_features\": 8", "23"}, {"\"in_features\": 24", "out_features"},
        {"\"out_features\": 8", "in_features"}, {"\"in_features\": 24, \"out_features\": 7", "linear.weight"},
        {"\"in_features\": 24, \"out_features\": 0", "out_features"},
        {"\"in_features\": 24, \"out_features\": 8, \"activation_function\": \"torch.nn.ReLU\"", "activation_function"},
        {"\"in_features\": 24, \"out_features\": 8, \"activation_function\": \"own.Tanh\"", "activation_function"},
        {"\"in_features\": 24, \"out_features\": 8, \"use_residual\": true", "use_residual"},
        {"\"in_features\": 24, \"out_features\": 8, \"module_input_name\": \"token_embeddings\"", "module_input_name"},
        {"\"in_features\": 24, \"out_features\": 8", "linear.bias"}};
    if (!sentence_model()) return;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put("sentence_bert_config.json", "%s", texts[i][0]);
        refused("a", 3, "sentence_bert_config.json", texts[i][1]);
    }
    put("sentence_bert_config.json", "{\"model_args\": {\"add_pooling_layer\": false, \"dtype\": \"float32\"}, \"tokenizer_args\": {}, "
        "\"config_args\": null, "
        "\"tokenizer_name_or_path\": null, \"query_length\": 3, \"modality_config\": {\"image\": {}, \"text\": "
        "{\"format\": 1}}}");
    check(run("./bert embed -q -m %s a", tiny) == 0, "what changes nothing is no reason to refuse");
    put_modules("Transformer: Pooling:1_Pooling Dense:2_Dense");
    for (size_t i = 0; i < sizeof dense / sizeof *dense; i++) {
        put("2_Dense/config.json", "{%s}", dense[i][0]);
        put_tensors("2_Dense", "linear.weight", 8, H, NULL);
        refused("a", 3, "2_Dense/", dense[i][1]);
    }
    put("2_Dense/config.json", "{\"in_features\": 24, \"out_features\": 8, \"bias\": false}");
    put_tensors("2_Dense", "linear.weight", 8, H, "linear.bias");
    refused("a", 3, "2_Dense/model.safetensors: has a tensor linear.bias", "config.json says \"bias\": false");
    put_tensors("2_Dense", "linear.weight", 8, H, NULL);
    run("LC_ALL=C sed -i s/F32/I32/ %s/2_Dense/model.safetensors", tiny);
    refused("a", 3, "2_Dense/model.safetensors", "linear.weight is I32");
    run("mv %s/2_Dense/model.safetensors %s/2_Dense/pytorch_model.bin", tiny, tiny);
    refused("a", 3, "2_Dense/pytorch_model.bin", "model.safetensors");
    sentence_remove();
}

/* Of lists there are limits; of other numbers, too. */
/* A value of another kind than the key's is refused by file, byte and key, whichever file it is. */
static void a_value_of_another_kind_is_refused_by_its_key(void)
{
    static const struct { const char *file, *text, *key; } cases[] = {
        {"tokenizer_config.json", "{\"do_lower_case\": \"true\"}", "do_lower_case"},
        {"tokenizer_config.json", "{\"do_lower_case\": 0}", "do_lower_case"},
        {"tokenizer_config.json", "{\"strip_accents\": \"true\"}", "strip_accents"},
        {"tokenizer_config.json", "{\"model_max_length\": \"32\"}", "model_max_length"},
        {"tokenizer_config.json", "{\"truncation_side\": null}", "truncation_side"},
        {"config_sentence_transformers.json", "{\"truncate_dim\": 8.0}", "truncate_dim"},
        {"config_sentence_transformers.json", "{\"truncate_dim\": \"8\"}", "truncate_dim"},
        {"config_sentence_transformers.json", "{\"default_prompt_name\": 1}", "default_prompt_name"},
        {"config_sentence_transformers.json", "{\"default_prompt_name\": \"q\", \"prompts\": {\"q\": 1}}",
         "q\" of \"prompts"},
        {"sentence_bert_config.json", "{\"max_seq_length\": 16.0}", "max_seq_length"},
        {"sentence_bert_config.json",
         "{\"modality_config\": {\"text\": {\"method_output_name\": [\"hidden_states\", 1]}}}",
         "method_output_name\" of \"modality_config"},
        {"1_Pooling/config.json", "{\"pooling_mode\": null}", "pooling_mode"},
        {"1_Pooling/config.json", "{\"pooling_mode\": \"cls\", \"include_prompt\": null}", "include_prompt"},
        {"2_Dense/config.json", "{\"in_features\": 24, \"out_features\": 8, \"activation_function\": null}",
         "activation_function"},
        {"modules.json", "[{\"name\": 0}]", "name"}};
    char expected[200];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!sentence_model()) return;
        if (cases[i].file[0] == '2') put_modules("Transformer: Pooling:1_Pooling Dense:2_Dense");
        put(cases[i].file, "%s", cases[i].text);
        snprintf(expected, sizeof expected, ", for the key \"%s\"", cases[i].key);
        refused("cat", 3, cases[i].file, expected);
        sentence_remove();
    }
}

static void lists_and_numbers_have_limits(void)
{
    char list[512] = "Transformer: Pooling:1_Pooling";
    if (!sentence_model()) return;
    while (strlen(list) < 440) strcat(list, " Normalize:");
    put_modules(list);
    refused("a", 3, "modules.json", "more than 16");
    put_modules("Transformer: Pooling:1_Pooling");
    put("1_Pooling/config.json", "{\"pooling_mode\": [\"cls\", \"cls\", \"cls\", \"cls\", \"cls\", \"cls\", \"cls\", "
        "\"cls\", \"cls\"]}");
    refused("a", 3, "1_Pooling/config.json", "more than 8");
    put("1_Pooling/config.json", "{\"pooling_mode\": \"mean\"}");
    put("tokenizer_config.json", "{\"model_max_length\": 2}");
    refused("a", 3, "tokenizer_config.json", "model_max_length");
    run("rm %s/modules.json %s/tokenizer_config.json; ln -s 2_Normalize %s/2_Normalize", tiny, tiny, tiny);
    refused("a", 3, "2_Normalize", "");
    run("rm -r %s/2_Normalize %s/1_Pooling", tiny, tiny);
    refused("--prompt query a", 2, "--prompt", "sentence-transformers");
    sentence_remove();
}

/* Normalize may say which vector it is about; of another module's keys some say nothing. */
static void normalize_has_a_file_in_newer_directories(void)
{
    if (!sentence_model()) return;
    put_modules("Transformer: Pooling:1_Pooling Normalize:other/n");
    put("other/n/config.json", "{\"module_input_name\": \"sentence_embedding\", \"other\": 1}");
    same("'the cat'", "--pooling mean --layers -1 'the cat'");
    put("other/n/config.json", "{\"module_input_name\": \"token_embeddings\"}");
    refused("a", 3, "other/n/config.json", "module_input_name");
    sentence_remove();
}

/* Word vectors are no sentence vectors: nothing of the directory's recipe is in them. */
/* modules.json is lost. What is left does not say how vectors are made: it is no raw BERT for all that. */
static void a_lost_list_of_modules_is_missed(void)
{
    static const char *const files[] = {"config_sentence_transformers.json", "sentence_bert_config.json",
                                        "sentence_distilbert_config.json"};
    double want[H], got[H];
    if (!sentence_model()) return;
    run("rm %s/modules.json", tiny);
    check(run("./bert embed -m %s cat 2>&1 >/dev/null", tiny) == 0 && strstr(output, "has no modules.json") &&
          strstr(output, "1_Pooling is obeyed"), "with 1_Pooling: %s", output);
    check(run("./bert embed -m %s --pooling cls cat 2>&1 >/dev/null", tiny) == 0 && !*output, "asked for: %s", output);
    run("rm -r %s/1_Pooling", tiny);
    embed("--layers -1 cat", want, H);
    for (int i = 0; i < 3; i++) {
        put(files[i], "{\"max_seq_length\": 16}");
        refused("cat", 3, files[i], "but no modules.json");
        check(run("./bert similarity -m %s cat mat 2>&1", tiny) == 3 &&
              run("./bert rank -m %s cat mat 2>&1", tiny) == 3, "all three verbs: %s", output);
        refused("--prompt query --pooling mean cat", 3, files[i], "but no modules.json");
        embed("--layers -1 cat", got, H);
        near("a recipe that was given", got, want, H);
        check(run("./bert tokenize -m %s cat", tiny) == 0, "pieces are not in doubt: %s", output);
        run("rm %s/%s", tiny, files[i]);
    }
    refused("--prompt query cat", 2, "is no directory of sentence-transformers", "--prompt");
    sentence_remove();
}

static void words_are_compared_without_the_recipe(void)
{
    static char plain[sizeof output];
    if (!sentence_model()) return;
    run("mv %s/modules.json %s/pairs; ./bert similarity -m %s --word cat 'the cat' 'a cat'", tiny, tiny, tiny);
    strcpy(plain, output);
    run("mv %s/pairs %s/modules.json", tiny, tiny);
    put("config_sentence_transformers.json",
        "{\"default_prompt_name\": \"query\", \"prompts\": {\"query\": \"the big \"}}");
    check(run("./bert similarity -m %s --word cat 'the cat' 'a cat'", tiny) == 0 && !strcmp(plain, output),
          "the same: %s", output);
    check(run("./bert similarity -m %s --word cat --prompt query 'the cat' 2>/dev/null", tiny) == 2,
          "--prompt is for sentences");
    check(run("./bert embed -m %s --inputs x --prompt query 2>/dev/null", tiny) == 2, "and for texts");
    sentence_remove();
}

/* =====================================================================================================================
 * SPLADE
 * ================================================================================================================== */
enum { V = 101 };

/* By the definition, of the logits of a trace: (tokens, V). */
static void splade_by_hand(double *want, const char *trace, bool sum, bool twice)
{
    Safetensors st;
    Error e = {0};
    memset(want, 0, V * sizeof *want);
    if (!check(safetensors_open(&st, trace, &e) == BERT_OK, "the trace is there: %s", e.message)) return;
    const SafeTensor *logits = safetensors_find(&st, "cls.predictions.decoder");
    for (size_t i = 0; logits && i < logits->count; i++) {
        const double x = tensor_element(logits, i), w = x > 0 ? log1p(x) : 0, y = twice ? log1p(w) : w;
        want[i % V] = sum ? want[i % V] + y : fmax(want[i % V], y);
    }
    check(logits != NULL && logits->count == 4 * V, "a row of logits for every token");
    safetensors_close(&st);
}

static void splade_weighs_every_piece(void)
{
    double want[V], got[V];
    char trace[300];
    if (!sentence_model()) return;
    snprintf(trace, sizeof trace, "%s/pairs", tiny);
    check(run("./bert trace -q -m %s -o %s 'the cat' 2>&1", tiny, trace) == 0, "a trace: %s", output);
    put_modules("Transformer: sentence_transformers.sparse_encoder.models.SpladePooling:1_Pooling");
    put("sentence_bert_config.json", "{\"transformer_task\": \"fill-mask\"}");
    for (int i = 0; i < 4; i++) {
        put("1_Pooling/config.json", "{\"pooling_strategy\": \"%s\", \"activation_function\": \"%s\", "
            "\"embedding_dimension\": null}", i & 1 ? "sum" : "max", i & 2 ? "log1p_relu" : "relu");
        embed("'the cat'", got, V);
        splade_by_hand(want, trace, i & 1, i & 2);
        near("weights", got, want, V);
    }
    put("1_Pooling/config.json", "{}");
    check(run("./bert embed -m %s --format json 'the cat'", tiny) == 0 && strstr(output, "\"weights\": {\"") &&
          strstr(output, "\"vector\": ["), "weights with their pieces: %s", output);
    const char *first = strstr(output, "\"weights\": {\"");
    first = first ? strstr(first + 13, "\": ") : NULL;
    const double heaviest = first ? strtod(first + 3, NULL) : 0;
    double largest = 0;
    char shown[32];
    embed("'the cat'", got, V);
    for (int i = 0; i < V; i++) largest = got[i] > largest ? got[i] : largest;
    check(largest > 0 && heaviest == largest, "the heaviest piece comes first: %.9g, %.9g", heaviest, largest);
    snprintf(shown, sizeof shown, " %.4f", largest);
    check(run("./bert rank -m %s 'the cat' 'a dog' 'the cat'", tiny) == 0 &&
          strstr(output, "\tthe cat\n") == strchr(output, '\t'),
          "the query finds itself: %s", output);
    check(run_on_terminal("./bert embed -q -m %s 'the cat'", tiny) == 0 && strstr(output, " pieces)") &&
          strstr(output, shown), "on a terminal: %s", output);
    put("config_sentence_transformers.json", "{\"max_active_dims\": null, \"truncate_dim\": 4}");
    embed("'the cat'", got, V);
    put("config_sentence_transformers.json", "{\"max_active_dims\": 4}");
    refused("a", 3, "/config_sentence_transformers.json", "max_active_dims");
    run("rm %s/config_sentence_transformers.json", tiny);
    put("1_Pooling/config.json", "{\"pooling_strategy\": \"mean\"}");
    refused("a", 3, "1_Pooling/config.json", "pooling_strategy");
    put("1_Pooling/config.json", "{\"other\": 1}");
    refused("a", 3, "1_Pooling/config.json", "other");
    put("1_Pooling/config.json", "{}");
    put("sentence_bert_config.json", "{\"max_seq_length\": 8}");
    refused("a", 3, "/sentence_bert_config.json: transformer_task", "fill-mask");
    put("sentence_bert_config.json", "{\"transformer_task\": \"fill-mask\", \"modality_config\": {\"text\": "
        "{\"method_output_name\": \"last_hidden_state\"}}}");
    refused("a", 3, "/sentence_bert_config.json: method_output_name", "logits");
    put_modules("sentence_transformers.sparse_encoder.models.MLMTransformer: Pooling:1_Pooling");
    put("sentence_bert_config.json", "{\"max_seq_length\": 8}");
    refused("a", 3, "transformer_task", "feature-extraction");
    put("sentence_bert_config.json", "{}");
    put("sentence_roberta_config.json", "{\"max_seq_length\": 8}");
    refused("a", 3, "/sentence_roberta_config.json: transformer_task", "feature-extraction");
    sentence_remove();
}

/* {"a piece": its weight, ...}: each that is not 0, and no other. In the odd model `k` has the first piece and the last. */
static void the_weights_are_those_of_the_vector(void)
{
    enum { ODD_V = 67 };
    double want[ODD_V];
    char path[300], piece[100], entry[150];
    Error e;
    if (!check(formula_directory(tiny) && formula_model(tiny, "odd", &e) == BERT_OK, "the model is written")) return;
    put_modules("Transformer: sentence_transformers.sparse_encoder.models.SpladePooling:1_Pooling");
    put("sentence_bert_config.json", "{\"transformer_task\": \"fill-mask\"}");
    put("1_Pooling/config.json", "{}");
    embed("k", want, ODD_V);
    check(want[0] > 0 && want[ODD_V - 1] > 0, "the first and the last piece have a weight");
    run("./bert embed -q -m %s --format json k", tiny);
    const char *const weights = strstr(output, "\"weights\"");
    snprintf(path, sizeof path, "%s/vocab.txt", tiny);
    FILE *vocabulary = fopen(path, "rb");
    check(vocabulary && weights, "the pieces, and weights: %s", output);
    for (int i = 0; vocabulary && weights && i < ODD_V && fgets(piece, sizeof piece, vocabulary); i++) {
        piece[strcspn(piece, "\n")] = 0;
        snprintf(entry, sizeof entry, "\"%s\": ", piece);
        const char *at = strstr(weights, entry);
        check(at ? strtod(at + strlen(entry), NULL) == want[i] : want[i] == 0, "%s weighs %.9g", piece, want[i]);
    }
    if (vocabulary) fclose(vocabulary);
    sentence_remove();
}

const Test sentence_tests[] = {
    {"the_weights_are_those_of_the_vector", the_weights_are_those_of_the_vector},
    {"splade_weighs_every_piece", splade_weighs_every_piece},
    {"every_pooling_is_its_definition", every_pooling_is_its_definition},
    {"a_pooling_of_the_dimension_alone_is_the_mean", a_pooling_of_the_dimension_alone_is_the_mean},
    {"several_poolings_stand_one_after_another", several_poolings_stand_one_after_another},
    {"poolings_know_padding_on_the_left", poolings_know_padding_on_the_left},
    {"a_dense_module_projects_the_vector", a_dense_module_projects_the_vector},
    {"modules_are_applied_in_the_order_of_the_list", modules_are_applied_in_the_order_of_the_list},
    {"texts_are_cut_to_the_length_of_the_directory", texts_are_cut_to_the_length_of_the_directory},
    {"texts_are_cut_to_the_length_of_the_arguments", texts_are_cut_to_the_length_of_the_arguments},
    {"truncate_dim_leaves_the_first_numbers", truncate_dim_leaves_the_first_numbers},
    {"vectors_are_compared_as_the_directory_says", vectors_are_compared_as_the_directory_says},
    {"prompts_that_were_not_used_are_said", prompts_that_were_not_used_are_said},
    {"a_prompt_stands_before_the_text", a_prompt_stands_before_the_text},
    {"a_prompt_can_be_left_out_of_the_pooling", a_prompt_can_be_left_out_of_the_pooling},
    {"a_sep_without_a_name_counts_with_the_prompt", a_sep_without_a_name_counts_with_the_prompt},
    {"modules_lie_where_the_list_says", modules_lie_where_the_list_says},
    {"lower_case_is_asked_for_by_the_transformer", lower_case_is_asked_for_by_the_transformer},
    {"modules_that_cannot_be_obeyed_are_refused_by_name", modules_that_cannot_be_obeyed_are_refused_by_name},
    {"keys_that_cannot_be_obeyed_are_refused_by_name", keys_that_cannot_be_obeyed_are_refused_by_name},
    {"a_value_of_another_kind_is_refused_by_its_key", a_value_of_another_kind_is_refused_by_its_key},
    {"lists_and_numbers_have_limits", lists_and_numbers_have_limits},
    {"normalize_has_a_file_in_newer_directories", normalize_has_a_file_in_newer_directories},
    {"a_lost_list_of_modules_is_missed", a_lost_list_of_modules_is_missed},
    {"words_are_compared_without_the_recipe", words_are_compared_without_the_recipe},
    {NULL, NULL},
};
