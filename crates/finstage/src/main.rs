//! The program: parse, run one command, say how it ended.

use std::process::ExitCode;

/// Columns of a backtest come and go a thousand times a second; the system's allocator gives each back to
/// the kernel and has its pages cleared again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    share_heap_of_c();
    finstage::commands::main()
}

/// Lets all threads share one heap of the C library. `SQLite` and zstd allocate there, on whichever thread asks;
/// with a heap for each, what one thread freed stayed with it, and a service grew by it for weeks.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn share_heap_of_c() {
    #[expect(unsafe_code, reason = "there is no other way to tell the C library")]
    // SAFETY: it sets a number in the allocator, and no other thread runs yet.
    let set = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    debug_assert_eq!(set, 1, "glibc knows this number");
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn share_heap_of_c() {}
