//! How large a value may be: what the language makes of others, and what JSON makes of a text, is bounded.
//!
//! Parts are counted wherever they stand, so that a list which holds a large one ten times is ten times as large: that is what it
//! takes once it is recorded or put into a text.

use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::{Answer, UnknownCause, Value};

/// The most that a value may take, in bytes.
pub const LARGEST: usize = 32 << 20;

/// What a part takes beside its text.
const PART: usize = 32;

/// What is left for the rest of a value.
pub struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(LARGEST)
    }
}

impl Room {
    /// Room for a part with so much text; false where there is none.
    pub fn part(&mut self, text: usize) -> bool {
        self.text(PART) && self.text(text)
    }

    pub fn text(&mut self, text: usize) -> bool {
        let left = self.0.checked_sub(text);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }

    fn value(&mut self, value: &Value) -> bool {
        match value {
            Value::Text(text) => self.part(text.len()),
            Value::List(items) => self.part(0) && items.iter().all(|item| self.value(item)),
            Value::Map(map) => {
                self.part(0) && map.entries.iter().all(|(key, value)| self.part(key.len()) && self.value(value))
            }
            // A backend has bounded it.
            Value::Record(_) => self.part(0),
            Value::Secret(sealed) => self.value(sealed.reveal()),
            _ => self.part(0),
        }
    }
}

/// A value that is too large is unknown: nothing goes on from it.
pub fn bounded(answer: Answer) -> Answer {
    match &answer {
        Answer::Known(value) if !Room::default().value(value) => too_large(),
        _ => answer,
    }
}

pub fn too_large() -> Answer {
    let reason = format!("it is larger than the {} MiB that a value may take", LARGEST >> 20);
    Answer::unknown(UnknownCause::Invalid, reason)
}

/// A list of texts.
pub fn list_of<'t>(texts: impl Iterator<Item = &'t str>) -> Answer {
    let mut room = Room::default();
    let mut values = Vec::new();
    for text in texts {
        if !room.part(text.len()) {
            return too_large();
        }
        values.push(Value::text(text));
    }
    Answer::Known(Value::list(values))
}

/// Why a text is no value.
pub enum NotRead {
    TooLarge,
    NotJson(serde_json::Error),
}

/// What JSON says. What would be too large is found before it takes that memory.
pub fn read_json(text: &str) -> Result<Value, NotRead> {
    // So much text can't hold too many parts.
    if text.len() > LARGEST / (PART + 1) {
        let mut room = Room::default();
        let mut from = serde_json::Deserializer::from_str(text);
        if let Err(error) = Count(&mut room).deserialize(&mut from) {
            return Err(if room.0 == 0 { NotRead::TooLarge } else { NotRead::NotJson(error) });
        }
    }
    serde_json::from_str(text).map(Value::from_json).map_err(NotRead::NotJson)
}

/// Goes through JSON, and keeps nothing of it.
struct Count<'r>(&'r mut Room);

impl Count<'_> {
    fn part<E: serde::de::Error>(self, text: usize) -> Result<(), E> {
        if self.0.part(text) {
            return Ok(());
        }
        self.0.0 = 0;
        Err(E::custom("too large"))
    }
}

impl<'de> DeserializeSeed<'de> for Count<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Count<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.part(0)
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.part(0)
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.part(0)
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.part(0)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.part(0)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.part(text.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self(room) = self;
        Count(room).part(0)?;
        while items.next_element_seed(Count(room))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Self(room) = self;
        Count(room).part(0)?;
        while let Some(()) = entries.next_key_seed(Count(room))? {
            entries.next_value_seed(Count(room))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_counts_wherever_it_stands() {
        let mut value = Value::text("x".repeat(1 << 20));
        assert!(Room::default().value(&value));
        for level in 1.. {
            value = Value::list(std::iter::repeat_n(value, 10));
            if !Room::default().value(&value) {
                assert_eq!(level, 2, "a hundred of a MiB are more than {LARGEST} bytes");
                break;
            }
        }
        assert!(matches!(bounded(Answer::Known(value)), Answer::Unknown(_)));
    }

    #[test]
    fn json_of_many_small_parts_is_too_large_for_its_text() {
        let many = format!("[{}1]", "1,".repeat(LARGEST / PART));
        assert!(matches!(read_json(&many), Err(NotRead::TooLarge)));
        let torn = format!("[{}", "1,".repeat(700_000));
        assert!(matches!(read_json(&torn), Err(NotRead::NotJson(_))));
        let keys = format!("{{{}\"z\":1}}", (0..400_000).map(|n| format!("\"k{n}\":[{{}}],")).collect::<String>());
        assert!(matches!(read_json(&keys), Err(NotRead::TooLarge)));
        for fits in ["1", "null", "\"a\"", "[1.5, -2, true]", "{\"a\": {\"b\": []}}"] {
            let read = read_json(fits).unwrap_or_else(|_| panic!("{fits}"));
            assert_eq!(read, Value::from_json(serde_json::from_str(fits).expect("JSON")));
        }
        let fits = format!("[{}1]", "1,".repeat(LARGEST / PART - 10));
        assert!(read_json(&fits).is_ok());
    }
}
