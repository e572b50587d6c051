//! The processes of a command: all of them, also those that left its group or session, or whose parent is gone.
//!
//! This program is the reaper of orphans below it (PR_SET_CHILD_SUBREAPER, prctl(2)), so nothing escapes upwards; and
//! every command carries a mark in its environment, by which its processes are known wherever they hang. What scrubs its
//! environment is found as a descendant. The watchdog does the same should this program die.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions};

use super::procfs::{self, Child, Process};
use super::{mark, watchdog};

/// How long processes that were told to end may take before they are killed.
const GRACE: Duration = Duration::from_secs(2);

/// How long killed processes are looked for.
const LAST: Duration = Duration::from_secs(5);

static REAPER: Once = Once::new();

/// Children of this program that are no orphans of the command at hand: other commands, and daemons that commands which
/// ended by themselves left on purpose.
static KNOWN: LazyLock<Mutex<HashSet<i32>>> = LazyLock::new(Mutex::default);

/// Threads that end what nobody waits for any more.
static ENDING: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

/// A command's processes. Dropped before it was released, it has them killed.
pub struct ProcessTree {
    members: Members,
    open: bool,
}

/// How the processes of a command are known.
#[derive(Clone)]
struct Members {
    mark: String,
    root: Option<Child>,
}

impl ProcessTree {
    pub fn new() -> Self {
        REAPER.call_once(|| {
            // Orphans below become children of this process. Without it they are still found by their mark.
            let _ = rustix::process::set_child_subreaper(Some(Pid::INIT));
        });
        watchdog::start();
        Self { members: Members { mark: mark::next(), root: None }, open: true }
    }

    /// Has a command bear the mark of this tree; what the mark is.
    pub fn mark(&self, command: &mut tokio::process::Command) -> &str {
        command.env(mark::VARIABLE, &self.members.mark);
        &self.members.mark
    }

    /// Starts the command. It is known before anybody can take it for an orphan of another: until it has become its
    /// program, it bears no mark.
    pub fn spawn(&mut self, command: &mut tokio::process::Command) -> std::io::Result<tokio::process::Child> {
        let mut known = known();
        let child = command.spawn()?;
        self.members.root = child.id().and_then(Child::started);
        known.extend(self.members.root.as_ref().map(|root| root.pid));
        Ok(child)
    }

    /// The command has ended by itself: what it left running stays.
    pub fn release(&mut self) {
        self.closed();
        let mut known = known();
        let left: Vec<i32> = procfs::orphans().into_iter().filter(|orphan| !known.contains(orphan)).collect();
        if !left.is_empty() {
            watchdog::spare(&self.members.mark);
            known.extend(left);
        }
    }

    /// Nothing of it is left, as somebody else has seen.
    pub fn gone(&mut self) {
        self.closed();
    }

    /// Ends all of it: first asked to, then killed. Returns when nothing of it is left.
    pub async fn end(&mut self) {
        let began = Instant::now();
        loop {
            let signal = if began.elapsed() > GRACE { Signal::KILL } else { Signal::TERM };
            let members = self.members.clone();
            // It takes all of /proc to find them, which is no work for the thread that keeps time.
            let left = tokio::task::spawn_blocking(move || members.send(signal));
            // Where nobody can be asked any more, the program ends, and its watchdog sees to the rest.
            if left.await.unwrap_or(0) == 0 || began.elapsed() > GRACE + LAST {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.closed();
    }

    fn closed(&mut self) {
        self.open = false;
        self.members.forget();
    }
}

impl Members {
    fn forget(&self) {
        if let Some(root) = &self.root {
            known().remove(&root.pid);
        }
    }

    /// Signals those that are alive; how many they are.
    fn send(&self, signal: Signal) -> usize {
        let alive = self.alive();
        procfs::send(&alive, signal);
        alive.len()
    }

    fn alive(&self) -> Vec<Process> {
        let here = procfs::here();
        let (children, mut strangers) = {
            // Both at one time: no command is started in between.
            let known = known();
            (procfs::children(), known.clone())
        };
        let root = self.root.as_ref().and_then(Child::process);
        if let Some(root) = root {
            strangers.remove(&root.pid);
        }
        strangers.extend(watchdog::pid());
        let mut alive = procfs::processes_of(|mark| mark == self.mark, root);
        // Orphans that carry no mark: children of this program that nothing else accounts for.
        for child in children {
            let other = strangers.contains(&child) || procfs::mark_of(child).is_some_and(|mark| mark != self.mark);
            if !other && !alive.iter().any(|process| process.pid == child) {
                alive.extend(Process::of(child));
            }
        }
        // The dead that only wait for their parent are gone; those that are ours are let go of here.
        alive.retain(|process| {
            if Some(*process) != root && process.parent() == Some(here) {
                let _ = rustix::process::waitpid(Pid::from_raw(process.pid), WaitOptions::NOHANG);
            }
            process.is_running()
        });
        alive
    }

    /// Kills them until nothing is left.
    fn kill(&self) {
        for _ in 0..50 {
            if self.send(Signal::KILL) == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.forget();
    }
}

impl Default for ProcessTree {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ProcessTree {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        // Nobody waits for it any more: its command is killed at once, and what else there is on a thread of its own.
        if let Some(root) = &self.members.root {
            root.kill();
        }
        let members = self.members.clone();
        // Without a thread, the watchdog finds them when this program ends.
        if let Ok(thread) = std::thread::Builder::new().name("end-commands".to_owned()).spawn(move || members.kill()) {
            let mut ending = ENDING.lock().unwrap_or_else(PoisonError::into_inner);
            ending.retain(|thread| !thread.is_finished());
            ending.push(thread);
        }
    }
}

/// Waits until what nobody waited for any more has been ended.
pub(super) fn finish_ending() {
    let ending = std::mem::take(&mut *ENDING.lock().unwrap_or_else(PoisonError::into_inner));
    for thread in ending {
        let _ = thread.join();
    }
}

fn known() -> MutexGuard<'static, HashSet<i32>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_ended() {
        let mut tree = ProcessTree::new();
        let mut command = tokio::process::Command::new("sh");
        // One in a session of its own, which hears nothing; and one without the mark.
        command.args(["-c", "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 60' & env -i sleep 60 & sleep 60"]);
        tree.mark(&mut command);
        let _child = tree.spawn(&mut command).expect("sh");
        let members = tree.members.clone();
        while members.alive().len() < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(tree);
        finish_ending();
        assert_eq!(members.alive(), []);
    }
}
