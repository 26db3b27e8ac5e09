#include "status.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

namespace {

// Bytes above 0x7f go out as they are: the reader decodes UTF-8 and replaces what is none.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(byte));
      out += escape;
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string described(std::string_view operation, const Result& why) {
  return "{\"op\":" + quoted(operation) + ",\"syscall\":" + quoted(why.syscall) + ",\"errno\":" + std::to_string(why.error) +
         ",\"path\":" + quoted(why.path) + "}";
}

long long microseconds(const timeval& time) { return time.tv_sec * 1000000LL + time.tv_usec; }

}  // namespace

void Status::started(pid_t pid) const { line("{\"pid\":" + std::to_string(pid) + "}"); }

void Status::created(std::string_view path) const { line("{\"created\":" + quoted(path) + "}"); }

void Status::skipped(std::string_view operation, const Result& why) const { line("{\"skipped\":" + described(operation, why) + "}"); }

void Status::error(std::string_view operation, const Result& why) const { line("{\"error\":" + described(operation, why) + "}"); }

void Status::ended(int wait_status, const rusage& used) const {
  const std::string end = WIFSIGNALED(wait_status) ? "\"signal\":" + std::to_string(WTERMSIG(wait_status))
                                                   : "\"exit\":" + std::to_string(WEXITSTATUS(wait_status));
  line("{" + end + ",\"cpuUs\":" + std::to_string(microseconds(used.ru_utime) + microseconds(used.ru_stime)) +
       ",\"maxRssKb\":" + std::to_string(used.ru_maxrss) + ",\"blocksRead\":" + std::to_string(used.ru_inblock) +
       ",\"blocksWritten\":" + std::to_string(used.ru_oublock) + "}");
}

void Status::line(const std::string& text) const {
  const std::string bytes = text + '\n';
  ssize_t written;
  do {
    written = write(fd_, bytes.data(), bytes.size());
  } while (written < 0 && errno == EINTR);
}
