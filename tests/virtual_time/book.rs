//! Runbooks that are made up, and worlds for them: small, and with all that a step can hold.

use std::collections::BTreeMap;

use crate::fake_world::*;
use crate::polls::{Native, Poll};
use crate::rng::Rng;

#[derive(Clone, Debug, Default)]
pub struct Book {
    pub roll_back_on_stop: bool,
    pub timeout: Option<Ms>,
    pub stops: Vec<Stop>,
    /// Ids of expects that are accepted risks.
    pub risks: Vec<String>,
    /// What `run aN()` and `ensure aN()` do.
    pub actions: Vec<Vec<Stmt>>,
    pub steps: Vec<Step>,
    pub verdict: Vec<Expect>,
    /// What makes the expects behind a command hold: commands, and what they would have to change.
    pub helps: BTreeMap<String, Vec<(String, Seen)>>,
    /// What has to be so at first, for the gates.
    pub gates: Vec<(String, Seen)>,
    count: usize,
}

#[derive(Clone, Debug)]
pub struct Stop {
    pub poll: Poll,
    pub since: Option<String>,
    pub except: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Step {
    pub name: String,
    pub when: Option<Poll>,
    pub if_needed: bool,
    pub idempotent: bool,
    pub no_return: bool,
    pub body: Vec<Stmt>,
    pub on_failure: Option<Vec<Stmt>>,
    pub finally: Option<Vec<Stmt>>,
    pub rollback: Option<(Option<Ms>, Vec<Stmt>)>,
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Run {
        command: String,
        timeout: Option<Ms>,
    },
    Group(Vec<Expect>),
    /// Its parts begin with a command.
    If {
        poll: Poll,
        then: Vec<Stmt>,
        otherwise: Option<Vec<Stmt>>,
    },
    /// Its body begins with a command.
    For {
        items: Vec<u32>,
        body: Vec<Stmt>,
    },
    Confirm {
        text: String,
    },
    Call {
        action: usize,
        ensure: bool,
    },
    Retry {
        times: u32,
        after: Ms,
    },
    Stop,
    RollBack,
}

#[derive(Clone, Debug)]
pub struct Expect {
    pub name: String,
    pub poll: Poll,
    pub warn: bool,
}

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub steps: u64,
    pub facts: u64,
    /// In percent.
    pub handlers: u64,
}

impl Book {
    pub fn generated(rng: &mut Rng, size: Size) -> Self {
        let mut book = Book { roll_back_on_stop: rng.chance(50), ..Book::default() };
        for _ in 0..rng.range(0, 3) {
            let command = book.command();
            let group = book.expects(rng, size, 2);
            book.helps_with(&command, &group);
            book.actions.push(vec![Stmt::Run { command, timeout: None }, Stmt::Group(group)]);
        }
        for at in 0..rng.range(1, size.steps + 1) {
            let step = book.step(rng, size, at);
            book.steps.push(step);
        }
        if rng.chance(30) {
            book.verdict = book.expects(rng, size, 2);
        }
        book
    }

    /// Conditions that may end it, each over a fact of its own.
    pub fn with_stops(mut self, rng: &mut Rng) -> Self {
        for at in 0..rng.range(1, 3) {
            let mut poll = Poll::generated(rng, format!("stop{at}"));
            poll.native = *rng.pick(&[Native::File, Native::Http, Native::Sh]);
            poll.wants = Seen::Known(1);
            poll.within = None;
            poll.hold = rng.chance(60).then(|| *rng.pick(&[1, 300, 2000, 9000, 40_000]));
            poll.every = rng.chance(70).then(|| *rng.pick(&[5, 40, 250, 1000, 7000]));
            let mut step = |percent| rng.chance(percent).then(|| rng.pick(&self.steps).name.clone());
            let (since, except) = (step(25), step(25).into_iter().collect());
            self.stops.push(Stop { poll, since, except });
        }
        self
    }

