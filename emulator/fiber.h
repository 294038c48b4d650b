// A fiber: a stack of its own and a hand-written switch to it and back (about 5 ns; x86-64, the
// System V convention). AddressSanitizer is told of every switch.
#pragma once
#include <cstddef>

namespace soma::emulator {

class Fiber {
 public:
  using Entry = void (*)(Fiber& self);
  explicit Fiber(Entry entry);  // Error: no memory for the stack
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void resume();   // runs the fiber until it yields; not from within it
  void yield();    // back to the one who resumed; from within it only
  void restart();  // forgets what it was doing and begins anew at its entry

 private:
  static void begin();  // what a new stack returns into
  void prepare();

  Entry entry_;
  std::byte* stack_;
  void *inside_ = nullptr, *outside_ = nullptr;  // stack pointers of whoever is suspended
  // AddressSanitizer's: the resumer's stack, and both sides' fake stacks.
  const void* outside_stack_ = nullptr;
  size_t outside_size_ = 0;
  void *inside_fake_ = nullptr, *outside_fake_ = nullptr;
};

}  // namespace soma::emulator
