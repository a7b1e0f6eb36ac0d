/* What happened, for people: a line an event; and its digest, which says whether two runs of a seed
 * were one. */
#include "sim/sim_io.h"

#include <stdio.h>
#include <string.h>

static void mix(struct sim *sim, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) { /* FNV-1a */
        sim->digest = (sim->digest ^ bytes[i]) * UINT64_C(1099511628211);
    }
}

void sim_trace(struct sim *sim, const char *format, ...)
{
    if (!sim->trace) {
        return;
    }
    va_list args;
    va_start(args, format);
    printf("%9.1f ", (double)sim->now / (double)GM_SEC);
    (void)vprintf(format, args);
    printf("\n");
    va_end(args);
}

const char *sim_message_name(const Gm__Envelope *envelope)
{
    const ProtobufCMessageDescriptor *d = envelope->base.descriptor;
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field(d, (unsigned)envelope->body_case);
    return f ? f->name : "nothing";
}

static void trace_message(struct sim *sim, const char *from, const char *to, const Gm__Envelope *e)
{
    char about[120] = "";
    if (e->body_case == GM__ENVELOPE__BODY_ASSIGN) {
        (void)snprintf(about, sizeof(about), "%s.%s/%u of %s, lease %llu.%llu",
                       e->assign->spec->job_id, e->assign->spec->task, e->assign->spec->instance,
                       e->assign->device, (unsigned long long)e->assign->term,
                       (unsigned long long)e->assign->epoch);
    } else if (e->body_case == GM__ENVELOPE__BODY_PRODUCED) {
        (void)snprintf(about, sizeof(about), "item %u of stream %u, lease %llu.%llu, seq %llu",
                       e->produced->item->index, e->produced->item->stream,
                       (unsigned long long)e->produced->term,
                       (unsigned long long)e->produced->epoch, (unsigned long long)e->seq);
    } else if (e->body_case == GM__ENVELOPE__BODY_DONE) {
        (void)snprintf(about, sizeof(about), "lease %llu.%llu, seq %llu",
                       (unsigned long long)e->done->term, (unsigned long long)e->done->epoch,
                       (unsigned long long)e->seq);
    } else if (e->body_case == GM__ENVELOPE__BODY_FAILED) {
        (void)snprintf(about, sizeof(about), "lease %llu.%llu, seq %llu, code %u",
                       (unsigned long long)e->failed->term, (unsigned long long)e->failed->epoch,
                       (unsigned long long)e->seq, e->failed->error->code);
    } else if (e->body_case == GM__ENVELOPE__BODY_ACK) {
        (void)snprintf(about, sizeof(about), "seq %llu%s", (unsigned long long)e->ack->seq,
                       e->ack->stale ? ", stale" : "");
    } else if (e->body_case == GM__ENVELOPE__BODY_CANCEL) {
        (void)snprintf(about, sizeof(about), "lease %llu.%llu: %.60s",
                       (unsigned long long)e->cancel->term, (unsigned long long)e->cancel->epoch,
                       e->cancel->reason);
    }
    sim_trace(sim, "%s -> %s %s %s", from, to, sim_message_name(e), about);
}

void sim_trace_event(struct sim *sim, const struct gm_event *event, int rc)
{
    static const char *const names[] = {[GM_EV_MESSAGE] = "message",
                                        [GM_EV_NODE_GONE] = "node gone",
                                        [GM_EV_SUBMIT] = "submit",
                                        [GM_EV_CANCEL] = "cancel",
                                        [GM_EV_PUBLISHED] = "published",
                                        [GM_EV_CLEANED] = "cleaned",
                                        [GM_EV_RESTART] = "restart",
                                        [GM_EV_DRAIN] = "drain",
                                        [GM_EV_UNSENT] = "unsent",
                                        [GM_EV_TICK] = "tick",
                                        [GM_EV_STOP] = "stop",
                                        [GM_EV_QUARANTINE] = "quarantine",
                                        [GM_EV_PRIORITY] = "priority",
                                        [GM_EV_BACKED_UP] = "backed up",
                                        [GM_EV_TAKEDOWN] = "takedown",
                                        [GM_EV_TAKEN_DOWN] = "taken down",
                                        [GM_EV_ARRIVED] = "arrived",
                                        [GM_EV_EARLY] = "early",
                                        [GM_EV_HELD] = "held",
                                        [GM_EV_REOPEN] = "reopen",
                                        [GM_EV_PLACE_GOES] = "place goes"};
    if (rc < 0) {
        return; /* an answer to its author, and no more; its type may be none */
    }
    GM_ASSERT((size_t)event->type < sizeof(names) / sizeof(names[0]) && names[event->type]);
    int parts[] = {(int)event->type,
                   event->type == GM_EV_MESSAGE ? (int)event->envelope->body_case : 0};
    mix(sim, parts, sizeof(parts));
    mix(sim, &sim->now, sizeof(sim->now));
    if (event->type == GM_EV_MESSAGE) {
        trace_message(sim, event->node_id, "scheduler", event->envelope);
    } else if (event->type != GM_EV_TICK) {
        sim_trace(sim, "%s %s%s, failure %d", names[event->type],
                  event->node_id ? event->node_id : "", event->job_id ? event->job_id : "",
                  (int)event->failure.code);
    }
}

void sim_trace_effects(struct sim *sim, const struct gm_effects *fx)
{
    for (size_t i = 0; i < fx->row_count; i++) {
        char key[GM_KEY_TEXT_BYTES];
        mix(sim, key, strlen(gm_key_text(&fx->rows[i].key, key)));
        mix(sim, fx->rows[i].data, fx->rows[i].size);
    }
    for (size_t i = 0; i < fx->send_count; i++) {
        int kind = (int)fx->sends[i].envelope->body_case;
        mix(sim, &kind, sizeof(kind));
        mix(sim, fx->sends[i].node_id, strlen(fx->sends[i].node_id));
        trace_message(sim, fx->sends[i].durable ? "scheduler, once on disk," : "scheduler",
                      fx->sends[i].node_id, fx->sends[i].envelope);
    }
    for (size_t i = 0; i < fx->event_count; i++) {
        if (strcmp(fx->events[i].type, "progress") != 0) {
            sim_trace(sim, "%s: %s %s", fx->events[i].job_id, fx->events[i].type,
                      fx->events[i].json);
        }
    }
}
