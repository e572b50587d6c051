//! The texts that spans point into.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Which file of a [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FileId(pub u32);

/// Some bytes of a file, `start..end`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
}

impl std::fmt::Debug for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}..{}", self.file.0, self.start, self.end)
    }
}

impl Span {
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        Self { file, start: start as u32, end: end as u32 }
    }

    /// From the start of this one to the end of `other`.
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A line and a column, both counted from 1; the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    pub line: u32,
    pub column: u32,
}

/// One text and where it came from.
#[derive(Debug)]
pub struct Source {
    /// As messages name it: the path as it was given, `<stdin>`, or `stdlib/http.runbook`.
    pub name: String,
    /// Where it lies, for what is relative to it; none for standard input and the stdlib.
    pub path: Option<PathBuf>,
    pub text: Arc<str>,
    /// SHA-256 of the text, hexadecimal, once it was asked for.
    pub hash: OnceLock<String>,
    line_starts: Vec<u32>,
}

impl Source {
    /// A line by its number, from 1; without its end.
    pub fn line(&self, number: u32) -> Option<&str> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        let start = *self.line_starts.get(at)? as usize;
        let end = self.line_starts.get(at + 1).map_or(self.text.len(), |next| *next as usize);
        // Behind the last line break nothing more is written.
        (start < self.text.len()).then(|| self.text[start..end].trim_end_matches(['\n', '\r']))
    }
}

/// Every text of one program.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    pub fn add(&mut self, name: impl Into<String>, path: Option<PathBuf>, text: impl Into<Arc<str>>) -> FileId {
        let text = text.into();
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at as u32 + 1)).collect();
        self.files.push(Source { name: name.into(), path, text, hash: OnceLock::new(), line_starts });
        FileId(self.files.len() as u32 - 1)
    }

    pub fn get(&self, file: FileId) -> &Source {
        &self.files[file.0 as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Source)> {
        self.files.iter().enumerate().map(|(at, source)| (FileId(at as u32), source))
    }

    /// The words that a span covers; empty where it reaches outside the text.
    pub fn text(&self, span: Span) -> &str {
        self.get(span.file).text.get(span.range()).unwrap_or_default()
    }

    pub fn name(&self, span: Span) -> &str {
        &self.get(span.file).name
    }

    /// Where a span starts.
    pub fn location(&self, span: Span) -> Location {
        let source = self.get(span.file);
        let line = source.line_starts.partition_point(|start| *start <= span.start);
        let line_start = source.line_starts[line - 1] as usize;
        let before = source.text.get(line_start..span.start as usize).unwrap_or_default();
        Location { line: line as u32, column: before.chars().count() as u32 + 1 }
    }

    pub fn line(&self, span: Span) -> u32 {
        self.location(span).line
    }
}
