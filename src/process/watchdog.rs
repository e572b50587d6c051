//! The watchdog: this program run once more, which ends the commands in flight should the first one die.
//!
//! It knows the run's mark, and is told over a pipe which of its commands ended by themselves and left something
//! running on purpose. When the pipe closes, the program is gone (killed, crashed, out of memory): all processes that
//! carry the run's mark are killed, but for those left on purpose, and the watchdog ends. A command that leaves nothing
//! behind costs no word.

use std::collections::HashSet;
use std::io::{BufRead, Write};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use super::{mark, private_dirs, procfs};

/// The hidden first argument that makes this program a watchdog.
pub const ARGUMENT: &str = "--keep-commands";

/// The line that ends a watchdog that is no longer needed.
const DISMISSED: &str = "dismissed";

static STARTED: AtomicBool = AtomicBool::new(false);

static WATCHDOG: LazyLock<Mutex<Option<Child>>> = LazyLock::new(|| {
    let program = std::env::var_os("RUNBOOK_HELPER").map_or_else(|| "/proc/self/exe".into(), std::path::PathBuf::from);
    let mut command = Command::new(program);
    let holds = HOLDS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
    if !holds.is_empty() {
        // SAFETY: only fcntl(2) between fork and exec, on files that this program holds as long as it runs.
        unsafe {
            command.pre_exec(move || {
                for file in &holds {
                    if libc::fcntl(*file, libc::F_SETFD, 0) < 0 {
                        return Err(std::io::Error::last_os_error());
                    }
                }
                Ok(())
            });
        }
    }
    let started = command
        .args([ARGUMENT, mark::RUN.as_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .env_remove(mark::VARIABLE)
        .spawn();
    Mutex::new(started.ok())
});

/// What the watchdog holds as long as it lives: the run's locks, which are not free while a command of it may run.
static HOLDS: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());

/// The watchdog holds this file open, too; said before the first command is started.
pub fn hold(file: BorrowedFd<'_>) {
    HOLDS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(file.as_raw_fd());
}

/// It need not be held any more.
pub(super) fn release(file: BorrowedFd<'_>) {
    HOLDS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).retain(|held| *held != file.as_raw_fd());
}

/// Has the commands of this run watched over from now on.
pub(super) fn start() {
    STARTED.store(true, Ordering::Relaxed);
    LazyLock::force(&WATCHDOG);
}

/// A command has ended by itself, and what it left running is to stay.
pub(super) fn spare(mark: &str) {
    let mut watchdog = WATCHDOG.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(pipe) = watchdog.as_mut().and_then(|watchdog| watchdog.stdin.as_mut()) {
        // A watchdog that is gone can't be told; commands still end with their limits and cancels.
        let _ = pipe.write_all(format!("{mark}\n").as_bytes());
    }
}

/// This program ends in order: nothing is in flight, and its watchdog goes before it.
pub(super) fn dismiss() {
    if !STARTED.load(Ordering::Relaxed) {
        return;
    }
    let watchdog = WATCHDOG.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    if let Some(mut watchdog) = watchdog {
        let told = watchdog.stdin.as_mut().map(|pipe| pipe.write_all(format!("{DISMISSED}\n").as_bytes()));
        if matches!(told, Some(Ok(()))) {
            let _ = watchdog.wait();
        }
    }
}

pub(super) fn pid() -> Option<i32> {
    let watchdog = WATCHDOG.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    watchdog.as_ref().and_then(|watchdog| i32::try_from(watchdog.id()).ok())
}

/// What the watchdog does. Called first thing by `main`; `None` if this is no watchdog.
pub fn watchdog_main() -> Option<std::process::ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next()?.to_str()? != ARGUMENT {
        return None;
    }
    let run = args.next().unwrap_or_default().into_string().unwrap_or_default();
    // An interrupt from the keyboard goes to the whole group: the watchdog is the one who stays.
    // SAFETY: plain system calls; no handler of ours runs.
    unsafe {
        libc::setsid();
        libc::signal(libc::SIGINT, libc::SIG_IGN);
        libc::signal(libc::SIGTERM, libc::SIG_IGN);
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
        libc::signal(libc::SIGQUIT, libc::SIG_IGN);
    }
    // No folder is held by one who only waits.
    let _ = std::env::set_current_dir("/");
    let spared: HashSet<String> = std::io::stdin().lock().lines().map_while(Result::ok).collect();
    if spared.contains(DISMISSED) {
        return Some(std::process::ExitCode::SUCCESS);
    }
    let ours = |mark: &str| !run.is_empty() && mark::is_of(mark, &run) && !spared.contains(mark);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        let alive = procfs::processes_of(ours, None);
        if alive.is_empty() {
            break;
        }
        procfs::send(&alive, rustix::process::Signal::KILL);
        std::thread::sleep(Duration::from_millis(10));
    }
    if !run.is_empty() {
        private_dirs::of_run(&run);
    }
    Some(std::process::ExitCode::SUCCESS)
}
