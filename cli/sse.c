#include "cli/sse.h"

#include <stdio.h>
#include <string.h>

static void set_field(char *out, size_t size, const char *value)
{
    snprintf(out, size, "%s", value);
}

static int dispatch(struct gm_sse *sse, gm_sse_fn fn, void *arg)
{
    int rc = 0;
    set_field(sse->last_id, sizeof(sse->last_id), sse->next_id);
    if (sse->data.size > 0) {
        size_t size = sse->data.size - 1; /* without the last line's newline */
        sse->data.data[size] = '\0';
        rc = fn(sse->event[0] == '\0' ? "message" : sse->event, (const char *)sse->data.data, size,
                arg);
    }
    sse->event[0] = '\0';
    sse->data.size = 0;
    return rc;
}

static int end_line(struct gm_sse *sse, gm_sse_fn fn, void *arg, struct gm_err *err)
{
    int rc = gm_buf_check(&sse->line, err);
    if (rc < 0) {
        return rc;
    }
    if (sse->line.size == 0) {
        return dispatch(sse, fn, arg);
    }
    char *line = (char *)sse->line.data;
    size_t length = sse->line.size;
    sse->line.size = 0;
    char *colon = memchr(line, ':', length);
    if (colon == line) {
        return 0; /* a comment keeps the connection open */
    }
    const char *value = "";
    if (colon != NULL) {
        *colon = '\0';
        value = colon + 1 + (colon[1] == ' ' ? 1 : 0);
    }
    if (strcmp(line, "event") == 0) {
        set_field(sse->event, sizeof(sse->event), value);
    } else if (strcmp(line, "id") == 0) {
        set_field(sse->next_id, sizeof(sse->next_id), value);
    } else if (strcmp(line, "data") == 0) {
        gm_buf_str(&sse->data, value);
        gm_buf_u8(&sse->data, '\n');
        rc = gm_buf_check(&sse->data, err);
    }
    return rc;
}

int gm_sse_feed(struct gm_sse *sse, const void *data, size_t size, gm_sse_fn fn, void *arg,
                struct gm_err *err)
{
    const char *bytes = data;
    for (size_t i = 0; i < size; i++) {
        char c = bytes[i];
        if (c == '\0') {
            return gm_err_set(err, GM_E_PROTO, 0, "the event stream holds a NUL byte");
        }
        bool second_half = c == '\n' && sse->after_cr;
        sse->after_cr = c == '\r';
        if (second_half) {
            continue;
        }
        if (c != '\n' && c != '\r') {
            gm_buf_u8(&sse->line, (uint8_t)c);
            if (sse->line.size + sse->data.size > GM_SSE_MAX_EVENT) {
                return gm_err_set(err, GM_E_LIMIT, 0, "an event is over %u bytes",
                                  GM_SSE_MAX_EVENT);
            }
            continue;
        }
        int rc = end_line(sse, fn, arg, err);
        if (rc != 0) {
            return rc;
        }
    }
    return gm_buf_check(&sse->line, err);
}

void gm_sse_reset(struct gm_sse *sse)
{
    sse->line.size = 0;
    sse->data.size = 0;
    sse->event[0] = '\0';
    sse->after_cr = false;
    set_field(sse->next_id, sizeof(sse->next_id), sse->last_id);
}

void gm_sse_fini(struct gm_sse *sse)
{
    gm_buf_fini(&sse->line);
    gm_buf_fini(&sse->data);
}
