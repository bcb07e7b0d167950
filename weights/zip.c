/* zip.c - a zip archive as torch.save writes it: entries that are stored, not compressed, one after another.
 *
 *     header, name, data of the first entry | ... of the second | ... | directory | end records
 *
 * The directory repeats every header and says where its entry is; the end record says where the directory is. (The
 * zip64 forms of the records, with 64 bits for sizes, are read as well; torch always writes one.) So a zip can say
 * everything twice, and differently, and programs differ in what they believe. Here both must agree:
 *
 *      1  the end record is the end of the file: no comment, nothing behind it
 *      2  the directory ends where the end records begin, and its entries fill it, as many as it says
 *      3  every entry is stored: no compression, no encryption, one size
 *      4  its header stands where the directory says, before the directory, with the same name
 *      5  entries do not overlap, and no name comes twice
 *      6  an entry's bytes have the CRC-32 that the directory says (looked at when they are asked for)
 *
 * Nothing is unpacked: a name is only compared with the name that is looked for, and is never the name of a file.
 */
#include "weights/convert.h"

#include <stdlib.h>
#include <string.h>

enum { END_SIZE = 22, END64_SIZE = 56, LOCATOR_SIZE = 20, ENTRY_SIZE = 46, HEADER_SIZE = 30, MOST16 = 0xFFFF };

/* Numbers are little-endian and of 16, 32 or 64 bits. The caller has made sure that they are there. */
static uint64_t number(const unsigned char *p, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--) value = value << 8 | p[i];
    return value;
}

static bool is_record(const Zip *zip, size_t at, const char *signature)
{
    return !memcmp(zip->file.data + at, signature, 4);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The end records: rules 1 and 2
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    uint64_t count, size, offset;   /* of the directory */
    size_t end;                     /* where it must end: at the first of the end records */
} Directory;

static Status zip_fail(const Zip *zip, const char *what, uint64_t at, Error *e)
{
    return fail(e, BERT_FILE, "%s: zip, byte %llu: %s", zip->file.path, (unsigned long long)at, what);
}

/* The zip64 end record, where a locator stands before the end record. Its numbers count; the end record's must be the
 * same, or say "see there" by all bits set. */
static Status read_end64(const Zip *zip, size_t locator, Directory *d, Error *e)
{
    const unsigned char *data = zip->file.data;
    uint64_t at = number(data + locator + 8, 8);
    if (locator < END64_SIZE || at > locator - END64_SIZE || !is_record(zip, (size_t)at, "PK\6\6"))
        return zip_fail(zip, "found a zip64 locator, expected it to say where the zip64 end record is", locator, e);
    const unsigned char *p = data + at;
    const uint64_t rest = number(p + 4, 8);
    if (rest != locator - at - 12)
        return zip_fail(zip, "found a zip64 end record of another length, expected it to end at its locator", at, e);
    if (number(data + locator + 4, 4) || number(data + locator + 16, 4) != 1 || number(p + 16, 4) || number(p + 20, 4))
        return zip_fail(zip, "found an archive in several files, expected one file", at, e);
    const Directory wide = {number(p + 32, 8), number(p + 40, 8), number(p + 48, 8), (size_t)at};
    if (number(p + 24, 8) != wide.count || (d->count != MOST16 && d->count != wide.count) ||
        (d->size != UINT32_MAX && d->size != wide.size) || (d->offset != UINT32_MAX && d->offset != wide.offset))
        return zip_fail(zip, "found two end records with different numbers, expected the same", at, e);
    *d = wide;
    return BERT_OK;
}

