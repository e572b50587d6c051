//! The engine's state for a run, a dry run or a survey: a program, a world that can be read, and the way out for events.

use std::sync::Arc;

use crate::check::program::Program;
use crate::engine::cancel::Flag;
use crate::engine::evaluation::core::Core;
use crate::engine::evaluation::facts::Changed;
use crate::engine::evaluation::scope::Slots;
use crate::engine::events::emit::{Emitter, Outlets};
use crate::engine::redact::Redactor;
use crate::engine::risk::Risks;
use crate::engine::world::{ReadOnly, Trust};

/// `journal_failed` is raised when an event can't be recorded. `predicts`: what actions would change is kept in mind.
pub(super) fn context(
    program: Arc<Program>,
    world: &ReadOnly,
    trust: Trust,
    redactor: Arc<Redactor>,
    outlets: Outlets,
    journal_failed: Flag,
    predicts: bool,
) -> Core {
    let emitter = Emitter::new(world.clock.clone(), redactor, outlets, journal_failed);
    Core {
        risks: Risks::in_force(&program, emitter.now()),
        program,
        look: world.look.clone(),
        vouch: world.vouch.clone(),
        trust,
        recording: emitter.records(),
        emitter,
        slots: Slots::default(),
        foresight: std::sync::Mutex::default(),
        changed: predicts.then(Changed::default),
        secrets: tokio::sync::Mutex::default(),
        withheld: std::sync::RwLock::new([].into()),
    }
}
