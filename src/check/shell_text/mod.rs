//! Where values stand in a shell command, and what the shell does with them there.
//!
//! In: a string literal with its interpolations. Out: for each value how it is quoted and what may stand there; or why
//! it can't stand there. A value fits only in a position that is known to take it as data in every shell that may be
//! `/bin/sh`; everything else is refused: guessing would make a value into source. The words are those of POSIX (IEEE
//! Std 1003.1-2017, Shell Command Language, 2.2 Quoting and 2.3 Token Recognition).

mod commands;
mod known;
mod reader;
mod remote;
mod word;

use std::sync::Arc;

use crate::check::program::{ShellPlace, ShellTakes};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::syntax::tree::{Expr, StringLit, StringPart};

use word::Unit;

/// A part of a command.
#[derive(Debug)]
pub enum PlacedPart<'t> {
    Source(Arc<str>),
    Hole { value: &'t Expr, place: ShellPlace, takes: ShellTakes },
}

/// What a command was read to.
#[derive(Debug)]
pub struct Analysed<'t> {
    pub parts: Vec<PlacedPart<'t>>,
    /// The output of a command goes to another: whether the first of them fails, not every shell can tell.
    pub pipeline: bool,
}

/// What was found out about the position of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Position {
    /// It was not reached: what stands before it is read differently by different shells.
    Unread,
    Fits(ShellPlace, ShellTakes),
    Refused(Refusal),
}

/// Why a value can't stand where it stands, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    label: String,
    help: &'static str,
    /// Some shell reads it again, as source; else shells differ in how they read it.
    again: bool,
}

impl Refusal {
    fn unclear(label: impl Into<String>) -> Self {
        Self { label: label.into(), help: PASS, again: false }
    }

    fn again(label: impl Into<String>, help: &'static str) -> Self {
        Self { label: label.into(), help, again: true }
    }
}

const PASS: &str = "run a program with an argument list: `run [\"program\", value]`; or name the value in `env { NAME: value }` and write \"$NAME\"";

/// Finds the position of each value; or says why one can't stand where it stands.
pub fn analyse(literal: &StringLit) -> Result<Analysed<'_>, Diagnostic> {
    let mut units = Vec::new();
    let mut spans = Vec::new();
    for part in &literal.parts {
        match part {
            StringPart::Text(text, _) => units.extend(text.chars().map(Unit::Char)),
            StringPart::Hole(value) => {
                units.push(Unit::Value(spans.len()));
                spans.push(value.span);
            }
        }
    }
    let script = reader::read(&units, spans.len());
    let mut places = Vec::with_capacity(spans.len());
    for (position, span) in script.positions.into_iter().zip(spans) {
        match position {
            Position::Fits(place, takes) => places.push((place, takes)),
            Position::Refused(refusal) => return Err(refused(&refusal, span)),
            // A quote that is not closed: that is what there is to say.
            Position::Unread if script.open.is_some() => break,
            Position::Unread => {
                let behind = script.lost.unwrap_or("behind something that is not followed");
                let label = format!("{behind}, after which shells differ in what they read");
                return Err(refused(&Refusal::unclear(label), span));
            }
        }
    }
    if let Some(open) = script.open {
        return Err(Diagnostic::new(Code::ShellQuotes, literal.span, format!("{open} is not closed in this command"))
            .label("the shell would not run this")
            .help("close it; a `'` or `\"` that is meant as text is written `\\\\'` or `\\\\\"`"));
    }
    let mut places = places.into_iter();
    let placed = literal.parts.iter().filter_map(|part| match part {
        StringPart::Text(text, _) => Some(PlacedPart::Source(text.clone())),
        StringPart::Hole(value) => places.next().map(|(place, takes)| PlacedPart::Hole { value, place, takes }),
    });
    Ok(Analysed { parts: placed.collect(), pipeline: script.pipeline })
}

fn refused(refusal: &Refusal, span: Span) -> Diagnostic {
    let message = if refusal.again {
        "the shell would read this value again, and could run what it holds"
    } else {
        "not every shell would read this value as data"
    };
    Diagnostic::new(Code::ShellPlace, span, message).label(refusal.label.clone()).help(refusal.help)
}
