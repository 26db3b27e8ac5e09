#include "netlink.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace {

using tsbuild::retry;

// The kernel's parts of a long answer are no longer than that (linux/netlink.h, NLMSG_GOODSIZE; 32 KiB where it is asked for more).
constexpr size_t kLongestPart = 32768;

// An answer is given anew so often where what it is about changed meanwhile.
constexpr int kMostDumps = 10;

size_t aligned(size_t length) { return NLMSG_ALIGN(length); }

template <class Header>
bool read_header(std::string_view bytes, Header& header) {
  if (bytes.size() < sizeof header) return false;
  std::memcpy(&header, bytes.data(), sizeof header);
  return true;
}

Attributes attributes_in(std::string_view bytes) {
  Attributes attributes;
  for (rtattr one; read_header(bytes, one) && one.rta_len >= sizeof one && one.rta_len <= bytes.size();) {
    attributes[one.rta_type & NLA_TYPE_MASK] = bytes.substr(sizeof one, one.rta_len - sizeof one);
    bytes.remove_prefix(std::min(aligned(one.rta_len), bytes.size()));
  }
  return attributes;
}

Result send_message(const Fd& socket, std::string_view message) {
  return retry([&] { return send(socket.get(), message.data(), message.size(), 0); }) < 0 ? failed("send", "netlink") : success();
}

// Hands over each message of an answer until `take` has what it wants.
template <class Take>
Result receive(const Fd& socket, Take take) {
  std::string buffer(kLongestPart, '\0');
  for (;;) {
    const ssize_t length = retry([&] { return recv(socket.get(), buffer.data(), buffer.size(), 0); });
    if (length < 0) return failed("recv", "netlink");
    std::string_view rest(buffer.data(), static_cast<size_t>(length));
    for (nlmsghdr header; read_header(rest, header) && header.nlmsg_len >= sizeof header && header.nlmsg_len <= rest.size();) {
      if (take(header, rest.substr(sizeof header, header.nlmsg_len - sizeof header))) return success();
      rest.remove_prefix(std::min(aligned(header.nlmsg_len), rest.size()));
    }
  }
}

// The errno that a message of an answer, or the end of a long one, brings; 0: none.
int error_in(std::string_view body) {
  int error = 0;
  return read_header(body, error) ? -error : EBADMSG;
}

// `interrupted`: something changed meanwhile, so that the answer may lack what was there all along.
Result dump(const Fd& socket, uint16_t type, std::string_view header, std::vector<RawFound>& found, bool& interrupted) {
  found.clear();
  Message message(type, NLM_F_DUMP, header);
  if (Result r = send_message(socket, message.finished()); !r.ok()) return r;
  int error = 0;
  const Result answered = receive(socket, [&](const nlmsghdr& part, std::string_view body) {
    if ((part.nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted = true;
    if (part.nlmsg_type == NLMSG_ERROR || part.nlmsg_type == NLMSG_DONE) return error = error_in(body), true;
    if (body.size() >= header.size())
      found.push_back({std::string(body.substr(0, header.size())), attributes_in(body.substr(std::min(aligned(header.size()), body.size())))});
    return false;
  });
  return answered.ok() && error != 0 ? failure("netlink", error, "dump") : answered;
}

}  // namespace

Message::Message(uint16_t type, uint16_t flags, std::string_view header) {
  append(bytes_of(nlmsghdr{0, type, static_cast<uint16_t>(NLM_F_REQUEST | flags), 0, 0}));
  append(header);
}

void Message::add(uint16_t type, std::string_view value) {
  append(bytes_of(rtattr{static_cast<unsigned short>(sizeof(rtattr) + value.size()), type}));
  append(value);
}

void Message::copy(const Attributes& attributes, std::initializer_list<uint16_t> types) {
  for (const uint16_t type : types)
    if (const auto found = attributes.find(type); found != attributes.end()) add(type, found->second);
}

size_t Message::open(uint16_t type, std::string_view header) {
  const size_t opened = bytes_.size();
  add(static_cast<uint16_t>(type | NLA_F_NESTED), {});
  append(header);
  return opened;
}

void Message::close(size_t opened) {
  const auto length = static_cast<unsigned short>(bytes_.size() - opened);
  std::memcpy(bytes_.data() + opened, &length, sizeof length);
}

std::string_view Message::finished() {
  const auto length = static_cast<uint32_t>(bytes_.size());
  std::memcpy(bytes_.data(), &length, sizeof length);
  return bytes_;
}

void Message::append(std::string_view bytes) {
  bytes_.append(bytes);
  bytes_.resize(aligned(bytes_.size()), '\0');
}

Result open_netlink(Fd& made) {
  made = Fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  return made.valid() ? success() : failed("socket", "netlink");
}

Result request(const Fd& socket, Message& message, std::string_view what) {
  if (Result r = send_message(socket, message.finished()); !r.ok()) return r;
  int error = 0;
  const Result answered = receive(socket, [&](const nlmsghdr& header, std::string_view body) {
    if (header.nlmsg_type != NLMSG_ERROR) return false;
    error = error_in(body);
    return true;
  });
  return answered.ok() && error != 0 ? failure("netlink", error, what) : answered;
}

Result list_raw(const Fd& socket, uint16_t type, std::string_view header, std::vector<RawFound>& found) {
  for (int i = 0; i < kMostDumps; i++) {
    bool interrupted = false;
    if (Result r = dump(socket, type, header, found, interrupted); !r.ok() || !interrupted) return r;
  }
  return failure("netlink", EINTR, "dump");
}
