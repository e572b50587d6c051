//! A secret that was read, kept so that it is read once.

use crate::value::Answer;

/// A secret of the top level that was read.
#[derive(Clone)]
pub struct Kept {
    pub answer: Answer,
    /// It was read from a file before the first action: an action may have changed that file since.
    pub early: bool,
}
