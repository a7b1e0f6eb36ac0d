#include "hwtest/until.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define LOOK_NS (100 * 1000000L) /* at most so long until a stop is seen */

enum why { GOES_ON, TIME, SIGNAL };

struct gm_hwtest_until {
    gm_time end;
    int why;     /* enum why; set once, atomically, by the thread */
    int stopped; /* by the caller, atomically */
    sigset_t signals, before;
    pthread_t thread;
};

static void *wait_for_it(void *arg)
{
    struct gm_hwtest_until *u = arg;
    while (__atomic_load_n(&u->stopped, __ATOMIC_ACQUIRE) == 0) {
        const struct timespec look = {.tv_nsec = LOOK_NS};
        enum why why = sigtimedwait(&u->signals, NULL, &look) > 0 ? SIGNAL
                       : gm_time_now() >= u->end                  ? TIME
                                                                  : GOES_ON;
        if (why != GOES_ON && __atomic_load_n(&u->why, __ATOMIC_RELAXED) == GOES_ON) {
            __atomic_store_n(&u->why, (int)why, __ATOMIC_RELEASE);
        }
    }
    return NULL;
}

int gm_hwtest_until_start(uint32_t limit_s, struct gm_hwtest_until **out, struct gm_err *err)
{
    struct gm_hwtest_until *u = calloc(1, sizeof(*u));
    if (u == NULL) {
        return gm_err_nomem(err);
    }
    u->end = limit_s == 0 ? INT64_MAX : gm_time_now() + (gm_time)limit_s * GM_SEC;
    sigemptyset(&u->signals);
    sigaddset(&u->signals, SIGINT);
    sigaddset(&u->signals, SIGTERM);
    int code = pthread_sigmask(SIG_BLOCK, &u->signals, &u->before);
    if (code == 0) {
        code = pthread_create(&u->thread, NULL, wait_for_it, u);
        if (code != 0) {
            (void)pthread_sigmask(SIG_SETMASK, &u->before, NULL);
        }
    }
    if (code != 0) {
        free(u);
        return gm_err_sys(err, code, "could not start a thread");
    }
    *out = u;
    return 0;
}

void gm_hwtest_until_stop(struct gm_hwtest_until **until)
{
    struct gm_hwtest_until *u = *until;
    if (u != NULL) {
        __atomic_store_n(&u->stopped, 1, __ATOMIC_RELEASE);
        const struct timespec none = {0};
        (void)pthread_join(u->thread, NULL);
        while (u->why == SIGNAL && sigtimedwait(&u->signals, NULL, &none) > 0) {
        } /* a second one must not end the program before its report is out */
        (void)pthread_sigmask(SIG_SETMASK, &u->before, NULL);
        free(u);
        *until = NULL;
    }
}

const int *gm_hwtest_until_flag(const struct gm_hwtest_until *u)
{
    return u == NULL ? NULL : &u->why;
}

const char *gm_hwtest_until_why(const struct gm_hwtest_until *u)
{
    static const char *const words[] = {NULL, "the time of --time-limit is over",
                                        "the run was ended early by a signal"};
    return u == NULL ? NULL : words[__atomic_load_n(&u->why, __ATOMIC_ACQUIRE)];
}

bool gm_hwtest_until_is_signal(const struct gm_hwtest_until *u)
{
    return u != NULL && __atomic_load_n(&u->why, __ATOMIC_ACQUIRE) == SIGNAL;
}

gm_time gm_hwtest_until_end(const struct gm_hwtest_until *u)
{
    return u == NULL ? INT64_MAX : u->end;
}
