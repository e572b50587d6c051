#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

fn main() -> std::process::ExitCode {
    one_arena();
    runbook::cli::main()
}

/// A run makes many small values on a thread of its own, for whose arena glibc would ask the kernel every few pages
/// (mallopt(3)).
fn one_arena() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointers, and no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TOP_PAD, 1 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 16 << 20);
    }
}
