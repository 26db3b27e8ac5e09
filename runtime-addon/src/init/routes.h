#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <vector>

#include "netlink.h"

using Route = Found<rtmsg>;

// A route that says that there is none.
bool is_refusal(const Route& route);

// Those of the main table, of wanted families, that lead by the interface or are refusals; but for what comes with its addresses.
// ENODEV: what leads outside leads by something else, too.
Result find_routes(const Fd& socket, int index, const std::function<bool(int family)>& is_wanted, std::vector<Route>& found);

// By that interface, whatever it led by before. `kept`: besides what makes the route.
Result add_route(const Fd& socket, Route route, int index, std::initializer_list<uint16_t> kept);
