//! How a row of evidence stands, the same in every form; and how many of each there are.

use crate::engine::events::event::{ExpectResult, Place, State};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Standing {
    Held,
    /// In a dry run: it holds on a value that an action declares it sets. Nobody saw that.
    Assumed,
    Differed,
    Unknown,
    /// It was cut short before it was decided.
    Undecided,
    /// An accepted risk covers it.
    Accepted(State),
    /// `else warn`: it does not block.
    Warned(State),
    /// In a dry run: behind the place where the run would end.
    NotReached,
}

impl Standing {
    pub fn of(place: &Place, result: &ExpectResult) -> Self {
        match result.state {
            _ if place.not_reached => Self::NotReached,
            State::Holds if result.assumed.is_some() => Self::Assumed,
            State::Holds => Self::Held,
            state if result.waived => Self::Accepted(state),
            state if result.warn => Self::Warned(state),
            State::Differs => Self::Differed,
            State::Unknown => Self::Unknown,
            State::Undecided => Self::Undecided,
        }
    }

    /// It keeps the run from being a GO.
    pub fn blocks(self) -> bool {
        matches!(self, Self::Differed | Self::Unknown | Self::Undecided)
    }
}

/// How many rows stand how. What only warns counts as what it was found to be, as in the verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::report) struct RowCounts {
    pub held: u32,
    pub assumed: u32,
    pub differed: u32,
    pub unknown: u32,
    pub undecided: u32,
    pub accepted: u32,
    pub not_reached: u32,
    /// How many of all these block.
    pub blocking: u32,
    /// How many do not hold, and do not block.
    pub tolerated: u32,
}

impl RowCounts {
    pub fn add(&mut self, standing: Standing) {
        let count = match standing {
            Standing::Held => &mut self.held,
            Standing::Assumed => &mut self.assumed,
            Standing::Accepted(_) => &mut self.accepted,
            Standing::NotReached => &mut self.not_reached,
            Standing::Undecided | Standing::Warned(State::Undecided) => &mut self.undecided,
            Standing::Unknown | Standing::Warned(State::Unknown) => &mut self.unknown,
            Standing::Differed | Standing::Warned(_) => &mut self.differed,
        };
        *count += 1;
        self.blocking += u32::from(standing.blocks());
        self.tolerated += u32::from(matches!(standing, Standing::Accepted(_) | Standing::Warned(_)));
    }
}

/// "2 held, 1 differed": those that there are.
pub(in crate::report) fn counted(counts: &[(u32, &str)]) -> String {
    let there = counts.iter().filter(|(count, _)| *count > 0);
    there.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}
