#ifndef GM_TESTS_NODE_LETTER_WORKER_IO_H
#define GM_TESTS_NODE_LETTER_WORKER_IO_H

/* A worker that does letter by letter what comes over `line`, and writes each letter back when it
 * is done:
 *   r p  says that it is ready, tells progress
 *   f    says why it will not be ready
 *   g    says garbage
 *   c s  closes its socket, or for reading alone
 *   d    reads all that is there
 *   x a  ends, with LETTER_STATUS or by SIGABRT
 */
#define LETTER_STATUS 7
_Noreturn void letter_worker_main(int line);

#endif
