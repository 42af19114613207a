/*
 * Makes the name service fail, or never answer, for one program. For
 * LD_PRELOAD.
 *
 * $FAKE_NAMES names a file, looked into at each lookup of a name: "hang" lets
 * it wait until the file says something else, a number is the error that it
 * ends with (of netdb.h), and without either the lookup is a real one.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_US 20000

typedef int look_up_fn(const char *, const char *, const struct addrinfo *,
                       struct addrinfo **);

static void read_word(char *word, size_t size)
{
    const char *name = getenv("FAKE_NAMES");
    int fd = name != NULL ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t count = fd >= 0 ? read(fd, word, size - 1) : 0;

    word[count > 0 ? count : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

static int is_address(const char *node)
{
    unsigned char octets[16];

    return node == NULL || inet_pton(AF_INET, node, octets) == 1 ||
           inet_pton(AF_INET6, node, octets) == 1;
}

int getaddrinfo(const char *node, const char *service,
                const struct addrinfo *hints, struct addrinfo **ret)
{
    look_up_fn *look_up;
    char word[16] = "";

    if (!is_address(node))
        read_word(word, sizeof(word));
    while (strcmp(word, "hang") == 0) {
        usleep(LOOK_US);
        read_word(word, sizeof(word));
    }
    if (atoi(word) != 0)
        return atoi(word);
    *(void **)&look_up = dlsym(RTLD_NEXT, "getaddrinfo");
    return look_up(node, service, hints, ret);
}
