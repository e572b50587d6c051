//! Putting values, calls and findings into words.

pub(super) mod brief;
pub(super) mod condition;
pub(super) mod describe;
pub(super) mod diff;
pub(super) mod evidence;
pub(super) mod in_place;
