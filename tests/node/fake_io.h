#ifndef GM_TESTS_NODE_FAKE_IO_H
#define GM_TESTS_NODE_FAKE_IO_H

#include <stdint.h>
#include <sys/types.h>
#include <zmq.h>

#include "common/time.h"
#include "node/agent.h"
#include "node/cache.h"
#include "node/worker.h"
#include "proto/batch.h"

/* A worker whose task types do what tests need (fake_worker_io.c), an agent that runs it
 * (fake_agent_io.c), and a scheduler that is a ROUTER socket in the test (fake_io.c). A test
 * program with these calls fake_worker_main first: it is its own worker. */

/* Runs as worker and does not return when the launcher started this process. */
void fake_worker_main(void);
const struct gm_task_type *fake_task_find(const char *type);

#define FARM_NODE_ID "node-under-test"

struct farm {
    char folder[64]; /* mkdtemp; removed by farm_stop */
    char endpoint[128];
    char store_url[128];
    struct gm_grant_key key;
    void *zmq;
    void *router;
    char peer[64]; /* who said the last message: answers go there */
    size_t peer_size;
    bool no_batches;               /* an older scheduler, which reads none */
    zmq_msg_t message;             /* owned; the last that came */
    struct gm_batch_reader reader; /* of what is left of it */
    uint32_t batched;              /* envelopes that came with others */
    pid_t agent;
    int ready; /* pipe: a byte when the agent is ready */
    gm_time began;
    uint32_t slots;
    uint32_t lease_ms, heartbeat_ms, stall_ms; /* told in Welcome */
    uint32_t idle_ms;                          /* the same, and in Renewed; 0: an older one */
    uint32_t patience_ms;                      /* of the agent; 0: its default */
    uint32_t store_stall_ms, dying_ms;         /* likewise */
    uint32_t parts_again_ms;                   /* likewise */
    const struct gm_device_list *devices;      /* of the agent; NULL: none beside the cpu */
    uint32_t device_slots;
    int32_t decode_slots;
    uint32_t va_decode_slots;
    int64_t unix_ms;          /* told as the scheduler's clock; 0: not told */
    int64_t grants_end;       /* by that clock; 0: never */
    uint32_t drain_ms;        /* of the agent */
    int status;               /* that it ends with */
    uint32_t device_retry_ms; /* 0: 100 */
    bool proves_decoding;     /* farm->prove: its proofs are those of a decoder... */
    bool proves_both;         /* ...and of an encoder, the first time; then of a busy one */
    const char *const *device_environment, *const *device_paths; /* NULL-terminated */
    bool wait_for_proofs;
    bool prove; /* farm->folder/proof says how a proof of the GPU ends; one that passed is kept */
    const char *proof_at_start; /* farm_proof before the agent starts; NULL: none */
    const char *assign_to;      /* the device of what is assigned; NULL: cpu */
    uint32_t sessions;          /* that it takes there */
    uint64_t term;
    uint64_t next_task;
    bool renew;            /* answer Renew with everything kept */
    uint64_t renew_number; /* as if it were that one; 0: as it is */
    Gm__Hello *hello;      /* owned: the last one */
    Gm__Offer *offer;      /* owned: the last one of the cpu */
    Gm__Offer *gpu;        /* owned: the last one of another device; NULL: none came */
    uint32_t gpu_offers;
    char *noted;               /* owned: all notes of that device so far, a line each; NULL: none */
    uint32_t progress;         /* Progress messages seen */
    uint32_t grants;           /* GrantRequests answered */
    uint64_t request;          /* number of the last one */
    uint32_t leases;           /* named in the last Renew */
    uint64_t renews;           /* its number */
    Gm__NodeCounters counters; /* in it */
    uint32_t hellos;           /* Hellos answered */
    bool adopts;               /* Welcome names all that Hello held */
    bool deaf;                 /* answer no Hello and no Renew */
    bool spare;                /* the agent has a second endpoint, "-dead", where nobody listens */
    bool second;               /* nobody listens at the agent's first endpoint */
    enum gm_code refusal;      /* answers the next GrantRequests with this error... */
    uint32_t refusals;         /* ...so many of them */
    int ignored;               /* a kind that farm_turn takes too; 0: none */
    /* Fills an initialised grant in; what it points to is borrowed until it was sent. False: the
     * farm's own store. NULL: always that. */
    bool (*grant)(struct farm *farm, const Gm__GrantItem *item, Gm__Grant *out);
    void *grant_arg;
};

