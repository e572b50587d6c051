//! Answers as a run's record holds them, so that a run that was cut off goes on with the values it had.
//!
//! JSON where JSON has the type; the others are an object with one key that names it. A secret is left out: what was
//! one is unknown when it is read again.

use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json, json};

use super::sensitive;
use super::{Answer, Map, Number, Record, Unknown, UnknownCause, Value};

/// What stands in the record in place of a value that holds a secret, or reads like one.
const WITHHELD: &str = "withheld";

fn withheld() -> Json {
    json!({ WITHHELD: "it holds a secret, or reads like one" })
}

/// The answer for the record. `open` tells whether a text may be written down: one that holds a secret may not.
pub fn write(answer: &Answer, open: &dyn Fn(&str) -> bool) -> Json {
    match answer {
        Answer::Known(value) => write_value(value, open),
        Answer::Absent(absence) if open(&absence.0) => json!({ "absent": &*absence.0 }),
        Answer::Absent(_) => json!({ "absent": "it is not there" }),
        Answer::Unknown(unknown) => {
            let reason = if open(&unknown.reason) { &unknown.reason } else { "" };
            json!({ "unknown": { "cause": unknown.cause, "reason": reason } })
        }
    }
}

pub fn write_value(value: &Value, open: &dyn Fn(&str) -> bool) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Number(number) if !open(&number.to_string()) => withheld(),
        Value::Size(size) if !open(&size.to_string()) => withheld(),
        Value::Number(Number::Int(number)) => json!(number),
        Value::Number(Number::Beyond(number)) if number.is_finite() => json!(number),
        Value::Number(number) => json!({ "number": number.to_string() }),
        Value::Text(text) if open(text) => json!(&**text),
        Value::Text(_) => withheld(),
        Value::Duration(duration) => json!({ "duration": duration.as_nanos().to_string() }),
        Value::Size(size) => json!({ "size": size }),
        Value::Percent(percent) => json!({ "percent": percent }),
        Value::Time(time) => json!({ "time": time.to_string() }),
        Value::List(items) => Json::Array(items.iter().map(|item| write_value(item, open)).collect()),
        Value::Map(map) if map.hidden || !map.entries.keys().all(|key| open(key)) => {
            json!({ "secret": "values that may be secret" })
        }
        Value::Map(map) => {
            let entries: JsonMap<String, Json> =
                map.entries.iter().map(|(key, value)| (key.to_string(), write_named(key, value, open))).collect();
            let kind = if map.ignore_case { "headers" } else { "map" };
            json!({ kind: entries })
        }
        Value::Record(record) => {
            let fields: JsonMap<String, Json> =
                record.fields.iter().map(|(field, answer)| (field.to_string(), write(answer, open))).collect();
            json!({ "record": &*record.name, "fields": fields })
        }
        Value::Secret(sealed) => json!({ "secret": &**sealed.name() }),
    }
}

/// What has a name that says that it is a secret is none for the record.
fn write_named(name: &str, value: &Value, open: &dyn Fn(&str) -> bool) -> Json {
    match value {
        Value::Text(text) if sensitive::says_secret(name) && !sensitive::plainly_none(text) => withheld(),
        Value::Number(number) if sensitive::says_secret(name) && !sensitive::plainly_none(&number.to_string()) => {
            withheld()
        }
        value => write_value(value, open),
    }
}

/// What [`write`] wrote. What this program can't read is unknown: it was written by another, or changed.
pub fn read(json: &Json) -> Answer {
    try_read(json).unwrap_or_else(|| Answer::unknown(UnknownCause::NotRecorded, "the record of it can't be read"))
}