    /// A world in which its stop conditions are quiet for a while.
    pub fn world_with_stops(&self, rng: &mut Rng, size: Size, luck: u64) -> Spec {
        let mut spec = self.world(rng, size, luck);
        for stop in &self.stops {
            let mut at = rng.range(1, 9000);
            let mut later = Vec::new();
            for _ in 0..rng.range(0, 5) {
                later.push((at, *rng.pick(&[Seen::Known(1), Seen::Known(1), Seen::Known(0), Seen::Unknown])));
                at += *rng.pick(&[1, 60, 900, 6000, 50_000]);
            }
            let takes = if rng.chance(30) { *rng.pick(&[1, 30, 700]) } else { 0 };
            spec = spec.fact(&stop.poll.fact, Fact { now: Seen::Known(0), later, takes, ..Fact::default() });
        }
        spec
    }

    fn name(&mut self, prefix: &str) -> String {
        self.count += 1;
        format!("{prefix}{}", self.count)
    }

    fn command(&mut self) -> String {
        self.name("c")
    }

    fn helps_with(&mut self, command: &str, group: &[Expect]) {
        let helps = group.iter().map(|expect| (expect.poll.fact.clone(), expect.poll.wants));
        self.helps.entry(command.to_owned()).or_default().extend(helps);
    }

    fn poll(&mut self, rng: &mut Rng, size: Size, timed: bool) -> Poll {
        let fact = format!("x{}", rng.range(0, size.facts));
        let mut poll = Poll::generated(rng, fact);
        if !timed || rng.chance(40) {
            (poll.within, poll.hold, poll.every) = (None, None, None);
        }
        if poll.native == Native::Sh && poll.wants == Seen::Absent {
            poll.wants = Seen::Known(1);
        }
        poll
    }

    fn expects(&mut self, rng: &mut Rng, size: Size, most: u64) -> Vec<Expect> {
        let count = rng.range(1, most + 1);
        (0..count)
            .map(|_| Expect { name: self.name("e"), poll: self.poll(rng, size, true), warn: rng.chance(8) })
            .collect()
    }

    fn step(&mut self, rng: &mut Rng, size: Size, at: u64) -> Step {
        let name = format!("s{at}");
        let mut step = Step { name: name.clone(), ..Step::default() };
        step.if_needed = rng.chance(12);
        step.idempotent = rng.chance(15);
        if rng.chance(10) {
            step.when = Some(self.poll(rng, size, false));
        }
        // What may be left out says in its groups alone what it is for.
        let plain = step.if_needed;
        for _ in 0..rng.range(1, 4) {
            self.statement(rng, size, &mut step.body, plain, 2);
        }
        if plain && !step.body.iter().any(|stmt| matches!(stmt, Stmt::Group(_))) {
            let group = self.expects(rng, size, 2);
            step.body.push(Stmt::Group(group));
        }
        if rng.chance(size.handlers) {
            let mut handler = Vec::new();
            if rng.chance(60) {
                self.statement(rng, size, &mut handler, true, 0);
            }
            match rng.range(0, 5) {
                0 => handler.push(Stmt::Stop),
                1 => handler.push(Stmt::RollBack),
                2 | 3 => {
                    let after = *rng.pick(&[0, 10, 1500, 60_000]);
                    handler.push(Stmt::Retry { times: rng.range(1, 4) as u32, after });
                    if rng.chance(50) {
                        handler.push(Stmt::Stop);
                    }
                }
                _ => {}
            }
            if handler.is_empty() {
                handler.push(Stmt::Run { command: self.command(), timeout: None });
            }
            if let Some(command) = handler.iter().find_map(|stmt| match stmt {
                Stmt::Run { command, .. } => Some(command.clone()),
                _ => None,
            }) {
                let groups: Vec<Expect> = step.body.iter().filter_map(Stmt::group).flatten().cloned().collect();
                self.helps_with(&command, &groups);
            }
            step.on_failure = Some(handler);
        }
        if !plain && rng.chance(25) {
            let mut finally = Vec::new();
            self.statement(rng, size, &mut finally, true, 0);
            step.finally = Some(finally);
        }
        if rng.chance(10) {
            step.no_return = true;
        } else if rng.chance(45) {
            let mut undo = vec![Stmt::Run { command: self.command(), timeout: None }];
            if rng.chance(60) {
                let group = self.expects(rng, size, 1);
                if let Some(Stmt::Run { command, .. }) = undo.first().cloned().as_ref() {
                    self.helps_with(command, &group);
                }
                undo.push(Stmt::Group(group));
            }
            step.rollback = Some((rng.chance(40).then(|| *rng.pick(&[10, 1000, 60_000])), undo));
        }
        if rng.chance(12)
            && let Some(expect) = step.body.iter_mut().find_map(Stmt::group_mut).and_then(|group| group.first_mut())
            && !expect.warn
        {
            // A fact of its own, of which it is never unknown what it is.
            expect.poll.fact = format!("r{at}");
            if matches!(expect.poll.native, Native::Http | Native::Sh) {
                expect.poll.native = Native::File;
            }
            self.risks.push(format!("{name}.{}", expect.name));
        }
        step
    }

