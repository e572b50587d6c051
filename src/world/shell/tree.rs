//! The processes of a command: all of them, also those that left its group or session, or whose parent is gone.
//!
//! This program is the reaper of orphans below it (PR_SET_CHILD_SUBREAPER, prctl(2)), so nothing escapes upwards; and
//! every command carries a mark in its environment, by which its processes are known wherever they hang. What scrubs its
//! environment is found as a descendant. The keeper does the same should this program die.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, Once};
use std::time::{Duration, Instant};

use super::keeper;

/// The variable that marks a command's processes.
pub(super) const MARK: &str = "RUNBOOK_COMMAND";

/// How long processes that were told to end may take before they are killed.
const GRACE: Duration = Duration::from_secs(2);

/// How long killed processes are looked for.
const LAST: Duration = Duration::from_secs(5);

static COUNT: AtomicU64 = AtomicU64::new(0);
static REAPER: Once = Once::new();

/// Children of this program that are no orphans of the command at hand: other commands, and daemons that commands which
/// ended by themselves left on purpose.
static KNOWN: LazyLock<Mutex<HashSet<i32>>> = LazyLock::new(Mutex::default);

/// A command's processes. Dropped before it was released, it kills them.
pub(super) struct Tree {
    mark: String,
    root: Option<i32>,
    open: bool,
}

impl Tree {
    pub fn new() -> Self {
        REAPER.call_once(|| {
            // SAFETY: takes no pointers; it only says that orphans below become children of this process.
            unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
        });
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{}-{count}", std::process::id());
        keeper::watch(&mark);
        Self { mark, root: None, open: true }
    }

    pub fn mark(&self, command: &mut tokio::process::Command) {
        command.env(MARK, &self.mark);
    }

    pub fn started(&mut self, pid: Option<u32>) {
        self.root = pid.and_then(|pid| i32::try_from(pid).ok());
        if let Some(root) = self.root {
            known().insert(root);
        }
    }

    /// The command has ended by itself: what it left running stays.
    pub fn release(&mut self) {
        self.open = false;
        keeper::forget(&self.mark);
        let mut known = known();
        if let Some(root) = self.root {
            known.remove(&root);
        }
        let children = children_of(std::process::id() as i32);
        known.extend(children);
    }

    /// Ends all of it: first asked to, then killed. Returns when nothing of it is left.
    pub async fn end(&mut self) {
        let began = Instant::now();
        let mut signal = libc::SIGTERM;
        loop {
            let alive = self.processes();
            if alive.is_empty() || began.elapsed() > GRACE + LAST {
                break;
            }
            if began.elapsed() > GRACE {
                signal = libc::SIGKILL;
            }
            send(&alive, signal);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.closed();
    }

    fn closed(&mut self) {
        self.open = false;
        keeper::forget(&self.mark);
        if let Some(root) = self.root {
            known().remove(&root);
        }
    }

    fn processes(&self) -> Vec<i32> {
        let here = std::process::id() as i32;
        let mut strangers = known().clone();
        if let Some(root) = self.root {
            strangers.remove(&root);
        }
        strangers.extend(keeper::pid());
        let all = processes_of(std::slice::from_ref(&self.mark), self.root);
        // Orphans that carry no mark: children of this program that nothing else accounts for.
        let mut alive = all;
        if COUNT.load(Ordering::Relaxed) > 0 {
            for child in children_of(here) {
                let other = strangers.contains(&child) || marked(child).is_some_and(|mark| mark != self.mark);
                if !other && !alive.contains(&child) {
                    alive.push(child);
                }
            }
        }
        // The dead that only wait for their parent are gone; those that are ours are let go of here.
        alive.retain(|pid| {
            if Some(*pid) != self.root && parent(*pid) == Some(here) {
                // SAFETY: waits for a child of this process without blocking; no status is asked for.
                unsafe { libc::waitpid(*pid, std::ptr::null_mut(), libc::WNOHANG) };
            }
            running(*pid)
        });
        alive
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        // Nobody waits for it any more: it is killed at once, until nothing is left.
        for _ in 0..50 {
            let alive = self.processes();
            if alive.is_empty() {
                break;
            }
            send(&alive, libc::SIGKILL);
            std::thread::sleep(Duration::from_millis(2));
        }
        self.closed();
    }
}

fn known() -> std::sync::MutexGuard<'static, HashSet<i32>> {
    KNOWN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

pub(super) fn send(pids: &[i32], signal: i32) {
    for pid in pids {
        // SAFETY: takes no pointers; a process that is gone is no error here.
        unsafe { libc::kill(*pid, signal) };
    }
}

/// Every process that carries one of the marks, `root`, and all that descends from these.
pub(super) fn processes_of(marks: &[String], root: Option<i32>) -> Vec<i32> {
    let mut parents: HashMap<i32, i32> = HashMap::new();
    let mut found: HashSet<i32> = root.into_iter().filter(|root| running(*root)).collect();
    for pid in every() {
        if let Some(parent) = parent(pid) {
            parents.insert(pid, parent);
        }
        if marked(pid).is_some_and(|mark| marks.contains(&mark)) {
            found.insert(pid);
        }
    }
    loop {
        let more: Vec<i32> = parents
            .iter()
            .filter(|(pid, parent)| found.contains(parent) && !found.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    found.into_iter().filter(|pid| running(*pid)).collect()
}

fn every() -> impl Iterator<Item = i32> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn marked(pid: i32) -> Option<String> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|byte| *byte == 0).find_map(|entry| {
        let entry = std::str::from_utf8(entry).ok()?;
        Some(entry.strip_prefix(MARK)?.strip_prefix('=')?.to_owned())
    })
}

/// State and parent, from proc_pid_stat(5): the name before them may hold anything but is the last in parentheses.
fn stat(pid: i32) -> Option<(char, i32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest = &stat[stat.rfind(')')? + 1..];
    let mut fields = rest.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn parent(pid: i32) -> Option<i32> {
    stat(pid).map(|(_, parent)| parent)
}

fn running(pid: i32) -> bool {
    stat(pid).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

fn children_of(pid: i32) -> Vec<i32> {
    let mut children = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let listed = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        children.extend(listed.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    children
}
