/*
 * attack: 45
 * title: name servers, the metadata service and the cluster's token
 * ends: exited 0
 * says: metadata=EAFNOSUPPORT|EPERM|EACCES|ENETUNREACH
 * says: dns=EAFNOSUPPORT|EPERM|EACCES|ENETUNREACH
 * says: dns6=EAFNOSUPPORT|EPERM|EACCES|ENETUNREACH|EADDRNOTAVAIL
 * says: token=ENOENT
 * says: resolver=ENOENT
 */
#include "say.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static ssize_t send_to(int family, struct sockaddr *to, socklen_t length)
{
    int packets = socket(family, SOCK_DGRAM, 0);
    return packets == -1 ? -1 : sendto(packets, "x", 1, 0, to, length);
}

int main(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(80) };
    inet_pton(AF_INET, "169.254.169.254", &to.sin_addr);
    errno = 0;
    int stream = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    say("metadata", stream == -1 || connect(stream, (void *)&to, sizeof to) ? errno_name(errno) : "ok");
    to.sin_port = htons(53);
    inet_pton(AF_INET, "8.8.8.8", &to.sin_addr);
    TRY("dns", send_to(AF_INET, (void *)&to, sizeof to));
    struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(53) };
    inet_pton(AF_INET6, "2001:4860:4860::8888", &to6.sin6_addr);
    TRY("dns6", send_to(AF_INET6, (void *)&to6, sizeof to6));
    TRY("token", open("/var/run/secrets/kubernetes.io/serviceaccount/token", O_RDONLY));
    TRY("resolver", open("/etc/resolv.conf", O_RDONLY));
    return 0;
}