    fn statement(&mut self, rng: &mut Rng, size: Size, into: &mut Vec<Stmt>, plain: bool, depth: u32) {
        let choice = rng.range(0, if plain { 60 } else { 100 });
        match choice {
            0..=44 => {
                let command = self.command();
                let timeout = rng.chance(20).then(|| *rng.pick(&[5, 900, 2000, 30_000]));
                into.push(Stmt::Run { command: command.clone(), timeout });
                if rng.chance(75) {
                    let group = self.expects(rng, size, 3);
                    self.helps_with(&command, &group);
                    into.push(Stmt::Group(group));
                }
            }
            45..=59 => {
                if matches!(into.last(), Some(Stmt::Group(_))) {
                    return;
                }
                let group = self.expects(rng, size, 2);
                let gates = group.iter().map(|expect| (expect.poll.fact.clone(), expect.poll.wants));
                self.gates.extend(gates);
                into.push(Stmt::Group(group));
            }
            60..=73 if depth > 0 => {
                let part = |book: &mut Self, rng: &mut Rng| {
                    let mut part = vec![Stmt::Run { command: book.command(), timeout: None }];
                    if rng.chance(60) {
                        book.statement(rng, size, &mut part, false, depth - 1);
                    }
                    part
                };
                let poll = self.poll(rng, size, false);
                let then = part(self, rng);
                let otherwise = rng.chance(50).then(|| part(self, rng));
                into.push(Stmt::If { poll, then, otherwise });
            }
            74..=83 if depth > 1 => {
                let mut body = vec![Stmt::Run { command: self.command(), timeout: None }];
                if rng.chance(60) {
                    let group = self.expects(rng, size, 2);
                    if let Some(Stmt::Run { command, .. }) = body.first().cloned().as_ref() {
                        self.helps_with(command, &group);
                    }
                    body.push(Stmt::Group(group));
                }
                into.push(Stmt::For { items: (0..rng.range(1, 4) as u32).collect(), body });
            }
            84..=91 if depth > 1 => into.push(Stmt::Confirm { text: self.name("q") }),
            _ if !self.actions.is_empty() && depth > 0 => {
                let action = usize::try_from(rng.range(0, self.actions.len() as u64)).expect("small");
                into.push(Stmt::Call { action, ensure: rng.chance(50) });
            }
            _ => into.push(Stmt::Run { command: self.command(), timeout: None }),
        }
    }

