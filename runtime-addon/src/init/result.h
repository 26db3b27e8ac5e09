#pragma once

#include <cerrno>
#include <string>
#include <string_view>

// What a step came to: ok, or the system call that failed, its errno and the path (or other value) it was given.
struct [[nodiscard]] Result {
  const char* syscall = nullptr;
  int error = 0;
  std::string path;

  bool ok() const { return syscall == nullptr; }
};

inline Result success() { return {}; }

inline Result failure(const char* syscall, int error, std::string_view path = {}) { return {syscall, error, std::string(path)}; }

// The failure of the call made just before: takes errno.
inline Result failed(const char* syscall, std::string_view path = {}) { return failure(syscall, errno, path); }
