//! The first look at a text, before the grammar: brackets and strings, nesting, comments, where items start.
//!
//! In: a text. Out: [`Scan`]. What is not closed, or nested too deeply, is found here, so that the grammar never sees
//! it: it would need a stack as deep as the text is nested, and its complaint would stand at the end of the file.

use crate::diagnostic::{Code, Diagnostic, FileId, Span};

use super::tree::Comment;

/// Deeper than this nothing that a person wrote is nested.
pub const DEEPEST: usize = 256;

/// Words that start an item. A line at the top level that starts with one ends the item before it.
const ITEMS: &[&str] = &[
    "runbook",
    "use",
    "param",
    "secret",
    "let",
    "profile",
    "step",
    "stop",
    "check",
    "action",
    "native",
    "record",
    "key",
    "verdict",
    "accept-risk",
    "watch",
    "alert",
    "sample",
    "checklist",
    "parallel",
    "rollback",
    "confirm",
];

/// What the first look found.
#[derive(Debug, Default)]
pub struct Scan {
    pub comments: Vec<Comment>,
    /// Where each item's text starts; it ends where the next one starts.
    pub items: Vec<usize>,
    pub deepest: usize,
    /// Why the text can't be given to the grammar from some place on: the place, and the word for it.
    pub broken: Option<(usize, Diagnostic)>,
}

struct Open {
    what: What,
    at: usize,
    /// How far its line is indented.
    indent: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Brace,
    Paren,
    Bracket,
    /// `#{`
    Hole,
    Plain,
    Multi,
}

impl What {
    fn closer(self) -> &'static str {
        match self {
            What::Brace | What::Hole => "}",
            What::Paren => ")",
            What::Bracket => "]",
            What::Plain => "\"",
            What::Multi => "\"\"\"",
        }
    }

    fn opener(self) -> &'static str {
        match self {
            What::Brace => "{",
            What::Hole => "#{",
            What::Paren => "(",
            What::Bracket => "[",
            What::Plain => "\"",
            What::Multi => "\"\"\"",
        }
    }

    fn is_string(self) -> bool {
        matches!(self, What::Plain | What::Multi)
    }
}

struct Scanner<'t> {
    file: FileId,
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    stack: Vec<Open>,
    line_start: usize,
    /// An opener whose closer, going by the indentation, belongs to another one.
    suspect: Option<(usize, What)>,
    scan: Scan,
}

/// Looks through a text.
pub fn scan(file: FileId, text: &str) -> Scan {
    let mut scanner = Scanner {
        file,
        text,
        bytes: text.as_bytes(),
        at: 0,
        stack: Vec::new(),
        line_start: 0,
        suspect: None,
        scan: Scan::default(),
    };
    // A byte-order mark is no text.
    if text.starts_with('\u{feff}') {
        scanner.at = 3;
        scanner.line_start = 3;
    }
    scanner.run();
    scanner.scan
}

