#include "seccomp.h"

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

namespace {

int digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

}  // namespace

bool parse_program(const std::string& text, std::vector<sock_filter>& program) {
  constexpr size_t kDigits = 2 * sizeof(sock_filter);
  if (text.empty() || text.size() % kDigits != 0 || text.size() / kDigits > BPF_MAXINSNS) return false;
  std::vector<unsigned char> bytes(text.size() / 2);
  for (size_t i = 0; i < bytes.size(); i++) {
    const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<unsigned char>(high << 4 | low);
  }
  program.resize(text.size() / kDigits);
  std::memcpy(program.data(), bytes.data(), bytes.size());
  return true;
}

Result load_filters(const std::vector<SeccompFilter>& filters) {
  for (const SeccompFilter& filter : filters) {
    const sock_fprog program{static_cast<unsigned short>(filter.program.size()), const_cast<sock_filter*>(filter.program.data())};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter.flags, &program) < 0) return failed("seccomp");
  }
  return success();
}
