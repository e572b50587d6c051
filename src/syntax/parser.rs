//! Item by item: from the scan's item starts to the tree, with recovery.

use pest::Parser;

use crate::diagnostic::{Code, Diagnostic, FileId, Span};

use super::Parsed;
use super::grammar::{Grammar, Rule};
use super::lower::Lowering;
use super::scan::{Scan, scan};
use super::tree::{File, Item, ItemKind};

/// From this depth on a text is parsed where there is room for it: the grammar's stack grows with the nesting.
const SHALLOW: usize = 12;

/// Room for 256 levels, also in a debug build. Only what is used of it is ever touched.
const ROOM: usize = 256 << 20;

/// Reads a text. There is always a tree; what could not be read is left out of it and told.
pub fn parse(file: FileId, text: &str) -> Parsed {
    let scanned = scan(file, text);
    if scanned.deepest <= SHALLOW {
        return parse_here(file, text, scanned);
    }
    std::thread::scope(|scope| {
        let parsing =
            std::thread::Builder::new().stack_size(ROOM).spawn_scoped(scope, || parse_here(file, text, scanned));
        parsing.ok().and_then(|thread| thread.join().ok()).unwrap_or_else(|| Parsed {
            file: File { id: file, items: Vec::new(), comments: Vec::new() },
            diagnostics: vec![Diagnostic::new(Code::TooDeep, Span::new(file, 0, 0), "the file could not be read")],
            incomplete: true,
        })
    })
}

fn parse_here(file: FileId, text: &str, scanned: Scan) -> Parsed {
    let Scan { comments, items: starts, broken, .. } = scanned;
    let mut lowering = Lowering::new(file, text, &comments);
    // The item in which the text breaks can't be read, and nothing behind it.
    let end = broken
        .as_ref()
        .map_or(text.len(), |(at, _)| starts.iter().rev().find(|start| **start <= *at).copied().unwrap_or(*at));
    let mut items = Vec::new();
    if let Some(first) = starts.first() {
        let before = &text[..*first];
        lowering.stray(before, 0);
    } else if broken.is_none() {
        lowering.stray(text, 0);
    }
    for (nth, start) in starts.iter().enumerate() {
        if *start >= end {
            break;
        }
        let stop = starts.get(nth + 1).copied().unwrap_or(text.len()).min(end);
        item(&mut lowering, *start, stop, &mut items);
    }
    let mut diagnostics = lowering.diagnostics;
    let incomplete = broken.is_some();
    diagnostics.extend(broken.map(|(_, diagnostic)| diagnostic));
    Parsed { file: File { id: file, items, comments }, diagnostics, incomplete }
}

fn item(lowering: &mut Lowering<'_>, start: usize, stop: usize, items: &mut Vec<Item>) {
    let slice = &lowering.text[start..stop];
    lowering.base = start;
    match Grammar::parse(Rule::one_item, slice) {
        Ok(pairs) => {
            for pair in pairs {
                match pair.as_rule() {
                    Rule::EOI => {}
                    Rule::bad_line => lowering.bad(&pair, Rule::one_stmt),
                    _ => items.push(lowering.item(pair)),
                }
            }
        }
        Err(error) => {
            let diagnostic = lowering.explain(slice, start, &error);
            lowering.diagnostics.push(diagnostic);
            let span = Span::new(lowering.file, start, start + slice.trim_end().len());
            items.push(Item { kind: ItemKind::Bad, span, doc: None });
        }
    }
}
