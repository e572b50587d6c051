//! Processes as /proc shows them, and signals that reach the one that was meant.
//!
//! A number that was read from /proc may be another process's a moment later. So a process is its number and the time at
//! which it was started; it is signalled through a descriptor (pidfd_open(2)) that was opened before that time was read
//! once more. Where the kernel has no such descriptors, by its number, as soon after it was checked as can be.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, LazyLock};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};

use super::mark;

/// A process, told apart from any other that had or will have its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub pid: i32,
    /// When it was started, in ticks since the system was.
    started: u64,
}

/// What proc_pid_stat(5) says of a process.
#[derive(Clone, Copy)]
struct Stat {
    state: char,
    parent: i32,
    started: u64,
}

impl Stat {
    /// The name in it may hold anything, but is the last in parentheses.
    fn of(pid: i32) -> Option<Self> {
        // One reading, since this is asked of every process there is; with a name of 64 bytes it has less than 512.
        let mut bytes = [0; 1024];
        let count = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut bytes).ok()?;
        let stat = &bytes[..count];
        let behind_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
        let mut fields = std::str::from_utf8(&stat[behind_name..]).ok()?.split_whitespace();
        let (state, parent) = (fields.next()?.chars().next()?, fields.next()?.parse().ok()?);
        Some(Self { state, parent, started: fields.nth(17)?.parse().ok()? })
    }

    /// Not one of the dead that only wait for their parent.
    fn is_running(self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

impl Process {
    /// The one that has this number now.
    pub fn of(pid: i32) -> Option<Self> {
        Stat::of(pid).map(|stat| Self { pid, started: stat.started })
    }

    fn stat(self) -> Option<Stat> {
        Stat::of(self.pid).filter(|stat| stat.started == self.started)
    }

    pub fn is_running(self) -> bool {
        self.stat().is_some_and(Stat::is_running)
    }

    pub fn parent(self) -> Option<i32> {
        self.stat().map(|stat| stat.parent)
    }

    /// Sends it a signal. One that is gone is no error.
    pub fn signal(self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            // The descriptor means who had the number when it was opened: that must be this one.
            Ok(process) if self.stat().is_some() => drop(rustix::process::pidfd_send_signal(process, signal)),
            Ok(_) | Err(Errno::SRCH) => {}
            Err(_) if self.stat().is_some() => drop(rustix::process::kill_process(pid, signal)),
            Err(_) => {}
        }
    }
}

/// A child of this program. As long as it was not waited for, nobody else has its number; from then on, nobody has it.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub pid: i32,
    /// None where the kernel has no such descriptors: then what it was when it was started.
    descriptor: Result<Arc<OwnedFd>, Option<Process>>,
}

impl Child {
    /// One that was just started, and was not waited for.
    pub fn started(pid: u32) -> Option<Self> {
        let pid = i32::try_from(pid).ok()?;
        let descriptor = match rustix::process::pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()) {
            Ok(descriptor) => Ok(Arc::new(descriptor)),
            Err(_) => Err(Process::of(pid)),
        };
        Some(Self { pid, descriptor })
    }

    /// The process, unless it was waited for.
    pub fn process(&self) -> Option<Process> {
        match &self.descriptor {
            // What has the number is read first: while there still is such a process, that was it.
            Ok(descriptor) => {
                let process = Process::of(self.pid);
                is_there(descriptor).then_some(process).flatten()
            }
            Err(process) => *process,
        }
    }

    /// Kills it. One that is gone is no error.
    pub fn kill(&self) {
        match &self.descriptor {
            Ok(descriptor) => drop(rustix::process::pidfd_send_signal(descriptor, Signal::KILL)),
            Err(process) => process.iter().for_each(|process| process.signal(Signal::KILL)),
        }
    }
}

/// Whether a process was not waited for yet.
fn is_there(descriptor: &OwnedFd) -> bool {
    let target = WaitId::PidFd(descriptor.as_fd());
    // Left as it is, for who waits for it.
    let left = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    rustix::process::waitid(target, left).is_ok()
}

/// Sends a signal to each, in their order.
pub(super) fn send(processes: &[Process], signal: Signal) {
    processes.iter().for_each(|process| process.signal(signal));
}

