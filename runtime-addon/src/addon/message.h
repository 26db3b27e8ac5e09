#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tsbuild {

/**
 * Reads a list that TypeScript packed as numbers (doubles), text and bytes, in the same order. The memory belongs to
 * JavaScript and is only lent. Reading past an end, or a number out of range, yields zero or nothing and spoils the message.
 */
class MessageReader {
 public:
  MessageReader() = default;
  MessageReader(const double* numbers, size_t count, std::string_view text, std::string_view bytes)
      : next_(numbers), end_(numbers + count), text_(text), bytes_(bytes) {}

  bool at_end() const { return next_ == end_; }
  /** False once something did not fit. */
  bool intact() const { return intact_; }

  int64_t number() {
    // 2^53: what a double holds exactly.
    constexpr double kMost = 9007199254740992.0;
    if (next_ == end_) return spoil();
    double value = *next_++;
    if (!(value >= -kMost && value <= kMost) || value != std::trunc(value)) return spoil();
    return static_cast<int64_t>(value);
  }
  int64_t number_within(int64_t least, int64_t most) {
    int64_t value = number();
    return value >= least && value <= most ? value : spoil();
  }
  uint32_t u32() { return static_cast<uint32_t>(number_within(0, UINT32_MAX)); }
  /** Not negative. */
  uint64_t size() { return static_cast<uint64_t>(number_within(0, INT64_MAX)); }
  std::string_view text() { return take(text_); }
  std::string_view bytes() { return take(bytes_); }
  void refuse() { intact_ = false; }

 private:
  int64_t spoil() {
    intact_ = false;
    next_ = end_;
    return 0;
  }
  std::string_view take(std::string_view& from) {
    uint64_t length = size();
    if (length > from.size()) {
      spoil();
      return {};
    }
    std::string_view taken = from.substr(0, length);
    from.remove_prefix(length);
    return taken;
  }

  const double* next_ = nullptr;
  const double* end_ = nullptr;
  std::string_view text_;
  std::string_view bytes_;
  bool intact_ = true;
};

}  // namespace tsbuild
