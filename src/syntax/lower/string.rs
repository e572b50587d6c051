//! Strings: escapes, interpolations, and the indentation of those with many lines.

use std::sync::Arc;

use pest::iterators::Pair;

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::grammar::Rule;
use crate::syntax::tree::{StringLit, StringPart};

use super::Lowering;

/// A part before its text is settled: raw text still has its indentation.
enum Piece<'p> {
    Raw(&'p str, Span),
    Escaped(String, Span),
    Hole(Pair<'p, Rule>),
}

impl Lowering<'_> {
    pub(super) fn string(&mut self, pair: Pair<'_, Rule>) -> StringLit {
        let span = self.span(&pair);
        let many_lines = matches!(pair.as_rule(), Rule::multi_string | Rule::multi_raw);
        let mut pieces = Vec::new();
        for part in pair.into_inner() {
            let at = {
                let part = part.as_span();
                Span::new(self.file, self.base + part.start(), self.base + part.end())
            };
            match part.as_rule() {
                Rule::hole => pieces.push(Piece::Hole(part)),
                Rule::escape => pieces.push(Piece::Escaped(self.escape(part.as_str(), at), at)),
                Rule::lone_quote => pieces.push(Piece::Escaped("\"".to_owned(), at)),
                _ if part.as_str().is_empty() => {}
                _ => pieces.push(Piece::Raw(part.as_str(), at)),
            }
        }
        let parts = if many_lines { self.many_lines(pieces) } else { self.one_line(pieces) };
        StringLit { parts, span }
    }

    fn one_line(&mut self, pieces: Vec<Piece<'_>>) -> Vec<StringPart> {
        let mut parts = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Raw(text, span) => text_part(&mut parts, text, span),
                Piece::Escaped(text, span) => text_part(&mut parts, &text, span),
                Piece::Hole(pair) => parts.push(self.hole(pair)),
            }
        }
        parts
    }

    /// Drops the line break behind the opener, and the indentation that all lines share (that of the closing line, too).
    fn many_lines(&mut self, pieces: Vec<Piece<'_>>) -> Vec<StringPart> {
        let mut indent: Option<usize> = None;
        let last = pieces.len().saturating_sub(1);
        for (nth, piece) in pieces.iter().enumerate() {
            let Piece::Raw(text, _) = piece else { continue };
            let lines: Vec<&str> = text.split('\n').collect();
            for (at, line) in lines.iter().enumerate().skip(1) {
                let ends = at + 1 == lines.len();
                let depth = line.len() - line.trim_start_matches([' ', '\t']).len();
                // A blank line inside says nothing of the indentation; the last one is where the closer stands.
                let blank = line.trim().is_empty();
                if !blank || (ends && nth == last) || (ends && nth < last) {
                    indent = Some(indent.map_or(depth, |before| before.min(depth)));
                }
            }
        }
        let indent = indent.unwrap_or(0);
        let mut parts = Vec::new();
        let mut first = true;
        for piece in pieces {
            match piece {
                Piece::Raw(text, span) => {
                    let mut out = String::with_capacity(text.len());
                    for (at, line) in text.split('\n').enumerate() {
                        let line = line.strip_suffix('\r').unwrap_or(line);
                        if at == 0 {
                            out.push_str(line);
                            continue;
                        }
                        // The line break right behind the opener is dropped.
                        if !(first && at == 1 && out.trim().is_empty()) {
                            out.push('\n');
                        } else {
                            out.clear();
                        }
                        let cut = indent.min(line.len() - line.trim_start_matches([' ', '\t']).len());
                        out.push_str(&line[cut..]);
                    }
                    text_part(&mut parts, &out, span);
                }
                Piece::Escaped(text, span) => text_part(&mut parts, &text, span),
                Piece::Hole(pair) => parts.push(self.hole(pair)),
            }
            first = false;
        }
        parts
    }

    fn hole(&mut self, pair: Pair<'_, Rule>) -> StringPart {
        let span = self.span(&pair);
        let inner = pair.into_inner().next();
        StringPart::Hole(self.expr_or_bad(inner, span))
    }

    fn escape(&mut self, text: &str, span: Span) -> String {
        let code = &text[1..];
        match code {
            "n" => "\n".to_owned(),
            "r" => "\r".to_owned(),
            "t" => "\t".to_owned(),
            "\\" | "\"" | "#" => code.to_owned(),
            _ => {
                let char = code
                    .strip_prefix("u{")
                    .and_then(|code| code.strip_suffix('}'))
                    .and_then(|hex| u32::from_str_radix(hex, 16).ok())
                    .and_then(char::from_u32);
                if let Some(char) = char {
                    return char.to_string();
                }
                let diagnostic = Diagnostic::new(Code::BadEscape, span, format!("`{text}` is no escape"))
                    .label("unknown")
                    .help("there are `\\n \\r \\t \\\\ \\\" \\# \\u{1F600}`; for a backslash itself write `\\\\`, or use a raw string: '…'");
                self.diagnostics.push(diagnostic);
                text.to_owned()
            }
        }
    }
}

/// Adds text, to the text before it where there is some.
fn text_part(parts: &mut Vec<StringPart>, text: &str, span: Span) {
    if text.is_empty() {
        return;
    }
    match parts.last_mut() {
        Some(StringPart::Text(before, at)) => {
            *before = Arc::from(format!("{before}{text}"));
            *at = at.to(span);
        }
        _ => parts.push(StringPart::Text(text.into(), span)),
    }
}
