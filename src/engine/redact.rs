//! Taking secrets out of whatever leaves the engine.
//!
//! In: every value that was sealed in this run. Out: [`Published`] events, and lines of output, in which none of them
//! occurs: not as it is, nor as base64, percent-encoded, escaped for JSON, or quoted for a shell.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::value::{Answer, Value};

use super::event::{Event, Published};

/// A shorter secret would be taken out of half the words there are, or not at all.
pub const SHORTEST: usize = 4;

/// A line of a secret of many lines is a secret of its own from this length on.
const SHORTEST_LINE: usize = 8;

/// The longest piece in which a line of output is passed on, in bytes.
pub(super) const LONGEST_PIECE: usize = 16 * 1024;

/// What RFC 3986, section 2.3, leaves as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How URLs are written: the percent-encode sets of the URL Standard (url.spec.whatwg.org, section 1.3).
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'\'');
const PATH: &AsciiSet = &QUERY.add(b'?').add(b'^').add(b'`').add(b'{').add(b'}');
const USERINFO: &AsciiSet =
    &PATH.add(b'/').add(b':').add(b';').add(b'=').add(b'@').add(b'[').add(b'\\').add(b']').add(b'|');

/// Knows the secrets of a run. Cheap to ask while it knows none.
#[derive(Debug, Default)]
pub struct Redactor {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    /// What is looked for, with what is put in its place.
    needles: BTreeMap<String, Arc<str>>,
    finder: Option<Finder>,
    longest: usize,
}

struct Finder {
    automaton: AhoCorasick,
    replacements: Vec<Arc<str>>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} needles", self.needles.len())
    }
}

impl Redactor {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Learns a secret: every text in it. One too short to be redacted is refused, with the reason.
    pub fn learn(&self, name: &str, value: &Value) -> Result<(), String> {
        let mut texts = Vec::new();
        texts_of(value, &mut texts);
        if let Some(short) = texts.iter().find(|text| text.len() < SHORTEST) {
            let length = short.len();
            return Err(format!(
                "the secret `{name}` is {length} bytes long; one shorter than {SHORTEST} can't be kept out of what is shown"
            ));
        }
        self.look_for(name, texts, true)
    }

    /// Learns what was made of a secret: its texts, as far as they are long enough to be taken out.
    pub fn learn_derived(&self, name: &str, value: &Value) {
        let mut texts = Vec::new();
        texts_of(value, &mut texts);
        // A number (a length, a count) says little, and would be taken out of half the numbers there are.
        texts.retain(|text| text.len() >= SHORTEST && text.parse::<f64>().is_err());
        // Where a secret stands in it as it is, that is taken out, and what stands around it is none.
        texts.retain(|text| self.text(text) == *text);
        let _ = self.look_for(name, texts, false);
    }

    fn look_for(&self, name: &str, texts: Vec<String>, own: bool) -> Result<(), String> {
        let mark: Arc<str> = format!("‹secret {name}›").into();
        let mut known = self.known.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        let before = known.needles.len();
        let mut renamed = false;
        for text in texts {
            for needle in forms(&text) {
                // A secret of its own bears its own name, also where a part of another one was the same.
                let marked = known.needles.entry(needle).or_insert_with(|| mark.clone());
                if own && *marked != mark {
                    *marked = mark.clone();
                    renamed = true;
                }
            }
        }
        if renamed || known.needles.len() != before {
            known.longest = known.needles.keys().map(String::len).max().unwrap_or(0);
            let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(known.needles.keys());
            known.finder = match automaton {
                Ok(automaton) => Some(Finder { automaton, replacements: known.needles.values().cloned().collect() }),
                Err(_) => return Err(format!("the secret `{name}` is too long to be looked for")),
            };
        }
        Ok(())
    }

    /// The text without secrets.
    pub fn text(&self, text: &str) -> String {
        let known = self.known.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        known.replace(text).unwrap_or_else(|| text.to_owned())
    }

