/* Bits and NAL units, for the fake VA driver and the fake Quick Sync runtime: what H.264 and HEVC
 * have in common. See: ISO/IEC 14496-10 7.2, 7.3.1, 9.1; ITU-T H.265 7.2, 7.3.1, 9.2. */
#ifndef GM_TESTS_DRIVERS_FAKE_VA_BITS_H
#define GM_TESTS_DRIVERS_FAKE_VA_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_bits { /* a payload without emulation prevention; reading beyond it sets bad */
    const uint8_t *data;
    size_t size, at; /* bytes; bits */
    bool bad;
};

struct fake_writer {
    uint8_t *data;
    size_t room, at; /* bytes; bits */
    bool bad;        /* there was no room */
};

unsigned fake_get(struct fake_bits *b, unsigned count);
unsigned fake_get_ue(struct fake_bits *b);
int fake_get_se(struct fake_bits *b);
void fake_put(struct fake_writer *w, unsigned value, unsigned count);
void fake_put_ue(struct fake_writer *w, unsigned value);
void fake_put_se(struct fake_writer *w, int value);
void fake_put_bits(struct fake_writer *w, const struct fake_bits *from, size_t at, size_t count);

/* Next NAL unit behind a start code: its bytes; false at the end. */
bool fake_next_nal(const uint8_t **io, const uint8_t *end, const uint8_t **out, size_t *size);
/* A copy without emulation prevention; owned. */
uint8_t *fake_unescape(const uint8_t *data, size_t size, size_t *out_size);
/* Appends to out at *io_size, of room bytes: start code, NAL header, payload with emulation
 * prevention. false: no room. */
bool fake_put_nal(const uint8_t *head, size_t head_size, const uint8_t *data, size_t size,
                  uint8_t *out, size_t room, size_t *io_size);

#endif
