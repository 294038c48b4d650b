// The arena is one reservation, backed by an empty file: its pages fault whatever their protection,
// so that one mprotect over everything opens and closes the blocks mapped into it, and the gaps
// between them stay shut.
#include "emulator/memory.h"

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "emulator/block.h"
#include "emulator/capture.h"

namespace soma::emulator {
namespace {

constexpr size_t kPage = 4096, kArena = size_t{1} << 38, kAlignment = 16;

struct Region {
  size_t pages;  // bytes of the pages mapped, the guard not among them
  std::byte* first;
  size_t bytes;
};

thread_local sigjmp_buf* recovery = nullptr;
thread_local void* faulted = nullptr;

class Arena {
 public:
  static Arena& instance() {
    static Arena* const arena = new Arena;  // never destroyed: tensors may outlive main
    return *arena;
  }

  void* allocate(size_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto most = static_cast<size_t>(settings().memory_bytes);
    if (most > 0 && (bytes > most || taken_ > most - bytes)) return nullptr;
    const size_t pages = (bytes + kPage) / kPage * kPage;  // at least a byte of head room
    std::byte* place = find_gap(pages + kPage);
    void* mapped = mmap(place, pages, protection(), MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    std::byte* first = place + pages - (bytes + kAlignment - 1) / kAlignment * kAlignment;
    next_ = place + pages + kPage;
    end_ = std::max(end_, next_);
    taken_ += bytes;
    regions_[place] = {pages, first, bytes};
    mprotect(place, pages, PROT_READ | PROT_WRITE);
    std::memset(place, 0xFF, pages);
    if (open_ == 0) mprotect(place, pages, PROT_NONE);
    return first;
  }

  void release(void* block) {
    const std::lock_guard lock(mutex_);
    auto found = regions_.upper_bound(static_cast<std::byte*>(block));
    check(found != regions_.begin(), "emulator", "released what is no block of the device");
    --found;
    const auto [place, region] = *found;
    check(region.first == block, "emulator", "released what is no block of the device");
    mprotect(place, region.pages, PROT_READ);
    const bool clean = untouched(place, region.first) &&
                       untouched(region.first + region.bytes, place + region.pages);
    const auto offset = place - base_;
    mmap(place, region.pages, protection(), MAP_SHARED | MAP_FIXED | MAP_NORESERVE, file_, offset);
    taken_ -= region.bytes;
    regions_.erase(found);
    check(clean, "emulator", "something was written just outside a block of ", region.bytes,
          " bytes");
  }

  void open() {
    const std::lock_guard lock(mutex_);
    if (open_++ == 0) protect();
  }
  void close() {
    const std::lock_guard lock(mutex_);
    if (--open_ == 0) protect();
  }
  bool is_open() const { return open_ > 0; }
  bool contains(const void* address) const { return address >= base_ && address < base_ + kArena; }

  // Where the address lies, for reports.
  std::string describe(const void* address) {
    const auto* at = static_cast<const std::byte*>(address);
    if (!contains(at)) return "outside of the device's memory (a host pointer, or none)";
    const std::lock_guard lock(mutex_);
    auto found = regions_.upper_bound(const_cast<std::byte*>(at));
    if (found == regions_.begin()) return "in the device's memory, before any block";
    --found;
    const Region& region = found->second;
    return text(at - (region.first + region.bytes), " bytes behind the end of a block of ",
                region.bytes, " bytes");
  }

  static void install_handler();

 private:
  Arena() {
    file_ = memfd_create("soma emulator", MFD_CLOEXEC);
    check(file_ >= 0, "emulator", "cannot make the device's memory");
    void* base = mmap(nullptr, kArena, PROT_NONE, MAP_SHARED | MAP_NORESERVE, file_, 0);
    check(base != MAP_FAILED, "emulator", "cannot reserve the device's memory");
    base_ = next_ = end_ = static_cast<std::byte*>(base);
    install_handler();
  }

  static bool untouched(const std::byte* first, const std::byte* last) {
    return std::all_of(first, last, [](std::byte b) { return b == std::byte{0xFF}; });
  }
  int protection() const { return open_ > 0 ? PROT_READ | PROT_WRITE : PROT_NONE; }
  void protect() { mprotect(base_, static_cast<size_t>(end_ - base_), protection()); }

  // Behind the last block; from the start again once the reservation is used up.
  std::byte* find_gap(size_t bytes) {
    if (next_ + bytes <= base_ + kArena) return next_;
    std::byte* place = base_;
    for (const auto& [first, region] : regions_) {
      if (place + bytes <= first) break;
      place = first + region.pages + kPage;
    }
    check(place + bytes <= base_ + kArena, "emulator", "the device's addresses are used up");
    return place;
  }

  static void on_fault(int signal, siginfo_t* info, void*);

  std::byte *base_ = nullptr, *next_ = nullptr, *end_ = nullptr;
  std::map<std::byte*, Region> regions_;
  std::mutex mutex_;
  size_t taken_ = 0;  // bytes of the blocks
  int file_ = -1;
  int open_ = 0;
};

// A kernel's fault ends its launch; any other is reported and kills the process, as it would
// without the emulator.
void Arena::on_fault(int signal, siginfo_t* info, void*) {
  if (recovery != nullptr) {
    faulted = info->si_addr;
    siglongjmp(*recovery, 1);
  }
  if (instance().contains(info->si_addr)) {
    const char message[] =
        "emulator: the host touched device memory outside of a copy or a launch\n";
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
  }
  std::signal(signal, SIG_DFL);
}

void Arena::install_handler() {
  struct sigaction action = {};
  action.sa_sigaction = &Arena::on_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigaction(SIGSEGV, &action, nullptr);
  sigaction(SIGBUS, &action, nullptr);
}

// The handler's stack: a fiber may have used up its own.
void use_signal_stack() {
  thread_local std::byte stack[size_t{16} << 10];
  stack_t wanted = {};
  wanted.ss_sp = stack;
  wanted.ss_size = sizeof stack;
  sigaltstack(&wanted, nullptr);
}

}  // namespace

void* allocate(int64_t bytes) {
  check_may_allocate();
  return Arena::instance().allocate(static_cast<size_t>(bytes));
}
void release(void* block) { Arena::instance().release(block); }

DeviceAccess::DeviceAccess() { Arena::instance().open(); }
DeviceAccess::~DeviceAccess() { Arena::instance().close(); }

void run_guarded(void (*body)(void*), void* context) {
  Arena::install_handler();  // again: a test framework may have put its own in front
  use_signal_stack();
  sigjmp_buf here;
  if (sigsetjmp(here, 0) != 0) {
    recovery = nullptr;
    throw Fault{text("touches memory that is not there, ", Arena::instance().describe(faulted))};
  }
  recovery = &here;
  struct Forget {
    ~Forget() { recovery = nullptr; }
  } const forget;
  body(context);
}

}  // namespace soma::emulator
