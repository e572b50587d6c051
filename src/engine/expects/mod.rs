//! What has to hold: a group of expects, polled side by side until each is decided.

pub(super) mod finding;
pub(super) mod group;
