// Gives netlink.cc answers as the kernel seldom does, and prints what it makes of them: the errno, and the indices of the interfaces found.
#include <cstdio>
#include <cstring>
#include <string>
#include <sys/socket.h>

#include "netlink.h"

namespace {

std::string message(uint16_t type, uint16_t flags, std::string_view body) {
  const nlmsghdr header{static_cast<uint32_t>(sizeof(nlmsghdr) + body.size()), type, flags, 0, 0};
  return std::string(bytes_of(header)).append(body);
}

std::string link(int index, uint16_t flags = NLM_F_MULTI) {
  ifinfomsg header{};
  header.ifi_index = index;
  return message(RTM_NEWLINK, flags, bytes_of(header));
}

std::string end(int error, uint16_t flags = NLM_F_MULTI) { return message(NLMSG_DONE, flags, bytes_of(error)); }

}  // namespace

// Each word is a part of the answer: N an interface, N! one that comes with word of a change, . the end, ! the end with such word, -N the end with an error.
int main(int count, char** words) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0) return 1;
  for (int i = 1; i < count; i++) {
    const char* word = words[i];
    const uint16_t flags = NLM_F_MULTI | (std::strchr(word, '!') == nullptr ? 0 : NLM_F_DUMP_INTR);
    const int number = std::atoi(word);
    const std::string part = number > 0 ? link(number, flags) : end(number, flags);
    if (send(ends[1], part.data(), part.size(), 0) < 0) return 1;
  }
  const Fd socket(ends[0]);
  std::vector<Found<ifinfomsg>> links;
  const Result result = list(socket, RTM_GETLINK, ifinfomsg{}, links);
  std::printf("%d:", result.error);
  for (const auto& each : links) std::printf(" %d", each.header.ifi_index);
}
