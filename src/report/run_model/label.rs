//! How a row of evidence is called, the same in every form.
//!
//! In: where it stands, and its result. Out: [`Label`]: the name that its author wrote, its words, and the items of the
//! loops around it, where the words do not say them.

use std::borrow::Cow;

use crate::engine::events::event::{ExpectResult, Place};

pub(in crate::report) struct Label<'e> {
    /// What the author named it, with the items of its loops: `config`, `up["api"].status`. A row of a check has the name of
    /// the expect that asks the check.
    pub name: Option<Cow<'e, str>>,
    /// As it was written; in a loop or a check with what these bind in place.
    pub words: &'e str,
    /// `["api"]["eu"]`
    pub keys: Option<&'e str>,
}

impl<'e> Label<'e> {
    pub fn of(place: &'e Place, result: &'e ExpectResult) -> Self {
        let words = result.asked.as_deref().unwrap_or(&result.text);
        let id = place.expect.as_deref().unwrap_or_default();
        let own = place.step.as_deref().and_then(|step| id.strip_prefix(step)?.strip_prefix('.')).unwrap_or(id);
        let name = match &result.check {
            Some(check) => in_check(own, check, result.named),
            None => result.named.then_some(Cow::Borrowed(own)),
        };
        if result.named && name.is_some() {
            return Self { name, words, keys: None };
        }
        // What stands in its words already needs no saying.
        let keys = keys(id).filter(|keys| {
            let mut parts = keys.split(['[', ']']).map(|key| key.trim_matches('"')).filter(|key| !key.is_empty());
            result.asked.is_none() || !parts.all(|key| key.len() > 2 && words.contains(key))
        });
        Self { name, words, keys }
    }

    /// `up: `, or nothing.
    pub fn prefix(&self) -> String {
        self.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default()
    }
}

/// The name of a row of a check. Parts of an id that nobody wrote are hashes, which nobody wants to read.
fn in_check<'e>(own: &'e str, check: &str, named: bool) -> Option<Cow<'e, str>> {
    let first = own.find(['.', '[']).map_or(own, |end| &own[..end]);
    // "containers: shop.runs("eu")" is what the author named `containers`.
    let authors = check.strip_prefix(first).is_some_and(|rest| rest.starts_with(": "));
    if !named {
        return authors.then_some(Cow::Borrowed(first));
    }
    let mut name = String::new();
    for (at, part) in parts(own).into_iter().enumerate() {
        let written = if at == 0 { authors || !is_hash(part) } else { !is_hash(part.trim_start_matches('.')) };
        if written {
            name.push_str(part);
        }
    }
    let name = name.trim_start_matches('.').to_owned();
    (!name.is_empty()).then_some(Cow::Owned(name))
}

/// An id in its parts: `up`, `["a.b"]`, `.status`.
fn parts(id: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut in_key, mut in_text, mut escaped) = (0, false, false, false);
    for (at, char) in id.char_indices() {
        let begins = !in_key && matches!(char, '.' | '[');
        if begins && at > from {
            parts.push(&id[from..at]);
            from = at;
        }
        match char {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' if in_key => in_text = !in_text,
            '[' if !in_text => in_key = true,
            ']' if !in_text => in_key = false,
            _ => {}
        }
    }
    parts.push(&id[from..]);
    parts
}

/// The id of an expect without a name is made of its words.
fn is_hash(part: &str) -> bool {
    part.len() == 6 && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The items of the loops that an id goes through.
pub(in crate::report) fn keys(id: &str) -> Option<&str> {
    id.find('[').zip(id.rfind(']')).and_then(|(start, end)| id.get(start..=end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(id: &str, named: bool, check: Option<&str>) -> (Option<String>, Option<String>) {
        let result: ExpectResult = serde_json::from_value(serde_json::json!({
            "state": "holds", "text": "words", "expected": "", "actual": "", "attempts": 1, "elapsed": 0.0,
            "named": named, "check": check,
        }))
        .expect("a result");
        let place = Place { step: Some("a".into()), expect: Some(id.into()), ..Place::default() };
        let label = Label::of(&place, &result);
        (label.name.as_deref().map(str::to_owned), label.keys.map(str::to_owned))
    }

    #[test]
    fn the_authors_name_stays_with_each_row() {
        let named = |name: &str| (Some(name.to_owned()), None);
        assert_eq!(label("a.up[\"x\"].status", true, None), named("up[\"x\"].status"));
        assert_eq!(label("a.4f43cb", false, None), (None, None));
        assert_eq!(label("a.health.bda681.status", false, Some("health: http.ok(u)")), named("health"));
        // A name that looks like a hash is one that the author wrote, where the check says so.
        assert_eq!(label("a.facade.bda681.status", false, Some("facade: http.ok(u)")), named("facade"));
        assert_eq!(label("a.bda681.facade", false, Some("http.ok(u)")), (None, None));
        assert_eq!(label("a.few.inner[\"a.b\"].bda681", true, Some("few: f()")), named("few.inner[\"a.b\"]"));
        assert_eq!(label("a.bda681.inner", true, Some("f()")), named("inner"));
        let keyed = (Some("up".to_owned()), Some("[\"x\"]".to_owned()));
        assert_eq!(label("a.up[\"x\"].bda681", false, Some("up: http.ok(u)")), keyed);
    }
}
