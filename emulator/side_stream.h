// The emulated device's second stream: copies from pinned memory wait in it until the first stream
// waits for an event behind them, and until then their targets are NaN. So work that forgets to
// wait, and a host that writes to pinned memory too soon, give wrong numbers.
#pragma once
#include <cstdint>

namespace soma::emulator {

void* new_event();
void destroy_event(void* event);
void record_event(void* event);   // on the first stream, whose work is done when it is queued
void record_upload(void* event);  // on the second
bool event_done(void* event);     // one never recorded is
void wait_for(void* event);       // does everything up to it
void upload_waits_for(void* event);
void upload(void* device, const void* pinned, int64_t bytes);

}  // namespace soma::emulator
