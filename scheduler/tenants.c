#include "scheduler/tenants.h"

#include <stdlib.h>
#include <string.h>

#include "common/number.h"

#define MOST 1000000 /* slots, jobs, jobs a second */

static int set(struct gm_tenant_params *t, const char *word, struct gm_err *err)
{
    static const struct {
        const char *name;
        size_t offset;
        int64_t most;
    } keys[] = {{"weight=", offsetof(struct gm_tenant_params, weight), GM_TENANT_MAX_WEIGHT},
                {"max_running=", offsetof(struct gm_tenant_params, max_running), MOST},
                {"max_queued=", offsetof(struct gm_tenant_params, max_queued), MOST},
                {"max_submits_per_s=", offsetof(struct gm_tenant_params, max_submits_per_s), MOST},
                {"max_uploads=", offsetof(struct gm_tenant_params, max_uploads), MOST}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t size = strlen(keys[i].name);
        int64_t value;
        if (strncmp(word, keys[i].name, size) != 0) {
            continue;
        }
        uint32_t *place = (uint32_t *)(void *)((char *)t + keys[i].offset);
        if (*place != 0) {
            return gm_err_set(err, GM_E_CONFIG, 0, "tenants: `%s` twice for %s", keys[i].name,
                              t->name);
        }
        if (!gm_number_int(word + size, &value) || value < 1 || value > keys[i].most) {
            return gm_err_set(err, GM_E_CONFIG, 0, "tenants: `%.80s`: a number from 1 to %lld",
                              word, (long long)keys[i].most);
        }
        *place = (uint32_t)value;
        return 0;
    }
    return gm_err_set(err, GM_E_CONFIG, 0,
                      "tenants: `%.80s` is none of weight=N, max_running=N, max_queued=N, "
                      "max_submits_per_s=N, max_uploads=N",
                      word);
}

/* line: is cut into words. */
static int parse(char *line, struct gm_tenant_params *out, struct gm_err *err)
{
    char *rest = NULL;
    const char *name = strtok_r(line, " ", &rest);
    const char *word;
    struct gm_tenant_params t = {.name = name};
    if (gm_tenant_check(&t, err) < 0) {
        return gm_err_set(err, GM_E_CONFIG, 0,
                          "tenants: `%.80s`: a name has 1..64 letters, digits, '_', '-' and '.', a "
                          "letter or digit first; or it is `*`, all others",
                          name != NULL ? name : "");
    }
    int rc = 0;
    while (rc == 0 && (word = strtok_r(NULL, " ", &rest)) != NULL) {
        rc = set(&t, word, err);
    }
    if (rc == 0) {
        t.name = strdup(name);
        rc = t.name != NULL ? 0 : gm_err_nomem(err);
    }
    if (rc == 0) {
        *out = t;
    }
    return rc;
}

int gm_tenants_parse(char *const *lines, struct gm_tenant_params **out, size_t *out_count,
                     struct gm_err *err)
{
    size_t count = 0, done = 0;
    while (lines != NULL && lines[count] != NULL) {
        count++;
    }
    struct gm_tenant_params *list = calloc(count + 1, sizeof *list);
    int rc = list != NULL ? 0 : gm_err_nomem(err);
    for (; rc == 0 && done < count; done += rc == 0 ? 1 : 0) {
        char *line = strdup(lines[done]);
        rc = line != NULL ? parse(line, &list[done], err) : gm_err_nomem(err);
        free(line);
        for (size_t i = 0; rc == 0 && i < done; i++) {
            if (strcmp(list[i].name, list[done].name) == 0) {
                rc = gm_err_set(err, GM_E_CONFIG, 0, "tenants: %s is there twice", list[i].name);
                free((char *)(uintptr_t)list[done].name);
            }
        }
    }
    if (rc < 0) {
        gm_tenants_free(list, done);
        return rc;
    }
    *out = list;
    *out_count = count;
    return 0;
}

void gm_tenants_free(struct gm_tenant_params *tenants, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((char *)(uintptr_t)tenants[i].name);
    }
    free(tenants);
}

const struct gm_tenant_params *gm_tenants_find(const struct gm_tenant_params *tenants, size_t count,
                                               const char *name)
{
    const struct gm_tenant_params *others = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(tenants[i].name, name) == 0) {
            return &tenants[i];
        }
        others = strcmp(tenants[i].name, GM_TENANT_OTHERS) == 0 ? &tenants[i] : others;
    }
    return others;
}
