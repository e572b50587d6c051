//! Where what is shown belongs: in which part of a step, on which checklist, in which branch that may be taken.
//!
//! In: places, in their order. Out: [`Turn`]s, where it changes.

use crate::engine::events::event::{Part, Place};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::report) enum Turn {
    /// A handler, `finally`, a rollback begins.
    Part(Part),
    /// A checklist begins; or it ends, and what comes then is not on one.
    Checklist(Option<String>),
    /// What comes may happen or not: what that hangs on.
    Possible(String),
}

/// Where the last was that was shown.
#[derive(Default)]
pub(in crate::report) struct Scope {
    part: Option<Part>,
    checklist: Option<String>,
    possible: Option<String>,
}

impl Scope {
    /// What is to be said before what belongs to a place.
    pub fn turn(&mut self, place: &Place) -> Vec<Turn> {
        let mut turns = Vec::new();
        if self.part != place.part {
            self.part = place.part;
            turns.extend(place.part.map(Turn::Part));
        }
        if self.checklist != place.checklist {
            self.checklist.clone_from(&place.checklist);
            turns.push(Turn::Checklist(place.checklist.clone()));
        }
        if self.possible != place.possible {
            self.possible.clone_from(&place.possible);
            turns.extend(place.possible.clone().map(Turn::Possible));
        }
        turns
    }

    pub fn is_on_checklist(&self) -> bool {
        self.checklist.is_some()
    }

    /// The part is named by what is shown itself.
    pub fn enter(&mut self, part: Option<Part>) {
        self.part = part;
    }

    /// A step begins anew, or the run is resumed.
    pub fn leave(&mut self) {
        *self = Self::default();
    }
}
