#include "router.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/veth.h>
#include <net/if.h>
#include <unistd.h>

#include <initializer_list>

#include "netlink.h"
#include "routes.h"
#include "spec.h"

namespace {

using Link = Found<ifinfomsg>;
using Address = Found<ifaddrmsg>;

template <class Test>
Result find_link(const Fd& socket, Link& link, Test is_it) {
  std::vector<Link> links;
  if (Result r = list(socket, RTM_GETLINK, ifinfomsg{}, links); !r.ok()) return r;
  for (Link& each : links)
    if (is_it(each)) return link = std::move(each), success();
  return failure("netlink", ENODEV, "interface");
}

// Others may come with a namespace (tunl0), and are down.
bool is_connected(const Link& link) { return (link.header.ifi_flags & (IFF_UP | IFF_LOOPBACK)) == IFF_UP; }

ifinfomsg header_of(int index, unsigned flags) {
  ifinfomsg header{};
  header.ifi_index = index;
  header.ifi_flags = flags;
  header.ifi_change = flags;
  return header;
}

// A pair of interfaces that needs no neighbour discovery: without it a frame is sent to the sender's own address, and that is the other end's too.
Result lay_cable(const Router& router, const Link& outside, int outer_namespace) {
  const std::initializer_list<uint16_t> kept = {IFLA_ADDRESS, IFLA_MTU};
  Message message(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, header_of(0, IFF_NOARP));
  message.copy(outside.attributes, {IFLA_IFNAME});
  message.copy(outside.attributes, kept);
  const size_t information = message.open(IFLA_LINKINFO);
  message.add(IFLA_INFO_KIND, "veth");
  const size_t data = message.open(IFLA_INFO_DATA);
  const size_t peer = message.open(VETH_INFO_PEER, bytes_of(header_of(0, IFF_NOARP)));
  message.copy(outside.attributes, kept);
  message.add(IFLA_NET_NS_FD, bytes_of(outer_namespace));
  message.close(peer);
  message.close(data);
  message.close(information);
  return request(router.inner, message, "veth");
}

Result raise_link(const Fd& socket, int index) {
  Message message(RTM_SETLINK, NLM_F_ACK, header_of(index, IFF_UP));
  return request(socket, message, "raise");
}

// Hands on what comes in by it.
Result forward_from(const Fd& socket, int index) {
  Message message(RTM_SETLINK, NLM_F_ACK, header_of(index, 0));
  const size_t families = message.open(IFLA_AF_SPEC);
  const size_t family = message.open(AF_INET);
  const size_t settings = message.open(IFLA_INET_CONF);
  message.add(IPV4_DEVCONF_FORWARDING, bytes_of(uint32_t{1}));
  message.close(settings);
  message.close(family);
  message.close(families);
  return request(socket, message, "forwarding");
}

Result change_address(const Fd& socket, uint16_t type, uint16_t flags, Address address, int index) {
  address.header.ifa_index = static_cast<uint32_t>(index);
  Message message(type, flags, address.header);
  message.copy(address.attributes, {IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_FLAGS});
  return request(socket, message, "address");
}

Result add_single(const Fd& socket, const Address& address, int index) {
  const auto& attributes = address.attributes;
  const auto found = attributes.count(IFA_LOCAL) > 0 ? attributes.find(IFA_LOCAL) : attributes.find(IFA_ADDRESS);
  if (found == attributes.end()) return failure("netlink", EBADMSG, "address");
  Route route{};
  route.header.rtm_family = address.header.ifa_family;
  route.header.rtm_dst_len = static_cast<unsigned char>(found->second.size() * 8);
  route.header.rtm_table = RT_TABLE_MAIN;
  route.header.rtm_protocol = RTPROT_STATIC;
  route.header.rtm_scope = RT_SCOPE_LINK;
  route.header.rtm_type = RTN_UNICAST;
  route.attributes[RTA_DST] = found->second;
  return add_route(socket, std::move(route), index, {});
}

Result add_blackhole(const Fd& socket, const Prefix& prefix) {
  rtmsg header{};
  header.rtm_family = static_cast<unsigned char>(prefix.family);
  header.rtm_dst_len = prefix.length;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_type = RTN_BLACKHOLE;
  Message message(RTM_NEWROUTE, kMake, header);
  message.add(RTA_DST, prefix.address);
  return request(socket, message, "blackhole");
}

struct Interfaces {
  int outside, outer, inner;
};

Result make_interfaces(const Router& router, int outer_namespace, Interfaces& made) {
  Link outside, outer, inner;
  if (Result r = find_link(router.outer, outside, is_connected); !r.ok()) return r;
  if (Result r = lay_cable(router, outside, outer_namespace); !r.ok()) return r;
  const auto is_end = [&](Link& link) { return link.attributes[IFLA_ADDRESS] == outside.attributes[IFLA_ADDRESS]; };
  const auto is_outer_end = [&](Link& link) { return is_end(link) && link.header.ifi_index != outside.header.ifi_index; };
  if (Result r = find_link(router.outer, outer, is_outer_end); !r.ok()) return r;
  if (Result r = find_link(router.inner, inner, is_end); !r.ok()) return r;
  made = {outside.header.ifi_index, outer.header.ifi_index, inner.header.ifi_index};
  if (Result r = raise_link(router.inner, made.inner); !r.ok()) return r;
  if (Result r = raise_link(router.outer, made.outer); !r.ok()) return r;
  if (Result r = forward_from(router.outer, made.outside); !r.ok()) return r;
  return forward_from(router.outer, made.outer);
}

bool is_handed_on(const Router& router, int family) { return family == AF_INET || (family == AF_INET6 && router.ipv6.ok()); }

// Those of the interface, but for its own links.
Result find_addresses(const Router& router, int index, std::vector<Address>& found) {
  std::vector<Address> all;
  if (Result r = list(router.outer, RTM_GETADDR, ifaddrmsg{}, all); !r.ok()) return r;
  for (Address& each : all) {
    if (each.header.ifa_index == static_cast<uint32_t>(index) && each.header.ifa_scope < RT_SCOPE_LINK) found.push_back(std::move(each));
  }
  return success();
}

Result move_addresses(const Router& router, const Interfaces& interfaces, bool& left) {
  std::vector<Address> found, moved;
  if (Result r = find_addresses(router, interfaces.outside, found); !r.ok()) return r;
  for (Address& each : found) {
    if (is_handed_on(router, each.header.ifa_family))
      moved.push_back(std::move(each));
    else
      left = true;
  }
  for (const Address& each : moved)
    if (Result r = change_address(router.inner, RTM_NEWADDR, kMake, each, interfaces.inner); !r.ok()) return r;
  // The last first: the first address of a network takes the others of it with it.
  for (auto each = moved.rbegin(); each != moved.rend(); ++each)
    if (Result r = change_address(router.outer, RTM_DELADDR, NLM_F_ACK, *each, interfaces.outside); !r.ok()) return r;
  for (const Address& each : moved)
    if (Result r = add_single(router.outer, each, interfaces.outer); !r.ok()) return r;
  return success();
}

}  // namespace