    /// Whether a secret stands in the text.
    pub fn holds(&self, text: &str) -> bool {
        let known = self.known.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        known.finder.as_ref().is_some_and(|finder| finder.automaton.is_match(text))
    }

    /// The only way for an event to leave the engine.
    pub fn publish(&self, event: Event) -> Published {
        let known = self.known.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        if known.finder.is_none() {
            return Published::new(event);
        }
        let cleaned = serde_json::to_value(&event).map(|json| known.clean(json)).and_then(serde_json::from_value);
        match cleaned {
            Ok(event) => Published::new(event),
            // An event that can't be cleaned is told without its words, rather than with a secret in them.
            Err(_) => Published::new(Event {
                body: super::event::Body::Shown { text: "an event".to_owned(), value: "could not be shown".to_owned() },
                place: super::event::Place::default(),
                ..event
            }),
        }
    }

    /// How many bytes of a stream must be held back, since a secret may have begun in them.
    pub(super) fn hold_back(&self) -> usize {
        self.known.read().unwrap_or_else(|poisoned| poisoned.into_inner()).longest.saturating_sub(1)
    }
}

impl Known {
    /// `None` where there is nothing to take out.
    fn replace(&self, text: &str) -> Option<String> {
        let finder = self.finder.as_ref()?;
        let mut out = String::new();
        let mut from = 0;
        for found in finder.automaton.find_iter(text) {
            out.push_str(&text[from..found.start()]);
            out.push_str(&finder.replacements[found.pattern().as_usize()]);
            from = found.end();
        }
        if from == 0 {
            return None;
        }
        out.push_str(&text[from..]);
        Some(out)
    }

    fn clean(&self, json: serde_json::Value) -> serde_json::Value {
        use serde_json::Value as Json;
        match json {
            Json::String(text) => Json::String(self.replace(&text).unwrap_or(text)),
            Json::Array(items) => Json::Array(items.into_iter().map(|item| self.clean(item)).collect()),
            // Keys are names of fields, ours; values are what was found.
            Json::Object(entries) => {
                Json::Object(entries.into_iter().map(|(key, value)| (key, self.clean(value))).collect())
            }
            other => other,
        }
    }
}

fn texts_of(value: &Value, texts: &mut Vec<String>) {
    match value.unsealed() {
        Value::Text(text) => texts.push(text.to_string()),
        Value::Number(number) => texts.push(number.to_string()),
        Value::List(items) => items.iter().for_each(|item| texts_of(item, texts)),
        Value::Map(map) => map.entries.values().for_each(|item| texts_of(item, texts)),
        Value::Record(record) => {
            record.fields.values().filter_map(Answer::known).for_each(|item| texts_of(item, texts))
        }
        _ => {}
    }
}

/// Every form in which a secret is looked for.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned()];
    let trimmed = secret.trim();
    if trimmed.len() >= SHORTEST {
        forms.push(trimmed.to_owned());
    }
    forms.extend(secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE).map(str::to_owned));
    let plain = forms.clone();
    for text in &plain {
        let percent = utf8_percent_encode(text, RESERVED).to_string();
        forms.push(percent.replace("%20", "+"));
        forms.push(percent.to_lowercase());
        forms.push(percent);
        forms.push(utf8_percent_encode(text, NON_ALPHANUMERIC).to_string());
        for set in [QUERY, PATH, USERINFO] {
            forms.push(utf8_percent_encode(text, set).to_string());
        }
        if let Ok(json) = serde_json::to_string(text) {
            forms.push(json[1..json.len() - 1].to_owned());
        }
        forms.push(text.replace('\'', "'\\''"));
        forms.push(text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$"));
        let quoted = crate::value::display::quoted(text);
        forms.push(quoted[1..quoted.len() - 1].to_owned());
        let whole = STANDARD.encode(text);
        // base64(1) breaks its lines.
        forms.extend(
            whole
                .as_bytes()
                .chunks(76)
                .filter(|line| line.len() >= SHORTEST_LINE)
                .map(|line| String::from_utf8_lossy(line).into_owned()),
        );
        forms.extend([whole, URL_SAFE.encode(text)]);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            forms.extend(base64_forms(&engine, text.as_bytes()));
        }
    }
    // What a server echoes as JSON is quoted once more where it is shown.
    for at in 0..forms.len() {
        let quoted = crate::value::display::quoted(&forms[at]);
        let inner = &quoted[1..quoted.len() - 1];
        if inner != forms[at] {
            forms.push(inner.to_owned());
        }
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms.sort();
    forms.dedup();
    forms
}

