#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tsbuild {

struct Pattern {
  /** Four at least. */
  std::string bytes;
  /** Line breaks inside it do not count: programs that encode break their lines. */
  bool wrapped = false;
};

struct Match {
  size_t begin;
  size_t end;
  size_t pattern;
};

/** Byte strings that are looked for together, in one pass. */
class Patterns {
 public:
  explicit Patterns(std::vector<Pattern> all);

  /**
   * Appends the matches in a text from left to right; none overlaps another, and of those that begin at one place the longest counts. Returns where
   * one may begin of which the text has only the beginning, or the text's size; behind that nothing was looked for. `last`: the text has no continuation.
   */
  size_t find(std::string_view text, bool last, std::vector<Match>* matches) const;

 private:
  enum class Found { kNot, kCut, kWhole };
  /** What the patterns that begin with the same bytes come to at one place. */
  struct Best {
    bool cut = false;
    size_t end = 0;
    size_t pattern = 0;
  };

  Found compare(std::string_view text, const Pattern& pattern, size_t* end) const;
  void improve(std::string_view text, size_t begin, uint32_t pattern, Best* best) const;
  Best best_at(std::string_view text, size_t begin) const;

  std::vector<Pattern> all_;
  std::bitset<65536> beginnings_;
  std::unordered_map<uint32_t, std::vector<uint32_t>> by_beginning_;
};

}  // namespace tsbuild
