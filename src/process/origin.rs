//! Which process a run is, as the marks of its commands and the names of its private directories tell it.

use std::fmt;
use std::time::SystemTime;

/// A process, told apart from any other that had or will have its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pid: u32,
    /// When the run began, in nanoseconds by the calendar.
    began: u128,
    /// When the process was started, in ticks since the system was.
    started: u64,
    /// Its process namespace: in another one, its number is another process.
    namespace: u64,
}

impl Origin {
    /// This process.
    pub fn here() -> Self {
        let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let pid = std::process::id();
        Self { pid, began, started: started(pid).unwrap_or_default(), namespace: namespace() }
    }

    /// Reads one that was written.
    pub fn of(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let mut part = |radix| u128::from_str_radix(parts.next()?, radix).ok();
        let origin = Self {
            pid: part(10)?.try_into().ok()?,
            began: part(16)?,
            started: part(16)?.try_into().ok()?,
            namespace: part(16)?.try_into().ok()?,
        };
        parts.next().is_none().then_some(origin)
    }

    /// Whether it could be seen from here.
    pub fn is_seen_here(&self) -> bool {
        self.namespace == namespace()
    }

    /// Whether there is such a process here.
    pub fn is_alive(&self) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        let is_there = pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH));
        // One that may not be looked at (proc(5), `hidepid`) may be the one.
        is_there && started(self.pid).is_none_or(|started| started == self.started)
    }
}

/// It holds no hyphen: names are made of it.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}.{:x}.{:x}", self.pid, self.began, self.started, self.namespace)
    }
}

/// The start of a process, from proc_pid_stat(5): the name before it may hold anything but is the last in parentheses.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat[stat.rfind(')')? + 1..].split_whitespace().nth(19)?.parse().ok()
}

fn namespace() -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self/ns/pid").map(|meta| meta.ino()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_only_this_process_is_alive() {
        let here = Origin::here();
        assert_eq!(Origin::of(&here.to_string()), Some(here));
        assert!(here.is_alive() && here.is_seen_here() && here.started > 0 && here.namespace > 0);
        // Another process that had this number; a process that is gone; one of another container.
        assert!(!Origin { started: here.started + 1, ..here }.is_alive());
        assert!(!Origin { pid: u32::MAX, ..here }.is_alive());
        assert!(!Origin { namespace: here.namespace + 1, ..here }.is_seen_here());
        for text in ["", "1", "1.2.3", "1.2.3.4.5", "x.2.3.4", "1.2.3.-4", "99999999999.2.3.4"] {
            assert_eq!(Origin::of(text), None, "{text:?}");
        }
    }
}
