//! Values in a line: short, as the language writes them, without what must not be shown.

use crate::check::library::field_kind;
use crate::check::program::FieldKind;
use crate::value::{Answer, Record, Value, display};

use crate::engine::redact::Redactor;

/// The longest text of one value that is told in a line, in characters.
const BRIEF: usize = 240;

/// What stands where a value is not known.
pub fn hole(answer: &Answer) -> String {
    match answer {
        Answer::Known(value) => value.to_string(),
        Answer::Absent(absence) => format!("‹absent: {}›", absence.0),
        Answer::Unknown(unknown) => format!("‹unknown: {}›", unknown.reason),
    }
}

/// A value in a line: as the language writes it, cut where it is long, with how much there is. What must not be shown is
/// taken out before that: behind a cut half a secret is none that is known.
pub fn brief(redactor: &Redactor, answer: &Answer) -> String {
    match answer {
        Answer::Known(value) => brief_value(redactor, value),
        Answer::Absent(absence) => format!("absent: {}", absence.0),
        Answer::Unknown(unknown) => format!("unknown: {}", unknown.reason),
    }
}

/// As [`brief`], of a value.
pub fn brief_value(redactor: &Redactor, value: &Value) -> String {
    if let Value::Text(text) = value {
        return brief_text(redactor, text);
    }
    if let Value::List(items) = value
        && let Some(names) = items.iter().map(named).collect::<Option<Vec<_>>>()
    {
        return cut(redactor, &Value::list(names).to_string());
    }
    if let Value::Record(record) = value {
        return cut(redactor, &brief_record(record));
    }
    cut(redactor, &value.to_string())
}

/// What a record holds in one word each. The content of a file, an answer, a log says nothing of what the record is, and
/// may be anything: it is told where an expect asks for it, or `show` does.
fn brief_record(record: &Record) -> String {
    let fields = record.fields.iter().filter_map(|(name, answer)| match answer {
        Answer::Known(Value::List(_) | Value::Map(_) | Value::Record(_)) => None,
        Answer::Known(value) if field_kind(&record.name, name) != Some(FieldKind::Content) => {
            Some(format!("{name}: {value}"))
        }
        _ => None,
    });
    let told: Vec<String> = fields.collect();
    let more = if told.len() < record.fields.len() { ", …" } else { "" };
    format!("{} {{ {}{more} }}", record.name, told.join(", "))
}

/// The name of a record that has one: of many containers the names say most.
fn named(value: &Value) -> Option<Value> {
    match value {
        Value::Record(record) => record.get("name").and_then(Answer::known).cloned(),
        _ => None,
    }
}

fn brief_text(redactor: &Redactor, text: &str) -> String {
    match redactor.head(text, BRIEF) {
        (head, true) => display::quoted(&head),
        (head, false) => format!("{}… ({} characters)", display::quoted(&head), text.chars().count()),
    }
}

fn cut(redactor: &Redactor, text: &str) -> String {
    match redactor.head(text, BRIEF) {
        (head, true) => head,
        (head, false) => format!("{head}… ({} characters)", text.chars().count()),
    }
}
