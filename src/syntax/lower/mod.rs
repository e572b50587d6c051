//! From the parser's pairs to the tree: one file for each kind of thing.

mod expr;
mod item;
mod recover;
mod stmt;
mod string;

use std::sync::Arc;

use pest::iterators::Pair;

use crate::diagnostic::{Code, Diagnostic, FileId, Span};

use super::grammar::Rule;
use super::tree::{Comment, Name};

/// The state of lowering one file.
pub(super) struct Lowering<'t> {
    pub file: FileId,
    pub text: &'t str,
    /// Where the item that is being lowered starts in the text: the parser counts from there.
    pub base: usize,
    pub diagnostics: Vec<Diagnostic>,
    comments: &'t [Comment],
}

impl<'t> Lowering<'t> {
    pub fn new(file: FileId, text: &'t str, comments: &'t [Comment]) -> Self {
        Self { file, text, base: 0, diagnostics: Vec::new(), comments }
    }

    fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        // Some rules end in blanks, where a part that may follow does not.
        let length = span.as_str().trim_end().len();
        Span::new(self.file, self.base + span.start(), self.base + span.start() + length)
    }

    fn name(&self, pair: &Pair<'_, Rule>) -> Name {
        Name { text: pair.as_str().into(), span: self.span(pair) }
    }

    fn error(&mut self, code: Code, span: Span, message: impl Into<String>, help: &str) {
        self.diagnostics.push(Diagnostic::new(code, span, message).help(help));
    }

    /// Names the part of the language that is meant, and that this version refuses.
    fn unbuilt(&mut self, span: Span, word: &str) {
        let what = match word {
            "watch" => "`watch`, which keeps asking after a change,",
            "alert" => "`alert`",
            "sample" => "`sample`",
            "parallel" => "steps beside each other",
            "tolerate" => "`tolerate`",
            _ => "this part of the language",
        };
        let message = format!("{what} can't be carried out by this version of runbook");
        let diagnostic = Diagnostic::new(Code::NotBuiltYet, span, message)
            .label("refused, rather than read over")
            .help("nothing is run while it stands here; remove it, or use a version that can");
        self.diagnostics.push(diagnostic);
    }

    /// The `##` lines right above a place, without their marks.
    fn doc(&self, start: usize) -> Option<Arc<str>> {
        let mut lines: Vec<&str> = Vec::new();
        let mut below = start;
        let mut at = self.comments.partition_point(|comment| (comment.span.end as usize) <= start);
        while at > 0 {
            let comment = &self.comments[at - 1];
            let between = self.text.get(comment.span.end as usize..below).unwrap_or_default();
            let adjacent = between.trim().is_empty() && between.matches('\n').count() == 1;
            if !comment.doc || !adjacent {
                break;
            }
            let line = self.text.get(comment.span.range()).unwrap_or_default().trim_start_matches('#');
            lines.push(line.strip_prefix(' ').unwrap_or(line).trim_end());
            below = comment.span.start as usize;
            at -= 1;
        }
        lines.reverse();
        (!lines.is_empty()).then(|| lines.join("\n").into())
    }
}
