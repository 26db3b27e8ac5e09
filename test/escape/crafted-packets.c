// Sends packets to the loopback of the machine outside by way of the interface that leads there, then an ordinary datagram to a server that answers: what was
// sent before has been handed on by then, if ever. Prints "answered".
// Arguments: the way, the target's ports of datagrams and of connections, the address and port of that server.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char kText[] = "crafted";

// The interface that is not the loopback, and its addresses.
static struct {
  char name[IF_NAMESIZE];
  struct sockaddr_ll link;
  struct in_addr address;
  struct in6_addr address6;
} own;

static void find_interface(void) {
  struct ifaddrs* all;
  if (getifaddrs(&all) < 0) return;
  for (struct ifaddrs* each = all; each != NULL; each = each->ifa_next) {
    if (each->ifa_addr == NULL || (each->ifa_flags & IFF_LOOPBACK) || !(each->ifa_flags & IFF_UP)) continue;
    strcpy(own.name, each->ifa_name);
    if (each->ifa_addr->sa_family == AF_PACKET) own.link = *(struct sockaddr_ll*)each->ifa_addr;
    if (each->ifa_addr->sa_family == AF_INET) own.address = ((struct sockaddr_in*)each->ifa_addr)->sin_addr;
    struct in6_addr address6 = ((struct sockaddr_in6*)each->ifa_addr)->sin6_addr;
    if (each->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&address6)) own.address6 = address6;
  }
}

static unsigned sum_of(const void* bytes, size_t length, unsigned sum) {
  const unsigned char* at = bytes;
  for (size_t i = 0; i < length; i++) sum += i % 2 == 0 ? at[i] << 8 : at[i];
  return sum;
}

static unsigned short checksum(unsigned sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return htons(~sum);
}

static size_t datagram(unsigned char* at, unsigned port, unsigned pseudo_sum) {
  struct udphdr header = {.source = htons(40000), .dest = htons(port), .len = htons(sizeof header + sizeof kText)};
  memcpy(at, &header, sizeof header);
  memcpy(at + sizeof header, kText, sizeof kText);
  const size_t length = sizeof header + sizeof kText;
  ((struct udphdr*)at)->check = checksum(sum_of(at, length, pseudo_sum + IPPROTO_UDP + length));
  return length;
}

static size_t connection(unsigned char* at, unsigned port, unsigned pseudo_sum) {
  struct tcphdr header = {.source = htons(40000), .dest = htons(port), .seq = htonl(1), .doff = sizeof header / 4, .syn = 1, .window = htons(65535)};
  memcpy(at, &header, sizeof header);
  ((struct tcphdr*)at)->check = checksum(sum_of(at, sizeof header, pseudo_sum + IPPROTO_TCP + sizeof header));
  return sizeof header;
}

typedef size_t (*Body)(unsigned char* at, unsigned port, unsigned pseudo_sum);

static size_t packet(unsigned char* at, unsigned char protocol, Body body, const char* target, unsigned port) {
  struct iphdr header = {.version = 4, .ihl = 5, .ttl = 64, .protocol = protocol, .saddr = own.address.s_addr, .daddr = inet_addr(target)};
  const size_t length = sizeof header + body(at + sizeof header, port, sum_of(&header.saddr, 8, 0));
  header.tot_len = htons(length);
  header.check = checksum(sum_of(&header, sizeof header, 0));
  memcpy(at, &header, sizeof header);
  return length;
}

static size_t packet6(unsigned char* at, unsigned char protocol, Body body, const char* target, unsigned port) {
  struct ip6_hdr header = {.ip6_src = own.address6};
  inet_pton(AF_INET6, target, &header.ip6_dst);
  const size_t length = body(at + sizeof header, port, sum_of(&header.ip6_src, 32, 0));
  header.ip6_flow = htonl(6u << 28);
  header.ip6_plen = htons(length);
  header.ip6_nxt = protocol;
  header.ip6_hlim = 64;
  memcpy(at, &header, sizeof header);
  return sizeof header + length;
}

// To the address of the interface itself: either its other end has the same one, or does not look at it.
static void send_frame(unsigned short protocol, const unsigned char* bytes, size_t length) {
  struct sockaddr_ll to = own.link;
  to.sll_protocol = htons(protocol);
  int from = socket(AF_PACKET, SOCK_DGRAM, 0);
  if (from < 0 || sendto(from, bytes, length, 0, (struct sockaddr*)&to, sizeof to) < 0) perror("frame");
  close(from);
}

static struct sockaddr_in place(const char* address, unsigned port) {
  struct sockaddr_in made = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, address, &made.sin_addr);
  return made;
}

static void send_bound(const char* target, unsigned port) {
  const struct sockaddr_in to = place(target, port);
  int from = socket(AF_INET, SOCK_DGRAM, 0);
  if (setsockopt(from, SOL_SOCKET, SO_BINDTODEVICE, own.name, strlen(own.name)) < 0) perror("bind to device");
  if (sendto(from, kText, sizeof kText, 0, (struct sockaddr*)&to, sizeof to) < 0) perror("datagram");
  close(from);
}

static void await_answer(const char* address, unsigned port) {
  const struct sockaddr_in to = place(address, port);
  char byte;
  int from = socket(AF_INET, SOCK_DGRAM, 0);
  alarm(10);
  if (sendto(from, "last", 4, 0, (struct sockaddr*)&to, sizeof to) == 4 && recv(from, &byte, 1, 0) == 1) printf("answered\n");
}

int main(int count, char** words) {
  if (count != 6) return 2;
  const char* way = words[1];
  const unsigned datagrams = atoi(words[2]), connections = atoi(words[3]);
  unsigned char bytes[256];
  find_interface();
  if (strcmp(way, "bound") == 0) {
    send_bound("127.0.0.1", datagrams);
  } else if (strcmp(way, "frames") == 0) {
    send_frame(ETH_P_IP, bytes, packet(bytes, IPPROTO_UDP, datagram, "127.0.0.1", datagrams));
    send_frame(ETH_P_IP, bytes, packet(bytes, IPPROTO_UDP, datagram, "0.0.0.0", datagrams));
    send_frame(ETH_P_IP, bytes, packet(bytes, IPPROTO_TCP, connection, "127.0.0.1", connections));
  } else if (strcmp(way, "frames6") == 0) {
    send_frame(ETH_P_IPV6, bytes, packet6(bytes, IPPROTO_UDP, datagram, "::1", datagrams));
    send_frame(ETH_P_IPV6, bytes, packet6(bytes, IPPROTO_TCP, connection, "::1", connections));
    send_frame(ETH_P_IPV6, bytes, packet6(bytes, IPPROTO_TCP, connection, "::ffff:127.0.0.1", connections));
  } else {
    return 2;
  }
  await_answer(words[4], atoi(words[5]));
  return 0;
}
