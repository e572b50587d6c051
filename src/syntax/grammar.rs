//! The grammar (`grammar/runbook.pest`) as the parser library reads it.

#[derive(pest_derive::Parser)]
#[grammar = "../grammar/runbook.pest"]
pub(super) struct Grammar;
