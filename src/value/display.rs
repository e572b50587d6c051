//! How values are written: as literals of the language (in plans and diffs), and as the text that they become in a string.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use jiff::SignedDuration;

use super::{Answer, Value};

/// As the language would write it: `"text"`, `30s`, `{ "a": 1 }`. A secret is shown by its name only.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Number(value) => write!(f, "{value}"),
            Value::Text(text) => f.write_str(&quoted(text)),
            Value::Duration(duration) => f.write_str(&duration_text(*duration)),
            Value::Size(bytes) => f.write_str(&size_text(*bytes)),
            Value::Percent(value) => write!(f, "{value}%"),
            Value::Time(time) => write!(f, "{time}"),
            Value::List(items) => {
                f.write_char('[')?;
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{item}")?;
                }
                f.write_char(']')
            }
            Value::Map(map) if map.entries.is_empty() => f.write_str("{}"),
            Value::Map(map) => {
                f.write_str("{ ")?;
                for (at, (key, value)) in map.entries.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    match map.hidden {
                        true => write!(f, "{}: …", quoted(key))?,
                        false => write!(f, "{}: {value}", quoted(key))?,
                    }
                }
                f.write_str(" }")
            }
            Value::Record(record) => {
                write!(f, "{} {{ ", record.name)?;
                for (at, (key, value)) in record.fields.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{key}: {value}")?;
                }
                f.write_str(" }")
            }
            Value::Secret(sealed) => write!(f, "{sealed:?}"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Known(value) => write!(f, "{value}"),
            Answer::Absent(absence) => write!(f, "absent ({})", absence.0),
            Answer::Unknown(unknown) => write!(f, "unknown ({})", unknown.reason),
        }
    }
}

impl Value {
    /// The text that it becomes inside a string or an argument; `None` for what has no one text (lists, maps, records).
    /// A secret has none: whoever interpolates unseals first and seals the result.
    pub fn to_text(&self) -> Option<Arc<str>> {
        match self {
            Value::Text(text) => Some(text.clone()),
            Value::List(_) | Value::Map(_) | Value::Record(_) | Value::Secret(_) => None,
            other => Some(other.to_string().into()),
        }
    }

    /// As JSON, for request bodies. Durations are seconds, sizes bytes, times RFC 3339; a secret becomes its value
    /// only where the caller says so.
    pub fn to_json(&self, reveal: bool) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(value) => value.to_json(),
            Value::Percent(value) => Json::from(*value),
            Value::Text(text) => Json::String(text.to_string()),
            Value::Duration(duration) => Json::from(duration.as_secs_f64()),
            Value::Size(bytes) => Json::from(*bytes),
            Value::Time(time) => Json::String(time.to_string()),
            Value::List(items) => items.iter().map(|item| item.to_json(reveal)).collect(),
            Value::Map(map) => {
                map.entries.iter().map(|(key, value)| (key.to_string(), value.to_json(reveal))).collect()
            }
            Value::Record(record) => record
                .fields
                .iter()
                .filter_map(|(key, field)| Some((key.to_string(), field.known()?.to_json(reveal))))
                .collect(),
            Value::Secret(sealed) if reveal => sealed.reveal().to_json(true),
            Value::Secret(sealed) => Json::String(format!("{sealed:?}")),
        }
    }
}

/// A string literal of the language that means `text`.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for (at, char) in text.char_indices() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '#' if text[at + 1..].starts_with('{') => out.push_str("\\#"),
            char if char.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", char as u32);
            }
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

/// `1h30m`, `2.5s`, `35ms`, `0s`: as the language writes durations, to the nanosecond where it must.
pub fn duration_text(duration: SignedDuration) -> String {
    let mut out = String::new();
    if duration.is_negative() {
        out.push('-');
    }
    let duration = duration.unsigned_abs();
    let seconds = duration.as_secs();
    let nanos = duration.subsec_nanos();
    for (unit, name) in [(86_400, "d"), (3_600, "h"), (60, "m")] {
        let count = match unit {
            86_400 => seconds / unit,
            3_600 => seconds % 86_400 / unit,
            _ => seconds % 3_600 / unit,
        };
        if count > 0 {
            let _ = write!(out, "{count}{name}");
        }
    }
    let rest = seconds % 60;
    if seconds == 0 && nanos > 0 {
        let millis = f64::from(nanos) / 1e6;
        let _ =
            if nanos >= 1_000_000 { write!(out, "{millis}ms") } else { write!(out, "{}us", f64::from(nanos) / 1e3) };
    } else if nanos > 0 {
        let _ = write!(out, "{}s", rest as f64 + f64::from(nanos) / 1e9);
    } else if rest > 0 || seconds == 0 {
        let _ = write!(out, "{rest}s");
    }
    out
}

/// `0B`, `1.5KiB`, `20MiB`: in the largest binary unit that keeps it at 1 or more, exact where it is even.
pub fn size_text(bytes: i64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let sign = if bytes < 0 { "-" } else { "" };
    let size = bytes.unsigned_abs();
    for (unit, name) in UNITS {
        if size >= unit && size.is_multiple_of(unit) {
            return format!("{sign}{}{name}", size / unit);
        }
    }
    if size.is_multiple_of(1000) && size > 0 {
        for (unit, name) in [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")] {
            if size >= unit && size.is_multiple_of(unit) {
                return format!("{sign}{}{name}", size / unit);
            }
        }
    }
    format!("{sign}{size}B")
}

/// What the system says of an error, without its number.
pub fn io_words(error: &std::io::Error) -> String {
    error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase()
}
