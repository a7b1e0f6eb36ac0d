#include "common/warnings.h"

#include "common/err.h"

static const struct gm_warning_info ROWS[GM_WARNINGS] = {
#define GM_WARNING(name, code, when, done, remedy) {code, when, done, remedy},
#include "common/warnings.def"
#undef GM_WARNING
};

const struct gm_warning_info *gm_warning_get(enum gm_warning w)
{
    GM_ASSERT((unsigned)w < GM_WARNINGS);
    return &ROWS[w];
}
