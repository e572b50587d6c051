//! Facts have keys; probes read them, actions change them. From this one table a dry run knows which of its findings an
//! earlier action would have outdated.

use std::sync::{Arc, Mutex};

use globset::GlobBuilder;

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
    fn meets(&self, other: &FactKey) -> bool {
        self.kind == other.kind
            && self.args.iter().zip(&other.args).all(|(a, b)| match (a, b) {
                (Some(a), Some(b)) => a == b || covers(a, b) || covers(b, a),
                _ => true,
            })
    }
}

/// Whether `pattern` (with `*`, `?`, `**`) covers `text`, or names a folder above it.
fn covers(pattern: &str, text: &str) -> bool {
    let below = text.strip_prefix(pattern.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'));
    below
        || pattern.contains(['*', '?', '['])
            && GlobBuilder::new(pattern)
                .literal_separator(false)
                .build()
                .is_ok_and(|glob| glob.compile_matcher().is_match(text))
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
pub struct Changed(Mutex<Vec<(Change, Outdated)>>);

impl Changed {
    pub fn add(&self, change: Change, line: u32) {
        let nothing = matches!(&change, Change::Keys(keys) if keys.is_empty());
        if !nothing {
            self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((change, Outdated { line }));
        }
    }

    /// Whether anything may have been changed.
    pub fn everything(&self) -> bool {
        let changed = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        changed.iter().any(|(change, _)| matches!(change, Change::Everything))
    }

    /// The latest action that may have changed anything.
    pub fn latest(&self) -> Option<Outdated> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).last().map(|(_, outdated)| *outdated)
    }

    /// The latest action that may have changed one of these facts.
    pub fn outdates(&self, reads: &[FactKey]) -> Option<Outdated> {
        let changed = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        changed
            .iter()
            .rev()
            .find(|(change, _)| match change {
                Change::Everything => !reads.is_empty(),
                Change::Keys(keys) => keys.iter().any(|key| reads.iter().any(|read| key.meets(read))),
            })
            .map(|(_, outdated)| *outdated)
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
        assert!(file("/a/secrets/*").meets(&file("/a/secrets/db.txt")));
        assert!(file("/a/secrets/db.txt").meets(&file("/a/secrets/*")));
        assert!(file("/a").meets(&file("/a/b/c")));
        assert!(!file("/a").meets(&file("/ab")));
        assert!(!file("/a/secrets/*").meets(&file("/a/other/db.txt")));
    }

    #[test]
    fn what_can_not_be_told_may_be_anything() {
        let unknown = FactKey { kind: "file".into(), args: vec![None] };
        assert!(unknown.meets(&file("/x")));
        assert!(!unknown.meets(&FactKey { kind: "url".into(), args: vec![Some("/x".into())] }));
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
}