/* Binds the scheduler and starts an agent with `slots` slots; answers its Hello. */
void farm_start(struct farm *farm, uint32_t slots);
void farm_stop(struct farm *farm);
/* For cmocka_unit_test_prestate_setup_teardown: *state, a struct farm (borrowed, with what the
 * agent is to be like), becomes a copy with one slot that runs; teardown stops and frees it. */
int farm_setup(void **state);
int farm_teardown(void **state);
/* The next message that is not dealt with by itself (Hello, Offer, Renew, Progress, GrantRequest
 * are). Fails the test after 20 s without a message, or 120 s after farm_start. Owned. */
Gm__Envelope *farm_next(struct farm *farm);
/* Takes one message and deals with it; a message that farm_next would return fails the
 * test. */
void farm_turn(struct farm *farm);
/* Takes one message, and deals with it if that goes by itself. Owned. */
Gm__Envelope *farm_any(struct farm *farm);
/* farm_next, which must be of that kind. */
Gm__Envelope *farm_expect(struct farm *farm, int kind);
void farm_send(struct farm *farm, Gm__Envelope *env);
void farm_ack(struct farm *farm, uint64_t seq, bool stale);
void farm_refuse(struct farm *farm, enum gm_code code);
void farm_cancel(struct farm *farm, uint64_t id);
/* Assigns a task of that type; its id. text: TaskSpec.source_name, which fake tasks read. */
uint64_t farm_assign(struct farm *farm, const char *type, const char *text);
uint64_t farm_assign_spec(struct farm *farm, Gm__TaskSpec *spec);
/* Acknowledges the next message, which must be Done, or Failed, of that task. native 0: any. */
void farm_expect_done(struct farm *farm, uint64_t id);
void farm_expect_failed(struct farm *farm, uint64_t id, enum gm_code code, int64_t native);
/* The node is well: an ordinary task passes. */
void farm_expect_healthy(struct farm *farm);
/* Puts bytes into the store; a read grant for them, owned. */
char *farm_object(struct farm *farm, const char *key, const void *data, size_t size);
void farm_remove_object(struct farm *farm, const char *key);
/* The bytes stored under key, NUL-terminated, owned; fails the test where there are none. */
char *farm_stored(struct farm *farm, const char *key);

/* --- fake_agent_io.c */
/* In a child: the agent; `ready` gets a byte when it is. */
_Noreturn void farm_run_agent(struct farm *farm, int ready);
/* What the next proofs of H.264 and HEVC say: "pass", "fail", "hang" (until the agent stops),
 * "stuck" (fails, and what was kept can't be forgotten), "wait" (for another word: the next call
 * ends it), "part" (of HEVC alone), "newer" (likewise, by other libraries), "nothing" (nothing
 * could be tried). */
void farm_proof(struct farm *farm, const char *how);
/* The process of the slot whose folder in scratch has that name: "0", "verify". 0: none. */
pid_t farm_worker(const struct farm *farm, const char *scratch);
/* How many proofs were "proved" (tried), "kept" (0 or 1), and "forgotten". */
uint32_t farm_count(struct farm *farm, const char *what);

/* --- fake_gpu_io.c: a GPU that is words in a list. */
#define FARM_GPU "0000:3b:00.0"
#define FARM_UUID "GPU-00000000-1111-2222-3333-444444444444"
/* The cpu, and that GPU: *out_gpu, borrowed, has no codecs yet. list: all-zero before,
 * gm_device_list_fini after. */
void farm_gpu_list(struct gm_device_list *list, struct gm_device **out_gpu);
/* A note of the GPU's last Offer has these words. */
bool farm_gpu_says(const struct farm *farm, const char *words);
void farm_until_gpu_says(struct farm *farm, const char *words);
void farm_until_gpu_offers(struct farm *farm, uint32_t slots);
/* Runs a task of that type, with one piece, to its end; the piece's text, static. */
const char *farm_place(struct farm *farm, const char *type, const char *text);
/* What a task of type "fail" or "analyze" is told of that code; static. */
const char *farm_code_text(enum gm_code code);
/* A task fails with that code. */
void farm_fail(struct farm *farm, enum gm_code code);

#endif
