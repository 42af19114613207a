/*
 * Open connections, and the proof that the far side of each is still there.
 *
 * When the machine's network changes, a connection may be dead without either
 * side knowing. The kernel can be made to ask the far side's kernel whatever
 * the protocol above is doing; who does not answer is cut off.
 */
#ifndef IO_PROOF_H
#define IO_PROOF_H

#include <postrider/fiber.h>

struct network;

/* One open connection; part of a stream. */
struct proof {
    struct proof *previous, *next;
    int fd;
    bool is_asked; /* and has not answered yet, as far as we looked */
    bool is_dead;  /* it was cut off */
};

/* `fd`: a socket; another descriptor is never asked, nor cut off. */
void proof_begin(struct proof *proof, int fd);
void proof_end(struct proof *proof); /* before the descriptor is closed */

/* Cuts off each connection whose own address the machine lost (`network` NULL:
 * none), has the kernel ask after all others, waits for the answers and cuts
 * off those that gave none. The fibers that wait for those fail with
 * PR_NETWORK. Returns how many were cut off; less if it was cancelled. */
size_t proof_of_all(const struct network *network);

#endif
