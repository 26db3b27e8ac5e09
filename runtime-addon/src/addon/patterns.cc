#include "patterns.h"

#include <cstring>

namespace tsbuild {

namespace {

/** What a pattern is found by. */
constexpr size_t kBeginning = 4;

uint32_t beginning_of(const char* at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

// Knuth's multiplicative hash: neighbouring values fall apart.
uint16_t hash(uint32_t beginning) { return static_cast<uint16_t>((beginning * 2654435761u) >> 16); }

bool is_line_break(char c) { return c == '\n' || c == '\r'; }

}  // namespace

Patterns::Patterns(std::vector<Pattern> all) : all_(std::move(all)) {
  for (uint32_t i = 0; i < all_.size(); i++) {
    uint32_t beginning = beginning_of(all_[i].bytes.data());
    beginnings_.set(hash(beginning));
    by_beginning_[beginning].push_back(i);
  }
}

Patterns::Found Patterns::compare(std::string_view text, const Pattern& pattern, size_t* end) const {
  size_t at = 0;
  if (!pattern.wrapped) {
    at = std::min(text.size(), pattern.bytes.size());
    if (memcmp(text.data(), pattern.bytes.data(), at) != 0) return Found::kNot;
    *end = at;
    return at == pattern.bytes.size() ? Found::kWhole : Found::kCut;
  }
  for (size_t i = 0; i < pattern.bytes.size(); at++) {
    if (at == text.size()) return Found::kCut;
    if (text[at] == pattern.bytes[i]) i++;
    else if (i == 0 || !is_line_break(text[at])) return Found::kNot;
  }
  *end = at;
  return Found::kWhole;
}

void Patterns::improve(std::string_view text, size_t begin, uint32_t pattern, Best* best) const {
  size_t length = 0;
  switch (compare(text.substr(begin), all_[pattern], &length)) {
    case Found::kNot:
      return;
    case Found::kCut:
      best->cut = true;
      return;
    case Found::kWhole:
      if (begin + length <= best->end) return;
      best->end = begin + length;
      best->pattern = pattern;
  }
}

Patterns::Best Patterns::best_at(std::string_view text, size_t begin) const {
  Best best;
  if (text.size() - begin < kBeginning) {
    for (uint32_t i = 0; i < all_.size(); i++) improve(text, begin, i, &best);
    return best;
  }
  auto found = by_beginning_.find(beginning_of(text.data() + begin));
  if (found == by_beginning_.end()) return best;
  for (uint32_t pattern : found->second) improve(text, begin, pattern, &best);
  return best;
}

size_t Patterns::find(std::string_view text, bool last, std::vector<Match>* matches) const {
  for (size_t at = 0; at < text.size();) {
    // Nearly every place ends here.
    if (text.size() - at >= kBeginning && !beginnings_[hash(beginning_of(text.data() + at))]) {
      at++;
      continue;
    }
    Best best = best_at(text, at);
    if (best.cut && !last) return at;
    if (best.end == 0) {
      at++;
    } else {
      matches->push_back({at, best.end, best.pattern});
      at = best.end;
    }
  }
  return text.size();
}

}  // namespace tsbuild
