//! A run in sections, for forms that show it when it is over: each step, what decides, the rollback.
//!
//! In: entries. Out: [`Section`]s as they end; what was handed on is not kept.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use crate::engine::events::event::{Body, Published};
use crate::engine::world::Stream;

use super::entry::{Closed, Entry, Opened, SectionKind};
use super::row::Row;
use super::scope::{Scope, Turn};
use super::standing::{RowCounts, Standing};

/// So many lines that an action printed are shown.
const OUTPUT: usize = 200;

/// More items than this are handed on before their section ends.
const MUCH: usize = 500;

/// What an action printed, as far as it is shown.
#[derive(Default)]
pub(in crate::report) struct Printed {
    pub lines: Vec<(Stream, String)>,
    /// How many more there were.
    pub more: u64,
    /// How many bytes of these are not in the journal.
    pub not_recorded: u64,
}

impl Printed {
    fn add(&mut self, stream: Stream, text: &str) {
        for line in text.split('\n') {
            match self.lines.len() < OUTPUT {
                true => self.lines.push((stream, line.to_owned())),
                false => self.more += 1,
            }
        }
    }
}

pub(in crate::report) enum Item {
    Turn(Turn),
    Entry(Entry),
    Printed(Printed),
}

/// A step, what decides, a rollback; or what belongs to none of these.
#[derive(Default)]
pub(in crate::report) struct Section {
    pub head: Option<Opened>,
    pub closed: Option<Closed>,
    /// What is in it, but for what was handed on already.
    pub items: Vec<Item>,
    /// Something in it was handed on already.
    handed_on: bool,
    tally: Tally,
}

/// What the sums of a section are made of, kept up as its entries pass.
#[derive(Default)]
struct Tally {
    /// How each row stood last, by a hash of its id: a section may have a million of them.
    rows: HashMap<u64, Standing>,
    planned: u32,
    refused: bool,
}

impl Tally {
    fn row(&mut self, event: &Published) {
        if let Some(row) = Row::of(event.get()) {
            let mut hasher = std::hash::DefaultHasher::new();
            row.id().hash(&mut hasher);
            self.rows.insert(hasher.finish(), row.standing());
        }
    }

    fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::Row(event, _) => self.row(event),
            Entry::Collapsed(collapsed) => collapsed.rows.iter().for_each(|event| self.row(event)),
            Entry::Told(event) => match &event.get().body {
                Body::ActionPlanned { .. } if !event.get().place.not_reached => self.planned += 1,
                Body::Confirmed(confirmed) if !confirmed.given => self.refused = true,
                _ => {}
            },
            _ => {}
        }
    }
}

/// What stands on one checklist, or on none.
pub(in crate::report) struct Block<'s> {
    pub checklist: Option<&'s str>,
    pub items: &'s [Item],
}

impl Block<'_> {
    /// A step that begins anew, or a run that is resumed, says so itself.
    pub fn begins_anew(&self) -> bool {
        match self.items.first() {
            Some(Item::Entry(Entry::Opened(_))) => true,
            Some(Item::Entry(Entry::Told(event))) => matches!(event.get().body, Body::Resumed(_)),
            _ => false,
        }
    }
}

impl Section {
    /// None: it is no section, but what stands between them.
    pub fn name(&self) -> Option<&str> {
        let closed = self.closed.as_ref().map(|closed| closed.name.as_str());
        self.head.as_ref().map(|head| head.name.as_str()).or(closed)
    }

    pub fn title(&self) -> Option<&str> {
        self.head.as_ref()?.title.as_deref()
    }

    pub fn kind(&self) -> SectionKind {
        self.head.as_ref().map_or(SectionKind::Step, |head| head.kind)
    }

    /// Its rows, each as it stood last.
    pub fn counts(&self) -> RowCounts {
        let mut counts = RowCounts::default();
        self.tally.rows.values().for_each(|standing| counts.add(*standing));
        counts
    }

    /// How many actions a dry run would run, as far as it gets.
    pub fn planned(&self) -> u32 {
        self.tally.planned
    }

    /// A confirmation was not given.
    pub fn has_refusal(&self) -> bool {
        self.tally.refused
    }
}