    /// A world in which much of it goes well.
    pub fn world(&self, rng: &mut Rng, size: Size, luck: u64) -> Spec {
        let mut spec = Spec::default();
        let value = |rng: &mut Rng| match rng.range(0, 8) {
            0 => Seen::Absent,
            1 => Seen::Unknown,
            _ => Seen::Known(rng.range(1, 3) as i64),
        };
        for fact in 0..size.facts {
            let name = format!("x{fact}");
            let gate = self.gates.iter().find(|(gate, _)| *gate == name).map(|(_, seen)| *seen);
            let now = gate.filter(|_| rng.chance(luck)).unwrap_or_else(|| value(rng));
            let mut later: Vec<(Ms, Seen)> =
                (0..rng.range(0, 5).saturating_sub(2)).map(|_| (rng.range(1, 20_000), value(rng))).collect();
            later.sort_by_key(|(at, _)| *at);
            spec = spec.fact(&name, Fact { now, later, ..Fact::default() });
        }
        for (step, _) in self.steps.iter().enumerate() {
            let now = if rng.chance(50) { Seen::Absent } else { Seen::Known(rng.range(1, 3) as i64) };
            spec = spec.fact(&format!("r{step}"), Fact::is(now));
        }
        for command in self.commands() {
            let count = rng.range(1, 3);
            let mut manners: Vec<Manner> = Vec::new();
            for nth in 0..count {
                let takes = *rng.pick(&[0, 0, 3, 250, 700, 1900, 4000]);
                let mut effects = Vec::new();
                for (fact, seen) in self.helps.get(&command).into_iter().flatten() {
                    if rng.chance(luck) {
                        let after = if rng.chance(70) { rng.range(0, takes + 1) } else { takes + rng.range(1, 900) };
                        effects.push(Effect { after, fact: fact.clone(), how: How::Set(*seen) });
                    }
                }
                if rng.chance(15) {
                    let fact = format!("x{}", rng.range(0, size.facts));
                    effects.push(Effect { after: rng.range(0, takes + 1), fact, how: How::Set(value(rng)) });
                }
                effects.sort_by_key(|effect| effect.after);
                // Each at a moment of its own.
                for at in 1..effects.len() {
                    effects[at].after = effects[at].after.max(effects[at - 1].after + 1);
                }
                let well = rng.chance(luck.max(80)) || nth > 0 && rng.chance(70);
                let hangs = !well && rng.chance(20);
                manners.push(Manner {
                    takes,
                    effects,
                    prints: if rng.chance(20) { vec![(takes / 2, "a line".to_owned())] } else { Vec::new() },
                    status: if well { 0 } else { rng.range(1, 4) as i64 },
                    hangs,
                    deaf: if rng.chance(15) { *rng.pick(&[1, 400, 14_000, 20_000]) } else { 0 },
                });
            }
            spec = spec.command(&command, manners);
        }
        for text in self.confirms() {
            let says = if rng.chance(luck.max(75)) { Says::Yes } else { *rng.pick(&[Says::No, Says::Nothing]) };
            spec.people.insert(text, (*rng.pick(&[0, 40, 5000]), says));
        }
        spec
    }

    pub fn commands(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.walk(&mut |stmt| {
            if let Stmt::Run { command, .. } = stmt {
                all.push(command.clone());
            }
        });
        all
    }

    fn confirms(&self) -> Vec<String> {
        let mut all = Vec::new();
        self.walk(&mut |stmt| {
            if let Stmt::Confirm { text } = stmt {
                all.push(text.clone());
            }
        });
        all
    }

    /// Every expect, with its id but for the keys of loops: by its name alone, which is its own.
    pub fn polls(&self) -> BTreeMap<String, Poll> {
        let mut all = BTreeMap::new();
        let mut take = |group: &[Expect]| {
            for expect in group {
                all.insert(expect.name.clone(), expect.poll.clone());
            }
        };
        self.walk(&mut |stmt| {
            if let Some(group) = stmt.group() {
                take(group);
            }
        });
        take(&self.verdict);
        all
    }

    fn walk(&self, take: &mut impl FnMut(&Stmt)) {
        fn stmts(all: &[Stmt], take: &mut impl FnMut(&Stmt)) {
            for stmt in all {
                take(stmt);
                match stmt {
                    Stmt::If { then, otherwise, .. } => {
                        stmts(then, take);
                        stmts(otherwise.as_deref().unwrap_or_default(), take);
                    }
                    Stmt::For { body, .. } => stmts(body, take),
                    _ => {}
                }
            }
        }
        for body in &self.actions {
            stmts(body, take);
        }
        for step in &self.steps {
            stmts(&step.body, take);
            stmts(step.on_failure.as_deref().unwrap_or_default(), take);
            stmts(step.finally.as_deref().unwrap_or_default(), take);
            stmts(step.rollback.as_ref().map(|(_, body)| body.as_slice()).unwrap_or_default(), take);
        }
    }

