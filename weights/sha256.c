/* sha256.c - SHA-256 (FIPS 180-4), to say which file a number belongs to: 64 bytes at a time are mixed into eight
 * 32-bit words, in 64 rounds.
 */
#include "weights/weights.h"

#include <inttypes.h>
#include <string.h>

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* ROTR^n(x) of the standard, 0 < n < 32. Compilers make one instruction of it. */
static uint32_t rotate_right(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* Section 6.2.2, in its letters: W is the message schedule, a..h the working variables. */
static void sha256_block(Sha256 *s, const unsigned char *block)
{
    /* The 16 words of the block, then 48 more, each made of four before it. */
    uint32_t W[64];
    for (int t = 0; t < 16; t++, block += 4)                    /* big-endian, by bytes: the same on every machine */
        W[t] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
    for (int t = 16; t < 64; t++) {
        uint32_t s0 = rotate_right(W[t - 15], 7) ^ rotate_right(W[t - 15], 18) ^ W[t - 15] >> 3;
        uint32_t s1 = rotate_right(W[t - 2], 17) ^ rotate_right(W[t - 2], 19) ^ W[t - 2] >> 10;
        W[t] = W[t - 16] + s0 + W[t - 7] + s1;
    }
    uint32_t a = s->state[0], b = s->state[1], c = s->state[2], d = s->state[3];
    uint32_t e = s->state[4], f = s->state[5], g = s->state[6], h = s->state[7];
    /* 64 rounds: a..h move on by one place; the new a depends on all eight, the new e on
     * five. */
    for (int t = 0; t < 64; t++) {
        uint32_t S1 = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25);
        uint32_t T1 = h + S1 + ((e & f) ^ (~e & g)) + sha256_constants[t] + W[t];
        uint32_t S0 = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22);
        uint32_t T2 = S0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + T1;
        d = c, c = b, b = a, a = T1 + T2;
    }
    s->state[0] += a, s->state[1] += b, s->state[2] += c, s->state[3] += d;
    s->state[4] += e, s->state[5] += f, s->state[6] += g, s->state[7] += h;
}

/* The first 32 bits of the fractional parts of the square roots of the first 8 primes. */
void sha256_start(Sha256 *s)
{
    *s = (Sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                            0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

/* Takes bytes in pieces of any size: whole blocks are mixed in from where they are, the
 * rest waits in s->block. The state after "ab" and "c" is that after "abc". */
void sha256_add(Sha256 *s, const void *data, size_t size)
{
    const unsigned char *p = data;
    size_t held = (size_t)(s->length % 64);                     /* bytes that wait in s->block */
    s->length += size;
    while (size > 0) {
        if (held == 0 && size >= 64) {                          /* whole blocks need no copy */
            sha256_block(s, p);
            p += 64, size -= 64;
            continue;
        }
        size_t part = size < 64 - held ? size : 64 - held;
        memcpy(s->block + held, p, part);
        held += part, p += part, size -= part;
        if (held == 64) sha256_block(s, s->block), held = 0;
    }
}

/* The padding: a bit 1, zeros up to 8 bytes before the end of a block, and the length in
 * bits, big-endian. */
void sha256_end(Sha256 *s, char hex[65])
{
    static const unsigned char padding[64] = {0x80};
    uint64_t bits = s->length * 8;
    size_t held = (size_t)(s->length % 64);
    sha256_add(s, padding, held < 56 ? 56 - held : 120 - held);
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)(bits >> (56 - 8 * i));
    sha256_add(s, length, 8);
    for (int i = 0; i < 8; i++) snprintf(hex + 8 * i, 9, "%08" PRIx32, s->state[i]);
}
