/* torch.c - pytorch_model.bin: a dictionary of tensors as torch.save writes it, read without running anything.
 *
 *     NAME/data.pkl      a pickle: the dictionary's names, and for each tensor which storage, offset, shape and strides
 *     NAME/data/0 ...    the storages: rows of numbers, one entry each
 *     NAME/byteorder     "little"
 *
 * A pickle is a program for a small machine with a stack. In Python it may call any function by its name, which is why
 * loading a stranger's pickle runs a stranger's program. Here the machine has only what a dictionary of tensors needs:
 *
 *     constants (None, True, numbers, texts), tuples, lists, dictionaries, and a memory of what was there before
 *     six names: OrderedDict, the two functions that make a tensor and a parameter, and the types of storages
 *
 * and "calling" one of these notes what it says. Any other opcode or name is refused by name. Nothing in the file is
 * run, unpacked or taken for a path. The machine has no loop and no jump: each opcode is read once, and makes at most
 * one value.
 *
 * Every number is a claim: a storage must have exactly the bytes that the zip has for it, a tensor must lie inside its
 * storage, and a tensor has at most as many elements as its storage, all of them together at most twice the file:
 * strides of 0 could else make terabytes of one number.
 */
#include "weights/convert.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * The machine's values
 * ------------------------------------------------------------------------------------------------------------------ */
typedef enum {
    VALUE_MARK, VALUE_CONSTANT,         /* a constant: None, True, False, a float: nobody asks for its value */
    VALUE_NUMBER, VALUE_TEXT, VALUE_TUPLE, VALUE_LIST, VALUE_DICT, VALUE_NAME, VALUE_STORAGE, VALUE_TENSOR
} ValueKind;

typedef struct {
    ValueKind kind;
    size_t at, count;                   /* text: bytes of the pickle; tuple: places of `items`; else at: its number */
    int64_t number;
} Value;

typedef struct {                        /* dictionary number `dict` has this member */
    size_t dict;
    Value key, value;
} Member;

typedef struct {
    Value key;                          /* the text that names the zip's entry */
    DType dtype;
    size_t count;
} Storage;

typedef struct {
    size_t storage, offset;             /* offset in elements */
    int rank;
    size_t shape[MAX_RANK], stride[MAX_RANK];
} Strided;

/* A list of any of them, which doubles when it is full. */
typedef struct {
    void *items;
    size_t count, capacity;
} Growing;

typedef struct {
    const char *path;
    const unsigned char *bytes;
    size_t size, at, opcode;            /* at: the next byte; opcode: where the one that runs stands */
    Growing stack, memo, items;            /* of Value */
    Growing members, storages, views;
    size_t dicts;
    Error *e;
} Machine;

static Value *stack_of(const Machine *m) { return m->stack.items; }

/* A sentence about the pickle, with the place. */
static Status refuse(const Machine *m, const char *what)
{
    return fail(m->e, BERT_FILE, "%s: data.pkl, byte %zu: %s: expected a dictionary of tensors; nothing in the file "
                "was run",
                m->path, m->opcode, what);
}

/* Room for one more item of `size` bytes at the end of a list: its address, or NULL if memory runs out. */
static void *grow(Machine *m, Growing *list, size_t size)
{
    if (list->count == list->capacity) {
        size_t capacity, bytes;
        void *items = NULL;
        if (size_mul(list->capacity ? list->capacity : 32, 2, &capacity) && size_mul(capacity, size, &bytes))
            items = realloc(list->items, bytes);
        if (!items) {
            fail(m->e, BERT_SYSTEM, "%s: out of memory (%zu values)", m->path, list->count);
            return NULL;
        }
        list->items = items;
        list->capacity = capacity;
    }
    return (char *)list->items + size * list->count++;
}

static Status append_value(Machine *m, Growing *list, Value value)
{
    Value *place = grow(m, list, sizeof *place);
    if (!place) return m->e->status;
    *place = value;
    return BERT_OK;
}

static Status push(Machine *m, Value value)
{
    return append_value(m, &m->stack, value);
}

static Status push_kind(Machine *m, ValueKind kind)
{
    return push(m, (Value){.kind = kind});
}

/* Takes the top value, which must not be a mark. */
static Status pop(Machine *m, Value *value)
{
    if (m->stack.count == 0 || stack_of(m)[m->stack.count - 1].kind == VALUE_MARK)
        return refuse(m, "found too few values");
    *value = stack_of(m)[--m->stack.count];
    return BERT_OK;
}

