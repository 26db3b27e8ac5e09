#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fd.h"
#include "result.h"

// rtnetlink(7): what `ip` speaks.

using Attributes = std::map<uint16_t, std::string>;

// Of a request: makes something, or changes what is there to it.
constexpr uint16_t kMake = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;

template <class Value>
std::string_view bytes_of(const Value& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// A request: a header of its type's, then attributes.
class Message {
 public:
  template <class Header>
  Message(uint16_t type, uint16_t flags, const Header& header) : Message(type, flags, bytes_of(header)) {}
  Message(uint16_t type, uint16_t flags, std::string_view header);

  void add(uint16_t type, std::string_view value);
  // Those that there are, of these types.
  void copy(const Attributes& attributes, std::initializer_list<uint16_t> types);
  // What is added until it is closed is inside of this attribute.
  size_t open(uint16_t type, std::string_view header = {});
  void close(size_t opened);
  std::string_view finished();

 private:
  void append(std::string_view bytes);
  std::string bytes_;
};

// One thing of an answer.
template <class Header>
struct Found {
  Header header;
  Attributes attributes;
};

struct RawFound {
  std::string header;
  Attributes attributes;
};

// A socket that speaks for the network namespace we are in, for as long as it is open.
Result open_netlink(Fd& socket);

// Sends a request that changes something, and awaits that it is done. `what` is the path of a failure.
Result request(const Fd& socket, Message& message, std::string_view what);

// EINTR: it changed again and again while it was read.
Result list_raw(const Fd& socket, uint16_t type, std::string_view header, std::vector<RawFound>& found);

// All links, addresses or routes: `header` says of which address family.
template <class Header>
Result list(const Fd& socket, uint16_t type, const Header& header, std::vector<Found<Header>>& found) {
  std::vector<RawFound> raw;
  if (Result r = list_raw(socket, type, bytes_of(header), raw); !r.ok()) return r;
  for (RawFound& each : raw) {
    Found<Header>& one = found.emplace_back();
    each.header.copy(reinterpret_cast<char*>(&one.header), sizeof one.header);
    one.attributes = std::move(each.attributes);
  }
  return success();
}
