#pragma once

#include <cstddef>
#include <vector>

namespace tsbuild {

struct Match {
  size_t begin;
  size_t end;
  size_t pattern;
  size_t group;
};

/** What was found, at most so much of each group: one that is found often hides no other. */
class Matches {
 public:
  Matches(size_t groups, size_t most) : most_(most), ends_(groups, 0), counts_(groups, 0) {}

  /** What lies within an earlier match of its group adds nothing. They come in the order in which they begin. */
  void add(const Match& match) {
    if (match.end <= ends_[match.group]) return;
    ends_[match.group] = match.end;
    if (counts_[match.group]++ < most_) all_.push_back(match);
  }

  /** No group can have more. */
  bool full() const {
    for (size_t count : counts_)
      if (count < most_) return false;
    return true;
  }

  const std::vector<Match>& all() const { return all_; }

 private:
  size_t most_;
  std::vector<size_t> ends_;
  std::vector<size_t> counts_;
  std::vector<Match> all_;
};

}  // namespace tsbuild
