//! The natives of the world, of all its modules: dispatch, and the list of what there is.
//!
//! In: a native's name and effect. Out: its function.

use crate::check::program::Effect;

use super::native::{Function, Registered};

/// The modules of the world, each with its natives.
const MODULES: &[&[Registered]] = &[
    super::certificate::NATIVES,
    super::compose::NATIVES,
    super::docker::NATIVES,
    super::env::NATIVES,
    super::file::NATIVES,
    super::http::NATIVES,
    super::net::NATIVES,
    super::prompt::NATIVES,
    super::shell::NATIVES,
    super::time::NATIVES,
];

/// Every native that asks or changes the world, by its full name and its effect. One name may have a probe and an action.
pub fn natives() -> impl Iterator<Item = (&'static str, Effect)> {
    MODULES.iter().copied().flatten().map(|native| (native.name, native.function.effect()))
}

/// What does what this native says.
pub(super) fn function(name: &str, effect: Effect) -> Option<Function> {
    find(name, effect).map(|native| native.function)
}

/// Whether it leaves out of its answer what nobody wants.
pub(super) fn is_by_field(name: &str, effect: Effect) -> bool {
    find(name, effect).is_some_and(|native| native.by_field)
}

fn find(name: &str, effect: Effect) -> Option<&'static Registered> {
    MODULES.iter().copied().flatten().find(|native| native.name == name && native.function.effect() == effect)
}
