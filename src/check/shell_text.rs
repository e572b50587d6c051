//! How the shell reads the places where values stand in a command.
//!
//! In: a string literal with its interpolations. Out: for each of them whether it stands bare, in double quotes or in
//! single quotes. Where that can't be told, the command is refused: guessing would make a value into source. The words
//! are those of POSIX (IEEE Std 1003.1-2017, Shell Command Language, 2.2 Quoting and 2.3 Token Recognition).

use std::sync::Arc;

use crate::check::program::ShellPlace;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::tree::{Expr, StringLit, StringPart};

/// A part of a command.
#[derive(Debug)]
pub enum PlacedPart<'t> {
    Source(Arc<str>),
    Hole { value: &'t Expr, place: ShellPlace },
}

/// What the shell is in the middle of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Words of a command.
    Words,
    DoubleQuotes,
    SingleQuotes,
    Comment,
    /// `$(…)`, `${…}`, backticks: another level of reading, with how deep its parentheses or braces go.
    Nested {
        closer: char,
        depth: u32,
    },
    /// The lines of a here-document.
    HereDocument,
}

/// Tells the place of each value; or why it can't be told.
pub fn analyse(literal: &StringLit) -> Result<Vec<PlacedPart<'_>>, Diagnostic> {
    let mut reader = Reader { states: vec![State::Words], last: None, here: None, lost: None };
    let mut parts = Vec::with_capacity(literal.parts.len());
    for part in &literal.parts {
        match part {
            StringPart::Text(text, _) => {
                reader.text(text);
                parts.push(PlacedPart::Source(text.clone()));
            }
            StringPart::Hole(value) => {
                let place = reader.place(value.span)?;
                parts.push(PlacedPart::Hole { value, place });
                reader.last = Some('v');
            }
        }
    }
    reader.finish(literal.span)?;
    Ok(parts)
}

struct Reader {
    states: Vec<State>,
    last: Option<char>,
    /// The here-document whose operator was read, from the next line on.
    here: Option<Here>,
    /// Something was read that is not followed here: from there on no place can be told.
    lost: Option<&'static str>,
}

struct Here {
    /// The line that ends it.
    end: String,
    /// Tabs before that line don't count: `<<-`.
    tabs: bool,
}

impl Reader {
    fn state(&self) -> State {
        self.states.last().copied().unwrap_or(State::Words)
    }

    fn text(&mut self, text: &str) {
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        while at < chars.len() && self.lost.is_none() {
            let char = chars[at];
            let next = chars.get(at + 1).copied();
            let mut taken = 1;
            match self.state() {
                State::SingleQuotes => {
                    if char == '\'' {
                        self.states.pop();
                    }
                }
                State::Comment => {
                    if char == '\n' {
                        self.states.pop();
                        self.line_ended();
                    }
                }
                State::HereDocument => {
                    let starts_line = self.last == Some('\n');
                    let line: String = chars[at..].iter().take_while(|char| **char != '\n').collect();
                    let ends = |here: &Here| here.end == if here.tabs { line.trim_start_matches('\t') } else { &line };
                    if starts_line && self.here.as_ref().is_some_and(ends) {
                        self.here = None;
                        self.states.pop();
                        taken = line.chars().count().max(1);
                    }
                }
                State::DoubleQuotes => match char {
                    '\\' => taken = self.escaped(next),
                    '"' => {
                        self.states.pop();
                    }
                    '`' | '$' => taken = self.substitution(char, next),
                    _ => {}
                },
                State::Words => match char {
                    '\\' => taken = self.escaped(next),
                    '"' => self.states.push(State::DoubleQuotes),
                    '\'' => self.states.push(State::SingleQuotes),
                    '`' | '$' => taken = self.substitution(char, next),
                    '#' if self.last.is_none_or(|last| last.is_whitespace() || ";&|()".contains(last)) => {
                        self.states.push(State::Comment);
                    }
                    '<' if next == Some('<') && chars.get(at + 2) != Some(&'<') => {
                        if self.here.is_some() {
                            self.lost = Some("behind two `<<` in one line");
                        }
                        let word: String = chars[at + 2..]
                            .iter()
                            .skip_while(|char| matches!(char, '-' | ' ' | '\t'))
                            .take_while(|char| !char.is_whitespace() && !";&|<>()".contains(**char))
                            .filter(|char| !matches!(char, '\'' | '"' | '\\'))
                            .collect();
                        self.here = Some(Here { end: word, tabs: chars.get(at + 2) == Some(&'-') });
                        taken = 2;
                    }
                    '\n' => self.line_ended(),
                    _ => {}
                },
                State::Nested { closer, depth } => match char {
                    '\\' => taken = self.escaped(next),
                    '\'' | '"' if closer == '}' => self.lost = Some("behind a quote inside `${…}`"),
                    '<' if closer == ')' && next == Some('<') => self.lost = Some("behind `<<` inside `$(…)`"),
                    '#' if closer == ')' && self.last.is_none_or(|last| last.is_whitespace() || last == ';') => {
                        self.lost = Some("behind a comment inside `$(…)`");
                    }
                    'c' if closer == ')' && self.is_word(&chars, at, "case") => {
                        self.lost = Some("behind `case` inside `$(…)`");
                    }
                    '\'' if closer == ')' => self.states.push(State::SingleQuotes),
                    '"' if closer != '`' => self.states.push(State::DoubleQuotes),
                    '`' if closer == '`' => {
                        self.states.pop();
                    }
                    '`' => self.states.push(State::Nested { closer: '`', depth: 0 }),
                    '(' if closer == ')' => self.deeper(closer, depth + 1),
                    '{' if closer == '}' => self.deeper(closer, depth + 1),
                    char if char == closer && depth == 0 => {
                        self.states.pop();
                    }
                    char if char == closer => self.deeper(closer, depth - 1),
                    _ => {}
                },
            }
            at += taken;
            self.last = chars.get(at - 1).copied().or(self.last);
            // An escaped character is part of a word, whatever it is.
            if taken == 2 && char == '\\' {
                self.last = Some('v');
            }
        }
    }

