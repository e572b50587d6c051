//! A stream of bytes becomes lines without secrets, also of such as were split over chunks, or over lines.

use std::sync::Arc;

use super::care::Reader;
use super::known::Hidden;
use super::{NOT_SHOWN, Redactor, without};

/// The longest piece in which a line of output is passed on, in bytes.
pub const LONGEST_PIECE: usize = 16 * 1024;

/// How much of what was passed on is looked at again for the beginning of a secret, in bytes.
const BEHIND: usize = 256;

/// Turns a stream of bytes into lines without secrets.
pub struct OutputLines {
    redactor: Arc<Redactor>,
    /// The end of what was passed on, and what was not yet.
    bytes: Vec<u8>,
    behind: usize,
    reader: Reader,
    /// The last line only went on with what is not shown.
    goes_on: bool,
}

impl OutputLines {
    pub fn new(redactor: Arc<Redactor>) -> Self {
        Self { redactor, bytes: Vec::new(), behind: 0, reader: Reader::default(), goes_on: false }
    }

    /// Takes a chunk; gives the lines that are whole, and pieces of a line that grows too long.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let new = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let lines = self.bytes[new..].iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map(|at| new + at + 1);
        let waits = self.bytes.len() - self.behind;
        let to = match lines {
            Some(end) => end,
            // Held back for a secret that may have begun in it; or a line that is not at its end.
            None if waits > LONGEST_PIECE => self.bytes.len(),
            None => return Vec::new(),
        };
        let (hidden, settled) = self.redactor.known().begun(&self.bytes[..to]);
        // Whoever prints the beginning of a secret for ever is waited for no longer.
        let held_too_long = waits > 4 * (LONGEST_PIECE + self.redactor.known().reach());
        let mut ready = if held_too_long { to } else { settled.min(to) };
        loop {
            let cut = self.cut(ready);
            if cut <= self.behind {
                return Vec::new();
            }
            let crossed =
                hidden.iter().map(|hidden| hidden.range.clone()).find(|range| range.start < cut && cut < range.end);
            match crossed {
                // Not within a secret: before it, or behind it if it has begun in what was passed on.
                Some(range) if range.start > self.behind => ready = range.start,
                Some(range) => break self.take(range.end, hidden),
                None => break self.take(cut, hidden),
            }
        }
    }

    /// What was not given yet: a line that has no end so far, or in which a secret may have begun.
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.behind..]
    }

    /// The same, taken away: it goes on elsewhere.
    pub fn take_pending(&mut self) -> Vec<u8> {
        let pending = self.bytes.split_off(self.behind);
        self.bytes.clear();
        self.behind = 0;
        pending
    }

    /// What is left when the stream ends.
    pub fn finish(&mut self) -> Vec<String> {
        let hidden = self.redactor.known().hidden(&self.bytes);
        self.take(self.bytes.len(), hidden)
    }

    /// A place at or before `at` where lines end; in a line that is too long one between words, or between characters.
    fn cut(&self, at: usize) -> usize {
        let waiting = &self.bytes[self.behind..at.max(self.behind)];
        let found = |of: &dyn Fn(u8) -> bool| waiting.iter().rposition(|byte| of(*byte)).map(|at| at + 1);
        let lines = found(&|byte| matches!(byte, b'\n' | b'\r'));
        let cut = lines.unwrap_or_else(|| match waiting.len() > LONGEST_PIECE / 2 {
            true => found(&|byte| matches!(byte, b' ' | b'\t' | b',' | b';'))
                .filter(|cut| *cut > waiting.len() / 2)
                .unwrap_or(waiting.len() - unfinished(waiting)),
            false => 0,
        });
        self.behind + cut
    }

    fn take(&mut self, ready: usize, hidden: Vec<Hidden>) -> Vec<String> {
        if ready <= self.behind {
            return Vec::new();
        }
        // What is not shown may have begun in what was passed on: of that little enough to tell nothing.
        let hidden = hidden.into_iter().filter(|hidden| hidden.range.end > self.behind && hidden.range.start < ready);
        let mut text = String::new();
        let mut from = self.behind;
        for Hidden { range, mark } in hidden {
            text.push_str(&String::from_utf8_lossy(&self.bytes[from..range.start.clamp(from, ready)]));
            text.push_str(&mark);
            from = range.end.clamp(from, ready);
        }
        text.push_str(&String::from_utf8_lossy(&self.bytes[from..ready]));
        self.bytes.drain(..ready.saturating_sub(BEHIND));
        self.behind = ready.min(BEHIND);
        // A lone carriage return is how progress bars rewrite their line: what they came to counts.
        let text = text.replace("\r\n", "\n");
        let mut out = Vec::new();
        for line in text.split_terminator('\n') {
            let line = line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default();
            let (places, goes_on) = self.reader.line(line);
            if goes_on && std::mem::replace(&mut self.goes_on, goes_on) {
                continue;
            }
            self.goes_on = goes_on;
            let hidden: Vec<Hidden> =
                places.into_iter().map(|range| Hidden { range, mark: NOT_SHOWN.into() }).collect();
            out.extend(pieces(&without(line, &hidden)));
        }
        out
    }
}

/// How many bytes at the end begin a character that goes on behind them (RFC 3629, section 3).
fn unfinished(bytes: &[u8]) -> usize {
    for (back, byte) in bytes.iter().rev().enumerate().take(3) {
        let length = match byte {
            0b1100_0000..=0b1101_1111 => 2,
            0b1110_0000..=0b1110_1111 => 3,
            0b1111_0000..=0b1111_0111 => 4,
            0b1000_0000..=0b1011_1111 => continue,
            _ => return 0,
        };
        return if back + 1 < length { back + 1 } else { 0 };
    }
    0
}

fn pieces(line: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while rest.len() > LONGEST_PIECE {
        let at = super::boundary(rest, LONGEST_PIECE);
        pieces.push(rest[..at].to_owned());
        rest = &rest[at..];
    }
    pieces.push(rest.to_owned());
    pieces
}
