#include "spec.h"

#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <functional>
#include <unordered_map>

#include "operations.h"

namespace {

using Arguments = const std::vector<std::string>&;

struct Setting {
  size_t arity;
  // False: an argument is wrong.
  std::function<bool(Spec&, Arguments)> apply;
};

template <typename T>
bool number(const std::string& text, T& value, uint64_t max, int base = 10) {
  uint64_t parsed;
  if (!parse_number(text, max, parsed, base)) return false;
  value = static_cast<T>(parsed);
  return true;
}

bool add_range(std::vector<IdRange>& map, Arguments a) {
  IdRange range{};
  if (!number(a[0], range.inside, UINT_MAX) || !number(a[1], range.outside, UINT_MAX) || !number(a[2], range.count, UINT_MAX)) return false;
  map.push_back(range);
  return true;
}

bool add_limit(Spec& spec, Arguments a) {
  ResourceLimit limit{};
  if (!number(a[0], limit.resource, RLIM_NLIMITS - 1) || !number(a[1], limit.soft, UINT64_MAX)) return false;
  rlim_t hard = 0;
  if (a[2] != "-") {
    if (!number(a[2], hard, UINT64_MAX)) return false;
    limit.hard = hard;
  }
  spec.limits.push_back(limit);
  return true;
}

bool add_group(Spec& spec, Arguments a) {
  gid_t gid;
  if (!number(a[0], gid, UINT_MAX)) return false;
  spec.groups.push_back(gid);
  return true;
}

bool add_filter(Spec& spec, Arguments a) {
  SeccompFilter filter;
  if (!number(a[0], filter.flags, UINT_MAX) || !parse_program(a[1], filter.program)) return false;
  spec.filters.push_back(std::move(filter));
  return true;
}

bool add_capability(Spec& spec, Arguments a) {
  unsigned bit;
  if (!number(a[0], bit, 63)) return false;
  spec.capabilities |= uint64_t{1} << bit;
  return true;
}

const std::unordered_map<std::string, Setting>& settings() {
  static const std::unordered_map<std::string, Setting> table = {
      {"--join", {1, [](Spec& s, Arguments a) { return number(a[0], s.join, INT_MAX) && s.join > 0; }}},
      {"--mapped", {1, [](Spec& s, Arguments a) { return !(s.mapped = a[0]).empty(); }}},
      {"--new-network", {0, [](Spec& s, Arguments) { return s.new_network = true; }}},
      {"--join-network", {1, [](Spec& s, Arguments a) { return number(a[0], s.join_network, INT_MAX) && s.join_network > 0; }}},
      {"--network", {0, [](Spec& s, Arguments) { return s.network = true; }}},
      {"--deadline", {1, [](Spec& s, Arguments a) { return number(a[0], s.deadline_ms, INT_MAX); }}},
      {"--routed", {0, [](Spec& s, Arguments) { return s.routed = true; }}},
      {"--blackhole", {1, [](Spec& s, Arguments a) { return parse_prefix(a[0], s.blackholes.emplace_back()); }}},
      {"--own-users", {0, [](Spec& s, Arguments) { return s.own_users = true; }}},
      {"--scope", {0, [](Spec& s, Arguments) { return s.scope = true; }}},
      {"--terminal", {0, [](Spec& s, Arguments) { return s.terminal = true; }}},
      {"--relay", {0, [](Spec& s, Arguments) { return s.relay = true; }}},
      {"--worker", {0, [](Spec& s, Arguments) { return s.worker = true; }}},
      {"--deny-setgroups", {0, [](Spec& s, Arguments) { return s.deny_setgroups = true; }}},
      {"--map-uid", {3, [](Spec& s, Arguments a) { return add_range(s.uid_map, a); }}},
      {"--map-gid", {3, [](Spec& s, Arguments a) { return add_range(s.gid_map, a); }}},
      {"--newuidmap", {1, [](Spec& s, Arguments a) { return !(s.newuidmap = a[0]).empty(); }}},
      {"--newgidmap", {1, [](Spec& s, Arguments a) { return !(s.newgidmap = a[0]).empty(); }}},
      {"--env", {1, [](Spec& s, Arguments a) { return s.environment.push_back(a[0]), true; }}},
      {"--cwd", {1, [](Spec& s, Arguments a) { return !(s.cwd = a[0]).empty(); }}},
      {"--search", {1, [](Spec& s, Arguments a) { return s.search_path = a[0], true; }}},
      {"--uid", {1, [](Spec& s, Arguments a) { return number(a[0], s.uid, UINT_MAX); }}},
      {"--gid", {1, [](Spec& s, Arguments a) { return number(a[0], s.gid, UINT_MAX); }}},
      {"--group", {1, add_group}},
      {"--capability", {1, add_capability}},
      // SECCOMP_FILTER_FLAG_…, instructions
      {"--seccomp", {2, add_filter}},
      {"--no-new-privileges", {0, [](Spec& s, Arguments) { return s.no_new_privileges = true; }}},
      {"--umask", {1, [](Spec& s, Arguments a) { return number(a[0], s.umask, 0777, 8); }}},
      {"--limit", {3, add_limit}},
  };
  return table;
}

Result read_all(int fd, std::string& text) {
  char buffer[16384];
  for (;;) {
    const ssize_t length = read(fd, buffer, sizeof buffer);
    if (length == 0) return success();
    if (length > 0) text.append(buffer, static_cast<size_t>(length));
    else if (errno != EINTR) return failed("read", "spec");
  }
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> tokens;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\0', at);
    if (end == std::string::npos) break;
    tokens.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return tokens;
}

}  // namespace

bool parse_number(const std::string& text, uint64_t max, uint64_t& value, int base) {
  if (text.empty() || text.size() > 22 || text.find_first_not_of(base == 8 ? "01234567" : "0123456789") != std::string::npos) return false;
  errno = 0;
  value = std::strtoull(text.c_str(), nullptr, base);
  return errno == 0 && value <= max;
}

Result read_spec(int fd, Spec& spec) {
  std::string text;
  if (Result r = read_all(fd, text); !r.ok()) return r;
  const std::vector<std::string> tokens = split(text);
  if (tokens.empty() || tokens[0] != kVersion) return failure("spec", EPROTO, tokens.empty() ? "" : tokens[0]);
  uint64_t count;
  if (tokens.size() < 2 || !parse_number(tokens[1], UINT_MAX, count) || count != tokens.size()) return failure("spec", EPROTO, "cut short");
  size_t at = 2;
  while (at < tokens.size() && tokens[at] != "--") {
    const std::string& name = tokens[at++];
    const auto setting = settings().find(name);
    const OperationKind* operation = find_operation(name);
    if (setting == settings().end() && operation == nullptr) return failure("spec", EINVAL, name);
    const size_t arity = operation == nullptr ? setting->second.arity : operation->arity;
    if (arity > tokens.size() - at) return failure("spec", EINVAL, name);
    std::vector<std::string> arguments(tokens.begin() + static_cast<long>(at), tokens.begin() + static_cast<long>(at + arity));
    at += arity;
    if (operation != nullptr) spec.operations.push_back({name, std::move(arguments)});
    else if (!setting->second.apply(spec, arguments)) return failure("spec", EINVAL, name);
  }
  if (at + 1 >= tokens.size()) return failure("spec", EINVAL, "--");
  spec.command.assign(tokens.begin() + static_cast<long>(at + 1), tokens.end());
  return success();
}