/// Items, by the checklists that they stand on. A step that begins anew and a run that is resumed begin a block, too.
pub(in crate::report) fn blocks(items: &[Item]) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let (mut checklist, mut from) = (None, 0);
    for (at, item) in items.iter().enumerate() {
        let (next, begins) = match item {
            Item::Turn(Turn::Checklist(title)) => (title.as_deref(), at + 1),
            Item::Entry(Entry::Opened(_)) => (None, at),
            Item::Entry(Entry::Told(event)) if matches!(event.get().body, Body::Resumed(_)) => (None, at),
            _ => continue,
        };
        blocks.push(Block { checklist, items: items.get(from..at).unwrap_or_default() });
        (checklist, from) = (next, begins);
    }
    blocks.push(Block { checklist, items: items.get(from..).unwrap_or_default() });
    blocks.retain(|block| !block.items.is_empty());
    blocks
}

/// Gathers entries to sections.
#[derive(Default)]
pub(in crate::report) struct Sections {
    open: Section,
    scope: Scope,
}

impl Sections {
    /// Takes an entry; the sections that are whole by it.
    pub fn take(&mut self, entry: Entry) -> Vec<Section> {
        match entry {
            Entry::Opened(opened) => {
                self.scope.leave();
                // Begun anew, a step stays in its section.
                if opened.attempt > 1 && self.open.head.is_some() {
                    self.open.items.push(Item::Entry(Entry::Opened(opened)));
                    return Vec::new();
                }
                let before = std::mem::take(&mut self.open);
                self.open.head = Some(opened);
                whole(before)
            }
            Entry::Closed(closed) => {
                self.scope.leave();
                let mut out = Vec::new();
                // What stands between the sections is not part of one that never began.
                if self.open.head.is_none() {
                    out.extend(whole(std::mem::take(&mut self.open)));
                }
                self.open.closed = Some(closed);
                out.extend(whole(std::mem::take(&mut self.open)));
                out
            }
            entry => {
                self.add(entry);
                Vec::new()
            }
        }
    }

    /// The section that goes on, and what is in it, where that is much: who is handed this shows it, and it is not kept. What
    /// stands on a checklist stays together.
    pub fn overflow(&mut self) -> Option<(&Section, Vec<Item>)> {
        let whole = matches!(self.open.items.last(), Some(Item::Entry(_))) && !self.scope.is_on_checklist();
        if self.open.items.len() < MUCH || !whole {
            return None;
        }
        self.open.handed_on = true;
        let items = std::mem::take(&mut self.open.items);
        Some((&self.open, items))
    }

    /// What is left when there is no more.
    pub fn finish(&mut self) -> Vec<Section> {
        whole(std::mem::take(&mut self.open))
    }

    fn add(&mut self, entry: Entry) {
        match &entry {
            Entry::Told(event) => match &event.get().body {
                Body::Output { stream, text } => return self.printed(|printed| printed.add(*stream, text)),
                Body::OutputLeftOut { bytes, lines, .. } => {
                    return self.printed(|printed| {
                        printed.more += lines;
                        printed.not_recorded += bytes;
                    });
                }
                // These are shown by who is told as it happens.
                Body::Bound { .. }
                | Body::Condition { .. }
                | Body::Probed { .. }
                | Body::Baseline { .. }
                | Body::GroupEnded { .. }
                | Body::ConfirmAsked { .. } => return,
                Body::UndoStarted { .. } => self.scope.enter(event.get().place.part),
                Body::Resumed(_) => self.scope.leave(),
                // These belong to the run, wherever they happen.
                Body::Retrying { .. }
                | Body::AskingAgain
                | Body::StopHeld { .. }
                | Body::StopPredicted { .. }
                | Body::RunEndsHere { .. }
                | Body::Cancelled { .. }
                | Body::UndoEnded(_) => {}
                _ => self.turn(event),
            },
            Entry::Row(event, _) | Entry::ActionEnded { event, .. } => self.turn(&event.clone()),
            Entry::Collapsed(collapsed) => {
                let turns = self.scope.turn(&collapsed.place);
                self.open.items.extend(turns.into_iter().map(Item::Turn));
            }
            _ => return,
        }
        self.open.tally.take(&entry);
        self.open.items.push(Item::Entry(entry));
    }

    fn turn(&mut self, event: &Published) {
        let turns = self.scope.turn(&event.get().place);
        self.open.items.extend(turns.into_iter().map(Item::Turn));
    }

    /// What the action prints that goes on.
    fn printed(&mut self, add: impl FnOnce(&mut Printed)) {
        if let Some(Item::Printed(printed)) = self.open.items.last_mut() {
            return add(printed);
        }
        let mut printed = Printed::default();
        add(&mut printed);
        self.open.items.push(Item::Printed(printed));
    }
}

/// A section in which there is something.
fn whole(section: Section) -> Vec<Section> {
    let empty = !section.handed_on && section.head.is_none() && section.closed.is_none() && section.items.is_empty();
    if empty { Vec::new() } else { vec![section] }
}
