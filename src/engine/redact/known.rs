//! Finding the secrets that are known, however they are written.
//!
//! In: the texts of secrets, and a text. Out: where a secret stands in it, and how far that can be said while the text
//! still goes on.

use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::views::{self, View, Written};

/// A line of a secret of many lines is a secret of its own from this length on; what is shorter is not looked for where it
/// was broken into lines.
const SHORTEST_LINE: usize = 8;

/// How often escapes are undone before anything else: JSON in JSON in a text that is quoted.
const ESCAPES: usize = 4;

/// How many other ways of writing are undone one after another.
const OTHERS: usize = 2;

/// The most readings of one text.
const READINGS: usize = 200;

/// How much of a secret in base64 may be shown at the end of a line that is not held back for what follows: every line
/// ends with the beginning of something.
const SHOWN: usize = 2;

/// How much of a long text is read at once, in bytes.
const WINDOW: usize = 256 * 1024;

/// A place in a text that is not shown, and what is shown instead.
#[derive(Clone, Debug, PartialEq)]
pub struct Hidden {
    pub range: Range<usize>,
    pub mark: Arc<str>,
}

/// Knows secrets.
#[derive(Default)]
pub struct Known {
    /// As they are; looked for in each reading of a text.
    plain: Needles,
    /// As base64 and hexadecimal, and without whitespace; looked for where whitespace was left out.
    packed: Needles,
}

#[derive(Default)]
struct Needles {
    marks: BTreeMap<Vec<u8>, Arc<str>>,
    finder: Option<Finder>,
}

struct Finder {
    automaton: AhoCorasick,
    needles: Vec<Vec<u8>>,
    marks: Vec<Arc<str>>,
    /// Whether a needle begins with these two bytes: asked at each byte of a stream's end.
    heads: Vec<bool>,
    longest: usize,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} needles", self.plain.marks.len() + self.packed.marks.len())
    }
}

/// What is found in the beginning of a text, or in all of it.
struct Reading {
    /// More may follow.
    goes_on: bool,
    hidden: Vec<Hidden>,
    /// Where the first secret may begin whose end is not there yet.
    open: usize,
    /// What was looked through already: undone in another order, the same writings often read the same.
    seen: HashSet<u64>,
}

/// What was undone to come to a reading: escapes first, which wrap all else and each other, then a few others, with escapes
/// once more in them.
#[derive(Clone, Copy, Default)]
struct Undone {
    escapes: usize,
    others: usize,
    within: bool,
}

impl Undone {
    fn allows(self, written: Written) -> bool {
        match (written, self.others) {
            (Written::Backslashes, 0) => self.escapes < ESCAPES,
            (Written::Backslashes, _) => !self.within,
            (_, others) => others < OTHERS,
        }
    }

    fn and(self, written: Written) -> Self {
        match (written, self.others) {
            (Written::Backslashes, 0) => Self { escapes: self.escapes + 1, ..self },
            (Written::Backslashes, _) => Self { within: true, ..self },
            (_, others) => Self { others: others + 1, ..self },
        }
    }
}

impl Known {
    pub fn is_empty(&self) -> bool {
        self.plain.finder.is_none()
    }

    /// Looks for a secret from now on. `own`: it is one itself, and no part of another.
    pub fn look_for(&mut self, text: &str, mark: &Arc<str>, own: bool) {
        for needle in plain_forms(text) {
            self.plain.add(needle.clone().into_bytes(), mark, own);
            for packed in packed_forms(&needle) {
                self.packed.add(packed, mark, own);
            }
        }
    }

    /// What was to be looked for is found from now on; `false` if it is too much.
    pub fn ready(&mut self) -> bool {
        self.plain.ready() && self.packed.ready()
    }

    /// How much of a text a secret takes at most, however it is written.
    pub fn reach(&self) -> usize {
        let longest = |needles: &Needles| needles.finder.as_ref().map_or(0, |finder| finder.longest);
        longest(&self.plain).max(longest(&self.packed)) * 12 + 1024
    }

