//! The keeper: this program run once more, which ends the commands in flight should the first one die.
//!
//! It is told the mark of every command that starts and ends, over a pipe. When the pipe closes, the program is gone
//! (killed, crashed, out of memory): all processes that carry a mark still open are killed, and the keeper ends.

use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use super::tree;

/// The hidden first argument that makes this program a keeper.
pub const ARGUMENT: &str = "--keep-commands";

static KEEPER: LazyLock<Mutex<Option<Child>>> = LazyLock::new(|| {
    let program = std::env::var_os("RUNBOOK_HELPER").map_or_else(|| "/proc/self/exe".into(), std::path::PathBuf::from);
    let started = Command::new(program)
        .arg(ARGUMENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .env_remove(tree::MARK)
        .spawn();
    Mutex::new(started.ok())
});

/// Has a command watched over.
pub(super) fn watch(mark: &str) {
    tell('+', mark);
}

pub(super) fn forget(mark: &str) {
    tell('-', mark);
}

fn tell(sign: char, mark: &str) {
    let mut keeper = KEEPER.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(pipe) = keeper.as_mut().and_then(|keeper| keeper.stdin.as_mut()) {
        // A keeper that is gone can't be told; commands still end with their limits and cancels.
        let _ = pipe.write_all(format!("{sign}{mark}\n").as_bytes());
    }
}

pub(super) fn pid() -> Option<i32> {
    let keeper = KEEPER.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    keeper.as_ref().and_then(|keeper| i32::try_from(keeper.id()).ok())
}

/// What the keeper does. Called first thing by `main`; `None` if this is no keeper.
pub fn main() -> Option<std::process::ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next()?.to_str()? != ARGUMENT {
        return None;
    }
    // An interrupt from the keyboard goes to the whole group: the keeper is the one who stays.
    // SAFETY: plain system calls; no handler of ours runs.
    unsafe {
        libc::setsid();
        libc::signal(libc::SIGINT, libc::SIG_IGN);
        libc::signal(libc::SIGTERM, libc::SIG_IGN);
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
    }
    let mut open: BTreeSet<String> = BTreeSet::new();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        match line.split_at_checked(1) {
            Some(("+", mark)) => {
                open.insert(mark.to_owned());
            }
            Some(("-", mark)) => {
                open.remove(mark);
            }
            _ => {}
        }
    }
    let marks: Vec<String> = open.into_iter().collect();
    let began = Instant::now();
    while !marks.is_empty() && began.elapsed() < Duration::from_secs(5) {
        let alive = tree::processes_of(&marks, None);
        if alive.is_empty() {
            break;
        }
        tree::send(&alive, libc::SIGKILL);
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(std::process::ExitCode::SUCCESS)
}
