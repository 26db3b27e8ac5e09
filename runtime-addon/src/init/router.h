#pragma once

#include <string>
#include <vector>

#include "fd.h"
#include "result.h"

// Lets the network namespace we are in hand on packets of IPv6; those of IPv4 are a matter of its interfaces. ENOENT: the kernel has no IPv6.
Result route_ipv6();

struct Prefix {
  int family;
  // In the order of the network.
  std::string address;
  unsigned char length;
};

// "127.0.0.0/8"; false where the text is anything else.
bool parse_prefix(const std::string& text, Prefix& prefix);

// Two network namespaces, by their sockets of open_netlink().
struct Router {
  // Has the interface that leads outside, configured.
  const Fd& outer;
  const Fd& inner;
  // Whether the outer one hands on IPv6: what came of route_ipv6().
  const Result& ipv6;
};

// Gives the inner namespace an interface of that name, with those addresses and routes, and leaves the outer one to hand packets on: it has no address of its
// own any more, and packets to `blackholes` end there. The kernel, too, hands on nothing to or from a loopback address.
// `outer_namespace` is a descriptor of it. `left`: addresses of IPv6 were not moved, since they are not handed on.
Result move_behind(const Router& router, int outer_namespace, const std::vector<Prefix>& blackholes, bool& left);
