//! What the world's natives are: each is registered once, in one line of its module's `NATIVES`, by its name, its effect
//! and the function that does it. Dispatch and the list of what there is are made from these lines.
//!
//! In: a native's name and effect. Out: its function. The effect is in the function's type: only an action is given an
//! [`Order`], and an order is made from an announcement, which a probe never gets.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::check::program::Effect;
use crate::engine::world::{Announced, Confinement, Outcome, Output, Request, Trust};
use crate::value::Answer;

use super::{Eyes, Hands};

pub(super) type Probe = fn(&Eyes, Request) -> BoxFuture<'static, Answer>;

type Vouched = fn(&Eyes, Request, Trust) -> BoxFuture<'static, (Answer, Confinement)>;

type Action = fn(&Hands, Order) -> BoxFuture<'static, Outcome>;

/// An action that was announced, as it is carried out.
pub(super) struct Order {
    pub request: Request,
    pub output: Arc<dyn Output>,
    pub cancel: CancellationToken,
    _announced: Announced,
}

impl Order {
    pub(super) fn new(
        announced: Announced,
        request: Request,
        output: Arc<dyn Output>,
        cancel: CancellationToken,
    ) -> Self {
        Self { request, output, cancel, _announced: announced }
    }
}

/// A native of the world.
pub(super) struct Registered {
    name: &'static str,
    function: Function,
    by_field: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Function {
    Probe(Probe),
    Vouched(Vouched),
    Action(Action),
}

impl Function {
    fn effect(self) -> Effect {
        match self {
            Self::Probe(_) => Effect::Probe,
            Self::Vouched(_) => Effect::Vouched,
            Self::Action(_) => Effect::Action,
        }
    }
}

pub(super) const fn probe(name: &'static str, probe: Probe) -> Registered {
    Registered { name, function: Function::Probe(probe), by_field: false }
}

pub(super) const fn vouched(name: &'static str, vouched: Vouched) -> Registered {
    Registered { name, function: Function::Vouched(vouched), by_field: false }
}

pub(super) const fn action(name: &'static str, action: Action) -> Registered {
    Registered { name, function: Function::Action(action), by_field: false }
}

impl Registered {
    /// It leaves costly fields out of its answer where nobody wants them. The answer of another is whole, whoever asks.
    pub(super) const fn by_field(self) -> Self {
        Self { by_field: true, ..self }
    }
}

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
