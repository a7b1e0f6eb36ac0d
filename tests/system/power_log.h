#ifndef GM_TESTS_SYSTEM_POWER_LOG_H
#define GM_TESTS_SYSTEM_POWER_LOG_H

#include <stdint.h>

/* What power_shim.c writes down of each change to the files below POWER_FOLDERS, before it is made,
 * and what power_loss.c takes back. A record is the struct, then a, b and data. */
enum power_kind {
    POWER_BORN = 1, /* inode: a new file */
    POWER_WRITE,    /* inode, at, length, old_size; data: what was there, as far as it was */
    POWER_SIZE,     /* inode, at: the new size, old_size; data: what was cut off */
    POWER_SYNC,     /* inode: all before is on the disk */
    POWER_NAME,     /* a: path that came to be; length 1: a folder */
    POWER_GONE,     /* a: path that goes; b: where it is kept, "" for a folder */
    POWER_MOVED,    /* a to b; data: path where what b was is kept */
    POWER_FOLDER,   /* a: a folder's path; its names are on the disk */
};

struct power_record {
    uint32_t kind;
    uint32_t a_size, b_size, data_size; /* bytes */
    uint64_t inode, at, length, old_size;
};

#endif
