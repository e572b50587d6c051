//! Facts have keys; probes read them, actions change them. From this one table a dry run knows which of its findings an
//! earlier action would have outdated.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::value::pattern::{NoPattern, Pattern};

use super::scope::Outdated;

/// The key of a fact, or of many: `file("secrets/*")`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactKey {
    pub kind: Arc<str>,
    /// `None` stands for any: the value could not be told.
    pub args: Vec<Option<Arc<str>>>,
}

impl FactKey {
    /// Whether the two may be the same fact. In doubt they are.
    fn meets(&self, other: &FactKey, patterns: &mut Patterns) -> bool {
        self.kind == other.kind
            && self.args.iter().zip(&other.args).all(|(a, b)| match (a, b) {
                (Some(a), Some(b)) => a == b || patterns.cover(a, b) || patterns.cover(b, a),
                _ => true,
            })
    }
}

/// Arguments of keys that stand for many, as they were read once.
#[derive(Debug, Default)]
struct Patterns(HashMap<Arc<str>, Result<Pattern, NoPattern>>);

impl Patterns {
    /// Whether `pattern` (with `*`, `?`, `**`) covers `text`, or names a folder above it.
    fn cover(&mut self, pattern: &Arc<str>, text: &str) -> bool {
        let below = text.strip_prefix(pattern.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'));
        below
            || pattern.contains(['*', '?', '['])
                && match self.read(pattern) {
                    Ok(pattern) => pattern.is_match(text),
                    Err(NoPattern::Malformed(_)) => false,
                    // It can't be told.
                    Err(_) => true,
                }
    }

    fn read(&mut self, pattern: &Arc<str>) -> &Result<Pattern, NoPattern> {
        self.0.entry(pattern.clone()).or_insert_with(|| Pattern::of_names(pattern))
    }
}

impl std::fmt::Display for FactKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}(", self.kind)?;
        for (at, arg) in self.args.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            match arg {
                Some(arg) => f.write_str(&crate::value::display::quoted(arg))?,
                None => f.write_str("‹unknown›")?,
            }
        }
        f.write_str(")")
    }
}

/// What an action changes.
#[derive(Clone, Debug)]
pub enum Change {
    Everything,
    Keys(Vec<FactKey>),
}

impl Change {
    /// As it is told: paths from the project's root on, as people write them.
    pub fn to_event(&self, root: &std::path::Path) -> crate::engine::events::event::Changes {
        let relative = |text: &Arc<str>| -> Arc<str> {
            let path = std::path::Path::new(&**text).strip_prefix(root).ok().and_then(|path| path.to_str());
            path.filter(|path| !path.is_empty()).map_or_else(|| text.clone(), Arc::from)
        };
        match self {
            Change::Everything => crate::engine::events::event::Changes::Everything,
            Change::Keys(keys) => {
                let told = |key: &FactKey| {
                    let args = key.args.iter().map(|arg| arg.as_ref().map(relative)).collect();
                    FactKey { kind: key.kind.clone(), args }.to_string()
                };
                crate::engine::events::event::Changes::Keys(keys.iter().map(told).collect())
            }
        }
    }
}

/// What the actions that a dry run has left out so far would have changed.
#[derive(Debug, Default)]
pub struct Changed(Mutex<Changes>);

#[derive(Debug, Default)]
struct Changes {
    made: Vec<(Change, Outdated)>,
    patterns: Patterns,
}

/// A moment in the walk of a dry run.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

impl Changed {
    fn lock(&self) -> MutexGuard<'_, Changes> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn mark(&self) -> Mark {
        Mark(self.lock().made.len())
    }

    /// Takes out what was added since: another branch begins from the facts of then.
    pub fn take_since(&self, mark: Mark) -> Vec<(Change, Outdated)> {
        let mut changes = self.lock();
        let at = mark.0.min(changes.made.len());
        changes.made.split_off(at)
    }

    /// What another branch would have changed may be so, too.
    pub fn join(&self, branch: Vec<(Change, Outdated)>) {
        self.lock().made.extend(branch);
    }

    pub fn add(&self, change: Change, line: u32) {
        let nothing = matches!(&change, Change::Keys(keys) if keys.is_empty());
        if !nothing {
            self.lock().made.push((change, Outdated { line }));
        }
    }

    /// Whether anything may have been changed.
    pub fn everything(&self) -> bool {
        self.lock().made.iter().any(|(change, _)| matches!(change, Change::Everything))
    }

    /// The latest action that may have changed anything.
    pub fn latest(&self) -> Option<Outdated> {
        self.lock().made.last().map(|(_, outdated)| *outdated)
    }

    /// The latest action that may have changed one of these facts.
    pub fn outdates(&self, reads: &[FactKey]) -> Option<Outdated> {
        let Changes { made, patterns } = &mut *self.lock();
        let mut may_change = |change: &Change| match change {
            Change::Everything => !reads.is_empty(),
            Change::Keys(keys) => keys.iter().any(|key| reads.iter().any(|read| key.meets(read, patterns))),
        };
        made.iter().rev().find(|(change, _)| may_change(change)).map(|(_, outdated)| *outdated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> FactKey {
        FactKey { kind: "file".into(), args: vec![Some(path.into())] }
    }

    #[test]
    fn a_pattern_meets_what_it_covers_and_a_folder_what_lies_below() {
        let meets = |one: &str, other: &str| file(one).meets(&file(other), &mut Patterns::default());
        assert!(meets("/a/secrets/*", "/a/secrets/db.txt"));
        assert!(meets("/a/secrets/db.txt", "/a/secrets/*"));
        assert!(meets("/a", "/a/b/c"));
        assert!(!meets("/a", "/ab"));
        assert!(!meets("/a/secrets/*", "/a/other/db.txt"));
        assert!(!meets("/a/[", "/a/b"), "no pattern, and the same as none but itself");
    }

    #[test]
    fn what_can_not_be_told_may_be_anything() {
        let unknown = FactKey { kind: "file".into(), args: vec![None] };
        let patterns = &mut Patterns::default();
        assert!(unknown.meets(&file("/x"), patterns));
        assert!(!unknown.meets(&FactKey { kind: "url".into(), args: vec![Some("/x".into())] }, patterns));
    }

    #[test]
    fn the_latest_change_is_named() {
        let changed = Changed::default();
        changed.add(Change::Keys(vec![file("/a")]), 3);
        changed.add(Change::Keys(vec![]), 4);
        changed.add(Change::Keys(vec![file("/a")]), 5);
        assert_eq!(changed.outdates(&[file("/a")]), Some(Outdated { line: 5 }));
        assert_eq!(changed.outdates(&[file("/b")]), None);
        changed.add(Change::Everything, 6);
        assert_eq!(changed.outdates(&[file("/b")]), Some(Outdated { line: 6 }));
    }

    #[test]
    fn a_pattern_is_read_once() {
        let changed = Changed::default();
        (0..100).for_each(|line| changed.add(Change::Keys(vec![file("/a/*.txt")]), line));
        for _ in 0..100 {
            assert_eq!(changed.outdates(&[file("/b.txt")]), None);
        }
        assert_eq!(changed.lock().patterns.0.len(), 1);
    }
}