/// How a secret may stand inside base64 of something longer: at each of three alignments, without the characters that
/// it shares with its neighbours.
fn base64_forms(engine: &impl base64::Engine, secret: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for lead in 0..3 {
        let mut bytes = vec![0; lead];
        bytes.extend_from_slice(secret);
        let encoded = engine.encode(&bytes);
        let from = (lead * 8).div_ceil(6);
        let to = bytes.len() * 8 / 6;
        if let Some(inner) = encoded.get(from..to)
            && inner.len() >= 6
        {
            forms.push(inner.to_owned());
        }
    }
    forms
}

/// Turns a stream of bytes into lines without secrets, also such as were split over two chunks.
pub struct OutputLines {
    redactor: Arc<Redactor>,
    pending: Vec<u8>,
}

impl OutputLines {
    pub fn new(redactor: Arc<Redactor>) -> Self {
        Self { redactor, pending: Vec::new() }
    }

    /// Takes a chunk; gives the lines that are whole, and pieces of a line that grows too long.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        self.pending.extend_from_slice(bytes);
        let hold_back = self.redactor.hold_back();
        // What is before the last line break is whole; a secret with line breaks in it may still go on behind it.
        let whole = self.pending.iter().rposition(|byte| *byte == b'\n' || *byte == b'\r').map_or(0, |at| at + 1);
        let mut ready = match self.open_secret(whole) {
            Some(start) => start,
            None => whole,
        };
        if ready == 0 && self.pending.len() > LONGEST_PIECE + hold_back {
            ready = self.safe_cut(self.pending.len() - hold_back);
        }
        self.take(ready)
    }

    /// What was not given yet: a line that has no end so far, or in which a secret may have begun.
    pub(super) fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// The same, taken away: it goes on elsewhere.
    pub(super) fn take_pending(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }

    /// What is left when the stream ends.
    pub fn finish(&mut self) -> Vec<String> {
        self.take(self.pending.len())
    }

    /// Where a secret of several lines may have begun that is not yet seen to its end.
    fn open_secret(&self, whole: usize) -> Option<usize> {
        let known = self.redactor.known.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        let multi = known.needles.keys().filter(|needle| needle.contains('\n'));
        let mut start: Option<usize> = None;
        for needle in multi {
            let needle = needle.as_bytes();
            let from = whole.saturating_sub(needle.len());
            for at in from..whole {
                let rest = &self.pending[at..];
                if rest.len() < needle.len() && needle.starts_with(rest) {
                    start = Some(start.map_or(at, |before| before.min(at)));
                    break;
                }
            }
        }
        // Back to the line's start, so that lines stay whole.
        start.map(|at| self.pending[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1))
    }

    /// A place at or before `at` where the bytes can be cut: between characters, and in no secret.
    fn safe_cut(&self, at: usize) -> usize {
        let at = at - unfinished(&self.pending[..at]);
        let known = self.redactor.known.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(finder) = &known.finder {
            for found in finder.automaton.find_iter(&self.pending) {
                if found.start() < at && at < found.end() {
                    return found.start();
                }
            }
        }
        at
    }

    fn take(&mut self, ready: usize) -> Vec<String> {
        if ready == 0 {
            return Vec::new();
        }
        let taken: Vec<u8> = self.pending.drain(..ready).collect();
        let text = self.redactor.text(&String::from_utf8_lossy(&taken));
        // A lone carriage return is how progress bars rewrite their line: what they came to counts.
        text.replace("\r\n", "\n")
            .split_terminator('\n')
            .flat_map(|line| pieces(line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default()))
            .collect()
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
        let mut at = LONGEST_PIECE;
        while !rest.is_char_boundary(at) {
            at -= 1;
        }
        pieces.push(rest[..at].to_owned());
        rest = &rest[at..];
    }
    pieces.push(rest.to_owned());
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use base64::Engine as _;

    use super::*;

    fn knowing(secret: &str) -> Arc<Redactor> {
        let redactor = Redactor::new();
        redactor.learn("db", &Value::text(secret)).expect("long enough");
        redactor
    }

    #[test]
    fn short_secrets_are_refused_with_a_word() {
        let why = Redactor::new().learn("pin", &Value::text("123")).expect_err("too short");
        assert!(why.contains("`pin`") && why.contains("4"), "{why}");
    }

    #[test]
    fn each_form_is_taken_out() {
        let secret = "p\"ss wörd$'x";
        let redactor = knowing(secret);
        let json = serde_json::to_string(secret).expect("json");
        let percent = utf8_percent_encode(secret, RESERVED).to_string();
        let base64 = base64::engine::general_purpose::STANDARD.encode(format!("admin:{secret}"));
        for form in [secret, &json, &percent, &base64, &percent.to_lowercase()] {
            let clean = redactor.text(&format!("before {form} after"));
            assert!(clean.contains("‹secret db›"), "{form}: {clean}");
        }
    }

    proptest! {
        #[test]
        fn a_secret_never_leaves_a_stream_however_it_is_cut(
            secret in "[a-zA-Z0-9!#%+/=]{4,40}",
            before in "[ -~\n]{0,80}",
            after in "[ -~\n]{0,80}",
            cuts in prop::collection::vec(1usize..20, 1..40),
        ) {
            let redactor = knowing(&secret);
            let whole = format!("{before}{secret}{after}");
            let mut lines = OutputLines::new(redactor);
            let mut out = Vec::new();
            let mut rest = whole.as_bytes();
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let at = (*cuts.next().unwrap_or(&1)).min(rest.len());
                out.extend(lines.push(&rest[..at]));
                rest = &rest[at..];
            }
            out.extend(lines.finish());
            prop_assert!(!out.join("\n").contains(&secret));
        }

        #[test]
        fn what_holds_no_secret_stays_as_it_is(text in "[a-z \n]{0,200}") {
            let redactor = knowing("S3CRET-VALUE");
            prop_assert_eq!(redactor.text(&text), text);
        }

        #[test]
        fn a_long_line_without_a_secret_is_cut_between_characters(
            lead in "[a-z]{0,3}",
            char in prop::sample::select(vec!["x", "é", "✓", "🦀"]),
            chunk in 1usize..30_000,
        ) {
            let text = lead + &char.repeat(60_000 / char.len());
            let mut lines = OutputLines::new(Redactor::new());
            let mut out = Vec::new();
            for chunk in text.as_bytes().chunks(chunk) {
                out.extend(lines.push(chunk));
            }
            out.extend(lines.finish());
            prop_assert_eq!(out.concat(), text);
        }

        #[test]
        fn no_bytes_make_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..60_000),
            chunk in 1usize..30_000,
            secret in any::<bool>(),
        ) {
            let redactor = if secret { knowing("S3CRET-VALUE") } else { Redactor::new() };
            let mut lines = OutputLines::new(redactor);
            for chunk in bytes.chunks(chunk) {
                lines.push(chunk);
            }
            lines.finish();
        }

        #[test]
        fn an_over_long_line_is_cut_but_no_secret_is(at in 0usize..40_000) {
            let secret = "hunter2hunter2";
            let mut text = "x".repeat(40_000);
            text.insert_str(at, secret);
            let mut lines = OutputLines::new(knowing(secret));
            let mut out = Vec::new();
            for chunk in text.as_bytes().chunks(1000) {
                out.extend(lines.push(chunk));
            }
            out.extend(lines.finish());
            prop_assert!(!out.concat().contains("hunter2"));
            prop_assert!(out.iter().all(|piece| piece.len() <= LONGEST_PIECE + 100));
        }
    }
}
