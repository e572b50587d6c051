//! What containers, images, networks and volumes have in common: how they are chosen, inspected one by one, and labelled.

use std::collections::HashMap;
use std::sync::Arc;

use bollard::errors::Error;
use futures_util::StreamExt;
use indexmap::IndexMap;

use crate::engine::world::Request;
use crate::value::pattern::Pattern;
use crate::value::sensitive::{is_secret, says_secret};
use crate::value::{Answer, Map, Sealed, Unknown, UnknownCause, Value};

use super::{is_missing, no_answer};

/// How many of what was listed are inspected at the same time.
const AT_ONCE: usize = 32;

/// Inspects each of what was listed, in its order; what went away between the two questions is left out.
pub(super) async fn each<T>(
    asked: impl Iterator<Item = impl Future<Output = Result<T, Error>>>,
    record: impl Fn(T) -> Value,
) -> Result<Answer, Unknown> {
    let inspected: Vec<_> = futures_util::stream::iter(asked).buffered(AT_ONCE).collect().await;
    let mut records = Vec::with_capacity(inspected.len());
    for found in inspected {
        match found {
            Ok(found) => records.push(record(found)),
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(no_answer(&error)),
        }
    }
    Ok(Answer::Known(Value::list(records)))
}

/// What the engine chooses by: a label, a Compose project.
pub(super) fn filters(request: &Request) -> HashMap<String, Vec<String>> {
    let labels = [
        request.text("label").map(str::to_owned),
        request.text("project").map(|project| format!("com.docker.compose.project={project}")),
    ];
    let labels: Vec<String> = labels.into_iter().flatten().collect();
    if labels.is_empty() { HashMap::new() } else { HashMap::from([("label".to_owned(), labels)]) }
}

/// A pattern for whole names: `shop_*`.
pub(super) fn anchored(pattern: &str) -> Result<Pattern, Unknown> {
    Pattern::of_names(pattern).map_err(|why| {
        let shown: String = pattern.chars().take(100).collect();
        Unknown::new(UnknownCause::Invalid, format!("`{shown}` is no pattern of names: {why}"))
    })
}

/// Variables by name. They are data that may be secret: shown where an expect names one, not all at once, and sealed
/// where their name says that they are secret, or where a URL with credentials or a private key stands in them.
pub(super) fn environment(variables: Vec<String>) -> Value {
    let mut entries: IndexMap<Arc<str>, Value> = IndexMap::new();
    for variable in variables {
        let (name, value) = variable.split_once('=').unwrap_or((&variable, ""));
        let value = match says_secret(name) || is_secret(name, value) {
            true => Value::Secret(Sealed::new(name, Value::text(value))),
            false => Value::text(value),
        };
        entries.insert(name.into(), value);
    }
    entries.sort_keys();
    Value::Map(Arc::new(Map { entries, ignore_case: false, hidden: true }))
}

pub(super) fn labels(labels: HashMap<String, String>) -> Value {
    let mut labels: Vec<(String, String)> = labels.into_iter().collect();
    labels.sort();
    Value::map(labels.into_iter().map(|(key, value)| (key, Value::text(value))))
}
