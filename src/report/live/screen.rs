//! The end of a terminal: lines that stay, and below them some that are drawn anew again and again.

use std::io::Write;

use unicode_width::UnicodeWidthChar;

use super::super::style::Paint;

/// How many columns and rows there are; asked each time, so that a resize is seen.
pub type Size = fn() -> (usize, usize);

/// How words look.
#[derive(Clone, Copy)]
pub(super) enum Tone {
    Plain,
    Dim,
    Bold,
    Good,
    Bad,
    Doubtful,
    Action,
}

/// A line, in words that look differently.
#[derive(Default)]
pub(super) struct Line {
    parts: Vec<(Tone, String)>,
    /// Stands at the right edge, where there is room.
    right: String,
}

impl Line {
    pub fn with(mut self, tone: Tone, words: impl Into<String>) -> Self {
        self.parts.push((tone, words.into()));
        self
    }

    pub fn right(mut self, words: impl Into<String>) -> Self {
        self.right = words.into();
        self
    }

    /// Painted, in at most so many columns; and how many it takes.
    fn fit(&self, columns: usize, paint: Paint) -> (String, usize) {
        let right = width(&self.right);
        // What does not fit beside the words is left out.
        let keep = if right > 0 && right + 20 <= columns { right + 2 } else { 0 };
        let (mut out, mut used) = (String::new(), 0);
        for (tone, words) in &self.parts {
            let mut cut = String::new();
            for char in words.chars() {
                let wide = char.width().unwrap_or(0);
                if used + wide > columns - keep {
                    break;
                }
                used += wide;
                cut.push(char);
            }
            out.push_str(&match tone {
                Tone::Plain => cut,
                Tone::Dim => paint.dim(&cut),
                Tone::Bold => paint.bold(&cut),
                Tone::Good => paint.good(&cut),
                Tone::Bad => paint.bad(&cut),
                Tone::Doubtful => paint.doubtful(&cut),
                Tone::Action => paint.action(&cut),
            });
        }
        if keep > 0 {
            out.push_str(&" ".repeat(columns - right - used));
            out.push_str(&paint.dim(&self.right));
            used = columns;
        }
        (out, used)
    }
}

fn width(text: &str) -> usize {
    text.chars().map(|char| char.width().unwrap_or(0)).sum()
}

pub(super) struct Screen<W> {
    out: W,
    size: Size,
    paint: Paint,
    /// How many columns each line takes that is drawn now.
    drawn: Vec<usize>,
}

impl<W: Write> Screen<W> {
    pub fn new(out: W, size: Size, paint: Paint) -> Self {
        Self { out, size, paint, drawn: Vec::new() }
    }

    pub fn is_drawn(&self) -> bool {
        !self.drawn.is_empty()
    }

    /// How many rows may be drawn: what was said before stays in sight.
    pub fn room(&self) -> usize {
        let (_, rows) = (self.size)();
        (rows / 2).clamp(1, 20)
    }

    /// Writes what stays, and draws the rest anew below it. One write, so that nothing is seen half done.
    pub fn show(&mut self, stays: &[u8], lines: &[Line]) {
        // Who draws with a terminal that knows of it is shown when it is done (synchronized output, DEC mode 2026).
        let mut bytes = b"\x1b[?2026h".to_vec();
        self.erase(&mut bytes);
        bytes.extend_from_slice(stays);
        // The last column stays free: what stands in it wraps on some terminals.
        let columns = (self.size)().0.saturating_sub(1).max(1);
        for line in lines {
            let (text, used) = line.fit(columns, self.paint);
            bytes.extend_from_slice(text.as_bytes());
            bytes.extend_from_slice(b"\r\n");
            self.drawn.push(used);
        }
        bytes.extend_from_slice(b"\x1b[?2026l");
        self.write(&bytes);
    }

    /// Clears what is drawn, and writes what stays.
    pub fn clear(&mut self, stays: &[u8]) {
        let mut bytes = Vec::new();
        self.erase(&mut bytes);
        bytes.extend_from_slice(stays);
        self.write(&bytes);
    }

    /// Up to the first line that is drawn. A terminal that has become narrower wraps what was drawn wider.
    fn erase(&mut self, bytes: &mut Vec<u8>) {
        let columns = (self.size)().0.max(1);
        let rows: usize = self.drawn.drain(..).map(|used| used.div_ceil(columns).max(1)).sum();
        if rows > 0 {
            bytes.extend_from_slice(format!("\r\x1b[{rows}A\x1b[J").as_bytes());
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let _ = self.out.write_all(bytes).and_then(|()| self.out.flush());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{Line, Screen, Tone};
    use crate::report::style::Paint;

    static COLUMNS: AtomicUsize = AtomicUsize::new(40);

    fn line(words: &str, right: &str) -> Line {
        Line::default().with(Tone::Plain, words).right(right)
    }

    #[test]
    fn a_line_takes_one_row_whatever_it_says() {
        let text = |line: Line, columns| line.fit(columns, Paint::default());
        assert_eq!(text(line("abc", "1s"), 30), (format!("abc{}1s", " ".repeat(25)), 30));
        assert_eq!(text(line("abcdefghij", ""), 5), ("abcde".to_owned(), 5));
        // Without room for both, the words count.
        assert_eq!(text(line("abcdefghij", "asked 12 times"), 20), ("abcdefghij".to_owned(), 10));
        // A wide character is not cut in half.
        assert_eq!(text(line("ab漢字", ""), 5), ("ab漢".to_owned(), 4));
    }

    #[test]
    fn what_was_drawn_is_cleared_also_where_a_narrower_terminal_wrapped_it() {
        let size = || (COLUMNS.load(Ordering::Relaxed), 24);
        let mut screen = Screen::new(Vec::new(), size, Paint::default());
        screen.show(b"", &[line("a", "1s"), line("b", "")]);
        screen.out.clear();
        screen.show(b"stays\n", &[line("c", "2s")]);
        let text = String::from_utf8(screen.out.clone()).expect("text");
        assert!(text.contains("\u{1b}[2A\u{1b}[Jstays\nc"), "{text:?}");
        // 39 columns take three rows of 15; the line that was short stays one.
        screen.show(b"", &[line("a", "1s"), line("b", "")]);
        COLUMNS.store(15, Ordering::Relaxed);
        screen.out.clear();
        screen.clear(b"");
        assert_eq!(String::from_utf8(screen.out.clone()).expect("text"), "\r\u{1b}[4A\u{1b}[J");
        screen.out.clear();
        screen.clear(b"");
        assert!(screen.out.is_empty());
    }
}
