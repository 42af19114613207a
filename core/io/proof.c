/*
 * The proof by TCP keepalive.
 *
 * A keepalive is sent at once when the time without traffic after which it is
 * due is made shorter than what has passed. Any acknowledgment from the far
 * side, of a keepalive or of data, moves the time of the last one that TCP_INFO
 * tells.
 */
#include "config.h"

#include "io/proof.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "io/network.h"
#include "io/socket.h"

/* Three questions fit into it, and of a live connection the last answer is less
 * than SILENT_MS old by then. A link that takes longer costs a new connection.
 */
#define ANSWER_MS 2500
#define SILENT_MS 2000
#define ASK_EVERY_S 1

static struct proof *all;

void proof_begin(struct proof *proof, int fd)
{
    *proof = (struct proof){.next = all, .fd = fd};
    if (all != NULL)
        all->previous = proof;
    all = proof;
}

void proof_end(struct proof *proof)
{
    if (proof->previous != NULL)
        proof->previous->next = proof->next;
    else if (all == proof)
        all = proof->next;
    if (proof->next != NULL)
        proof->next->previous = proof->previous;
    proof->previous = proof->next = NULL;
}

static void cut_off(struct proof *proof)
{
    proof->is_dead = true;
    shutdown(proof->fd, SHUT_RDWR); /* wakes who waits for it */
}

/* Does it stand on an address that the machine does not have any more? */
static bool is_stranded(const struct proof *proof,
                        const struct network *network)
{
    struct sockaddr_storage own;
    socklen_t size = sizeof(own);

    return network != NULL &&
           getsockname(proof->fd, (struct sockaddr *)&own, &size) == 0 &&
           !network_has(network, &own);
}

static bool ask(struct proof *proof)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);

    if (getsockopt(proof->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return false;
    socket_keep_alive(proof->fd, ASK_EVERY_S, ASK_EVERY_S);
    return true;
}

/* Milliseconds since the far side was last heard. */
static uint64_t silence(const struct proof *proof)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);

    if (getsockopt(proof->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        info.tcpi_state != TCP_ESTABLISHED)
        return 0; /* whoever reads it hears of its end */
    return info.tcpi_last_ack_recv < info.tcpi_last_data_recv
               ? info.tcpi_last_ack_recv
               : info.tcpi_last_data_recv;
}

size_t proof_of_all(const struct network *network)
{
    size_t dead = 0;

    for (struct proof *at = all; at != NULL; at = at->next) {
        at->is_asked = false;
        if (at->is_dead)
            continue;
        if (is_stranded(at, network)) {
            cut_off(at);
            dead++;
        } else {
            at->is_asked = ask(at);
        }
    }
    bool is_cut_short = pr_sleep(ANSWER_MS) != PR_OK;
    /* Those that came since were not asked, those that went are not there. */
    for (struct proof *at = all; at != NULL; at = at->next) {
        if (!at->is_asked)
            continue;
        at->is_asked = false;
        if (!is_cut_short && silence(at) >= SILENT_MS) {
            cut_off(at);
            dead++;
        } else {
            socket_keep_alive_as_ever(at->fd);
        }
    }
    return dead;
}