impl Scanner<'_> {
    fn run(&mut self) {
        while self.at < self.bytes.len() && self.scan.broken.is_none() {
            match self.stack.last().map(|open| open.what) {
                Some(what) if what.is_string() => self.in_string(what),
                _ => self.in_code(),
            }
        }
        if self.scan.broken.is_none()
            && let Some(open) = self.stack.last()
        {
            let (at, what) = match self.suspect {
                Some(suspect) if !open.what.is_string() => suspect,
                _ => (open.at, open.what),
            };
            self.unclosed(at, what, None);
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, start, end)
    }

    fn break_at(&mut self, at: usize, diagnostic: Diagnostic) {
        self.scan.broken = Some((at, diagnostic));
    }

    fn unclosed(&mut self, at: usize, what: What, found: Option<(usize, &str)>) {
        let kind = match what {
            What::Plain | What::Multi => "string",
            What::Hole => "interpolation",
            What::Brace => "block or map",
            What::Paren => "parenthesis",
            What::Bracket => "list or index",
        };
        let closer = what.closer();
        let span = self.span(at, at + what.opener().len());
        let mut diagnostic = Diagnostic::new(Code::Unclosed, span, format!("this {kind} is not closed"))
            .label(format!("opened here, and no `{closer}` closes it"));
        diagnostic = match (what, found) {
            (What::Plain, _) => {
                diagnostic.help("close it with `\"` on the same line; a text of several lines stands in `\"\"\"`")
            }
            (_, Some((at, found))) => diagnostic
                .also(self.span(at, at + 1), format!("`{closer}` was expected before this `{found}`"))
                .help(format!("add the missing `{closer}`")),
            _ => diagnostic.help(format!("add the missing `{closer}`")),
        };
        self.break_at(at, diagnostic);
    }

    fn indent(&self) -> usize {
        self.bytes[self.line_start..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
    }

    fn open(&mut self, what: What) {
        let indent = self.indent();
        self.stack.push(Open { what, at: self.at, indent });
        // A string and the interpolation in it are one level.
        let depth = self.stack.iter().filter(|open| !open.what.is_string()).count();
        self.scan.deepest = self.scan.deepest.max(depth);
        if depth > DEEPEST && !what.is_string() {
            let span = self.span(self.at, self.at + what.opener().len());
            let diagnostic = Diagnostic::new(Code::TooDeep, span, format!("nested more than {DEEPEST} levels deep"))
                .label("one level too many")
                .help("bind inner parts with `let`, or move them into a `check` or `action`");
            self.break_at(self.stack.first().map_or(0, |open| open.at), diagnostic);
        }
        self.at += what.opener().len();
    }

    fn close(&mut self, found: &'static str) {
        let at = self.at;
        match self.stack.last() {
            Some(open) if open.what.closer() == found => {
                let starts_line = self.line_start + self.indent() == at;
                if starts_line && self.suspect.is_none() && open.what == What::Brace && self.indent() < open.indent {
                    self.suspect = Some((open.at, open.what));
                }
                self.stack.pop();
                self.at += 1;
            }
            Some(open) => {
                let (opened, what) = (open.at, open.what);
                self.unclosed(opened, what, Some((at, found)));
            }
            None => {
                let diagnostic =
                    Diagnostic::new(Code::Unclosed, self.span(at, at + 1), format!("`{found}` closes nothing"))
                        .label("nothing is open here")
                        .help("remove it, or add what it was meant to close");
                self.break_at(at, diagnostic);
            }
        }
    }

    fn in_code(&mut self) {
        match self.bytes[self.at] {
            b'\n' => {
                self.at += 1;
                self.line_start = self.at;
            }
            b'#' => self.comment(),
            b'{' => self.open(What::Brace),
            b'(' => self.open(What::Paren),
            b'[' => self.open(What::Bracket),
            b'}' => self.close("}"),
            b')' => self.close(")"),
            b']' => self.close("]"),
            b'"' => {
                let what = if self.text[self.at..].starts_with("\"\"\"") { What::Multi } else { What::Plain };
                self.open(what);
            }
            b'\'' => self.raw(),
            byte => {
                if self.stack.is_empty() && byte.is_ascii_alphabetic() && self.line_start + self.indent() == self.at {
                    self.item();
                }
                self.word();
            }
        }
    }

    /// Goes past a word, or one other character.
    fn word(&mut self) {
        self.at += 1;
        while self.at < self.bytes.len() && (self.bytes[self.at].is_ascii_alphanumeric() || self.bytes[self.at] >= 0x80)
        {
            self.at += 1;
        }
    }

    fn item(&mut self) {
        let rest = &self.text[self.at..];
        let end =
            rest.find(|char: char| !char.is_ascii_alphanumeric() && char != '_' && char != '-').unwrap_or(rest.len());
        if self.scan.items.is_empty() || ITEMS.contains(&&rest[..end]) {
            self.scan.items.push(self.at);
        }
    }

    fn comment(&mut self) {
        let end = self.text[self.at..].find('\n').map_or(self.text.len(), |length| self.at + length);
        let doc = self.text[self.at..end].starts_with("##");
        let span = self.span(self.at, end);
        self.scan.comments.push(Comment { span, doc });
        self.at = end;
    }

    fn raw(&mut self) {
        let rest = &self.text[self.at..];
        let (opener, end) = match rest.strip_prefix("'''") {
            Some(inner) => ("'''", inner.find("'''").map(|length| length + 6)),
            None => {
                let end = rest[1..].find(['\'', '\n']).filter(|at| rest[1 + at..].starts_with('\''));
                ("'", end.map(|length| length + 2))
            }
        };
        match end {
            Some(length) => {
                if let Some(newline) = rest[..length].rfind('\n') {
                    self.line_start = self.at + newline + 1;
                }
                self.at += length;
            }
            None => {
                let diagnostic = Diagnostic::new(
                    Code::Unclosed,
                    self.span(self.at, self.at + opener.len()),
                    "this raw string is not closed",
                )
                .label(format!("opened here, and no `{opener}` closes it"))
                .help("close it on the same line; a raw text of several lines stands in `'''`");
                self.break_at(self.at, diagnostic);
            }
        }
    }

    fn in_string(&mut self, what: What) {
        let rest = &self.text[self.at..];
        let Some(next) = rest.find(['"', '\\', '#', '\n']) else {
            self.at = self.text.len();
            return;
        };
        self.at += next;
        let rest = &rest[next..];
        match rest.as_bytes()[0] {
            b'\\' => self.at += 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            b'#' if rest.starts_with("#{") => self.open(What::Hole),
            b'\n' if what == What::Plain => {
                let at = self.stack.last().map_or(0, |open| open.at);
                self.unclosed(at, What::Plain, None);
            }
            b'\n' => {
                self.at += 1;
                self.line_start = self.at;
            }
            b'"' if what == What::Plain || rest.starts_with("\"\"\"") => {
                self.stack.pop();
                self.at += if what == What::Plain { 1 } else { 3 };
            }
            _ => self.at += 1,
        }
    }
}