    /// Whether a word of the shell's own stands here.
    fn is_word(&self, chars: &[char], at: usize, word: &str) -> bool {
        let begins = self.last.is_none_or(|last| last.is_whitespace() || ";&|({".contains(last));
        let ends = chars.get(at + word.len()).is_none_or(|char| char.is_whitespace());
        begins && ends && chars[at..].iter().take(word.len()).copied().eq(word.chars())
    }

    fn deeper(&mut self, closer: char, depth: u32) {
        self.states.pop();
        self.states.push(State::Nested { closer, depth });
    }

    fn line_ended(&mut self) {
        if self.here.is_some() && self.state() == State::Words {
            self.states.push(State::HereDocument);
        }
    }

    /// Goes past a backslash and what it takes along; one at the very end takes the value that follows.
    fn escaped(&mut self, next: Option<char>) -> usize {
        if next.is_some() { 2 } else { 1 }
    }

    fn substitution(&mut self, char: char, next: Option<char>) -> usize {
        match (char, next) {
            ('`', _) => {
                self.states.push(State::Nested { closer: '`', depth: 0 });
                1
            }
            (_, Some('(')) => {
                self.states.push(State::Nested { closer: ')', depth: 0 });
                2
            }
            (_, Some('{')) => {
                self.states.push(State::Nested { closer: '}', depth: 0 });
                2
            }
            _ => 1,
        }
    }

    fn place(&self, span: Span) -> Result<ShellPlace, Diagnostic> {
        let refuse = |label: &str| {
            Err(Diagnostic::new(Code::ShellPlace, span, "it can't be told how the shell would read this value")
                .label(label.to_owned())
                .help("run a program with an argument list: `run [\"program\", value]`; or name the value in `env { NAME: value }` and write \"$NAME\""))
        };
        if let Some(lost) = self.lost {
            return refuse(&format!("{lost}, from where on it can't be told what the shell reads"));
        }
        if let Some(nested) = self.states.iter().find(|state| matches!(state, State::Nested { .. })) {
            return match nested {
                State::Nested { closer: ')', .. } => refuse("inside `$(…)`, which is read on its own"),
                State::Nested { closer: '}', .. } => {
                    refuse("inside `${…}`, where it would be part of a name or pattern")
                }
                _ => refuse("inside backticks, which are read twice"),
            };
        }
        match self.last {
            Some('\\') if self.state() != State::SingleQuotes => {
                return refuse("right behind a backslash, which would take its quotes away");
            }
            Some('$') if self.state() != State::SingleQuotes => {
                return refuse("right behind `$`, where it would be part of a name");
            }
            _ => {}
        }
        match self.state() {
            State::Words if self.here.is_some() => refuse("behind `<<`: it may name the end of the here-document"),
            State::Words => Ok(ShellPlace::Bare),
            State::DoubleQuotes => Ok(ShellPlace::DoubleQuoted),
            State::SingleQuotes => Ok(ShellPlace::SingleQuoted),
            State::Comment => refuse("inside a comment of the shell"),
            _ => refuse("inside a here-document; pass the text with `stdin`"),
        }
    }

    fn finish(&self, span: Span) -> Result<(), Diagnostic> {
        let open = match self.state() {
            _ if self.lost.is_some() => return Ok(()),
            State::Words | State::Comment | State::HereDocument if self.states.len() <= 2 => return Ok(()),
            State::DoubleQuotes => "a double quote",
            State::SingleQuotes => "a single quote",
            State::Nested { closer: ')', .. } => "`$(`",
            State::Nested { closer: '}', .. } => "`${`",
            _ => "a backtick",
        };
        Err(Diagnostic::new(Code::ShellQuotes, span, format!("{open} is not closed in this command"))
            .label("the shell would not run this")
            .help("close it; a `'` or `\"` that is meant as text is written `\\\\'` or `\\\\\"`"))
    }
}
