//! Why a group or an action failed: in a line for the verdict, and as the records that a handler sees as `failures`.

use std::collections::HashMap;
use std::sync::Arc;

use crate::diagnostic::Span;
use crate::value::{Answer, Number, Value};

use super::action::Failed;
use crate::engine::evaluation::core::{Core, Site};
use crate::engine::expects::group::Asked;
pub use crate::engine::expects::group::reason;

/// The records that a handler sees as `failures`, a row each.
pub fn failures(core: &Core, asked: &Asked<'_>) -> Vec<Value> {
    asked
        .failing()
        .map(|finding| {
            let id = format!("{}{}", asked.leaf.id, finding.id);
            let told = [("expect", &*id), ("expected", &finding.expected), ("found", &finding.actual)];
            failure(core, &asked.leaf.site, asked.leaf.authors_line(finding.span), told)
        })
        .collect()
}

pub fn failure_of_action(core: &Core, site: &Site, failed: &Failed) -> Value {
    let told =
        [("action", &*failed.action), ("expected", "done"), ("found", &failed.reason), ("output", &failed.output)];
    let Value::Record(record) = failure(core, site, failed.span, told) else { return Value::Null };
    let mut record = (*record).clone();
    if let Some(status) = failed.status {
        record.fields.insert("status".into(), Answer::Known(Value::Number(Number::Int(status))));
    }
    Value::Record(Arc::new(record))
}

/// A record `failure`, as `stdlib/core.runbook` declares it; what is not told is absent.
pub fn failure<'t>(core: &Core, site: &Site, span: Span, told: impl IntoIterator<Item = (&'t str, &'t str)>) -> Value {
    let told: HashMap<&str, &str> = told.into_iter().collect();
    let text = |field: &str| match told.get(field) {
        Some(text) => Answer::Known(Value::text(*text)),
        None => Answer::absent(format!("this failure has no `{field}`")),
    };
    let step = site.step.clone().unwrap_or_default();
    Value::record(
        "failure",
        [
            ("step", Answer::Known(Value::Text(step))),
            ("expect", text("expect")),
            ("action", text("action")),
            ("expected", text("expected")),
            ("found", text("found")),
            ("line", Answer::Known(Value::Number(Number::Int(i64::from(core.line(span)))))),
            ("output", Answer::Known(Value::text(*told.get("output").unwrap_or(&"")))),
            ("status", Answer::absent("it ended without one")),
        ],
    )
}
