//! One answer of the world, which several rows of a report may rest on.

use std::sync::{Arc, Mutex, PoisonError};

/// The first row that was reported and rests on it. Clones are the same observation.
#[derive(Clone, Debug, Default)]
pub struct Observation(Arc<Mutex<Option<Row>>>);

#[derive(Clone, Debug)]
struct Row {
    expect: String,
    row: String,
}

impl Observation {
    /// Notes that a row rests on it. The row of another expect that did before, if there is one: rows of one block ask
    /// together, as everyone sees.
    pub fn reported(&self, expect: &str, row: &str) -> Option<String> {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*first {
            Some(before) if before.expect != expect => Some(before.row.clone()),
            Some(_) => None,
            None => {
                *first = Some(Row { expect: expect.to_owned(), row: row.to_owned() });
                None
            }
        }
    }

    pub fn is(&self, other: &Observation) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