fn try_read(json: &Json) -> Option<Answer> {
    Some(Answer::Known(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Number(Number::from_json(number)),
        Json::String(text) => Value::text(text.as_str()),
        Json::Array(items) => {
            let mut values = Vec::with_capacity(items.len());
            for item in items {
                match try_read(item)? {
                    Answer::Known(value) => values.push(value),
                    // What can't be told of a part can't be told of the whole.
                    other => return Some(other),
                }
            }
            Value::list(values)
        }
        Json::Object(object) => {
            if let (Some(name), Some(Json::Object(fields))) = (object.get("record"), object.get("fields")) {
                let fields = fields.iter().map(|(field, json)| Some((Arc::from(field.as_str()), try_read(json)?)));
                let fields = fields.collect::<Option<_>>()?;
                return Some(Answer::Known(Value::Record(Arc::new(Record { name: name.as_str()?.into(), fields }))));
            }
            let (kind, of) = object.iter().next()?;
            match kind.as_str() {
                "absent" => return Some(Answer::absent(of.as_str()?)),
                "unknown" => {
                    let cause = serde_json::from_value(of.get("cause")?.clone()).ok()?;
                    return Some(Answer::Unknown(Unknown::new(cause, of.get("reason")?.as_str()?)));
                }
                "secret" => {
                    let name = of.as_str()?;
                    return Some(Answer::unknown(UnknownCause::NotRecorded, not_recorded(name)));
                }
                WITHHELD => {
                    let reason = "it is not in the run's record, since it holds a secret, or reads like one; doing its \
                                  step again (`--redo`) tells it";
                    return Some(Answer::unknown(UnknownCause::NotRecorded, reason));
                }
                "number" => Value::Number(Number::parse(of.as_str()?)?),
                "duration" => Value::Duration(jiff::SignedDuration::from_nanos_i128(of.as_str()?.parse().ok()?)),
                "size" => Value::Size(of.as_i64()?),
                "percent" => Value::Percent(of.as_f64()?),
                "time" => Value::Time(of.as_str()?.parse().ok()?),
                "map" | "headers" => {
                    let mut entries = indexmap::IndexMap::new();
                    for (key, json) in of.as_object()? {
                        match try_read(json)? {
                            Answer::Known(value) => {
                                entries.insert(Arc::from(key.as_str()), value);
                            }
                            other => return Some(other),
                        }
                    }
                    Value::Map(Arc::new(Map { entries, ignore_case: kind == "headers", hidden: false }))
                }
                _ => return None,
            }
        }
    }))
}

/// Why a secret of an earlier session is unknown.
pub fn not_recorded(name: &str) -> String {
    format!("the secret `{name}` is not in the run's record; doing the step that captured it again (`--redo`) tells it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(value: Value) -> Answer {
        let text = write_value(&value, &|text| !text.contains("hush")).to_string();
        read(&serde_json::from_str(&text).expect("JSON"))
    }

    #[test]
    fn every_kind_of_value_comes_back_as_it_was() {
        let all = [
            Value::Null,
            Value::Bool(true),
            Value::Number(Number::Int(i64::MIN)),
            Value::Number(Number::measured(1.5)),
            Value::Number(Number::parse("1234567890.123456789012345678").expect("a number")),
            Value::text("a \"text\"\n\u{1b}"),
            Value::Duration(jiff::SignedDuration::new(-3, -500)),
            Value::Size(-7),
            Value::Percent(12.5),
            Value::Time("2027-03-01T10:00:00.123456789Z".parse().expect("a time")),
            Value::list([Value::text("x"), Value::list([])]),
            Value::map([("record", Value::text("no record")), ("secret", Value::Null), ("withheld", Value::Null)]),
            Value::record("r", [("a", Answer::absent("none")), ("b", Answer::Known(Value::Size(1)))]),
        ];
        for value in all {
            assert_eq!(kept(value.clone()), Answer::Known(value));
        }
    }

    #[test]
    fn a_secret_is_left_out_and_what_held_it_is_unknown() {
        let sealed = Value::Secret(super::super::Sealed::new("token", Value::text("hush")));
        for value in
            [sealed.clone(), Value::text("so hush"), Value::list([sealed]), Value::map([("hush", Value::Null)])]
        {
            assert!(!write_value(&value, &|text| !text.contains("hush")).to_string().contains("hush"));
            assert!(matches!(kept(value), Answer::Unknown(_)));
        }
    }

    #[test]
    fn what_reads_like_a_secret_is_left_out() {
        let map = |key: &str, value: Value| Value::map([(key, value), ("user", Value::text("me"))]);
        for value in [map("password", Value::text("x1")), map("api_key", Value::Number(Number::Int(12345678)))] {
            assert!(matches!(kept(value), Answer::Unknown(unknown) if unknown.cause == UnknownCause::NotRecorded));
        }
        for value in [map("password", Value::text("")), map("password_file", Value::text("/run/secrets/x"))] {
            assert_eq!(kept(value.clone()), Answer::Known(value));
        }
        let number = write_value(&Value::Number(Number::Int(12345678)), &|text| text != "12345678");
        assert!(!number.to_string().contains("12345678"));
    }
}
