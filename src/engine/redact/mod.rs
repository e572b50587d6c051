//! Taking secrets out of whatever leaves the engine.
//!
//! In: every value that was sealed in this run. Out: [`Published`] events, and lines of output, in which none of them
//! stands, however it is written (`known`), and in which nothing that reads like a secret is shown (`care`).

mod care;
mod known;
mod lines;
mod views;
#[cfg(test)]
#[path = "../../../tests/support/written.rs"]
mod written;

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::value::sensitive::is_common;
use crate::value::{Answer, Sealed, Value};

use crate::engine::events::event::{Body, Event, Place, Published};

pub use care::{NOT_SHOWN, says};
use known::{Hidden, Known};
pub use lines::{LONGEST_PIECE, OutputLines};

/// A shorter secret would be taken out of half the words there are, or not at all.
pub const SHORTEST: usize = 4;

/// A longer one is no key and no password; to look for it in all its forms would take the memory of a run.
pub const LONGEST: usize = 64 * 1024;

/// How far before the end of a part of a text it is not yet certain what reads like a secret.
const MARGIN: usize = 2048;

/// Knows the secrets of a run. Cheap to ask while it knows none.
#[derive(Debug, Default)]
pub struct Redactor {
    known: RwLock<Known>,
}

impl Redactor {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns a secret: every text in it. One too short to be redacted, or too long, is refused, with the reason.
    pub fn learn(&self, name: &str, value: &Value) -> Result<(), String> {
        let mut texts = Vec::new();
        texts_of(value, &mut texts);
        if let Some(short) = texts.iter().find(|text| text.len() < SHORTEST) {
            let length = short.len();
            return Err(format!(
                "the secret `{name}` is {length} bytes long; one shorter than {SHORTEST} can't be kept out of what is shown"
            ));
        }
        if let Some(long) = texts.iter().find(|text| text.len() > LONGEST) {
            return Err(format!(
                "the secret `{name}` is {} bytes long; one longer than {} KiB can't be looked for in what is shown",
                long.len(),
                LONGEST / 1024
            ));
        }
        self.look_for(name, texts, true)
    }

    /// Learns what was made of a secret: its texts, as far as they are long enough to be taken out.
    pub fn learn_derived(&self, name: &str, value: &Value) {
        let mut texts = Vec::new();
        texts_of(value, &mut texts);
        // A number (a length, a count) says little, and would be taken out of half the numbers there are.
        texts.retain(|text| (SHORTEST..=LONGEST).contains(&text.len()) && text.parse::<f64>().is_err());
        // Where a secret stands in it as it is, that is taken out, and what stands around it is none.
        texts.retain(|text| !self.holds(text));
        let _ = self.look_for(name, texts, false);
    }

    /// Learns what a backend sealed in an answer, so that it is not shown where it stands elsewhere. A plain word is not
    /// looked for: it stands everywhere.
    pub fn learn_sealed(&self, answer: &Answer) {
        if let Answer::Known(value) = answer {
            self.learn_sealed_in(value);
        }
    }

    fn learn_sealed_in(&self, value: &Value) {
        match value {
            Value::Secret(sealed) => {
                let mut texts = Vec::new();
                texts_of(sealed.reveal(), &mut texts);
                texts.retain(|text| text.len() <= LONGEST && !is_common(text) && !self.holds(text));
                let _ = self.look_for(sealed.name(), texts, false);
            }
            Value::List(items) => items.iter().for_each(|item| self.learn_sealed_in(item)),
            Value::Map(map) => map.entries.values().for_each(|item| self.learn_sealed_in(item)),
            Value::Record(record) => record.fields.values().for_each(|field| self.learn_sealed(field)),
            _ => {}
        }
    }

    fn look_for(&self, name: &str, texts: Vec<String>, own: bool) -> Result<(), String> {
        if texts.is_empty() {
            return Ok(());
        }
        let mark: Arc<str> = format!("‹secret {name}›").into();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        texts.iter().for_each(|text| known.look_for(text, &mark, own));
        match known.ready() {
            true => Ok(()),
            false => Err(format!("the secret `{name}` is too long to be looked for")),
        }
    }

