//! The processes of a command: all of them, also those that left its group or session, or whose parent is gone.
//!
//! This program is the reaper of orphans below it (PR_SET_CHILD_SUBREAPER, prctl(2)), so nothing escapes upwards; and
//! every command carries a mark in its environment, by which its processes are known wherever they hang. What scrubs its
//! environment is found as a descendant. The keeper does the same should this program die.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, Once};
use std::time::{Duration, Instant};

use super::keeper;
use super::origin::Origin;

/// The variable that marks a command's processes.
pub(super) const MARK: &str = "RUNBOOK_COMMAND";

/// How long processes that were told to end may take before they are killed.
const GRACE: Duration = Duration::from_secs(2);

/// How long killed processes are looked for.
const LAST: Duration = Duration::from_secs(5);

/// What the marks of this run begin with.
pub(super) static RUN: LazyLock<String> = LazyLock::new(|| Origin::here().to_string());

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
        keeper::start();
        Self { mark: format!("{}-{count}", *RUN), root: None, open: true }
    }

    /// Has a command bear the mark of this tree; what the mark is.
    pub fn mark(&self, command: &mut tokio::process::Command) -> &str {
        command.env(MARK, &self.mark);
        &self.mark
    }

    pub fn started(&mut self, pid: Option<u32>) {
        self.root = pid.and_then(|pid| i32::try_from(pid).ok());
        if let Some(root) = self.root {
            known().insert(root);
        }
    }

    /// The command has ended by itself: what it left running stays.
    pub fn release(&mut self) {
        self.closed();
        let mut known = known();
        let left: Vec<i32> = orphans().into_iter().filter(|orphan| !known.contains(orphan)).collect();
        if !left.is_empty() {
            keeper::spare(&self.mark);
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
            let signal = if began.elapsed() > GRACE { libc::SIGKILL } else { libc::SIGTERM };
            let (mark, root) = (self.mark.clone(), self.root);
            let left = crate::world::blocking(move || {
                let alive = processes(&mark, root);
                send(&alive, signal);
                alive.len()
            });
            // Where nobody can be asked any more, the program ends, and its keeper sees to the rest.
            if left.await.unwrap_or(0) == 0 || began.elapsed() > GRACE + LAST {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.closed();
    }

    fn closed(&mut self) {
        self.open = false;
        if let Some(root) = self.root {
            known().remove(&root);
        }
    }
}

/// The processes of the command with this mark. It takes all of /proc to find them, which is no work for the thread that keeps time.
fn processes(of: &str, root: Option<i32>) -> Vec<i32> {
    let here = std::process::id() as i32;
    let mut strangers = known().clone();
    if let Some(root) = root {
        strangers.remove(&root);
    }
    strangers.extend(keeper::pid());
    let all = processes_of(|mark| mark == of, root);
    // Orphans that carry no mark: children of this program that nothing else accounts for.
    let mut alive = all;
    for child in children_of(here) {
        let other = strangers.contains(&child) || marked(child).is_some_and(|mark| mark != of);
        if !other && !alive.contains(&child) {
            alive.push(child);
        }
    }
    // The dead that only wait for their parent are gone; those that are ours are let go of here.
    alive.retain(|pid| {
        if Some(*pid) != root && parent(*pid) == Some(here) {
            // SAFETY: waits for a child of this process without blocking; no status is asked for.
            unsafe { libc::waitpid(*pid, std::ptr::null_mut(), libc::WNOHANG) };
        }
        running(*pid)
    });
    alive
}

impl Drop for Tree {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        // Nobody waits for it any more: it is killed at once, until nothing is left.
        for _ in 0..50 {
            let alive = processes(&self.mark, self.root);
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

/// Whether a mark is one of a run's.
pub(super) fn is_of(mark: &str, run: &str) -> bool {
    mark.strip_prefix(run).is_some_and(|rest| rest.starts_with('-'))
}

/// Every process whose mark is wanted, `root`, and all that descends from these; parents before their children, so that
/// a shell that is signalled in this order does not go on to its next command because the one before it ended.
pub(super) fn processes_of(wanted: impl Fn(&str) -> bool, root: Option<i32>) -> Vec<i32> {
    let mut parents: HashMap<i32, i32> = HashMap::new();
    let mut found: HashSet<i32> = root.into_iter().filter(|root| running(*root)).collect();
    for pid in every() {
        if let Some(parent) = parent(pid) {
            parents.insert(pid, parent);
        }
        if marked(pid).is_some_and(|mark| wanted(&mark)) {
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
    let depth = |pid: &i32| {
        let mut above = parents.get(pid);
        let mut depth = 0;
        while let Some(parent) = above.filter(|parent| depth < parents.len() && found.contains(parent)) {
            depth += 1;
            above = parents.get(parent);
        }
        depth
    };
    let mut alive: Vec<i32> = found.iter().copied().filter(|pid| running(*pid)).collect();
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

fn marked(pid: i32) -> Option<String> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|byte| *byte == 0).find_map(|entry| {
        let entry = std::str::from_utf8(entry).ok()?;
        Some(entry.strip_prefix(MARK)?.strip_prefix('=')?.to_owned())
    })
}

/// Whether `id` is a thread of a process.
pub(super) fn is_thread_of(process: i32, id: i32) -> bool {
    std::path::Path::new(&format!("/proc/{process}/task/{id}")).exists()
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
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let listed = threads.map(|thread| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    listed.flat_map(|listed| listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// What was left to this process by a parent that is gone: the kernel gives such a child to the first thread, and
/// commands are started by another one.
fn orphans() -> Vec<i32> {
    // Kept open, since this is asked after every command; proc_pid_children(5) is made anew for each reading from 0.
    static CHILDREN: LazyLock<std::io::Result<File>> = LazyLock::new(|| {
        let here = std::process::id();
        File::open(format!("/proc/{here}/task/{here}/children"))
    });
    let mut listed = [0; 4096];
    let count = CHILDREN.as_ref().ok().and_then(|file| file.read_at(&mut listed, 0).ok()).unwrap_or(0);
    if count == listed.len() {
        return children_of(std::process::id() as i32);
    }
    String::from_utf8_lossy(&listed[..count]).split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