Result route_ipv6() {
  const char* path = "/proc/sys/net/ipv6/conf/all/forwarding";
  const Fd parameter(open(path, O_WRONLY | O_CLOEXEC));
  if (!parameter.valid()) return failed("open", path);
  return write(parameter.get(), "1", 1) < 0 ? failed("write", path) : success();
}

bool parse_prefix(const std::string& text, Prefix& prefix) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos) return false;
  prefix.family = text.find(':') == std::string::npos ? AF_INET : AF_INET6;
  prefix.address.resize(prefix.family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr));
  uint64_t length;
  if (!parse_number(text.substr(slash + 1), prefix.address.size() * 8, length)) return false;
  prefix.length = static_cast<unsigned char>(length);
  return inet_pton(prefix.family, text.substr(0, slash).c_str(), prefix.address.data()) == 1;
}

Result move_behind(const Router& router, int outer_namespace, const std::vector<Prefix>& blackholes, bool& left) {
  Interfaces interfaces{};
  if (Result r = make_interfaces(router, outer_namespace, interfaces); !r.ok()) return r;
  std::vector<Route> routes;
  const auto is_wanted = [&](int family) { return is_handed_on(router, family); };
  if (Result r = find_routes(router.outer, interfaces.outside, is_wanted, routes); !r.ok()) return r;
  for (const Prefix& each : blackholes)
    if (is_handed_on(router, each.family))
      if (Result r = add_blackhole(router.outer, each); !r.ok()) return r;
  if (Result r = move_addresses(router, interfaces, left); !r.ok()) return r;
  // The last address of an interface takes its routes with it.
  for (const Route& each : routes) {
    if (Result r = add_route(router.inner, each, interfaces.inner, {RTA_PREFSRC}); !r.ok()) return r;
    if (is_refusal(each)) continue;
    if (Result r = add_route(router.outer, each, interfaces.outside, {}); !r.ok()) return r;
  }
  return success();
}