    /// As the language writes it.
    pub fn text(&self) -> String {
        let mut text = String::from("runbook \"Generated\" {\n  longest-risk = 36500d\n");
        if self.roll_back_on_stop {
            text.push_str("  on-stop = rollback\n");
        }
        if let Some(timeout) = self.timeout {
            text.push_str(&format!("  timeout = {timeout}ms\n"));
        }
        text.push_str("}\n");
        for (at, stop) in self.stops.iter().enumerate() {
            let Stop { poll, since, except } = stop;
            let every = poll.every.map(|every| format!(" every {every}ms")).unwrap_or_default();
            let hold = poll.hold.map(|hold| format!(" for {hold}ms")).unwrap_or_default();
            text.push_str(&format!("stop \"stop {at}\" {{\n  when {}{hold}{every}\n", poll.condition()));
            if let Some(since) = since {
                text.push_str(&format!("  since {since}\n"));
            }
            if !except.is_empty() {
                text.push_str(&format!("  except during {}\n", except.join(", ")));
            }
            text.push_str("}\n");
        }
        for (at, body) in self.actions.iter().enumerate() {
            text.push_str(&format!("action a{at}() {{\n"));
            render(&mut text, body, 1);
            text.push_str("}\n");
        }
        for step in &self.steps {
            text.push_str(&format!("step {}", step.name));
            if step.idempotent {
                text.push_str(" idempotent");
            }
            if step.no_return {
                text.push_str(" point-of-no-return");
            }
            if let Some(when) = &step.when {
                text.push_str(&format!(" when {}", when.condition()));
            }
            if step.if_needed {
                text.push_str(" if needed");
            }
            text.push_str(" {\n");
            render(&mut text, &step.body, 1);
            if let Some(handler) = &step.on_failure {
                text.push_str("  on-failure {\n");
                render(&mut text, handler, 2);
                text.push_str("  }\n");
            }
            if let Some(finally) = &step.finally {
                text.push_str("  finally {\n");
                render(&mut text, finally, 2);
                text.push_str("  }\n");
            }
            if let Some((within, body)) = &step.rollback {
                let within = within.map(|within| format!(" within {within}ms")).unwrap_or_default();
                text.push_str(&format!("  rollback{within} {{\n"));
                render(&mut text, body, 2);
                text.push_str("  }\n");
            }
            text.push_str("}\n");
        }
        for risk in &self.risks {
            text.push_str(&format!(
                "accept-risk \"risk {risk}\" {{\n  covers = [{risk}]\n  until = 2100-01-01\n  approver = \"a\"\n  reason = \"b\"\n}}\n"
            ));
        }
        if !self.verdict.is_empty() {
            text.push_str("verdict {\n");
            render(&mut text, &[Stmt::Group(self.verdict.clone())], 1);
            text.push_str("}\n");
        }
        text
    }
}

impl Stmt {
    pub fn group(&self) -> Option<&[Expect]> {
        match self {
            Stmt::Group(group) => Some(group),
            _ => None,
        }
    }

    fn group_mut(&mut self) -> Option<&mut Vec<Expect>> {
        match self {
            Stmt::Group(group) => Some(group),
            _ => None,
        }
    }
}

fn render(text: &mut String, stmts: &[Stmt], depth: usize) {
    let pad = "  ".repeat(depth);
    for stmt in stmts {
        match stmt {
            Stmt::Run { command, timeout } => {
                let timeout = timeout.map(|timeout| format!(" timeout {timeout}ms")).unwrap_or_default();
                text.push_str(&format!("{pad}run \"{command}\"{timeout}\n"));
            }
            Stmt::Group(group) => {
                for Expect { name, poll, warn } in group {
                    let otherwise = if *warn { " else warn \"not so\"" } else { "" };
                    text.push_str(&format!("{pad}expect {name}: {}{}{otherwise}\n", poll.condition(), poll.timing()));
                }
            }
            Stmt::If { poll, then, otherwise } => {
                text.push_str(&format!("{pad}if {} {{\n", poll.condition()));
                render(text, then, depth + 1);
                if let Some(otherwise) = otherwise {
                    text.push_str(&format!("{pad}}} else {{\n"));
                    render(text, otherwise, depth + 1);
                }
                text.push_str(&format!("{pad}}}\n"));
            }
            Stmt::For { items, body } => {
                text.push_str(&format!("{pad}for i in {items:?} {{\n"));
                render(text, body, depth + 1);
                text.push_str(&format!("{pad}}}\n"));
            }
            Stmt::Confirm { text: asked } => text.push_str(&format!("{pad}confirm \"{asked}\" by \"ops\"\n")),
            Stmt::Call { action, ensure } => {
                text.push_str(&format!("{pad}{} a{action}()\n", if *ensure { "ensure" } else { "run" }));
            }
            Stmt::Retry { times, after } => text.push_str(&format!("{pad}retry {times} after {after}ms\n")),
            Stmt::Stop => text.push_str(&format!("{pad}stop \"enough\"\n")),
            Stmt::RollBack => text.push_str(&format!("{pad}rollback\n")),
        }
    }
}
