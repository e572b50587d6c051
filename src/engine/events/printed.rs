//! What one action prints: the beginning of each stream as it comes, then its end; what was between them is counted.
//!
//! In: bytes, any number of them. Out: events that are bounded however much is printed. Nothing in here waits for a reader or a
//! disk, so a command is read as fast as it prints, and its time limit is kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use super::event::{Body, Place};
use crate::engine::evaluation::core::Core;
use crate::engine::redact::{LONGEST_PIECE, OutputLines, Redactor};
use crate::engine::world::{Output, Stream};

/// How much of each stream's beginning is recorded, and how much of its end, in bytes.
pub const RECORDED: usize = 1 << 20;

/// The most text of one event.
const EVENT: usize = 64 * 1024;

/// What an event counts for beside its text: where the streams take turns line by line, there are many.
const EVENT_OVERHEAD: usize = 256;

/// How much is worked on at once.
const CHUNK: usize = 4 * 1024;

/// How much is kept in front of a stream's end, so that a secret which was cut there is left out whole.
const MARGIN: usize = 64 * 1024;

/// How much of an action's end is kept for `failures`, in bytes.
const FOR_FAILURES: usize = 4096;

/// What an action prints, on its way to the events.
pub struct Printed {
    place: Place,
    /// A secret is captured from it: nothing of it is recorded.
    sensitive: bool,
    inner: Mutex<Inner>,
}

struct Inner {
    stdout: Reading,
    stderr: Reading,
    ready: Ready,
    withheld: bool,
}