    /// The text without secrets, and without what reads like one.
    pub fn text(&self, text: &str) -> String {
        without(text, &self.hidden(text)).into_owned()
    }

    /// Whether the text can be told as it is.
    pub fn is_open(&self, text: &str) -> bool {
        !care::is_needed(text.as_bytes()) && self.known().is_empty() || self.hidden(text).is_empty()
    }

    /// Whether a secret that is known stands in the text.
    pub fn holds(&self, text: &str) -> bool {
        self.known().holds(text)
    }

    fn hidden(&self, text: &str) -> Vec<Hidden> {
        joined(self.known().hidden(text.as_bytes()), care::places(text))
    }

    /// The beginning of a text without secrets: at most so many characters, and whether that is all of it. What is cut is
    /// cut behind the taking out, so that no half of a secret stands at the end.
    pub fn head(&self, text: &str, most: usize) -> (String, bool) {
        let mut length = most * 4 + 2 * MARGIN + self.known().reach();
        loop {
            let part = &text[..boundary(text, length)];
            let whole = part.len() == text.len();
            let (known, mut settled) = match whole {
                true => (self.known().hidden(part.as_bytes()), part.len()),
                false => self.known().begun(part.as_bytes()),
            };
            let hidden = joined(known, care::places(part));
            if !whole {
                settled = boundary(text, settled.min(part.len() - MARGIN));
                // What began before may go on behind: its mark stands for both.
                settled = hidden
                    .iter()
                    .find(|hidden| hidden.range.contains(&settled))
                    .map_or(settled, |hidden| hidden.range.end);
            }
            let hidden: Vec<Hidden> = hidden.into_iter().filter(|hidden| hidden.range.end <= settled).collect();
            let shown = without(&part[..settled], &hidden);
            match shown.char_indices().nth(most) {
                Some((at, _)) => return (shown[..at].to_owned(), false),
                None if whole => return (shown.into_owned(), true),
                None => length *= 4,
            }
        }
    }

