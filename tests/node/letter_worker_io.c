#include "node/letter_worker_io.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/packet.h"
#include "node/worker.h"

static void say(Gm__WorkerMessage *msg)
{
    struct gm_err err;
    if (gm_packet_send(GM_WORKER_SOCKET, msg, -1, true, &err) < 0) {
        _exit(99);
    }
}

static void say_ready(void)
{
    Gm__WReady ready = GM__WREADY__INIT;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_READY;
    msg.ready = &ready;
    say(&msg);
}

static void say_progress(void)
{
    Gm__WProgress progress = GM__WPROGRESS__INIT;
    Gm__WorkerMessage msg = GM__WORKER_MESSAGE__INIT;
    msg.body_case = GM__WORKER_MESSAGE__BODY_PROGRESS;
    msg.progress = &progress;
    say(&msg);
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
        say_ready();
        break;
    case 'p':
        say_progress();
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
