//! How a row of evidence is called, the same in every form.
//!
//! In: where it stands, and what it came to. Out: [`Called`]: the name that its author wrote, its words, and the items of the
//! loops around it, where the words do not say them.

use crate::engine::events::event::{ExpectResult, Place};

pub(super) struct Called<'e> {
    /// What the author named it, with the items of its loops: `config`, `up["api"].status`.
    pub name: Option<&'e str>,
    /// As it was written; in a loop or a check with what these bind in place.
    pub words: &'e str,
    /// `["api"]["eu"]`
    pub keys: Option<&'e str>,
}

impl<'e> Called<'e> {
    pub fn of(place: &'e Place, result: &'e ExpectResult) -> Self {
        let words = result.asked.as_deref().unwrap_or(&result.text);
        let id = place.expect.as_deref().unwrap_or_default();
        if result.named {
            let own = place.step.as_deref().and_then(|step| id.strip_prefix(step)?.strip_prefix('.'));
            return Self { name: Some(own.unwrap_or(id)), words, keys: None };
        }
        let keys = keys(id);
        // What stands in its words already needs no saying.
        let keys = keys.filter(|keys| {
            let mut parts = keys.split(['[', ']']).map(|key| key.trim_matches('"')).filter(|key| !key.is_empty());
            result.asked.is_none() || !parts.all(|key| key.len() > 2 && words.contains(key))
        });
        Self { name: None, words, keys }
    }
}

/// The items of the loops that an id goes through.
pub(super) fn keys(id: &str) -> Option<&str> {
    id.find('[').zip(id.rfind(']')).and_then(|(start, end)| id.get(start..=end))
}