    /// The lines that a text is made of, without secrets: also of such as go over several.
    pub fn lines<'t>(&self, text: &str, lines: impl Iterator<Item = &'t str>) -> Vec<String> {
        let hidden = self.hidden(text);
        let mut at = 0;
        lines
            .map(|line| {
                let (from, to) = (at, at + line.trim_end_matches(['\n', '\r']).len());
                at += line.len();
                let within = hidden.iter().filter(|hidden| hidden.range.start < to && hidden.range.end > from);
                let within: Vec<Hidden> = within
                    .map(|hidden| Hidden {
                        range: hidden.range.start.max(from) - from..hidden.range.end.min(to) - from,
                        ..hidden.clone()
                    })
                    .collect();
                without(&text[from..to], &within).into_owned()
            })
            .collect()
    }

    /// How much of a stream a secret may take that is not there to its end.
    pub fn hold_back(&self) -> usize {
        let known = self.known();
        if known.is_empty() { 0 } else { known.reach() }
    }

    /// Where a text of which the middle was left out can be cut, so that no half of a secret stands there: so far into
    /// `head`, and from there on in `tail`. Between lines, where these are not too long.
    pub fn cuts(&self, head: &[u8], tail: &[u8]) -> (usize, usize) {
        let (to, from) = self.cuts_beside_secrets(head, tail);
        let line_ends = |byte: &u8| *byte == b'\n';
        let before = head[..to].iter().rev().take(MARGIN).position(line_ends);
        let behind = tail[from..].iter().take(MARGIN).position(line_ends);
        (before.map_or(to, |back| to - back), behind.map_or(from, |on| from + on + 1))
    }

    fn cuts_beside_secrets(&self, head: &[u8], tail: &[u8]) -> (usize, usize) {
        let known = self.known();
        if known.is_empty() {
            return (head.len(), 0);
        }
        let reach = known.reach().min(head.len() / 2).min(tail.len() / 2);
        let inside = |text: &[u8], at: usize| {
            known.hidden(text).into_iter().map(|hidden| hidden.range).find(|range| range.start < at && at < range.end)
        };
        let (to, from) = (head.len() - reach, reach);
        (inside(head, to).map_or(to, |range| range.start), inside(tail, from).map_or(from, |range| range.end))
    }

    /// The only way for an event to leave the engine.
    pub fn publish(&self, event: Event) -> Published {
        let event = match event.body {
            // Most events by far: nothing but their line was found.
            Body::Output { stream, text } => {
                let text = if self.is_open(&text) { text } else { self.text(&text) };
                return Published::new(Event { body: Body::Output { stream, text }, ..event });
            }
            body => Event { body, ..event },
        };
        let Ok(json) = serde_json::to_vec(&event) else { return Published::new(unshowable(event)) };
        if self.known().is_empty() && !care::is_needed(&json) {
            return Published::new(event);
        }
        let cleaned = serde_json::to_value(&event).map(|json| self.clean_event(json)).and_then(serde_json::from_value);
        match cleaned {
            Ok(event) => Published::new(event),
            Err(_) => Published::new(unshowable(event)),
        }
    }

    fn clean_event(&self, mut json: serde_json::Value) -> serde_json::Value {
        let authors = json.get("type").and_then(serde_json::Value::as_str).is_some_and(|kind| WORDS.contains(&kind));
        let words = match authors {
            true => json.get_mut("text").map(serde_json::Value::take),
            false => None,
        };
        let mut cleaned = self.clean(json, false);
        if let (Some(serde_json::Value::String(words)), Some(place)) = (words, cleaned.get_mut("text")) {
            *place = without(&words, &self.known().hidden(words.as_bytes())).into();
        }
        cleaned
    }

    /// `found`: it is a value of the world, as the record keeps it. Else the numbers and keys are ours.
    fn clean(&self, json: serde_json::Value, found: bool) -> serde_json::Value {
        use serde_json::Value as Json;
        match json {
            Json::String(text) => match self.is_open(&text) {
                true => Json::String(text),
                false => Json::String(self.text(&text)),
            },
            Json::Number(number) if found && self.holds(&number.to_string()) => {
                Json::String(self.text(&number.to_string()))
            }
            Json::Array(items) => Json::Array(items.into_iter().map(|item| self.clean(item, found)).collect()),
            Json::Object(entries) => Json::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| {
                        let value = self.clean(value, found || VALUES.contains(&key.as_str()));
                        let key = if found && self.holds(&key) { self.text(&key) } else { key };
                        (key, value)
                    })
                    .collect(),
            ),
            other => other,
        }
    }
}

/// The lines of a text, of which those that only go on with what is not shown (a private key, an indented block) are sealed:
/// alone, nothing would tell what they are.
fn sealed_lines(lines: Vec<Value>) -> Vec<Value> {
    let needed = |line: &Value| matches!(line, Value::Text(text) if care::is_needed(text.as_bytes()));
    if !lines.iter().any(needed) {
        return lines;
    }
    let mut reader = care::Reader::default();
    let line = |line: Value| match &line {
        Value::Text(text) if reader.line(text).1 && !text.trim().is_empty() => {
            Value::Secret(Sealed::new("line that goes on with one", line))
        }
        _ => line,
    };
    lines.into_iter().map(line).collect()
}

/// An answer that is a list of lines, or has some, with [`sealed_lines`].
pub fn with_sealed_lines(answer: Answer) -> Answer {
    match answer {
        Answer::Known(Value::List(items)) => Answer::Known(Value::list(sealed_lines(items.to_vec()))),
        Answer::Known(Value::Record(record)) => {
            let is_list = |field: &Answer| matches!(field, Answer::Known(Value::List(_)));
            let mut record = record;
            if record.fields.values().any(is_list) {
                let fields = &mut Arc::make_mut(&mut record).fields;
                for field in fields.values_mut().filter(|field| is_list(field)) {
                    *field = with_sealed_lines(std::mem::replace(field, Answer::Known(Value::Null)));
                }
            }
            Answer::Known(Value::Record(record))
        }
        other => other,
    }
}