impl Printed {
    pub fn new(core: &Core, place: Place, sensitive: bool) -> Self {
        let stream = |stream| Reading::new(stream, core.redactor().clone());
        let inner = Inner {
            stdout: stream(Stream::Stdout),
            stderr: stream(Stream::Stderr),
            ready: Ready::default(),
            withheld: false,
        };
        Self { place, sensitive, inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Emits what has come since the last time.
    pub fn flush(&self, core: &Core) {
        let ready = std::mem::take(&mut self.lock().ready.events);
        for body in ready {
            core.emitter.emit(self.place.clone(), body);
        }
    }

    /// The action has ended: emits the rest.
    pub fn finish(&self, core: &Core) {
        {
            let mut inner = self.lock();
            let Inner { stdout, stderr, ready, withheld } = &mut *inner;
            stdout.finish(ready);
            stderr.finish(ready);
            if *withheld {
                let text = "(what it printed is not shown: a secret is taken from it)";
                ready.line(Stream::Stdout, text.to_owned());
            }
        }
        self.flush(core);
    }

    /// The last of what it printed, for `failures`.
    pub fn tail(&self) -> String {
        self.lock().ready.tail.clone()
    }
}

impl Output for Printed {
    fn chunk(&self, stream: Stream, bytes: &[u8]) {
        let mut inner = self.lock();
        if self.sensitive {
            inner.withheld |= !bytes.is_empty();
            return;
        }
        let Inner { stdout, stderr, ready, .. } = &mut *inner;
        let reading = match stream {
            Stream::Stdout => stdout,
            Stream::Stderr => stderr,
        };
        bytes.chunks(CHUNK).for_each(|bytes| reading.push(bytes, ready));
    }
}

/// Events that were not emitted yet, and the end of what they hold.
#[derive(Default)]
struct Ready {
    events: VecDeque<Body>,
    tail: String,
}

impl Ready {
    /// Adds a line; what it counts for.
    fn line(&mut self, stream: Stream, line: String) -> usize {
        self.tail.push_str(&line);
        self.tail.push('\n');
        if self.tail.len() > 2 * FOR_FAILURES {
            let mut from = self.tail.len() - FOR_FAILURES;
            while !self.tail.is_char_boundary(from) {
                from += 1;
            }
            self.tail.drain(..from);
        }
        let cost = line.len() + 1;
        match self.events.back_mut() {
            Some(Body::Output { stream: last, text }) if *last == stream && text.len() + cost <= EVENT => {
                text.push('\n');
                text.push_str(&line);
                cost
            }
            _ => {
                self.events.push_back(Body::Output { stream, text: line });
                cost + EVENT_OVERHEAD
            }
        }
    }
}

/// One stream of an action.
struct Reading {
    stream: Stream,
    redactor: Arc<Redactor>,
    lines: OutputLines,
    /// How much more is recorded as it comes.
    room: usize,
    /// What comes when there is no room any more.
    end: Option<End>,
}

impl Reading {
    fn new(stream: Stream, redactor: Arc<Redactor>) -> Self {
        Self { stream, lines: OutputLines::new(redactor.clone()), redactor, room: RECORDED, end: None }
    }

    fn push(&mut self, bytes: &[u8], ready: &mut Ready) {
        if let Some(end) = &mut self.end {
            return end.push(bytes);
        }
        for line in self.lines.push(bytes) {
            self.room = self.room.saturating_sub(ready.line(self.stream, line));
        }
        if self.room == 0 {
            // A line, or a secret, that has begun goes on behind the beginning.
            let mut end = End::default();
            end.push(&self.lines.take_pending());
            self.end = Some(end);
        }
    }

    fn finish(&mut self, ready: &mut Ready) {
        let lines = match self.end.take() {
            None => self.lines.finish(),
            Some(end) => end.finish(self.stream, &self.redactor, ready),
        };
        for line in lines {
            ready.line(self.stream, line);
        }
    }
}

/// The end of a stream, as it came: secrets are taken out of it when there is no more.
#[derive(Default)]
struct End {
    /// Its last bytes, and up to as many before them.
    last: Vec<u8>,
    left_out: LeftOut,
}

#[derive(Clone, Copy, Default)]
struct LeftOut {
    bytes: u64,
    lines: u64,
}

impl LeftOut {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.lines += breaks(bytes);
    }

    fn take_back(&mut self, bytes: &[u8]) {
        self.bytes -= bytes.len() as u64;
        self.lines -= breaks(bytes);
    }
}

fn breaks(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

impl End {
    const KEPT: usize = RECORDED + MARGIN;

    fn push(&mut self, bytes: &[u8]) {
        self.last.extend_from_slice(bytes);
        if self.last.len() >= 2 * Self::KEPT {
            let over = self.last.len() - Self::KEPT;
            self.left_out.add(&self.last[..over]);
            self.last.drain(..over);
        }
    }

    /// What is recorded of it, without secrets.
    fn finish(mut self, stream: Stream, redactor: &Arc<Redactor>, ready: &mut Ready) -> Vec<String> {
        let mut lines = OutputLines::new(redactor.clone());
        if self.left_out.bytes == 0 && self.last.len() <= Self::KEPT {
            let mut all = lines.push(&self.last);
            all.extend(lines.finish());
            return all;
        }
        // Of a secret that began before what is kept only its end is here, which nothing would find: so many bytes are left out.
        let unsure = LONGEST_PIECE + 3 * redactor.hold_back() + CHUNK;
        let from = self.last.len().saturating_sub(RECORDED).max(unsure).min(self.last.len());
        let (before, kept) = self.last.split_at(from);
        // A line is not recorded from its middle on, where another one follows soon.
        let cut = kept.iter().take(CHUNK).position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (cut, kept) = kept.split_at(cut);
        for bytes in before.chunks(CHUNK).chain([cut]) {
            self.left_out.add(bytes);
            lines.push(bytes);
        }
        let mut end = Vec::new();
        if kept.is_empty() {
            lines.take_pending();
        } else {
            // What is held back, since a secret may have begun in it, comes with what follows.
            self.left_out.take_back(lines.pending());
            end = lines.push(kept);
            end.extend(lines.finish());
        }
        ready.events.push_back(Body::OutputLeftOut { stream, bytes: self.left_out.bytes, lines: self.left_out.lines });
        end
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::Value;

    fn knowing(secret: &str) -> Arc<Redactor> {
        let redactor = Redactor::new();
        redactor.learn("db", &Value::text(secret)).expect("long enough");
        redactor
    }

    /// What becomes of a stream: its text, and what was left out.
    fn read<'b>(redactor: Arc<Redactor>, chunks: impl Iterator<Item = &'b [u8]>) -> (String, LeftOut) {
        let mut reading = Reading::new(Stream::Stdout, redactor);
        let mut ready = Ready::default();
        for chunk in chunks {
            chunk.chunks(CHUNK).for_each(|chunk| reading.push(chunk, &mut ready));
        }
        reading.finish(&mut ready);
        let (mut all, mut left_out) = (String::new(), LeftOut::default());
        for event in ready.events {
            match event {
                Body::Output { text, .. } => {
                    assert!(text.len() <= EVENT + LONGEST_PIECE, "an event of {} bytes", text.len());
                    all.push_str(&text);
                    all.push('\n');
                }
                Body::OutputLeftOut { bytes, lines, .. } => left_out = LeftOut { bytes, lines },
                other => panic!("{other:?}"),
            }
        }
        (all, left_out)
    }

    #[test]
    fn what_is_not_too_long_is_recorded_whole() {
        let text = "line\n".repeat((2 * RECORDED + CHUNK) / 5);
        let (all, left_out) = read(Redactor::new(), text.as_bytes().chunks(7777));
        assert!(all == text, "{} of {} bytes", all.len(), text.len());
        assert_eq!(left_out.bytes, 0);
    }

    #[test]
    fn many_lines_are_one_event() {
        let mut reading = Reading::new(Stream::Stdout, Redactor::new());
        let mut ready = Ready::default();
        reading.push(b"a\n\nb\nc", &mut ready);
        reading.finish(&mut ready);
        assert_eq!(ready.events, [Body::Output { stream: Stream::Stdout, text: "a\n\nb\nc".to_owned() }]);
        assert_eq!(ready.tail, "a\n\nb\nc\n");
    }

    #[test]
    fn of_a_secret_that_is_cut_no_part_is_recorded() {
        let secret = "hunter2-KLMNOPQRSTUVWXYZ-0123456789";
        // Lines, one endless line, and a secret of several lines: each cut at every place of the secret.
        for (secret, filler) in [(secret, "x"), (secret, "x\n"), ("first-line-ABCDEFG\nsecond-line-HIJKLMN", "x\n")] {
            for shift in (0..secret.len()).step_by(8) {
                let unit = format!("{}{secret}{}", filler.repeat(20), filler.repeat(17));
                let mut text = filler.repeat(shift);
                while text.len() < RECORDED + 2 * End::KEPT + shift {
                    text.push_str(&unit);
                }
                let (all, left_out) = read(knowing(secret), text.as_bytes().chunks(16 * 1024));
                assert!(left_out.bytes > 0);
                for part in ["hunter2", "KLMNOP", "UVWXYZ", "-0123456789", "ABCDEFG", "HIJKLMN", "line-"] {
                    assert!(!all.contains(part), "{part} of {secret:?} at {shift}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn every_byte_is_recorded_or_counted(
            length in 0usize..6_000_000,
            width in 1usize..200_000,
            chunk in 1usize..100_000,
        ) {
            let mut text = vec![b'x'; length];
            text.iter_mut().skip(width - 1).step_by(width).for_each(|byte| *byte = b'\n');
            let (all, left_out) = read(Redactor::new(), text.chunks(chunk));
            let breaks_left_out = left_out.lines as usize;
            // A long line comes in pieces, each of which was given an end here.
            let recorded = all.bytes().filter(|byte| *byte == b'x').count();
            let there = text.iter().filter(|byte| **byte == b'x').count();
            prop_assert_eq!(recorded + left_out.bytes as usize - breaks_left_out, there);
            prop_assert!(all.len() <= 3 * RECORDED);
        }
    }
}