    /// Where secrets stand in a text, in their order.
    pub fn hidden(&self, text: &[u8]) -> Vec<Hidden> {
        if self.is_empty() {
            return Vec::new();
        }
        let reach = self.reach();
        let mut hidden = Vec::new();
        let mut from = 0;
        loop {
            let to = text.len().min(from + WINDOW + reach);
            let (found, _) = self.read(&text[from..to], false);
            hidden.extend(
                found
                    .into_iter()
                    .map(|hidden| Hidden { range: from + hidden.range.start..from + hidden.range.end, ..hidden }),
            );
            if to == text.len() {
                return merged(hidden);
            }
            from += WINDOW;
        }
    }

    pub fn holds(&self, text: &str) -> bool {
        !self.hidden(text.as_bytes()).is_empty()
    }

    /// Where secrets stand in the beginning of a text that goes on, and up to where that is certain.
    pub fn begun(&self, text: &[u8]) -> (Vec<Hidden>, usize) {
        match self.is_empty() {
            true => (Vec::new(), text.len()),
            false => self.read(text, true),
        }
    }

    fn read(&self, text: &[u8], goes_on: bool) -> (Vec<Hidden>, usize) {
        let mut reading = Reading { goes_on, hidden: Vec::new(), open: text.len(), seen: HashSet::new() };
        self.look(text, &mut Vec::new(), Undone::default(), &mut reading);
        (merged(reading.hidden), reading.open)
    }

    /// Looks through a reading of the text, and through what that is a writing of.
    fn look(&self, bytes: &[u8], path: &mut Vec<View>, undone: Undone, reading: &mut Reading) {
        let mut hasher = std::hash::DefaultHasher::new();
        bytes.hash(&mut hasher);
        if !reading.seen.insert(hasher.finish()) {
            return;
        }
        reading.take(self.plain.finder.as_ref(), bytes, 1, path, None);
        let packed = views::packed(bytes, false);
        let found = |finder: &Finder| finder.automaton.is_match(&packed.bytes) || reading.goes_on;
        if self.packed.finder.as_ref().is_some_and(found) {
            let packed = views::packed(bytes, true);
            reading.take(self.packed.finder.as_ref(), &packed.bytes, SHOWN + 1, path, Some(&packed));
        }
        for written in views::ALL.into_iter().filter(|written| undone.allows(*written)) {
            let view = if reading.seen.len() < READINGS { Written::undone(written, bytes) } else { None };
            if let Some(mut view) = view {
                if reading.goes_on
                    && let Some(at) = view.unfinished
                {
                    let at = path.iter().rev().fold(at, |at, view| view.start(at));
                    reading.open = reading.open.min(at);
                }
                let bytes = std::mem::take(&mut view.bytes);
                path.push(view);
                self.look(&bytes, path, undone.and(written), reading);
                path.pop();
            }
        }
    }
}

impl Reading {
    /// Notes what one finder finds in one reading. `least`: so much of a secret at the end is held back for what follows.
    fn take(&mut self, finder: Option<&Finder>, bytes: &[u8], least: usize, path: &[View], packed: Option<&View>) {
        let Some(finder) = finder else { return };
        let place = |range: Range<usize>| {
            let range = packed.map_or(range.clone(), |view| view.place(range));
            path.iter().rev().fold(range, |range, view| view.place(range))
        };
        for found in finder.automaton.find_iter(bytes) {
            // What base64 is filled up with belongs to it.
            let filling = bytes[found.end()..].iter().take(2).take_while(|byte| **byte == b'=').count();
            let filling = if packed.is_some() { filling } else { 0 };
            let range = place(found.start()..found.end() + filling);
            self.hidden.push(Hidden { range, mark: finder.marks[found.pattern().as_usize()].clone() });
        }
        if self.goes_on
            && let Some(at) = finder.begins_in(bytes, least)
        {
            self.open = self.open.min(place(at..at + 1).start);
        }
    }
}

impl Needles {
    fn add(&mut self, needle: Vec<u8>, mark: &Arc<str>, own: bool) {
        // A secret of its own bears its own name, also where a part of another one was the same.
        let marked = self.marks.entry(needle).or_insert_with(|| {
            self.finder = None;
            mark.clone()
        });
        if own && marked != mark {
            *marked = mark.clone();
            self.finder = None;
        }
    }

    fn ready(&mut self) -> bool {
        if self.finder.is_none() && !self.marks.is_empty() {
            let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(self.marks.keys());
            self.finder = built.ok().map(|automaton| Finder {
                automaton,
                needles: self.marks.keys().cloned().collect(),
                marks: self.marks.values().cloned().collect(),
                heads: heads(self.marks.keys()),
                longest: self.marks.keys().map(Vec::len).max().unwrap_or(0),
            });
        }
        self.finder.is_some() || self.marks.is_empty()
    }
}

