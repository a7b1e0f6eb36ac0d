#include "media/plan/plan.h"

#include <string.h>

#include "media/pb.h"
#include "media/picture/siting.h"
#include "media/picture/tonemap.h"

/* What the plan says of HDR and wide gamut. */

static bool is_any(const Gm__Policy *policy, bool kept)
{
    for (size_t i = 0; i < policy->n_renditions; i++) {
        if (gm_colour_is_kept(policy->renditions[i]) == kept) {
            return true;
        }
    }
    return false;
}

static int warn(const Gm__VideoFacts *v, Gm__Policy *policy, struct gm_err *err)
{
    const Gm__ToneMap *t = policy->tone_map;
    if (strcmp(t->method, GM_TONEMAP_BT2390) == 0) {
        return gm_pb_warn(&policy->warnings, &policy->n_warnings, GM_W_COLOUR_TONE_MAPPED, 1, err,
                          "the source is HDR (%s): outputs%s are tone-mapped to SDR from a peak of "
                          "%.0f cd/m2",
                          v->transfer, is_any(policy, true) ? " that do not keep it" : "",
                          t->source_peak);
    }
    return gm_pb_warn(&policy->warnings, &policy->n_warnings, GM_W_COLOUR_CONVERTED, 1, err,
                      "the source's colour (primaries %s, transfer %s, matrix %s) is not one that "
                      "every player knows: outputs are converted to BT.709",
                      v->primaries, v->transfer, v->matrix);
}

int gm_plan_light(const Gm__VideoFacts *v, Gm__Policy *policy, struct gm_err *err)
{
    int rc = gm_tonemap_plan(v, &policy->tone_map, err);
    if (rc == 0 && policy->tone_map != NULL) {
        struct gm_siting siting = gm_siting(v);
        policy->tone_map->chroma_h = siting.h;
        policy->tone_map->chroma_v = siting.v;
    }
    bool used = policy->tone_map != NULL && is_any(policy, false);
    return rc == 0 && used ? warn(v, policy, err) : rc;
}
