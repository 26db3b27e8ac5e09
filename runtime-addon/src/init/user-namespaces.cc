#include "user-namespaces.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <iterator>

namespace {

constexpr unsigned kRefused = SECCOMP_RET_ERRNO | EPERM;
// The C library then falls back to clone, whose flags a filter can see.
constexpr unsigned kUnknown = SECCOMP_RET_ERRNO | ENOSYS;

constexpr sock_filter load(unsigned offset) { return {BPF_LD | BPF_W | BPF_ABS, 0, 0, offset}; }
constexpr sock_filter jump_equal(unsigned value, unsigned char yes, unsigned char no) { return {BPF_JMP | BPF_JEQ | BPF_K, yes, no, value}; }
constexpr sock_filter give(unsigned result) { return {BPF_RET | BPF_K, 0, 0, result}; }

#if defined(__x86_64__)
constexpr unsigned kNative = AUDIT_ARCH_X86_64, kCompat = AUDIT_ARCH_I386;
constexpr unsigned kCompatUnshare = 310, kCompatClone = 120;
#elif defined(__aarch64__)
constexpr unsigned kNative = AUDIT_ARCH_AARCH64, kCompat = AUDIT_ARCH_ARM;
constexpr unsigned kCompatUnshare = 337, kCompatClone = 120;
#else
#error "the numbers of this processor's system calls are missing"
#endif
// The same in every table since it was added (Linux 5.3).
constexpr unsigned kClone3 = 435;
constexpr unsigned kX32 = 0x40000000;

// A jump counts instructions behind the next one. Both calls have their flags in the first argument on these processors
// (clone(2), "C library/kernel differences").
constexpr sock_filter kFilter[] = {
    /*  0 */ load(offsetof(seccomp_data, arch)),
    /*  1 */ jump_equal(kNative, 2, 0),   // 4
    /*  2 */ jump_equal(kCompat, 6, 0),   // 9
    /*  3 */ give(kUnknown),
    /*  4 */ load(offsetof(seccomp_data, nr)),
    /*  5 */ {BPF_JMP | BPF_JGE | BPF_K, 10, 0, kX32},  // 16
    /*  6 */ jump_equal(kClone3, 9, 0),       // 16
    /*  7 */ jump_equal(__NR_unshare, 5, 0),  // 13
    /*  8 */ jump_equal(__NR_clone, 4, 6),    // 13, 15
    /*  9 */ load(offsetof(seccomp_data, nr)),
    /* 10 */ jump_equal(kClone3, 5, 0),         // 16
    /* 11 */ jump_equal(kCompatUnshare, 1, 0),  // 13
    /* 12 */ jump_equal(kCompatClone, 0, 2),    // 13, 15
    /* 13 */ load(offsetof(seccomp_data, args[0])),
    /* 14 */ {BPF_JMP | BPF_JSET | BPF_K, 2, 0, CLONE_NEWUSER},  // 17
    /* 15 */ give(SECCOMP_RET_ALLOW),
    /* 16 */ give(kUnknown),
    /* 17 */ give(kRefused),
};

}  // namespace

Result forbid_user_namespaces() {
  const sock_fprog program{std::size(kFilter), const_cast<sock_filter*>(kFilter)};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? success() : failed("prctl", "PR_SET_SECCOMP");
}
