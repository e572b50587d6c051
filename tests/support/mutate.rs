//! Runbooks that are nearly right: real ones, with slips of every kind. The same seed makes the same ones.

/// A sequence of numbers (xorshift64).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// From 0 to below `below`.
    pub fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (below.max(1) as u64)).unwrap_or(0)
    }
}

const TOKENS: &[&str] = &[
    "step",
    "expect",
    "run",
    "let",
    "if",
    "else",
    "for",
    "in",
    "use",
    "as",
    "check",
    "action",
    "param",
    "secret",
    "verdict",
    "rollback",
    "finally",
    "confirm",
    "by",
    "stop",
    "when",
    "within",
    "every",
    "timeout",
    "not",
    "and",
    "or",
    "is",
    "absent",
    "matches",
    "all",
    "any",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "\"",
    "'",
    "\"\"\"",
    "#{",
    "#",
    "\\",
    ",",
    ".",
    ":",
    "->",
    "==",
    "=",
    "<",
    "-",
    "+",
    "*",
    "/",
    "%",
    "0",
    "1e999",
    "99999999999999999999",
    "30s",
    "5GiB",
    "2026-02-30",
    "\u{0}",
    "\u{feff}",
    "\u{202e}",
    "é",
    "\r\n",
    "\t",
    "\"#{\"#{1}\"}\"",
    "run \"eval #{x}\"",
    "`",
    "$(",
    "<<E",
    "http.get(",
    "docker.container(",
    "json(",
    "env(",
    "file(",
];

/// A text with some slips.
pub fn mutated(texts: &[String], chance: &mut Chance) -> Vec<u8> {
    let pick = |chance: &mut Chance| texts[chance.below(texts.len())].as_bytes().to_vec();
    let mut text = pick(chance);
    for _ in 0..1 + chance.below(4) {
        let at = chance.below(text.len() + 1);
        let end = (at + 1 + chance.below(40)).min(text.len());
        match chance.below(10) {
            0 if !text.is_empty() => {
                let at = at.min(text.len() - 1);
                text[at] ^= 1 << chance.below(8);
            }
            1 => drop(text.drain(at..end)),
            2 => drop(text.splice(at..at, TOKENS[chance.below(TOKENS.len())].bytes())),
            3 => drop(text.splice(at..end, TOKENS[chance.below(TOKENS.len())].bytes())),
            4 => {
                let piece = text[at..end].to_vec();
                let to = chance.below(text.len() + 1);
                drop(text.splice(to..to, piece));
            }
            5 => {
                let piece = text[at..end].repeat(1 + chance.below(300));
                drop(text.splice(at..at, piece));
            }
            6 => text.truncate(at),
            7 => {
                let other = pick(chance);
                let from = chance.below(other.len() + 1);
                let to = (from + chance.below(400)).min(other.len());
                drop(text.splice(at..at, other[from..to].iter().copied()));
            }
            8 => {
                let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
                let (a, b) = (chance.below(lines.len()), chance.below(lines.len()));
                lines.swap(a, b);
                text = lines.join(&b'\n');
            }
            _ => {
                let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
                lines.remove(chance.below(lines.len()));
                text = lines.join(&b'\n');
            }
        }
    }
    text
}
