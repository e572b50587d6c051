//! The texts that a run was read from, for a form that shows a row's own lines.
//!
//! In: texts, wherever they are kept, and what the run says of its sources. Out: lines. A text is known by its hash, so the lines
//! are those that the run read, or none.

use std::collections::HashMap;
use std::sync::Arc;

use crate::check::library::{FILES, library};
use crate::diagnostic::{FileId, Sources};
use crate::engine::events::event::SourceFile;

/// Where a text is found by its SHA-256: looked for only by a form that shows lines.
#[derive(Clone)]
pub struct Texts(Arc<Find>);

type Find = dyn Fn(&str) -> Option<Arc<str>> + Send + Sync;

impl Texts {
    pub fn new(find: impl Fn(&str) -> Option<Arc<str>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self::new(|_| None)
    }
}

/// The texts of one run, by the names that its events give them.
#[derive(Default)]
pub(super) struct Lines {
    sources: Sources,
    files: HashMap<String, FileId>,
}

impl Lines {
    pub fn of(texts: &Texts, files: &[SourceFile], stdlib: &str) -> Self {
        let mut lines = Self::default();
        for file in files {
            if let Some(text) = (texts.0)(&file.hash) {
                lines.add(&file.name, text);
            }
        }
        if stdlib == &*library().hash {
            FILES.iter().for_each(|(name, text)| lines.add(&format!("stdlib/{name}.runbook"), (*text).into()));
        }
        lines
    }

    fn add(&mut self, name: &str, text: Arc<str>) {
        let id = self.sources.add(name, None, text);
        self.files.insert(name.to_owned(), id);
    }

    /// Some lines around one, with their numbers; none of a text that is not known.
    pub fn around(&self, file: &str, line: u32, before: u32, after: u32) -> impl Iterator<Item = (u32, &str)> {
        let source = self.files.get(file).map(|id| self.sources.get(*id));
        let numbers = line.saturating_sub(before).max(1)..=line.saturating_add(after);
        source
            .into_iter()
            .flat_map(move |source| numbers.clone().map_while(|number| Some((number, source.line(number)?))))
    }
}
