#include "emulator/fiber.h"

#include <sys/mman.h>

#include <cstdint>

#include "base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define SOMA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SOMA_ASAN 1
#endif
#endif
#ifdef SOMA_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

// soma_fiber_switch(where to put the stack pointer, the stack pointer to take): keeps the registers
// that a callee must keep, and nothing else.
extern "C" void soma_fiber_switch(void** from, void* to);
asm(R"(
.text
.globl soma_fiber_switch
.type soma_fiber_switch, @function
soma_fiber_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size soma_fiber_switch, .-soma_fiber_switch
)");

namespace soma::emulator {
namespace {

constexpr size_t kGuard = 4096, kStack = size_t{128} << 10;

thread_local Fiber* starting = nullptr;

void before_switch([[maybe_unused]] void** fake, [[maybe_unused]] const void* stack,
                   [[maybe_unused]] size_t bytes) {
#ifdef SOMA_ASAN
  __sanitizer_start_switch_fiber(fake, stack, bytes);
#endif
}
void after_switch([[maybe_unused]] void* fake, [[maybe_unused]] const void** stack,
                  [[maybe_unused]] size_t* bytes) {
#ifdef SOMA_ASAN
  __sanitizer_finish_switch_fiber(fake, stack, bytes);
#endif
}

}  // namespace

Fiber::Fiber(Entry entry) : entry_(entry) {
  void* stack =
      mmap(nullptr, kGuard + kStack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  check(stack != MAP_FAILED, "emulator", "no memory for the stack of a thread");
  stack_ = static_cast<std::byte*>(stack) + kGuard;
  check(mprotect(stack_, kStack, PROT_READ | PROT_WRITE) == 0, "emulator",
        "no memory for the stack of a thread");
  prepare();
}

Fiber::~Fiber() { munmap(stack_ - kGuard, kGuard + kStack); }

// Six registers, the address to return to, and a frame that ends there.
void Fiber::prepare() {
  auto* top = reinterpret_cast<uintptr_t*>(stack_ + kStack) - 4;
  top[0] = reinterpret_cast<uintptr_t>(&Fiber::begin);
  top[1] = 0;
  for (int i = 1; i <= 6; ++i) top[-i] = 0;
  inside_ = top - 6;
  inside_fake_ = nullptr;
}

void Fiber::restart() { prepare(); }

void Fiber::begin() {
  Fiber& self = *starting;
  after_switch(nullptr, &self.outside_stack_, &self.outside_size_);
  self.entry_(self);
}

void Fiber::resume() {
  starting = this;
  before_switch(&outside_fake_, stack_, kStack);
  soma_fiber_switch(&outside_, inside_);
  after_switch(outside_fake_, nullptr, nullptr);
}

void Fiber::yield() {
  before_switch(&inside_fake_, outside_stack_, outside_size_);
  soma_fiber_switch(&inside_, outside_);
  after_switch(inside_fake_, &outside_stack_, &outside_size_);
}

}  // namespace soma::emulator
