//! What a native of the world is: its name, its effect, and the function that does it, in one line of its module's
//! `NATIVES`. The effect is in the function's type: only an action is given an [`Order`], and an order is made from an
//! announcement, which a probe never gets.

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
    pub name: &'static str,
    pub function: Function,
    pub by_field: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Function {
    Probe(Probe),
    Vouched(Vouched),
    Action(Action),
}

impl Function {
    pub(super) fn effect(self) -> Effect {
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