fn head(a: u8, b: u8) -> usize {
    usize::from(a) << 8 | usize::from(b)
}

fn heads<'n>(needles: impl Iterator<Item = &'n Vec<u8>>) -> Vec<bool> {
    let mut heads = vec![false; 1 << 16];
    for needle in needles {
        if let [a, b, ..] = needle[..] {
            heads[head(a, b)] = true;
        }
    }
    heads
}

impl Finder {
    /// Where the end of a text begins that is also the beginning of a needle, of at least so many bytes.
    fn begins_in(&self, bytes: &[u8], least: usize) -> Option<usize> {
        let from = bytes.len().saturating_sub(self.longest.saturating_sub(1));
        (from..(bytes.len() + 1).saturating_sub(least.max(1))).find(|at| {
            let rest = &bytes[*at..];
            let begins = match rest {
                [a, b, ..] => self.heads[head(*a, *b)],
                _ => true,
            };
            begins && {
                let next = self.needles.partition_point(|needle| needle.as_slice() < rest);
                self.needles.get(next).is_some_and(|needle| needle.len() > rest.len() && needle.starts_with(rest))
                    // The needle itself is found already; a longer one may begin with it.
                    || self.needles.get(next + 1).is_some_and(|needle| needle.len() > rest.len() && needle.starts_with(rest))
            }
        })
    }
}

/// In their order, those that meet as one. It has the mark of the one that covers most.
pub fn merged(mut hidden: Vec<Hidden>) -> Vec<Hidden> {
    hidden.retain(|hidden| !hidden.range.is_empty());
    hidden.sort_by_key(|hidden| (hidden.range.start, std::cmp::Reverse(hidden.range.end)));
    let mut merged: Vec<(Hidden, usize)> = Vec::new();
    for next in hidden {
        let length = next.range.len();
        match merged.last_mut() {
            Some((last, longest)) if next.range.start < last.range.end => {
                last.range.end = last.range.end.max(next.range.end);
                if length > *longest {
                    (last.mark, *longest) = (next.mark, length);
                }
            }
            _ => merged.push((next, length)),
        }
    }
    merged.into_iter().map(|(hidden, _)| hidden).collect()
}

/// A secret as it is, without the whitespace around it, and each of its lines.
fn plain_forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned()];
    let trimmed = secret.trim();
    if trimmed.len() >= super::SHORTEST {
        forms.push(trimmed.to_owned());
    }
    forms.extend(secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE).map(str::to_owned));
    // The body of a key in one piece.
    let body: String = secret.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    if secret.starts_with("-----") && body.len() >= SHORTEST_LINE {
        forms.push(body);
    }
    forms.sort();
    forms.dedup();
    forms
}

/// As base64 and hexadecimal, and broken into lines.
fn packed_forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = base64_forms(secret.as_bytes());
    // base64(1) breaks its lines at 76 characters, PEM at 64: each may be told alone.
    let whole = STANDARD_NO_PAD.encode(secret);
    for width in [64, 76] {
        forms.extend(whole.as_bytes().chunks(width).filter(|line| line.len() >= SHORTEST_LINE).map(<[u8]>::to_vec));
    }
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    forms.push(hex.to_uppercase().into_bytes());
    forms.push(hex.into_bytes());
    if secret.len() >= SHORTEST_LINE {
        forms.push(secret.as_bytes().to_vec());
    }
    forms
        .into_iter()
        .map(|form| views::packed(&form, false).bytes)
        .filter(|form| form.len() >= super::SHORTEST)
        .collect()
}

/// How a secret may stand inside base64 of something longer: at each of three alignments, without the characters that
/// it shares with its neighbours.
fn base64_forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for lead in 0..3 {
        let mut bytes = vec![0; lead];
        bytes.extend_from_slice(secret);
        let encoded = STANDARD_NO_PAD.encode(&bytes);
        let from = (lead * 8).div_ceil(6);
        let to = bytes.len() * 8 / 6;
        forms.extend(encoded.as_bytes().get(from..to).map(<[u8]>::to_vec));
    }
    forms
}
