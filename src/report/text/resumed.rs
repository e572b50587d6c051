//! A run that was cut off is resumed.

use std::io::Write;

use crate::engine::events::event::Resumed;

use super::super::safe::safe;
use super::super::times::wall;
use super::Writer;

impl<P: Write + Send, R: Write + Send> Writer<P, R> {
    pub(super) fn resumed(&mut self, resumed: &Resumed) {
        self.scope.leave();
        self.line("");
        let during = resumed.during.as_ref().map(|step| format!(" in step {step}")).unwrap_or_default();
        let text = format!("⏵ resumed by {} on {}", safe(&resumed.by), safe(&resumed.host));
        self.line(&self.paint.doubtful(&text));
        let mut facts = vec![format!("was cut off{during} at {}", wall(resumed.cut_off))];
        if let Some(doubt) = &resumed.doubt {
            let what = if doubt.done { "counts as done" } else { "is done again" };
            facts.push(format!("in doubt: {}", safe(&doubt.action)));
            facts.push(format!("{what}: {}", safe(&doubt.because)));
        }
        match resumed.asked_again {
            0 => {}
            1 => facts.push("1 expect of what was done was asked again, and holds".to_owned()),
            many => facts.push(format!("{many} expects of what was done were asked again, and hold")),
        }
        facts.extend(resumed.redo.iter().map(|step| format!("again from its top: step {step}")));
        let changed = resumed.changed.iter();
        facts.extend(changed.map(|hash| format!("with a changed runbook: {}", hash.get(..12).unwrap_or(hash))));
        facts.extend(resumed.torn.map(|bytes| format!("the record's last line was torn: {bytes} bytes were left out")));
        for fact in facts {
            self.line(&self.paint.dim(&format!("      {fact}")));
        }
    }
}
