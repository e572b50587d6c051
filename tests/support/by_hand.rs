//! Events that were made by hand, for states of a run that are hard to bring about.

use runbook::engine::events::event::{Published, Sink};
use serde_json::{Value, json};

/// Events of a run, numbered, a second apart.
#[derive(Default)]
pub struct Events(pub Vec<Published>);

impl Events {
    pub fn new(mode: &str, steps: &[&str]) -> Self {
        let steps: Vec<Value> = steps.iter().map(|step| json!({ "name": step, "title": step })).collect();
        Self::default().and(json!({
            "type": "run-started", "format": 1, "mode": mode, "program": "0", "stdlib": "", "runbook": "By hand",
            "hash": "abc", "root": "/", "params": [], "steps": steps, "file": "x.runbook", "host": "here", "by": "ana",
        }))
    }

    pub fn and(mut self, body: Value) -> Self {
        let seq = self.0.len() + 1;
        let time = jiff::Timestamp::from_second(1_767_322_800 + seq as i64).expect("a time");
        let mut event = json!({ "seq": seq, "time": time });
        for (name, value) in body.as_object().expect("an object") {
            event[name] = value.clone();
        }
        self.0.push(Published::read(&event.to_string()).expect("an event"));
        self
    }

    /// In a step, or in a place with more to it.
    pub fn at(self, place: &Value, body: Value) -> Self {
        let mut event = body;
        for (name, value) in place.as_object().expect("an object") {
            event[name] = value.clone();
        }
        self.and(event)
    }

    pub fn step(self, name: &str) -> Self {
        self.at(&json!({ "step": name }), json!({ "type": "step-started", "title": name, "attempt": 1 }))
    }

    pub fn ended(self, name: &str, outcome: &str) -> Self {
        let body = json!({ "type": "step-ended", "outcome": outcome, "attempts": 1, "elapsed": 3.0 });
        self.at(&json!({ "step": name }), body)
    }

    /// Tells a form all of them, and that there are no more.
    pub fn tell(&self, mut sink: Box<dyn Sink>) {
        self.0.iter().for_each(|event| sink.take(event));
    }
}

/// A row of evidence.
pub fn row(line: u32, id: &str, state: &str, more: Value) -> Value {
    let step = id.split('.').next().expect("a step");
    let mut event = json!({
        "type": "expect-ended", "step": step, "expect": id, "file": "x.runbook", "line": line, "state": state,
        "text": format!("{id} == 1"), "expected": "1", "actual": if state == "holds" { "1" } else { "2" },
        "attempts": 1, "elapsed": 0.001, "named": true,
    });
    for (name, value) in more.as_object().expect("an object") {
        event[name] = value.clone();
    }
    event
}

pub fn verdict(verdict: &str, more: Value) -> Value {
    let mut event = json!({
        "type": "verdict", "verdict": verdict, "reasons": [], "recovered": [], "warnings": [], "elapsed": 9.0,
        "steps": { "passed": 1, "recovered": 0, "failed": 0, "skipped": 0 },
        "expects": { "held": 1, "differed": 0, "unknown": 0, "waived": 0, "undecided": 0 },
    });
    for (name, value) in more.as_object().expect("an object") {
        event[name] = value.clone();
    }
    event
}

/// A dry run in which there is something of each kind.
pub fn dry_run() -> Events {
    let behind = json!({ "step": "b", "not_reached": true });
    let check = |kind: &str, what: &str, state: &str, reason: Value| json!({ "type": "preflight-checked", "kind": kind, "what": what, "state": state, "reason": reason });
    let stop = |reason: &str, state: &str, actual: &str| json!({ "type": "stop-predicted", "reason": reason, "text": "file(\"flag\") is present", "state": state, "actual": actual });
    Events::new("dry-run", &["a", "b"])
        .and(json!({ "type": "preflight-started" }))
        .and(check("program", "kubectl", "refused", json!("it is in no directory of PATH")))
        .and(check("secret", "token", "ready", Value::Null))
        .and(check("program", "jq", "expected", json!("expected from step a")))
        .and(check("confirm", "Roll back?", "if-reached", json!("nobody could answer")))
        .and(check("program", "./built", "not-checked", json!("its directory is made by the run")))
        .and(json!({ "type": "preflight-ended", "ok": false, "checked": 5, "refused": 1 }))
        .and(stop("Calm", "quiet", "absent"))
        .and(stop("Flagged", "would-stop", "a file of 3B"))
        .and(stop("Who knows", "unknown", "the connection was refused"))
        .step("a")
        .and(row(4, "a.gate", "holds", json!({ "assumed": "line 3 sets it" })))
        .and(row(5, "a.differs", "differs", json!({ "assumed": "line 3 sets it" })))
        .and(row(6, "a.risky", "differs", json!({ "waived": true, "risk": "It may" })))
        .at(&json!({ "step": "a" }), json!({
            "type": "action-planned", "action": "printf '%s\n' x", "changes": { "keys": ["file(\"x\")"] },
        }))
        .at(&json!({ "step": "a" }), json!({
            "type": "run-ends-here", "certain": true, "reason": "a.differs: expected 1, found 2", "then": ["finally of a", "rollback of a"],
        }))
        .ended("a", "planned")
        .at(&behind, json!({ "type": "step-started", "title": "The second", "attempt": 1 }))
        .at(&behind, json!({ "type": "action-planned", "action": "rm -rf everything", "changes": "everything" }))
        .and(row(9, "b.gone", "holds", json!({ "not_reached": true })))
        .at(&behind, json!({ "type": "confirm-planned", "text": "Go on", "role": "lead" }))
        .ended("b", "planned")
        .and(json!({
            "type": "summary", "actions": 1, "as_of_now": 0, "possibly": 0, "probes": 2, "elapsed": 0.1,
            "actions_not_reached": 1, "ends": "a.differs: expected 1, found 2",
            "expects": { "holds": 0, "differs": 1, "unknown": 0, "assumed": 1, "accepted": 1, "not_reached": 1 },
        }))
}