/* The place of the last mark. */
static Status find_mark(const Machine *m, size_t *mark)
{
    for (size_t i = m->stack.count; i-- > 0; )
        if (stack_of(m)[i].kind == VALUE_MARK) {
            *mark = i;
            return BERT_OK;
        }
    return refuse(m, "found no mark");
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Operands
 * ------------------------------------------------------------------------------------------------------------------ */

/* `bytes` bytes at m->at as a little-endian number. */
static Status operand(Machine *m, size_t bytes, uint64_t *value)
{
    *value = 0;
    if (bytes > 8 || bytes > m->size - m->at)
        return refuse(m, "found the end of the pickle, or a number of more than 64 bits");
    for (size_t i = bytes; i-- > 0; ) *value = *value << 8 | m->bytes[m->at + i];
    m->at += bytes;
    return BERT_OK;
}

/* A text behind its length. It must be UTF-8 without NUL: it may become a tensor's name. */
static Status push_text(Machine *m, size_t length_bytes)
{
    uint64_t length;
    if (operand(m, length_bytes, &length) != BERT_OK) return m->e->status;
    if (length > m->size - m->at) return refuse(m, "found a text that is longer than the pickle");
    const Value text = {.kind = VALUE_TEXT, .at = m->at, .count = (size_t)length};
    for (size_t end = m->at + (size_t)length; m->at < end; ) {
        int n = utf8_character(m->bytes + m->at, end - m->at);
        if (n == 0 || m->bytes[m->at] == 0) return refuse(m, "found a text that is not UTF-8, or with a NUL");
        m->at += (size_t)n;
    }
    return push(m, text);
}

/* A number of `bytes` bytes, signed if `is_signed`: two's complement. */
static Status push_number(Machine *m, size_t bytes, bool is_signed)
{
    uint64_t value;
    if (operand(m, bytes, &value) != BERT_OK) return m->e->status;
    if (is_signed && bytes > 0 && bytes < 8 && value >> (8 * bytes - 1)) value |= UINT64_MAX << 8 * bytes;
    const int64_t number = value >> 63 ? -(int64_t)(UINT64_MAX - value) - 1 : (int64_t)value;
    return push(m, (Value){.kind = VALUE_NUMBER, .number = number});
}

static Status push_long(Machine *m)
{
    uint64_t bytes;
    if (operand(m, 1, &bytes) != BERT_OK) return m->e->status;
    return push_number(m, (size_t)bytes, true);
}

static Status skip_bytes(Machine *m, size_t bytes)
{
    if (bytes > m->size - m->at) return refuse(m, "found the end of the pickle");
    m->at += bytes;
    return BERT_OK;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Names
 * ------------------------------------------------------------------------------------------------------------------ */
typedef enum { CALL_DICT, CALL_TENSOR, CALL_PARAMETER, CALL_NOTHING } Callable;

static const struct {
    const char *module, *name;
    Callable call;
    DType dtype;                        /* of a storage */
} names[] = {
    {"collections", "OrderedDict", CALL_DICT, 0},
    {"torch._utils", "_rebuild_tensor_v2", CALL_TENSOR, 0},
    {"torch._utils", "_rebuild_parameter", CALL_PARAMETER, 0},
    {"torch", "FloatStorage", CALL_NOTHING, DTYPE_F32},
    {"torch", "HalfStorage", CALL_NOTHING, DTYPE_F16},
    {"torch", "BFloat16Storage", CALL_NOTHING, DTYPE_BF16},
    {"torch", "DoubleStorage", CALL_NOTHING, DTYPE_F64},
    {"torch", "LongStorage", CALL_NOTHING, DTYPE_I64},
    {"torch", "IntStorage", CALL_NOTHING, DTYPE_I32},
    {"torch", "ShortStorage", CALL_NOTHING, DTYPE_I16},
    {"torch", "CharStorage", CALL_NOTHING, DTYPE_I8},
    {"torch", "ByteStorage", CALL_NOTHING, DTYPE_U8},
    {"torch", "BoolStorage", CALL_NOTHING, DTYPE_BOOL},
};
enum { NAMES = sizeof names / sizeof *names };

static bool same_text(const char *text, const unsigned char *bytes, size_t length)
{
    return strlen(text) == length && !memcmp(text, bytes, length);
}

/* The value of a name that is in the table. */
static Status push_name(Machine *m, const unsigned char *module, size_t module_length, const unsigned char *name,
                        size_t name_length)
{
    for (size_t i = 0; i < NAMES; i++)
        if (same_text(names[i].module, module, module_length) && same_text(names[i].name, name, name_length))
            return push(m, (Value){.kind = VALUE_NAME, .at = i});
    char what[300];
    snprintf(what, sizeof what, "found the name '%.*s.%.*s'", module_length < 100 ? (int)module_length : 100,
             (const char *)module, name_length < 100 ? (int)name_length : 100, (const char *)name);
    return refuse(m, what);
}

/* Two lines: module and name. */
static Status push_global(Machine *m)
{
    const unsigned char *module = m->bytes + m->at;
    const unsigned char *first = memchr(module, '\n', m->size - m->at);
    if (!first) return refuse(m, "found a name without an end");
    const unsigned char *name = first + 1, *end = m->bytes + m->size;
    const unsigned char *second = memchr(name, '\n', (size_t)(end - name));
    if (!second) return refuse(m, "found a name without an end");
    m->at = (size_t)(second + 1 - m->bytes);
    return push_name(m, module, (size_t)(first - module), name, (size_t)(second - name));
}

/* The same from two texts on the stack. */
static Status push_stack_global(Machine *m)
{
    Value name = {0}, module = {0};
    if (pop(m, &name) != BERT_OK || pop(m, &module) != BERT_OK) return m->e->status;
    if (name.kind != VALUE_TEXT || module.kind != VALUE_TEXT) return refuse(m, "found a name that is no text");
    return push_name(m, m->bytes + module.at, module.count, m->bytes + name.at, name.count);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Memory
 * ------------------------------------------------------------------------------------------------------------------ */

/* The top value is remembered under the next number, or anew under one that was there. */
static Status remember(Machine *m, size_t bytes)
{
    uint64_t place = m->memo.count;
    if (bytes && operand(m, bytes, &place) != BERT_OK) return m->e->status;
    if (m->stack.count == 0 || place > m->memo.count)
        return refuse(m, "found a place of the memory that is not the next one");
    const Value top = stack_of(m)[m->stack.count - 1];
    if (top.kind == VALUE_MARK) return refuse(m, "found a mark to be remembered");
    if (place == m->memo.count) return append_value(m, &m->memo, top);
    ((Value *)m->memo.items)[place] = top;
    return BERT_OK;
}

static Status recall(Machine *m, size_t bytes)
{
    uint64_t place;
    if (operand(m, bytes, &place) != BERT_OK) return m->e->status;
    if (place >= m->memo.count) return refuse(m, "found a place of the memory that is empty");
    return push(m, ((Value *)m->memo.items)[place]);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Tuples, lists, dictionaries
 * ------------------------------------------------------------------------------------------------------------------ */

/* The `count` values on top become one tuple; with `mark` below them, the mark goes, too. */
static Status make_tuple(Machine *m, size_t count, bool mark)
{
    Value tuple = {.kind = VALUE_TUPLE, .at = m->items.count, .count = count};
    if (count > m->stack.count) return refuse(m, "found too few values");
    const size_t first = m->stack.count - count;
    for (size_t i = 0; i < count; i++) {
        if (stack_of(m)[first + i].kind == VALUE_MARK) return refuse(m, "found a mark inside of a tuple");
        if (append_value(m, &m->items, stack_of(m)[first + i]) != BERT_OK) return m->e->status;
    }
    m->stack.count = first - mark;
    return push(m, tuple);
}

static Status make_marked_tuple(Machine *m)
{
    size_t mark = 0;
    if (find_mark(m, &mark) != BERT_OK) return m->e->status;
    return make_tuple(m, m->stack.count - mark - 1, true);
}

static Status push_dict(Machine *m)
{
    return push(m, (Value){.kind = VALUE_DICT, .at = m->dicts++});
}

/* Keys and values in turn from place `first` of the stack go into the dictionary below them (and below the mark). */
static Status set_items(Machine *m, size_t first, bool mark)
{
    const size_t below = first - mark;
    if ((m->stack.count - first) % 2 || below == 0 || stack_of(m)[below - 1].kind != VALUE_DICT)
        return refuse(m, "found members without a dictionary");
    for (size_t i = first; i < m->stack.count; i += 2) {
        Member *member = grow(m, &m->members, sizeof *member);
        if (!member) return m->e->status;
        *member = (Member){stack_of(m)[below - 1].at, stack_of(m)[i], stack_of(m)[i + 1]};
        if (member->key.kind == VALUE_MARK || member->value.kind == VALUE_MARK)
            return refuse(m, "found a mark as a member");
    }
    m->stack.count = below;
    return BERT_OK;
}

static Status set_one(Machine *m)
{
    return m->stack.count < 3 ? refuse(m, "found too few values") : set_items(m, m->stack.count - 2, false);
}

static Status set_marked(Machine *m)
{
    size_t mark = 0;
    if (find_mark(m, &mark) != BERT_OK) return m->e->status;
    return set_items(m, mark + 1, true);
}

/* What is appended to a list is forgotten: no list holds anything of a model. */
static Status append_one(Machine *m)
{
    Value value = {0};
    if (pop(m, &value) != BERT_OK) return m->e->status;
    if (m->stack.count == 0 || stack_of(m)[m->stack.count - 1].kind != VALUE_LIST)
        return refuse(m, "found an element without a list");
    return BERT_OK;
}

static Status append_marked(Machine *m)
{
    size_t mark = 0;
    if (find_mark(m, &mark) != BERT_OK) return m->e->status;
    if (mark == 0 || stack_of(m)[mark - 1].kind != VALUE_LIST) return refuse(m, "found elements without a list");
    m->stack.count = mark;
    return BERT_OK;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Storages and tensors
 * ------------------------------------------------------------------------------------------------------------------ */

/* Element i of a tuple. */
static Value item_of(const Machine *m, const Value *tuple, size_t i)
{
    return ((Value *)m->items.items)[tuple->at + i];
}

/* ('storage', type, key, device, number of elements) */
static Status push_storage(Machine *m)
{
    Value id = {0}, part[5] = {{0}};
    if (pop(m, &id) != BERT_OK) return m->e->status;
    if (id.kind != VALUE_TUPLE || id.count != 5) return refuse(m, "found a persistent id that is no storage");
    for (size_t i = 0; i < 5; i++) part[i] = item_of(m, &id, i);
    if (part[0].kind != VALUE_TEXT || !same_text("storage", m->bytes + part[0].at, part[0].count) ||
        part[1].kind != VALUE_NAME || names[part[1].at].call != CALL_NOTHING || part[2].kind != VALUE_TEXT ||
        part[3].kind != VALUE_TEXT || part[4].kind != VALUE_NUMBER || part[4].number < 0 ||
        (uint64_t)part[4].number > SIZE_MAX)
        return refuse(m, "found a persistent id that is no storage");
    Storage *storage = grow(m, &m->storages, sizeof *storage);
    if (!storage) return m->e->status;
    *storage = (Storage){part[2], names[part[1].at].dtype, (size_t)part[4].number};
    return push(m, (Value){.kind = VALUE_STORAGE, .at = m->storages.count - 1});
}

/* A tuple of at most MAX_RANK sizes; their number, or -1. */
static int sizes_of(const Machine *m, const Value *tuple, size_t *sizes)
{
    if (tuple->kind != VALUE_TUPLE || tuple->count > MAX_RANK) return -1;
    for (size_t i = 0; i < tuple->count; i++) {
        const Value size = item_of(m, tuple, i);
        if (size.kind != VALUE_NUMBER || size.number < 0 || (uint64_t)size.number > SIZE_MAX) return -1;
        sizes[i] = (size_t)size.number;
    }
    return (int)tuple->count;
}

/* (storage, offset, shape, strides, requires_grad, hooks): what a tensor is, noted and not made. */
static Status push_tensor(Machine *m, const Value *arguments)
{
    Strided view = {0};
    if (arguments->count != 6) return refuse(m, "found a tensor with other arguments");
    const Value storage = item_of(m, arguments, 0), offset = item_of(m, arguments, 1), shape = item_of(m, arguments, 2);
    const Value strides = item_of(m, arguments, 3), hooks = item_of(m, arguments, 5);
    view.rank = sizes_of(m, &shape, view.shape);
    if (storage.kind != VALUE_STORAGE || offset.kind != VALUE_NUMBER || offset.number < 0 ||
        (uint64_t)offset.number > SIZE_MAX || view.rank < 0 || sizes_of(m, &strides, view.stride) != view.rank ||
        hooks.kind != VALUE_DICT)
        return refuse(m, "found a tensor with other arguments");
    view.storage = storage.at;
    view.offset = (size_t)offset.number;
    Strided *place = grow(m, &m->views, sizeof *place);
    if (!place) return m->e->status;
    *place = view;
    return push(m, (Value){.kind = VALUE_TENSOR, .at = m->views.count - 1});
}

/* (tensor, requires_grad, hooks): a parameter is its tensor. */
static Status push_parameter(Machine *m, const Value *arguments)
{
    if (arguments->count != 3 || item_of(m, arguments, 0).kind != VALUE_TENSOR)
        return refuse(m, "found a parameter with other arguments");
    return push(m, item_of(m, arguments, 0));
}

/* A name of the table "called" with a tuple. */
static Status reduce(Machine *m)
{
    Value arguments = {0}, name = {0};
    if (pop(m, &arguments) != BERT_OK || pop(m, &name) != BERT_OK) return m->e->status;
    if (arguments.kind != VALUE_TUPLE || name.kind != VALUE_NAME) return refuse(m, "found a call of something else");
    switch (names[name.at].call) {
    case CALL_DICT: return arguments.count == 0 ? push_dict(m) : refuse(m, "found an OrderedDict with arguments");
    case CALL_TENSOR: return push_tensor(m, &arguments);
    case CALL_PARAMETER: return push_parameter(m, &arguments);
    default: return refuse(m, "found a call of a storage's type");
    }
}

/* A dictionary's attributes: a state dict has _metadata, the versions of modules. Nothing of them is needed. */
static Status build(Machine *m)
{
    Value state = {0};
    if (pop(m, &state) != BERT_OK) return m->e->status;
    if (state.kind != VALUE_DICT || m->stack.count == 0 || stack_of(m)[m->stack.count - 1].kind != VALUE_DICT)
        return refuse(m, "found attributes of something else than a dictionary");
    return BERT_OK;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The machine
 * ------------------------------------------------------------------------------------------------------------------ */
static Status unknown_opcode(const Machine *m, unsigned char opcode)
{
    char what[64];
    snprintf(what, sizeof what, "found the opcode %02x", opcode);
    return refuse(m, what);
}

/* Opcodes are those of Python's pickletools, up to protocol 5; torch.save uses 2. */
static Status step(Machine *m)
{
    m->opcode = m->at;
    const unsigned char opcode = m->bytes[m->at++];
    switch (opcode) {
    case 0x80: return skip_bytes(m, 1);             /* PROTO */
    case 0x95: return skip_bytes(m, 8);             /* FRAME */
    case '(':  return push_kind(m, VALUE_MARK);
    case 'N':                                       /* NONE */
    case 0x88:                                      /* NEWTRUE */
    case 0x89: return push_kind(m, VALUE_CONSTANT); /* NEWFALSE */
    case 'G':                                       /* BINFLOAT */
        return skip_bytes(m, 8) == BERT_OK ? push_kind(m, VALUE_CONSTANT) : m->e->status;
    case 'K':  return push_number(m, 1, false);     /* BININT1 */
    case 'M':  return push_number(m, 2, false);     /* BININT2 */
    case 'J':  return push_number(m, 4, true);      /* BININT */
    case 0x8a: return push_long(m);                 /* LONG1 */
    case 'X':  return push_text(m, 4);              /* BINUNICODE */
    case 0x8c: return push_text(m, 1);              /* SHORT_BINUNICODE */
    case ')':  return make_tuple(m, 0, false);      /* EMPTY_TUPLE */
    case 't':  return make_marked_tuple(m);         /* TUPLE */
    case 0x85: return make_tuple(m, 1, false);      /* TUPLE1 */
    case 0x86: return make_tuple(m, 2, false);      /* TUPLE2 */
    case 0x87: return make_tuple(m, 3, false);      /* TUPLE3 */
    case '}':  return push_dict(m);                 /* EMPTY_DICT */
    case 's':  return set_one(m);                   /* SETITEM */
    case 'u':  return set_marked(m);                /* SETITEMS */
    case ']':  return push_kind(m, VALUE_LIST);     /* EMPTY_LIST */
    case 'a':  return append_one(m);                /* APPEND */
    case 'e':  return append_marked(m);             /* APPENDS */
    case 'c':  return push_global(m);               /* GLOBAL */
    case 0x93: return push_stack_global(m);         /* STACK_GLOBAL */
    case 'q':  return remember(m, 1);               /* BINPUT */
    case 'r':  return remember(m, 4);               /* LONG_BINPUT */
    case 0x94: return remember(m, 0);               /* MEMOIZE */
    case 'h':  return recall(m, 1);                 /* BINGET */
    case 'j':  return recall(m, 4);                 /* LONG_BINGET */
    case 'Q':  return push_storage(m);              /* BINPERSID */
    case 'R':  return reduce(m);                    /* REDUCE */
    case 'b':  return build(m);                     /* BUILD */
    default:   return unknown_opcode(m, opcode);
    }
}

/* The whole pickle: *result is what it leaves. */
static Status run_pickle(Machine *m, Value *result)
{
    if (m->size < 2 || m->bytes[0] != 0x80) return refuse(m, "found no protocol number at the beginning");
    while (m->at < m->size && m->bytes[m->at] != '.')
        if (step(m) != BERT_OK) return m->e->status;
    m->opcode = m->at;
    if (m->at == m->size) return refuse(m, "found no end");
    if (m->at + 1 != m->size) return refuse(m, "found bytes behind the pickle's end");
    if (pop(m, result) != BERT_OK) return m->e->status;
    if (m->stack.count == 0 && result->kind == VALUE_DICT) return BERT_OK;
    return refuse(m, "found something else than one dictionary");
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The dictionary
 * ------------------------------------------------------------------------------------------------------------------ */
static const Member *members_of(const Machine *m) { return m->members.items; }

static size_t count_tensors(const Machine *m, size_t dict)
{
    size_t count = 0;
    for (size_t i = 0; i < m->members.count; i++)
        count += members_of(m)[i].dict == dict && members_of(m)[i].value.kind == VALUE_TENSOR;
    return count;
}

/* The first dictionary of that name in the dictionary number `outer`. */
static bool find_dict(const Machine *m, size_t outer, const char *name, size_t *dict)
{
    for (size_t i = 0; i < m->members.count; i++) {
        const Member *member = &members_of(m)[i];
        if (member->dict != outer || member->key.kind != VALUE_TEXT || member->value.kind != VALUE_DICT) continue;
        if (!same_text(name, m->bytes + member->key.at, member->key.count)) continue;
        *dict = member->value.at;
        return true;
    }
    return false;
}

/* Whether the dictionary is that of a BERT: it has the word embeddings, behind whatever prefix. */
static bool has_word_embeddings(const Machine *m, size_t dict)
{
    static const char name[] = "embeddings.word_embeddings.weight";
    const size_t n = sizeof name - 1;
    for (size_t i = 0; i < m->members.count; i++) {
        const Member *member = &members_of(m)[i];
        const Value *key = &member->key;
        if (member->dict != dict || member->value.kind != VALUE_TENSOR || key->kind != VALUE_TEXT) continue;
        if (key->count >= n && same_text(name, m->bytes + key->at + (key->count - n), n)) return true;
    }
    return false;
}

/* Which dictionary has the tensors: the pickle's own, or in a file that a training left the one under one of the usual
 * names. (The optimizer's tensors lie deeper.)
 * Why by the word embeddings: a training puts tensors beside the weights, too (rng_state, step, loss). A shard may have
 * none: there the file's own tensors count. */
static Status choose_dict(Machine *m, const Value *result, size_t *dict)
{
    static const char *const usual[] = {"state_dict", "model_state_dict", "model", "module"};
    *dict = result->at;
    if (has_word_embeddings(m, *dict)) return BERT_OK;
    for (size_t k = 0; k < sizeof usual / sizeof *usual; k++)
        if (find_dict(m, result->at, usual[k], dict) && has_word_embeddings(m, *dict)) return BERT_OK;
    *dict = result->at;
    if (count_tensors(m, *dict)) return BERT_OK;
    for (size_t k = 0; k < sizeof usual / sizeof *usual; k++)
        if (find_dict(m, result->at, usual[k], dict) && count_tensors(m, *dict)) return BERT_OK;
    return refuse(m, "found no tensors in the dictionary, nor in one called state_dict, model_state_dict, model or "
                  "module");
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Numbers
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    TorchFile *file;
    const char *folder;                 /* what stands before the entries' names, with its '/' */
    size_t folder_length;
    Machine machine;
    size_t names_used, bytes;           /* bytes: of all tensors so far */
} TorchReader;

static Status tensor_fail(const TorchReader *r, const SafeTensor *t, const char *what)
{
    return fail(r->machine.e, BERT_FILE, "%s: tensor '%.200s': %s", r->machine.path, t->name, what);
}

/* The entry FOLDER/name/key of the zip, or NULL. */
static ZipEntry *find_entry(const TorchReader *r, const char *name, const unsigned char *key, size_t key_length)
{
    char path[400];
    if (r->folder_length + strlen(name) + key_length >= sizeof path) return NULL;
    snprintf(path, sizeof path, "%.*s%s%.*s", (int)r->folder_length, r->folder, name, (int)key_length,
             (const char *)key);
    return zip_find(&r->file->zip, path);
}

/* The bytes of a storage: an entry of exactly its size. */
static Status storage_data(TorchReader *r, const SafeTensor *t, size_t number, const char **data)
{
    Machine *m = &r->machine;
    const Storage *storage = &((Storage *)m->storages.items)[number];
    size_t bytes;
    ZipEntry *entry = find_entry(r, "data/", m->bytes + storage->key.at, storage->key.count);
    if (!entry) return tensor_fail(r, t, "found no entry of the zip with its numbers");
    if (!size_mul(storage->count, dtype_size(storage->dtype), &bytes) || bytes != entry->size)
        return tensor_fail(r, t, "found another size of its storage in the zip than in data.pkl");
    *data = (const char *)zip_data(&r->file->zip, entry, m->e);
    return *data ? BERT_OK : m->e->status;
}

/* Whether the view lies row by row, as safetensors has it; dimensions of 1 have any stride. */
static bool is_contiguous(const Strided *v)
{
    size_t expected = 1;
    for (int i = v->rank - 1; i >= 0; i--) {
        if (v->shape[i] != 1 && v->stride[i] != expected) return false;
        expected *= v->shape[i];                        /* their product was counted before */
    }
    return true;
}

/* The last element of a view that has some, offset + sum of (shape - 1) * stride, is inside of the storage. */
static bool is_inside(const Strided *v, size_t storage_count)
{
    size_t last = v->offset;
    for (int i = 0; i < v->rank; i++) {
        size_t step;
        if (!size_mul(v->shape[i] - 1, v->stride[i], &step) || !size_add(last, step, &last)) return false;
    }
    return last < storage_count;
}

/* The view's elements row by row, in memory of their own. */
static Status gather(TorchReader *r, SafeTensor *t, const Strided *v, const char *data)
{
    const size_t size = dtype_size(t->dtype);
    char *copy = malloc(t->count * size);               /* at most the size of the storage, which is in the file */
    if (!copy)
        return fail(r->machine.e, BERT_SYSTEM, "%s: out of memory for tensor '%.200s'", r->machine.path, t->name);
    r->file->copies[r->file->copy_count++] = copy;
    size_t index[MAX_RANK] = {0}, at = v->offset;
    for (size_t n = 0; n < t->count; n++) {
        memcpy(copy + n * size, data + at * size, size);
        for (int i = v->rank - 1; i >= 0; i--) {        /* the next place: as an odometer */
            at += v->stride[i];
            if (++index[i] < v->shape[i]) break;
            at -= v->stride[i] * v->shape[i];
            index[i] = 0;
        }
    }
    t->data = copy;
    return BERT_OK;
}

/* One tensor of the dictionary, checked against its storage. */
static Status read_tensor(TorchReader *r, SafeTensor *t, const Strided *v)
{
    const Storage *storage = &((Storage *)r->machine.storages.items)[v->storage];
    const char *data;
    size_t bytes;
    t->dtype = storage->dtype;
    t->rank = v->rank;
    t->count = 1;
    memcpy(t->shape, v->shape, sizeof t->shape);
    for (int i = 0; i < v->rank; i++)
        if (!size_mul(t->count, v->shape[i], &t->count))
            return tensor_fail(r, t, "found more elements than a size can count");
    if (storage_data(r, t, v->storage, &data) != BERT_OK) return r->machine.e->status;
    if (t->count > storage->count)
        return tensor_fail(r, t, "found more elements than its storage has: an expanded tensor");
    if (t->count > 0 && !is_inside(v, storage->count)) return tensor_fail(r, t, "found elements beyond its storage");
    if (!size_mul(t->count, dtype_size(t->dtype), &bytes) || !size_add(r->bytes, bytes, &r->bytes) ||
        r->bytes / 2 > r->file->zip.file.size)
        return tensor_fail(r, t, "found tensors that share so much that they are more than twice the file");
    if (t->count > 0 && !is_contiguous(v)) return gather(r, t, v, data);
    t->data = t->count ? data + v->offset * dtype_size(t->dtype) : data;
    return BERT_OK;
}

/* The member's key as a name with a NUL. */
static Status read_name(TorchReader *r, SafeTensor *t, const Value *key)
{
    if (key->kind != VALUE_TEXT) return refuse(&r->machine, "found a tensor whose name is no text");
    t->name = r->file->names + r->names_used;
    memcpy(t->name, r->machine.bytes + key->at, key->count);
    t->name[key->count] = 0;
    r->names_used += key->count + 1;
    if (strcmp(t->name, "__metadata__")) return BERT_OK;
    return tensor_fail(r, t, "found a name that safetensors has for something else");
}

/* Memory for the tensors of the dictionary and their names. */
static Status reserve(TorchReader *r, size_t dict)
{
    TorchFile *f = r->file;
    size_t count = count_tensors(&r->machine, dict), bytes = 1;
    for (size_t i = 0; i < r->machine.members.count; i++)
        if (members_of(&r->machine)[i].value.kind == VALUE_TENSOR)
            if (!size_add(bytes, members_of(&r->machine)[i].key.count, &bytes) || !size_add(bytes, 1, &bytes))
                return refuse(&r->machine, "found names that are longer than a size can count");
    f->names = malloc(bytes);
    f->tensors = calloc(count, sizeof *f->tensors);
    f->copies = calloc(count, sizeof *f->copies);
    if (f->names && f->tensors && f->copies) return BERT_OK;
    return fail(r->machine.e, BERT_SYSTEM, "%s: out of memory (%zu tensors)", r->machine.path, count);
}

static int by_name(const void *a, const void *b)
{
    const SafeTensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* In Python the last of two values under one name counts; whoever looks at the file sees two models. */
static Status check_names(const TorchReader *r)
{
    const TorchFile *f = r->file;
    const SafeTensor **sorted = calloc(f->count, sizeof *sorted);
    Status s = BERT_OK;
    if (!sorted) return fail(r->machine.e, BERT_SYSTEM, "%s: out of memory (%zu tensors)", r->machine.path, f->count);
    for (size_t i = 0; i < f->count; i++) sorted[i] = &f->tensors[i];
    qsort(sorted, f->count, sizeof *sorted, by_name);
    for (size_t i = 1; i < f->count && s == BERT_OK; i++)
        if (!strcmp(sorted[i - 1]->name, sorted[i]->name))
            s = tensor_fail(r, sorted[i], "found it twice, expected it once");
    free(sorted);
    return s;
}

/* All tensors of the dictionary. */
static Status read_tensors(TorchReader *r, size_t dict)
{
    TorchFile *f = r->file;
    Status s = reserve(r, dict);
    for (size_t i = 0; i < r->machine.members.count && s == BERT_OK; i++) {
        const Member *member = &members_of(&r->machine)[i];
        if (member->dict != dict) continue;
        if (member->value.kind != VALUE_TENSOR) {
            f->left_out++;
            continue;
        }
        SafeTensor *t = &f->tensors[f->count];
        s = read_name(r, t, &member->key);
        if (s == BERT_OK) s = read_tensor(r, t, &((Strided *)r->machine.views.items)[member->value.at]);
        f->count += s == BERT_OK;
    }
    return s == BERT_OK ? check_names(r) : s;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The file
 * ------------------------------------------------------------------------------------------------------------------ */

/* The folder of the archive: what stands before data.pkl, which must be there once. */
static Status find_folder(TorchReader *r, ZipEntry **pickle)
{
    static const char last[] = "/data.pkl";
    const size_t length = sizeof last - 1;
    const Zip *zip = &r->file->zip;
    *pickle = NULL;
    for (size_t i = 0; i < zip->count; i++) {
        ZipEntry *entry = &zip->entries[i];
        if (entry->name_length < length || memcmp(entry->name + entry->name_length - length, last, length)) continue;
        if (*pickle)
            return fail(r->machine.e, BERT_FILE, "%s: found two entries data.pkl, expected one", zip->file.path);
        *pickle = entry;
    }
    if (!*pickle)
        return fail(r->machine.e, BERT_FILE, "%s: found a zip without data.pkl, expected a file of torch.save",
                    zip->file.path);
    r->folder = (*pickle)->name;
    r->folder_length = (*pickle)->name_length - length + 1;
    return BERT_OK;
}

/* What else the archive says about itself: numbers the other way round, or a program instead of a dictionary. */
static Status check_archive(TorchReader *r)
{
    static const unsigned char nothing[] = "";
    ZipEntry *order = find_entry(r, "byteorder", nothing, 0);
    if (find_entry(r, "constants.pkl", nothing, 0))
        return fail(r->machine.e, BERT_FILE, "%s: is a program of TorchScript, expected a dictionary of tensors: it is "
                    "not run",
                    r->machine.path);
    if (!order) return BERT_OK;                         /* before torch 2.1 */
    const unsigned char *text = zip_data(&r->file->zip, order, r->machine.e);
    if (!text) return r->machine.e->status;
    if (same_text("little", text, order->size)) return BERT_OK;
    return fail(r->machine.e, BERT_FILE, "%s: byteorder: found another one than \"little\"", r->machine.path);
}

static Status read_torch(TorchReader *r)
{
    Machine *m = &r->machine;
    ZipEntry *pickle;
    Value result = {0};
    size_t dict = 0;
    Status s = find_folder(r, &pickle);
    if (s == BERT_OK) s = check_archive(r);
    if (s != BERT_OK) return s;
    m->bytes = zip_data(&r->file->zip, pickle, m->e);
    m->size = pickle->size;
    if (!m->bytes) return m->e->status;
    s = run_pickle(m, &result);
    if (s == BERT_OK) s = choose_dict(m, &result, &dict);
    return s == BERT_OK ? read_tensors(r, dict) : s;
}

/* Before version 1.6 torch.save wrote pickles one after another, without a zip. */
static Status refuse_old(const char *path, Error *e)
{
    FileView file;
    Status s = file_open(&file, path, e);
    if (s) return s;
    const bool old = file.size > 0 && file.data[0] == 0x80;
    file_close(&file);
    if (!old) return BERT_OK;
    return fail(e, BERT_FILE, "%s: is a pickle without a zip, as torch.save wrote it before version 1.6: not read; "
                "load it with torch and save it again", path);
}

bool is_torch_file(const unsigned char *data, size_t size)
{
    return size > 3 && (!memcmp(data, "PK\3\4", 4) || data[0] == 0x80);
}

Status torch_open(TorchFile *t, const char *path, Error *e)
{
    TorchReader r = {.file = t, .machine = {.path = path, .e = e}};
    *t = (TorchFile){0};
    Status s = refuse_old(path, e);
    if (s == BERT_OK) s = zip_open(&t->zip, path, e);
    if (s == BERT_OK) s = read_torch(&r);
    free(r.machine.stack.items);
    free(r.machine.memo.items);
    free(r.machine.items.items);
    free(r.machine.members.items);
    free(r.machine.storages.items);
    free(r.machine.views.items);
    if (s) torch_close(t);
    return s;
}

void torch_close(TorchFile *t)
{
    for (size_t i = 0; i < t->copy_count; i++) free(t->copies[i]);
    free(t->copies);
    free(t->tensors);
    free(t->names);
    zip_close(&t->zip);
    *t = (TorchFile){0};
}