/// Every process whose mark is wanted, `root`, and all that descends from these; parents before their children, so that
/// a shell that is signalled in this order does not go on to its next command because the one before it ended. It takes
/// all of /proc to find them.
pub(super) fn processes_of(wanted: impl Fn(&str) -> bool, root: Option<Process>) -> Vec<Process> {
    let mut stats: HashMap<i32, Stat> = HashMap::new();
    let mut found: HashSet<i32> = HashSet::new();
    for pid in every() {
        let Some(stat) = Stat::of(pid) else { continue };
        stats.insert(pid, stat);
        let is_root = root == Some(Process { pid, started: stat.started }) && stat.is_running();
        if is_root || mark_of(pid).is_some_and(|mark| wanted(&mark)) {
            found.insert(pid);
        }
    }
    loop {
        let is_child = |stat: &Stat| found.contains(&stat.parent);
        let more: Vec<i32> =
            stats.iter().filter(|(pid, stat)| is_child(stat) && !found.contains(pid)).map(|(pid, _)| *pid).collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    let depth = |process: &Process| {
        let parent = |pid: &i32| stats.get(pid).map(|stat| stat.parent);
        let mut above = parent(&process.pid);
        let mut depth = 0;
        while let Some(parent_pid) = above.filter(|parent| depth < stats.len() && found.contains(parent)) {
            depth += 1;
            above = parent(&parent_pid);
        }
        depth
    };
    let alive = found.iter().filter_map(|pid| Some((*pid, *stats.get(pid)?))).filter(|(_, stat)| stat.is_running());
    let mut alive: Vec<Process> = alive.map(|(pid, stat)| Process { pid, started: stat.started }).collect();
    alive.sort_by_key(depth);
    alive
}

fn every() -> impl Iterator<Item = i32> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The mark that a process bears.
pub(super) fn mark_of(pid: i32) -> Option<String> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|byte| *byte == 0).find_map(|entry| {
        let entry = std::str::from_utf8(entry).ok()?;
        Some(entry.strip_prefix(mark::VARIABLE)?.strip_prefix('=')?.to_owned())
    })
}

/// Whether `id` is a thread of a process.
pub(super) fn is_thread_of(process: i32, id: i32) -> bool {
    std::path::Path::new(&format!("/proc/{process}/task/{id}")).exists()
}

/// This process's number.
pub(super) fn here() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// The children of this process, of all its threads.
pub(super) fn children() -> Vec<i32> {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let listed = threads.map(|thread| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    listed.flat_map(|listed| numbers(&listed)).collect()
}

/// What was left to this process by a parent that is gone: the kernel gives such a child to the first thread, and
/// commands are started by another one.
pub(super) fn orphans() -> Vec<i32> {
    // Kept open, since this is asked after every command; proc_pid_children(5) is made anew for each reading from 0.
    static CHILDREN: LazyLock<std::io::Result<File>> =
        LazyLock::new(|| File::open(format!("/proc/self/task/{}/children", here())));
    let mut listed = [0; 4096];
    let count = CHILDREN.as_ref().ok().and_then(|file| file.read_at(&mut listed, 0).ok()).unwrap_or(0);
    if count == listed.len() {
        return children();
    }
    numbers(&String::from_utf8_lossy(&listed[..count]))
}

fn numbers(listed: &str) -> Vec<i32> {
    listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> std::process::Child {
        std::process::Command::new("sleep").arg("60").spawn().expect("sleep")
    }

    #[test]
    fn a_signal_reaches_only_the_process_that_was_meant() {
        let mut child = sleeper();
        let process = Process::of(child.id() as i32).expect("it is there");
        // Another one had this number before it.
        Process { started: process.started - 1, ..process }.signal(Signal::KILL);
        assert!(process.is_running());
        process.signal(Signal::KILL);
        let status = child.wait().expect("waited for");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
        assert!(!process.is_running() && Process::of(process.pid) != Some(process));
        process.signal(Signal::KILL);
    }

    #[test]
    fn a_child_is_known_until_it_was_waited_for() {
        let mut child = sleeper();
        let known = Child::started(child.id()).expect("it is there");
        let process = known.process().expect("it runs");
        known.kill();
        let status = child.wait().expect("waited for");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
        assert_eq!(known.process(), None);
        assert!(!process.is_running());
        known.kill();
    }

    #[test]
    fn what_only_waits_for_its_parent_does_not_run() {
        let mut child = sleeper();
        let process = Process::of(child.id() as i32).expect("it is there");
        child.kill().expect("killed");
        let dead = || Stat::of(process.pid).is_some_and(|stat| !stat.is_running());
        while !dead() {
            std::thread::yield_now();
        }
        assert!(!process.is_running() && processes_of(|_| false, Some(process)).is_empty());
        child.wait().expect("waited for");
    }

    #[test]
    fn parents_come_before_their_children() {
        let mark = format!("{}-parents", *mark::RUN);
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 60 & sleep 60 & wait"])
            .env(mark::VARIABLE, &mark)
            .spawn()
            .expect("sh");
        let found = || processes_of(|known| known == mark, None);
        while found().len() < 3 {
            std::thread::yield_now();
        }
        let found = found();
        assert_eq!(found[0].pid, child.id() as i32);
        assert!(found[1..].iter().all(|process| process.parent() == Some(found[0].pid)));
        send(&found, Signal::KILL);
        child.wait().expect("waited for");
    }
}
