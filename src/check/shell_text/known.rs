//! What the reading of a shell text comes to: for each value in it, whether it may stand where it stands.

use crate::check::program::ShellTakes;

use super::word::Word;
use super::{Position, Refusal};

/// What is known of the values of a text.
#[derive(Debug)]
pub struct Known {
    pub positions: Vec<Position>,
    /// Values that a variable gets: `x=…`, `for x in …`.
    pub assigned: Vec<usize>,
    /// `alias`: it changes how what follows is read.
    pub aliases: bool,
    /// `declare -i`, `typeset -n`: what a variable gets may be read again.
    pub attributes: bool,
    /// `a | b`
    pub pipeline: bool,
}

impl Known {
    pub fn refuse(&mut self, value: usize, refusal: Refusal) {
        // The first reason is the outermost.
        if !matches!(self.positions[value], Position::Refused(_)) {
            self.positions[value] = Position::Refused(refusal);
        }
    }

    pub fn refuse_all<'w>(&mut self, words: impl IntoIterator<Item = &'w Word>, refusal: &Refusal) {
        for value in words.into_iter().flat_map(Word::values).collect::<Vec<_>>() {
            self.refuse(value, refusal.clone());
        }
    }

    /// What may stand in a word that has a place for it.
    pub fn take(&mut self, word: &Word, takes: ShellTakes) {
        for value in word.values() {
            if let Position::Fits(_, before) = &mut self.positions[value] {
                *before = takes;
            }
        }
    }

    pub(super) fn settle(&mut self) {
        if self.aliases {
            let refusal = Refusal::unclear("`alias` changes how the shell reads the rest of this command");
            (0..self.positions.len()).for_each(|value| self.refuse(value, refusal.clone()));
        }
        if self.attributes {
            let refusal = Refusal::again(
                "this command gives variables a type (`declare -i`, `typeset -n`), so what they get is read again",
                "leave the type out, or give this value to the command by `env { NAME: value }`",
            );
            for value in std::mem::take(&mut self.assigned) {
                self.refuse(value, refusal.clone());
            }
        }
    }
}
