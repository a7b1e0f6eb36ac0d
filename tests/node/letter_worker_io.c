#include "node/letter_worker_io.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/packet.h"
#include "node/worker.h"

/* That it is ready, why it will not be, or progress. */
static void say(Gm__WorkerMessage__BodyCase what)
{
    struct gm_err err;
    Gm__WReady ready = GM__WREADY__INIT;
    Gm__WProgress progress = GM__WPROGRESS__INIT;
    Gm__WFailed failed = GM__WFAILED__INIT;
    Gm__Error error = GM__ERROR__INIT;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = what;
    if (what == GM__WORKER_MESSAGE__BODY_READY) {
        msg.ready = &ready;
    } else if (what == GM__WORKER_MESSAGE__BODY_FAILED) {
        error.code = GM_E_MEDIA;
        error.text = (char *)(uintptr_t) "no codec opens";
        failed.error = &error;
        msg.failed = &failed;
    } else {
        msg.progress = &progress;
    }
    if (gm_packet_send(GM_WORKER_SOCKET, &msg, -1, true, &err) < 0) {
        _exit(99);
    }
}

static void end_by(int signal_number)
{
    (void)signal(signal_number, SIG_DFL); /* a sanitizer's handler would exit */
    raise(signal_number);
}

static void obey(char letter)
{
    switch (letter) {
    case 'r':
        say(GM__WORKER_MESSAGE__BODY_READY);
        break;
    case 'f':
        say(GM__WORKER_MESSAGE__BODY_FAILED);
        break;
    case 'p':
        say(GM__WORKER_MESSAGE__BODY_PROGRESS);
        break;
    case 'c':
        close(GM_WORKER_SOCKET);
        break;
    case 's':
        (void)shutdown(GM_WORKER_SOCKET, SHUT_RD);
        break;
    case 'd':
        while (recv(GM_WORKER_SOCKET, &letter, 1, MSG_DONTWAIT) >= 0) {
        }
        break;
    case 'g':
        (void)!send(GM_WORKER_SOCKET, "\xff\xff\xff\xff", 4, 0);
        break;
    case 'x':
        _exit(LETTER_STATUS);
    case 'l':
        _exit(127);
    case 'a':
        end_by(SIGABRT);
        break;
    default:
        _exit(98);
    }
}

void letter_worker_main(int line)
{
    char letter = 0;
    while (read(line, &letter, 1) == 1) {
        obey(letter);
        if (write(line, &letter, 1) != 1) {
            break;
        }
    }
    _exit(0);
}
