/* bench_disk FOLDER: what its file system is, and how many appends of 4 KiB it syncs a second. A
 * folder that is kept nowhere is refused. */
#include <stdio.h>

#include "bench/queue/server.h"
#include "bench/queue/stream.h"

int main(int argc, char **argv)
{
    struct bq_disk disk;
    if (argc != 2) {
        bq_die("usage: bench_disk FOLDER");
    }
    bq_disk_measure(argv[1], &disk);
    printf("{\"disk\": \"%s on %s\", \"syncs_s\": %.0f, \"sync_p50_us\": %.1f}\n", disk.type,
           disk.device, disk.syncs_s, disk.sync_p50_us);
    return 0;
}
