#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "matches.h"

namespace tsbuild {

struct Pattern {
  /** Four at least. */
  std::string bytes;
  /** What does not count inside it, up to three of them in a row: programs that encode break their lines. None of it is in `bytes`. */
  std::string breaks;
  /** Patterns of one group are forms of the same. */
  size_t group = 0;
};

/** Byte strings that are looked for together, in one pass. */
class Patterns {
 public:
  explicit Patterns(std::vector<Pattern> all);

  /**
   * Adds the matches in a text, which begins at `offset`, from left to right: at each place the longest of each group. Returns where one may begin
   * of which the text has only the beginning, or the text's size; behind that nothing was looked for. `last`: the text has no continuation.
   */
  size_t find(std::string_view text, size_t offset, bool last, Matches* matches) const;

  size_t groups() const { return groups_; }
  /** Bytes of the longest, without breaks. */
  size_t longest() const { return longest_; }

 private:
  enum class Found { kNot, kCut, kWhole };
  /** The patterns in which the same bytes do not count. */
  struct Class {
    std::string breaks;
    std::bitset<256> is_break;
    std::bitset<256> firsts;
    std::bitset<65536> beginnings;
    std::vector<uint32_t> all;
    std::unordered_map<uint32_t, std::vector<uint32_t>> by_beginning;
  };

  Class& class_of(const std::string& breaks);
  static Found beginning_at(std::string_view text, const Class& kind, uint32_t* beginning);
  Found compare(std::string_view text, const Pattern& pattern, const Class& kind, size_t* end) const;
  /** Adds what begins at a place; true where a text that goes on may have more there. */
  bool find_at(std::string_view text, size_t begin, const Class& kind, std::vector<Match>* found) const;

  std::vector<Pattern> all_;
  std::vector<Class> classes_;
  size_t groups_ = 0;
  size_t longest_ = 0;
};

}  // namespace tsbuild