static Status read_end(const Zip *zip, Directory *d, Error *e)
{
    const size_t size = zip->file.size;
    if (size < END_SIZE || !is_record(zip, size - END_SIZE, "PK\5\6"))
        return zip_fail(zip, "found no end record at the end of the file: is it cut off, or has it a comment?", size,
                        e);
    const size_t at = size - END_SIZE;
    const unsigned char *p = zip->file.data + at;
    if (number(p + 20, 2)) return zip_fail(zip, "found a comment, expected none", at, e);
    if (number(p + 4, 4) || number(p + 8, 2) != number(p + 10, 2))
        return zip_fail(zip, "found an archive in several files, expected one file", at, e);
    *d = (Directory){number(p + 10, 2), number(p + 12, 4), number(p + 16, 4), at};
    if (at >= LOCATOR_SIZE && is_record(zip, at - LOCATOR_SIZE, "PK\6\7"))
        if (read_end64(zip, at - LOCATOR_SIZE, d, e) != BERT_OK) return e->status;
    if (d->offset > d->end || d->size != d->end - d->offset)
        return zip_fail(zip, "found a directory that ends elsewhere, expected it to end at the end records", d->offset,
                        e);
    if (d->count > d->size / ENTRY_SIZE)
        return zip_fail(zip, "found more entries than the directory has room for", d->offset, e);
    return BERT_OK;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The directory: rules 3 and 4
 * ------------------------------------------------------------------------------------------------------------------ */

/* The zip64 field among an entry's extra fields: 64-bit numbers for those of the three whose 32 bits are all set, in
 * this order. Other fields (torch pads with one called FB) are passed over. */
static bool read_extra(const unsigned char *p, size_t size, uint64_t *values[3])
{
    while (size >= 4) {
        size_t id = (size_t)number(p, 2), length = (size_t)number(p + 2, 2), used = 0;
        if (length > size - 4) return false;
        for (int i = 0; id == 1 && i < 3; i++) {
            if (*values[i] != UINT32_MAX) continue;
            if (length - used < 8) return false;
            *values[i] = number(p + 4 + used, 8);
            used += 8;
        }
        p += 4 + length;
        size -= 4 + length;
    }
    return size == 0;
}

/* The header in front of an entry's data: rule 4. Its sizes are not looked at: torch leaves them 0 and writes them
 * behind the data. */
static Status check_header(const Zip *zip, ZipEntry *entry, uint64_t at, size_t directory, Error *e)
{
    const unsigned char *data = zip->file.data;
    if (at > directory || directory - at < HEADER_SIZE || !is_record(zip, (size_t)at, "PK\3\4"))
        return zip_fail(zip, "found no header, expected one, where the directory says", at, e);
    const unsigned char *p = data + at;
    const size_t name = (size_t)number(p + 26, 2), extra = (size_t)number(p + 28, 2);
    size_t begin = (size_t)at + HEADER_SIZE;
    if (name + extra > directory - begin || entry->size > directory - begin - name - extra)
        return zip_fail(zip, "found an entry that reaches into the directory or beyond the file", at, e);
    const bool packed = number(p + 8, 2) || number(p + 6, 2) & 1;
    if (packed || name != entry->name_length || memcmp(data + begin, entry->name, name))
        return zip_fail(zip, "found a header that says something else than the directory", at, e);
    entry->header = (size_t)at;
    entry->begin = begin + name + extra;
    return BERT_OK;
}

/* One entry of the directory at *at, which moves behind it. */
static Status read_entry(const Zip *zip, ZipEntry *entry, size_t *at, const Directory *d, Error *e)
{
    const unsigned char *p = zip->file.data + *at;
    if (d->end - *at < ENTRY_SIZE || !is_record(zip, *at, "PK\1\2"))
        return zip_fail(zip, "found no entry of the directory, expected one", *at, e);
    const size_t name = (size_t)number(p + 28, 2), extra = (size_t)number(p + 30, 2);
    const size_t comment = (size_t)number(p + 32, 2);
    if (name + extra + comment > d->end - *at - ENTRY_SIZE)
        return zip_fail(zip, "found an entry that is longer than the directory", *at, e);
    uint64_t packed = number(p + 20, 4), size = number(p + 24, 4), header = number(p + 42, 4);
    if (!read_extra(p + ENTRY_SIZE + name, extra, (uint64_t *[3]){&size, &packed, &header}))
        return zip_fail(zip, "found extra fields that do not fill their room", *at, e);
    if (number(p + 8, 2) & 1)
        return zip_fail(zip, "found an encrypted entry, expected it to be stored as it is", *at, e);
    if (number(p + 10, 2) || packed != size)
        return zip_fail(zip, "found a compressed entry, expected it to be stored as torch.save does", *at, e);
    if (number(p + 34, 2)) return zip_fail(zip, "found an archive in several files, expected one file", *at, e);
    if (size > zip->file.size) return zip_fail(zip, "found an entry that is larger than the file", *at, e);
    *entry = (ZipEntry){.name = (const char *)p + ENTRY_SIZE, .name_length = name, .size = (size_t)size,
                        .crc = (uint32_t)number(p + 16, 4)};
    *at += ENTRY_SIZE + name + extra + comment;
    return check_header(zip, entry, header, (size_t)d->offset, e);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The entries among each other: rule 5
 * ------------------------------------------------------------------------------------------------------------------ */
static int by_header(const void *a, const void *b)
{
    const ZipEntry *x = a, *y = b;
    return x->header < y->header ? -1 : x->header > y->header;
}

/* Byte by byte, the shorter of two with a common beginning first. */
static int by_name(const void *a, const void *b)
{
    const ZipEntry *x = a, *y = b;
    const size_t n = x->name_length < y->name_length ? x->name_length : y->name_length;
    const int order = memcmp(x->name, y->name, n);
    return order ? order : x->name_length < y->name_length ? -1 : x->name_length > y->name_length;
}

/* Leaves the entries sorted by name, for zip_find. */
static Status check_entries(Zip *zip, Error *e)
{
    ZipEntry *entries = zip->entries;
    if (zip->count > 1) qsort(entries, zip->count, sizeof *entries, by_header);
    for (size_t i = 1; i < zip->count; i++)
        if (entries[i].header < entries[i - 1].begin + entries[i - 1].size)
            return zip_fail(zip, "found an entry that begins inside of another one", entries[i].header, e);
    if (zip->count > 1) qsort(entries, zip->count, sizeof *entries, by_name);
    for (size_t i = 1; i < zip->count; i++)
        if (by_name(&entries[i - 1], &entries[i]) == 0)
            return fail(e, BERT_FILE, "%s: zip: found the entry '%.*s' twice, expected each name once", zip->file.path,
                        entries[i].name_length < 200 ? (int)entries[i].name_length : 200, entries[i].name);
    return BERT_OK;
}

static Status read_directory(Zip *zip, Error *e)
{
    Directory d = {0};
    Status s = read_end(zip, &d, e);
    if (s) return s;
    size_t at = (size_t)d.offset, bytes;
    if (size_mul((size_t)d.count, sizeof *zip->entries, &bytes)) zip->entries = malloc(bytes ? bytes : 1);
    if (!zip->entries)
        return fail(e, BERT_SYSTEM, "%s: out of memory (%llu entries)", zip->file.path, (unsigned long long)d.count);
    while (s == BERT_OK && zip->count < d.count) {
        s = read_entry(zip, &zip->entries[zip->count], &at, &d, e);
        zip->count += s == BERT_OK;
    }
    if (s == BERT_OK && at != d.end) s = zip_fail(zip, "found bytes behind the directory's last entry", at, e);
    return s == BERT_OK ? check_entries(zip, e) : s;
}

Status zip_open(Zip *zip, const char *path, Error *e)
{
    *zip = (Zip){0};
    Status s = file_open(&zip->file, path, e);
    if (s == BERT_OK) s = read_directory(zip, e);
    if (s) zip_close(zip);
    return s;
}

void zip_close(Zip *zip)
{
    free(zip->entries);
    file_close(&zip->file);
    *zip = (Zip){0};
}

ZipEntry *zip_find(const Zip *zip, const char *name)
{
    const ZipEntry wanted = {.name = name, .name_length = strlen(name)};
    return zip->count ? bsearch(&wanted, zip->entries, zip->count, sizeof *zip->entries, by_name) : NULL;
}

/* CRC-32 of zip (polynomial EDB88320), a byte at a time, with a table of all bytes. */
uint32_t crc32_zip(const void *data, size_t size)
{
    static uint32_t table[256];
    const unsigned char *p = data;
    uint32_t crc = 0xFFFFFFFF;
    for (uint32_t i = 0; !table[255] && i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xEDB88320u : 0);
    }
    for (size_t i = 0; i < size; i++) crc = crc >> 8 ^ table[(crc ^ p[i]) & 255];
    return ~crc;
}

/* Once for each entry: a thousand tensors may share one storage of a gigabyte. */
const unsigned char *zip_data(const Zip *zip, ZipEntry *entry, Error *e)
{
    const unsigned char *data = zip->file.data + entry->begin;
    const uint32_t found = entry->verified ? entry->crc : crc32_zip(data, entry->size);
    entry->verified = found == entry->crc;
    if (entry->verified) return data;
    const int shown = entry->name_length < 200 ? (int)entry->name_length : 200;
    const Status s = fail(e, BERT_FILE, "%s: zip: entry '%.*s': checksum: found %08x, expected %08x: the file is "
                          "damaged, or was saved without checksums", zip->file.path, shown, entry->name, found,
                          entry->crc);
    return s == BERT_OK ? data : NULL;
}
