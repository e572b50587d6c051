//! What has to hold: a group of expects, polled side by side until each is decided.
//!
//! `expand` takes a group apart into [`leaf`]s; `poll` decides when each is asked and when it is decided; `group` waits and
//! asks; `finding` is what one answer says; `report` tells it.

pub(super) mod asked;
pub(super) mod expand;
pub(super) mod finding;
pub(super) mod group;
pub(super) mod leaf;
pub(super) mod poll;
pub(super) mod report;
