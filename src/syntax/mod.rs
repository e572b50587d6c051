//! Text to tree, with every syntax error of a file and all its comments.
//!
//! In: bytes. Out: a [`tree::File`] and [`Diagnostic`]s; there is always a tree, which leaves out what can't be read. The
//! text is scanned ([`scan`]), taken apart into items, and each item is parsed by the grammar and lowered by itself, so
//! that the parser's own structures stay small. No type of the parser library leaves this room.

pub mod literal;
pub mod tree;

mod grammar;
mod lower;
mod messages;
mod parser;
mod scan;

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, FileId, Span};

pub use parser::parse;

/// The largest file that is read.
pub const LARGEST: usize = 16 << 20;

/// A text that was read.
pub struct Parsed {
    pub file: tree::File,
    pub diagnostics: Vec<Diagnostic>,
    /// A part of the text could not be looked at at all: what is missing is not to be complained about.
    pub incomplete: bool,
}

/// Bytes as text. What is no UTF-8 is told with its place.
pub fn decode(file: FileId, bytes: Vec<u8>) -> Result<Arc<str>, (Arc<str>, Diagnostic)> {
    if bytes.len() > LARGEST {
        let diagnostic = Diagnostic::new(
            Code::TooLarge,
            Span::new(file, 0, 0),
            format!("the file has {} bytes; at most {} are read", bytes.len(), LARGEST),
        );
        return Err((
            "".into(),
            diagnostic.help("a runbook of this size is surely something else; is it the right file?"),
        ));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let readable: Arc<str> = String::from_utf8_lossy(&bytes[..at]).into();
            let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            let byte = bytes.get(at).copied().unwrap_or_default();
            let diagnostic = Diagnostic::new(
                Code::NotUtf8,
                Span::new(file, at, at),
                format!("byte 0x{byte:02x} in line {line} (offset {at}) is not UTF-8"),
            )
            .help("save the file as UTF-8");
            Err((readable, diagnostic))
        }
    }
}