/// Fields of events that hold values of the world.
const VALUES: [&str; 3] = ["data", "expected_value", "actual_value"];

/// Events whose `text` is what the author wrote: it is in the runbook for everyone to read, and an expression that asks for
/// `PASSWORD=` tells no password.
const WORDS: [&str; 5] = ["shown", "condition", "expect-started", "expect-ended", "stop-held"];

/// An event that can't be cleaned is told without its words, rather than with a secret in them.
fn unshowable(event: Event) -> Event {
    let body = Body::Shown { text: "an event".to_owned(), value: "could not be shown".to_owned() };
    Event { body, place: Place::default(), ..event }
}

/// Known secrets, and what reads like one. A value that is a secret which is known bears its name.
fn joined(known: Vec<Hidden>, read: Vec<std::ops::Range<usize>>) -> Vec<Hidden> {
    if read.is_empty() {
        return known;
    }
    let mark: Arc<str> = NOT_SHOWN.into();
    let mut all = known;
    all.extend(read.into_iter().map(|range| Hidden { range, mark: mark.clone() }));
    known::merged(all)
}

/// The text with marks in the places that are not shown.
fn without<'t>(text: &'t str, hidden: &[Hidden]) -> Cow<'t, str> {
    if hidden.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for Hidden { range, mark } in hidden {
        let start = boundary(text, range.start).max(from);
        out.push_str(&text[from..start]);
        out.push_str(mark);
        from = boundary_behind(text, range.end).max(start);
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// The last place between characters at or before a place.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn boundary_behind(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use base64::Engine as _;

    use super::written::{SECRETS, written};
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
        let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let base64 = base64::engine::general_purpose::STANDARD.encode(format!("admin:{secret}"));
        for form in [secret, &json, &percent, &base64, &percent.to_lowercase()] {
            let clean = redactor.text(&format!("before {form} after"));
            assert!(clean.contains("‹secret db›"), "{form}: {clean}");
        }
    }

    /// Whether a piece of the secret is in the text: so much of it that it would help.
    fn shows(text: &str, secret: &str, form: &str) -> bool {
        let body = |text: &str| text.split_whitespace().collect::<String>();
        text.contains(secret)
            || text.contains(form)
            || body(text).contains(&body(secret))
            || body(text).contains(&body(form))
    }

    #[test]
    fn no_form_of_a_secret_is_shown() {
        for secret in SECRETS {
            let redactor = knowing(secret);
            for (name, form) in written(secret) {
                for (before, behind) in [("", ""), ("before ", " behind"), ("{\"a\": \"", "\"}\n"), ("x\n", "\ny")] {
                    let text = redactor.text(&format!("{before}{form}{behind}"));
                    assert!(text.contains("‹secret db›"), "{name}: {form:?}: {text:?}");
                    assert!(!shows(&text, secret, &form), "{name}: {form:?}: {text:?}");
                }
            }
        }
    }

    #[test]
    fn no_form_of_a_secret_leaves_a_stream_however_it_comes() {
        for secret in SECRETS {
            let redactor = knowing(secret);
            for (name, form) in written(secret) {
                let text = format!("some output\nbefore {form} behind\nmore of it\n");
                for size in [1, 61, 10_000] {
                    let mut lines = OutputLines::new(redactor.clone());
                    let mut out = Vec::new();
                    for chunk in text.as_bytes().chunks(size) {
                        out.extend(lines.push(chunk));
                    }
                    out.extend(lines.finish());
                    let out = out.join("\n");
                    assert!(out.contains("‹secret db›"), "{name} by {size}: {form:?}: {out:?}");
                    assert!(!shows(&out, secret, &form), "{name} by {size}: {form:?}: {out:?}");
                    assert!(
                        out.starts_with("some output\n") && out.contains("more of it"),
                        "{name} by {size}: {out:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn lines_are_passed_on_as_they_come() {
        let key = SECRETS[8];
        let mut lines = OutputLines::new(knowing(key));
        for line in ["one", "two words", "key: value L", "LS", "+ a - b"] {
            assert_eq!(lines.push(format!("{line}\n").as_bytes()), [line]);
        }
        // The beginning of a secret waits for what follows.
        assert_eq!(lines.push(b"-----BEGIN PRIVATE KEY-----\n"), [""; 0]);
        assert_eq!(lines.push(b"no key\n"), ["‹secret db›", "no key"]);
    }

    #[test]
    fn a_cut_text_shows_no_half_of_a_secret() {
        for secret in SECRETS {
            let redactor = knowing(secret);
            for (name, form) in written(secret) {
                // What stands around a secret in base64 is none.
                if name.contains("base64") && (name != "base64" || secret.ends_with('\n')) {
                    continue;
                }
                for lead in [0, 225, 239] {
                    let text = format!("{}{form}{}", "-".repeat(lead), "=".repeat(3_000));
                    let (head, whole) = redactor.head(&text, 240);
                    assert!(!whole && head.chars().count() == 240);
                    let rest = head.trim_matches(['-', '=', '"', '\\', ' ', '\n']);
                    assert!("‹secret db›".starts_with(rest), "{name}: {form:?} at {lead}: {head}");
                }
            }
        }
        let (head, _) = Redactor::new()
            .head(&format!("{}postgres://app:S3cretPw99@db/x{}", "x ".repeat(110), " y".repeat(9000)), 240);
        assert!(head.ends_with("postgres://app:‹valu"), "{head}");
    }

    #[test]
    fn a_text_of_which_the_middle_is_left_out_is_cut_beside_secrets() {
        let secret = "hunter22-very-secret";
        let redactor = knowing(secret);
        let text = format!("{secret} ").repeat(4000).into_bytes();
        for at in 40_000..40_050 {
            let (to, from) = redactor.cuts(&text[..at], &text[at..]);
            let (head, tail) = (&text[..to], &text[at..][from..]);
            let left = |text: &[u8]| {
                redactor.text(&String::from_utf8_lossy(text)).replace("‹secret db›", "").trim().to_owned()
            };
            assert_eq!((left(head), left(tail)), (String::new(), String::new()));
            assert!(to > 30_000);
        }
    }

    #[test]
    fn a_number_is_a_secret_in_a_value_of_the_world_and_not_in_ours() {
        let redactor = knowing("12345678");
        let json =
            serde_json::json!({ "line": 12345678, "data": { "map": { "n": 12345678, "12345678": [12345678.5, 7] } } });
        let cleaned = redactor.clean(json, false);
        assert_eq!(cleaned["line"], 12345678);
        assert!(!cleaned["data"].to_string().contains("12345678"), "{cleaned}");
        assert!(cleaned["data"].to_string().contains('7'));
    }

    #[test]
    fn what_was_sealed_elsewhere_is_known_unless_it_is_a_plain_word() {
        let redactor = Redactor::new();
        let sealed = |name: &str, text: &str| {
            (name.to_owned(), Value::Secret(crate::value::Sealed::new(name, Value::text(text))))
        };
        let env =
            Value::map([sealed("ADMIN_PASS", "S3cretPw99"), sealed("DB_PASSWORD", "postgres"), sealed("KEY", "1")]);
        redactor.learn_sealed(&Answer::Known(Value::list([env])));
        assert_eq!(redactor.text("x S3cretPw99 postgres 1"), "x ‹secret ADMIN_PASS› postgres 1");
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
            prop_assert!(out.iter().all(|piece| piece.len() <= 16 * 1024 + 100));
        }
    }
}
