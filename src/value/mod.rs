//! Values, types, and what is known of them.
//!
//! In: literals, what probes answer, what commands print. Out: [`Answer`]s that the engine computes with. An unknown
//! can't be taken for a value, and a secret can't be printed: neither type lets it.

pub mod answer;
pub mod display;
pub mod number;
pub mod pattern;
pub mod range;
pub mod recorded;
pub mod secret;
pub mod sensitive;
pub mod size;
pub mod types;

use std::sync::Arc;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};

pub use answer::{Absence, Answer, Truth, Unknown, UnknownCause};
pub use number::Number;
pub use secret::Sealed;
pub use types::Type;

/// Something that is known.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// JSON's `null`: a value that says nothing. Not the same as absent.
    Null,
    Bool(bool),
    Number(Number),
    /// A string, path or URL: which of them is the expression's static [`Type`].
    Text(Arc<str>),
    Duration(SignedDuration),
    /// In bytes; negative only as a difference.
    Size(i64),
    /// 12.5 is 12.5 %.
    Percent(f64),
    Time(Timestamp),
    List(Arc<[Value]>),
    Map(Arc<Map>),
    Record(Arc<Record>),
    /// Any of the others, where nothing may show it.
    Secret(Sealed),
}

/// Keys with values, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Map {
    pub entries: IndexMap<Arc<str>, Value>,
    /// Keys are found whatever their case, as HTTP's header names are (RFC 9110, section 5.1). They are kept in lower case.
    pub ignore_case: bool,
    /// Its values are data that may be secret (a container's environment): shown one by one, where a key is named.
    pub hidden: bool,
}

/// What they hold makes maps equal, not how they are looked up or shown.
impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

/// What a probe or action answers: fields with names, each of which may be absent or unknown by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The declared record type: `http.response`.
    pub name: Arc<str>,
    pub fields: IndexMap<Arc<str>, Answer>,
}

impl Value {
    pub fn text(text: impl Into<Arc<str>>) -> Value {
        Value::Text(text.into())
    }

    pub fn list(items: impl IntoIterator<Item = Value>) -> Value {
        Value::List(items.into_iter().collect())
    }

    pub fn map<K: Into<Arc<str>>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Value::Map(Arc::new(Map { entries, ..Map::default() }))
    }

    pub fn record<K: Into<Arc<str>>>(name: &str, fields: impl IntoIterator<Item = (K, Answer)>) -> Value {
        let fields = fields.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Value::Record(Arc::new(Record { name: name.into(), fields }))
    }

    /// The value without its seal, for computing; what is computed from it must be sealed again.
    pub fn unsealed(&self) -> &Value {
        match self {
            Value::Secret(sealed) => sealed.reveal(),
            other => other,
        }
    }

    pub fn is_secret(&self) -> bool {
        matches!(self, Value::Secret(_))
    }

    /// Whether it, or anything in it, is sealed.
    pub fn holds_secret(&self) -> bool {
        match self {
            Value::Secret(_) => true,
            Value::List(items) => items.iter().any(Value::holds_secret),
            Value::Map(map) => map.entries.values().any(Value::holds_secret),
            Value::Record(record) => {
                record.fields.values().any(|field| matches!(field, Answer::Known(value) if value.holds_secret()))
            }
            _ => false,
        }
    }

    /// What kind of thing it is, for messages: "a number", "a list".
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "a string",
            Value::Duration(_) => "a duration",
            Value::Size(_) => "a size",
            Value::Percent(_) => "a percentage",
            Value::Time(_) => "a time",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Record(_) => "a record",
            Value::Secret(_) => "a secret",
        }
    }

    /// What JSON says, in our terms. Numbers keep their exactness where 64 bits hold them.
    pub fn from_json(json: serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(number) => Value::Number(Number::from_json(&number)),
            serde_json::Value::String(text) => Value::Text(text.into()),
            serde_json::Value::Array(items) => Value::list(items.into_iter().map(Value::from_json)),
            serde_json::Value::Object(entries) => {
                Value::map(entries.into_iter().map(|(key, value)| (key, Value::from_json(value))))
            }
        }
    }
}

impl Map {
    pub fn get(&self, key: &str) -> Option<&Value> {
        if self.ignore_case { self.entries.get(key.to_ascii_lowercase().as_str()) } else { self.entries.get(key) }
    }
}

impl Record {
    pub fn get(&self, field: &str) -> Option<&Answer> {
        self.fields.get(field)
    }
}
