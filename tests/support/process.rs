//! Runs as processes: signals, limits, a terminal, and what is left of them.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

#[track_caller]
pub fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How many commands of a run are alive, by the mark that it gives them.
pub fn commands(child: &Child) -> usize {
    let mark = format!("={}.", child.id());
    let marked = |environ: Vec<u8>| {
        environ.split(|byte| *byte == 0).any(|variable| {
            let variable = String::from_utf8_lossy(variable);
            variable.starts_with("RUNBOOK_") && variable.contains(&mark)
        })
    };
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    processes.filter(|entry| marked(std::fs::read(entry.path().join("environ")).unwrap_or_default())).count()
}

pub fn signal(child: &Child, signal: i32) {
    // SAFETY: sends a signal to a child of a test.
    unsafe { libc::kill(child.id() as i32, signal) };
}

/// No file of the command may become longer than this: to a journal that is a full disk.
pub fn limit_files(command: &mut Command, bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: setrlimit(2) alone between fork and exec, on a value that was prepared.
    unsafe {
        command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
}

/// Gives a command a terminal of its own; what is written to what this returns is typed there.
pub fn on_a_terminal(command: &mut Command) -> OwnedFd {
    use rustix::pty::{OpenptFlags, grantpt, openpt, unlockpt};
    let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&keys).and_then(|()| unlockpt(&keys)).expect("a terminal");
    let side = side_of(&keys);
    command.stdin(side.try_clone().expect("a terminal"));
    // SAFETY: plain system calls between fork and exec, on a descriptor that is held here.
    unsafe {
        command.pre_exec(move || {
            libc::setsid();
            match libc::ioctl(side.as_raw_fd(), libc::TIOCSCTTY, 0) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
    keys
}

/// The side of a terminal on which it is written to.
pub fn side_of(keys: &OwnedFd) -> OwnedFd {
    use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer};
    ioctl_tiocgptpeer(keys, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("its other side")
}

/// A private directory in `folder`, as a probe of a run whose process is gone would have left it.
pub fn left_by_a_probe(folder: &Path) -> PathBuf {
    let namespace = std::fs::metadata("/proc/self/ns/pid").expect("a namespace").ino();
    let path = folder.join(format!("runbook-probe-4294967295.17ab.2a.{namespace:x}-aBc123"));
    std::fs::create_dir(&path).expect("made");
    path
}
