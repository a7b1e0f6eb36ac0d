#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "common/fs.h"
#include "proto/chunk.h"

/* Touches every byte that a record lends. */
static unsigned sum(const uint8_t *data, size_t size)
{
    unsigned s = 0;
    for (size_t i = 0; i < size; i++) {
        s += data[i];
    }
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gm_err err = {0};
    struct gm_chunk_reader *r = NULL;
    enum gm_chunk_record record = GM_CHUNK_PACKET;
    volatile unsigned total = 0;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    GM_ASSERT(fd >= 0);
    GM_ASSERT(gm_fs_write_all(fd, data, size, &err) == 0);
    int rc = gm_chunk_reader_open(fd, &r, &err);
    while (rc == 0) {
        struct gm_chunk_packet packet;
        const uint8_t *change = NULL;
        size_t change_size = 0;
        rc = gm_chunk_read(r, &record, &packet, &change, &change_size, &err);
        if (rc < 0 || record == GM_CHUNK_END) {
            break;
        }
        if (record == GM_CHUNK_CHANGE) {
            total += sum(change, change_size);
            continue;
        }
        total += packet.by_reference ? 0 : sum(packet.data, packet.size);
        for (uint16_t i = 0; i < packet.sides; i++) {
            total += sum(packet.side[i].data, packet.side[i].size);
        }
    }
    (void)total;
    GM_ASSERT(rc == 0 || err.text[0] != '\0');
    gm_chunk_reader_close(&r);
    close(fd);
    return 0;
}
