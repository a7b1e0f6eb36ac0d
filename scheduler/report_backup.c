#include "scheduler/report_backup.h"

#include "common/warnings.h"
#include "scheduler/json.h"

json_t *gm_report_backup(const struct gm_job_view *view)
{
    const struct gm_backup_view *b = &view->backup;
    if (b->url[0] == '\0') {
        return json_null();
    }
    bool open = b->state == GM_BACKUP_WAITING || b->state == GM_BACKUP_FAILED;
    return json_pack("{s:o, s:s, s:I, s:I, s:o}", "url", gm_json_string(b->url), "state",
                     gm_backup_state_name(b->state), "lacking", (json_int_t)b->lacking, "failures",
                     (json_int_t)b->failures, "error",
                     open && b->error.code != GM_OK
                         ? gm_json_error((int)b->error.code, b->error.text)
                         : json_null());
}

int gm_report_backup_warn(const struct gm_job_view *view, json_t *warnings, struct gm_err *err)
{
    const struct gm_backup_view *b = &view->backup;
    if (b->failures == 0) {
        return 0;
    }
    json_t *row = json_pack("{s:s, s:s, s:I}", "code", gm_warning_get(GM_W_BACKUP_FAILED)->code,
                            "text", "the result could not be copied to its backup at first",
                            "count", (json_int_t)b->failures);
    return row != NULL && json_array_append_new(warnings, row) == 0 ? 0 : gm_err_nomem(err);
}
