#include "routes.h"

#include <cstring>

namespace {

// Calls with each next hop of a route that has several, and puts back what that makes of it.
template <class Change>
void for_each_hop(std::string& hops, Change change) {
  for (size_t at = 0; at + sizeof(rtnexthop) <= hops.size();) {
    rtnexthop hop;
    std::memcpy(&hop, hops.data() + at, sizeof hop);
    if (hop.rtnh_len < sizeof hop) return;
    change(hop);
    std::memcpy(hops.data() + at, &hop, sizeof hop);
    at += RTNH_ALIGN(hop.rtnh_len);
  }
}

// Whether all of a route leads by that interface.
bool leads_by(const Route& route, int index) {
  const auto found = route.attributes.find(RTA_MULTIPATH);
  if (found == route.attributes.end()) {
    const auto interface = route.attributes.find(RTA_OIF);
    return interface != route.attributes.end() && interface->second == bytes_of(index);
  }
  bool leads = true;
  std::string hops = found->second;
  for_each_hop(hops, [&](const rtnexthop& hop) { leads = leads && hop.rtnh_ifindex == index; });
  return leads;
}

// The gateway need not be in a network of the interface's addresses: it may have none.
void lead_by(Route& route, int index) {
  const auto found = route.attributes.find(RTA_MULTIPATH);
  if (found == route.attributes.end()) {
    route.header.rtm_flags = route.attributes.count(RTA_GATEWAY) + route.attributes.count(RTA_VIA) > 0 ? RTNH_F_ONLINK : 0;
    route.attributes[RTA_OIF] = bytes_of(index);
    return;
  }
  route.header.rtm_flags = 0;
  for_each_hop(found->second, [&](rtnexthop& hop) {
    hop.rtnh_ifindex = index;
    hop.rtnh_flags = hop.rtnh_len > sizeof hop ? RTNH_F_ONLINK : 0;
  });
}

}  // namespace

bool is_refusal(const Route& route) {
  const auto type = route.header.rtm_type;
  return type == RTN_BLACKHOLE || type == RTN_UNREACHABLE || type == RTN_PROHIBIT || type == RTN_THROW;
}

Result find_routes(const Fd& socket, int index, const std::function<bool(int family)>& is_wanted, std::vector<Route>& found) {
  std::vector<Route> all;
  if (Result r = list(socket, RTM_GETROUTE, rtmsg{}, all); !r.ok()) return r;
  for (Route& each : all) {
    const rtmsg& header = each.header;
    const bool is_made = header.rtm_table == RT_TABLE_MAIN && header.rtm_protocol != RTPROT_KERNEL;
    if (!is_made || !is_wanted(header.rtm_family)) continue;
    const bool is_unicast = header.rtm_type == RTN_UNICAST;
    if (is_refusal(each) || (is_unicast && leads_by(each, index)))
      found.push_back(std::move(each));
    else if (is_unicast && header.rtm_dst_len == 0)
      return failure("netlink", ENODEV, "default route");
  }
  return success();
}

Result add_route(const Fd& socket, Route route, int index, std::initializer_list<uint16_t> kept) {
  if (is_refusal(route)) {
    route.header.rtm_flags = 0;
    route.attributes.erase(RTA_OIF);
  } else {
    lead_by(route, index);
  }
  Message message(RTM_NEWROUTE, kMake, route.header);
  message.copy(route.attributes, {RTA_DST, RTA_GATEWAY, RTA_VIA, RTA_OIF, RTA_MULTIPATH, RTA_PRIORITY, RTA_METRICS});
  message.copy(route.attributes, kept);
  return request(socket, message, "route");
}
