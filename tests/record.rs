//! The record: what is kept, that no byte of it can be changed unseen, what is rebuilt from it, and what never reaches it.

mod support;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use runbook::record::{ChainError, ChainFault, Folder, Store, StoreError};
use support::{BINARY, Server, Story, answer, told};

/// The folder of the last run.
fn run_folder(story: &Story) -> PathBuf {
    let mut runs: Vec<PathBuf> =
        std::fs::read_dir(story.path(".runbook/runs")).expect("runs").flatten().map(|entry| entry.path()).collect();
    runs.sort();
    runs.pop().expect("a run")
}

fn journal(story: &Story) -> PathBuf {
    run_folder(story).join("journal.jsonl")
}

/// Waits until nothing of a run that was killed is left.
fn ended(story: &Story) {
    let began = std::time::Instant::now();
    while story.run(&["runs"]).text.contains("running") {
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "it has not ended");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Every file below, and every folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_owned()];
    let mut at = 0;
    while at < all.len() {
        if let Ok(entries) = std::fs::read_dir(&all[at]) {
            all.extend(entries.flatten().map(|entry| entry.path()));
        }
        at += 1;
    }
    all
}

const PLAN: &str = r##"runbook "Recorded" { }
param word: string = "hello"
step a "The first" {
  let r = run "echo #{word}; echo oops >&2"
  expect said: r.text == word
  expect file("ready") is present within 200ms every 50ms
  on-failure {
    run "touch ready"
  }
}
step b {
  expect file("nothing") is absent else warn "it is there"
  run "exit 3"
}
step c {
  run "true"
}
"##;

#[test]
fn nobody_else_can_look_at_it_and_the_project_does_not_see_it() {
    let story = Story::new(PLAN);
    story.exec();
    for path in below(&story.path(".runbook")) {
        let meta = std::fs::metadata(&path).expect("there");
        let mode = if meta.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(meta.mode() & 0o777, mode, "{}", path.display());
    }
    let git =
        |args: &[&str]| Command::new("git").args(args).current_dir(story.folder.path()).output().expect("git runs");
    git(&["init", "-q"]);
    assert_eq!(String::from_utf8_lossy(&git(&["status", "--short"]).stdout), "?? plan.runbook\n?? ready\n");
    // Somewhere else, where that is said.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let output =
        story.command(&["exec", "plan.runbook"]).env("RUNBOOK_STATE", elsewhere.path()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(elsewhere.path().join("runs").is_dir());
}

#[test]
fn the_report_is_what_was_shown_live() {
    let story = Story::new(PLAN);
    for (args, report) in [
        (&["exec", "plan.runbook"][..], &["report", "last"][..]),
        (&["exec", "-v", "plan.runbook"], &["report", "-v", "last"]),
        (&["exec", "--color", "always", "plan.runbook"], &["report", "--color", "always", "last"]),
        (&["exec", "--format", "json", "plan.runbook"], &["report", "--format", "json", "last"]),
        (&["exec", "--format", "markdown", "-q", "plan.runbook"], &["report", "--format", "markdown", "last"]),
    ] {
        let _ = std::fs::remove_file(story.path("ready"));
        let both = |args: &[&str]| {
            let script = format!("exec '{BINARY}' {} 2>&1", args.join(" "));
            let mut command = Command::new("sh");
            command.args(["-c", &script]).current_dir(story.folder.path()).env_remove("NO_COLOR");
            told(command.output().expect("it runs")).stdout
        };
        let live = both(args);
        assert!(live.contains("ready"), "{live}");
        // What is quiet live is the verdict alone; the comment on a pull request has it all.
        let live = live.lines().filter(|line| !line.starts_with(" NO-GO ") || report.len() < 4).collect::<Vec<_>>();
        let again = both(report);
        let again: Vec<&str> = again.lines().collect();
        let live: Vec<&str> = if report.contains(&"markdown") { live[..again.len()].to_vec() } else { live };
        assert_eq!(live, again, "{args:?}");
    }
}

#[test]
fn runs_are_listed_newest_first() {
    let story = Story::new(PLAN);
    story.exec();
    story.write("plan.runbook", "runbook \"Well\" { }\nstep a {\n  expect 1 == 1\n}\n");
    story.exec();
    story.write(
        "plan.runbook",
        "runbook \"Cut\" { proof = none }\nstep first {\n  run \"true\"\n}\nstep second {\n  run \"kill -9 $PPID; sleep 9\"\n}\n",
    );
    story.exec();
    ended(&story);
    std::fs::create_dir(story.path(".runbook/runs/20000101-000000-what")).expect("a folder");
    let text = story.run(&["runs"]).stdout;
    let lines: Vec<&str> = text.lines().collect();
    for (line, words) in [
        (0, &["RUN", "STARTED", "RUNBOOK", "WHO", "VERDICT", "TIME", "STOPPED"][..]),
        (1, &["Cut", "cut off", "in step second"]),
        (2, &["Well", "GO"]),
        (3, &["Recorded", "NO-GO", "step b: `exit 3` ended with status 3"]),
        (4, &["20000101-000000-what", "unreadable"]),
    ] {
        for words in words {
            assert!(lines[line].contains(words), "{words:?} is not in {:?}", lines[line]);
        }
    }
    let json: serde_json::Value = serde_json::from_str(&story.run(&["runs", "--format", "json"]).stdout).expect("JSON");
    let runs = json.as_array().expect("an array");
    assert_eq!(runs[0]["verdict"], serde_json::Value::Null);
    assert_eq!((&runs[0]["state"], &runs[0]["ended"]), (&"cut-off".into(), &serde_json::Value::Null));
    assert_eq!((&runs[1]["verdict"], &runs[2]["verdict"]), (&"GO".into(), &"NO-GO".into()));
    for field in ["run", "runbook", "file", "started", "ended", "verdict"] {
        assert!(runs[1].get(field).is_some_and(|value| !value.is_null()), "{field}: {}", runs[1]);
    }
    // By any part that means one: its end, its beginning.
    let run = runs[1]["run"].as_str().expect("a run");
    for name in [run, &run[16..]] {
        let report = story.run(&["report", name]);
        assert!(report.text.contains("Well"), "{}", report.text);
    }
    let report = story.run(&["report", &run[..8]]);
    assert_eq!(report.status, 2, "{}", report.text);
    assert!(report.text.contains(" may be "), "{}", report.text);
}

#[test]
fn a_torn_last_line_is_left_out_and_told() {
    let story = Story::new(
        "runbook \"T\" { proof = none }\nstep a idempotent {\n  run \"test -e x || { touch x; kill -9 $PPID; sleep 9; }\"\n}\n",
    );
    story.exec();
    ended(&story);
    let path = journal(&story);
    let whole = std::fs::read(&path).expect("a journal");
    let line = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("lines") + 1;
    std::fs::write(&path, &whole[..line + 30]).expect("torn");
    let verified = story.run(&["report", "last", "--verify"]);
    assert_eq!(verified.status, 1, "{}", verified.text);
    assert!(verified.text.contains("is torn: its last 30 bytes"), "{}", verified.text);
    let report = story.run(&["report", "last"]);
    assert!(report.text.contains("torn (a loss of power): 30 bytes are left out"), "{}", report.text);
    // The start of the action was lost with it: it is begun, and nothing is in doubt.
    let resumed = story.run(&["resume", "last"]);
    assert_eq!(resumed.status, 0, "{}", resumed.text);
    assert!(resumed.text.contains("last line was torn: 30 bytes were left out"), "{}", resumed.text);
    assert_eq!(story.run(&["report", "last", "--verify"]).status, 0);
}

#[test]
fn a_record_of_a_newer_program_is_refused() {
    let story = Story::new(PLAN);
    story.exec();
    let path = journal(&story);
    let text = std::fs::read_to_string(&path).expect("a journal");
    std::fs::write(&path, text.replacen("\"format\":1,", "\"format\":2,", 1)).expect("written");
    for args in [&["report", "last"][..], &["resume", "last"], &["rollback", "last"], &["report", "last", "--verify"]] {
        let told = story.run(args);
        assert_eq!(told.status, 4, "{}", told.text);
        assert!(told.text.contains("format 2") && told.text.contains("use the newer one"), "{}", told.text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    /// Any byte that is changed, any line that is cut out, doubled or put elsewhere, is found, at its line.
    #[test]
    fn no_change_of_a_record_goes_unseen(at in 0.0..1.0f64, byte in 0..=255u8, how in 0..5u8) {
        use runbook::record::journal;
        static BYTES: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let bytes = BYTES.get_or_init(|| {
            let story = Story::new(PLAN);
            story.exec();
            std::fs::read(self::journal(&story)).expect("a journal")
        });
        let place = ((bytes.len() - 1) as f64 * at) as usize;
        let line_of = |place: usize| bytes[..place].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let nth = (line_of(place) - 1) as usize;
        let (changed, line) = match how {
            0 | 1 => {
                let mut changed = bytes.clone();
                changed[place] = byte;
                prop_assume!(changed != *bytes);
                (changed, line_of(place))
            }
            2 => {
                prop_assume!(nth + 1 < lines.len());
                lines.remove(nth);
                (lines.concat(), nth as u64 + 1)
            }
            3 => {
                lines.insert(nth, lines[nth]);
                (lines.concat(), nth as u64 + 2)
            }
            _ => {
                prop_assume!(nth + 1 < lines.len());
                lines.swap(nth, nth + 1);
                (lines.concat(), nth as u64 + 1)
            }
        };
        match journal::read(&changed) {
            // Its format says that it is a newer program's.
            Err(newer) => prop_assert!(line == 1, "{newer}"),
            Ok(read) => match (read.broken, read.torn) {
                (Some(broken), _) => prop_assert_eq!(broken.line, line),
                // The end of the last line was changed.
                (None, torn) => {
                    prop_assert!(torn.is_some() && read.lines + 1 == line, "{:?} {}", torn, line);
                }
            }
        }
    }
}

#[test]
fn what_was_changed_is_named_by_its_line() {
    let story = Story::new(PLAN);
    story.exec();
    let path = journal(&story);
    let text = std::fs::read_to_string(&path).expect("a journal");
    let verify = |words: &[&str]| {
        let told = story.run(&["report", "last", "--verify"]);
        assert_eq!(told.status, 1, "{}", told.text);
        for words in words {
            assert!(told.text.contains(words), "{words:?} is not in {}", told.text);
        }
    };
    let line = text.lines().position(|line| line.contains("\"NO-GO\"")).expect("a verdict") + 1;
    std::fs::write(&path, text.replace("\"NO-GO\"", "\"GO\"")).expect("written");
    verify(&[&format!("line {line} is not as it was written")]);
    let told = story.run(&["resume", "last"]);
    assert_eq!(told.status, 4, "{}", told.text);
    // Whole lines cut off at the end.
    let cut: String = text.lines().take(line - 3).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, cut).expect("written");
    verify(&[&format!("line {}", line - 2), &format!("had {line} lines when the run ended")]);
    std::fs::write(&path, &text).expect("written");
    assert_eq!(story.run(&["report", "last", "--verify"]).status, 0);
    // The runbook beside it.
    let source =
        std::fs::read_dir(run_folder(&story).join("sources")).expect("sources").flatten().next().expect("one").path();
    std::fs::write(source, "runbook \"Another\" { proof = none }\n").expect("written");
    verify(&["plan.runbook", "was changed"]);
}

/// Two steps, each of which says how it is undone.
const TWO: &str = r##"runbook "Two" { }
step one {
  run "echo one >> log"
  expect 1 == 1
  rollback {
    run "echo undone one >> log"
  }
}
step two {
  run "echo two >> log"
  expect 1 == 1
  rollback {
    run "test ! -e cut || { rm cut; kill -9 $PPID; sleep 9; }; echo undone two >> log"
  }
}
"##;

#[test]
fn the_end_of_a_run_that_has_ended_is_not_torn_off_unseen() {
    let story = Story::new(TWO);
    assert_eq!(story.exec().status, 0);
    let path = journal(&story);
    let whole = std::fs::read(&path).expect("a journal");
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    // Torn within a line, within the last one, and between two.
    let cuts = [(3, 50), (lines.len() - 1, 40), (lines.len() - 1, 0), (0, 0), (0, 7)];
    for (kept, more) in cuts {
        let torn = [&lines[..kept].concat()[..], &lines.get(kept).unwrap_or(&&b""[..])[..more]].concat();
        std::fs::write(&path, &torn).expect("torn");
        let what = format!("{kept} lines and {more} bytes");
        for command in ["resume", "rollback"] {
            let told = story.run(&[command, "last"]);
            assert_eq!(told.status, 4, "{what}: {}", told.text);
            let words = format!("the record had {} lines when the run ended, and has {kept}", lines.len());
            assert!(told.text.contains(&words) && told.text.contains("was changed"), "{what}: {}", told.text);
        }
        let verified = story.run(&["report", "last", "--verify"]);
        assert_eq!(verified.status, 1, "{what}: {}", verified.text);
        assert!(verified.text.contains(&format!("line {} is not as it was written", kept + 1)), "{}", verified.text);
        assert!(!verified.text.contains("loss of power"), "{what}: {}", verified.text);
        let report = story.run(&["report", "last"]);
        assert!(report.text.contains("is not as it was written") && !report.text.contains("loss of power"), "{what}");
        assert_eq!(std::fs::read(&path).expect("a journal"), torn, "{what}: nothing of it was taken away");
    }
    assert_eq!(std::fs::read_to_string(story.path("log")).expect("a log"), "one\ntwo\n");
    // A seal that tells nothing.
    std::fs::write(&path, &whole).expect("put back");
    let seal = run_folder(&story).join("seal.json");
    let sealed = std::fs::read_to_string(&seal).expect("a seal");
    for text in ["{}", "x", &sealed.replace("\"hash\":\"", "\"hash\":\"0")] {
        std::fs::write(&seal, text).expect("written");
        let told = story.run(&["rollback", "last"]);
        assert!(told.status == 4 && told.text.contains("was changed"), "{text}: {}", told.text);
    }
    std::fs::write(&seal, sealed).expect("put back");
    assert_eq!(story.run(&["report", "last", "--verify"]).status, 0);
}

#[test]
fn behind_a_seal_a_torn_line_is_a_loss_of_power() {
    let story = Story::new(TWO);
    assert_eq!(story.exec().status, 0);
    // Cut off while it is undone, and its last line torn.
    story.write("cut", "");
    story.run(&["rollback", "last"]);
    ended(&story);
    let path = journal(&story);
    let whole = std::fs::read(&path).expect("a journal");
    std::fs::write(&path, &whole[..whole.len() - 10]).expect("torn");
    let verified = story.run(&["report", "last", "--verify"]);
    assert!(verified.status == 1 && verified.text.contains("as after a loss of power"), "{}", verified.text);
    let told = story.run(&["rollback", "last"]);
    assert_eq!(told.status, 0, "{}", told.text);
    let log = std::fs::read_to_string(story.path("log")).expect("a log");
    assert_eq!(log, "one\ntwo\nundone two\nundone one\n");
    assert_eq!(story.run(&["report", "last", "--verify"]).status, 0);
}

/// What a change of a journal may come to, by command: its exit codes.
const CODES: [(&[&str], &[i32]); 5] = [
    (&["report", "last", "--verify"], &[1, 4]),
    (&["report", "last"], &[0, 4]),
    (&["runs"], &[0]),
    (&["resume", "last"], &[4]),
    (&["rollback", "last"], &[4]),
];

/// A way to change a journal: chosen by numbers, so that it is the same each time.
fn mutated(whole: &[u8], mut next: impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = whole.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let (one, other) = (next(lines.len()), next(lines.len()));
    match next(7) {
        0 => {
            let at = next(lines[one].len());
            lines[one][at] ^= 1 << next(8);
        }
        1 => drop(lines.remove(one)),
        2 => lines.insert(one, lines[other].clone()),
        3 => lines.swap(one, other),
        4 => drop(lines.drain(one..)),
        5 => {
            let at = next(lines[one].len());
            lines[one].truncate(at);
            lines.truncate(one + 1);
        }
        _ => {
            let at = next(lines[one].len());
            lines[one].splice(at..at, (0..next(40)).map(|_| next(256) as u8).collect::<Vec<_>>());
        }
    }
    lines.concat()
}

/// Numbers below a limit: the same for the same seed (splitmix64, Steele, Lea and Flood 2014).
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % below.max(1) as u64) as usize
    }
}

#[test]
fn a_changed_record_is_told_and_nothing_is_done_on_it() {
    let next = std::sync::atomic::AtomicU64::new(0);
    let changed = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let story = Story::new(TWO);
                assert_eq!(story.exec().status, 0);
                let path = journal(&story);
                let whole = std::fs::read(&path).expect("a journal");
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed >= 250 {
                        break;
                    }
                    let mutated = mutated(&whole, numbers(seed));
                    if mutated == whole {
                        continue;
                    }
                    changed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    std::fs::write(&path, &mutated).expect("written");
                    for (args, codes) in CODES {
                        let told = story.run(args);
                        assert!(codes.contains(&told.status), "{seed} {args:?}: {} {}", told.status, told.text);
                        assert!(!told.text.contains("a mistake in runbook itself"), "{seed} {args:?}: {}", told.text);
                    }
                    assert_eq!(std::fs::read(&path).expect("a journal"), mutated, "{seed}: it stays as it was found");
                }
                assert_eq!(std::fs::read_to_string(story.path("log")).expect("a log"), "one\ntwo\n");
                std::fs::write(&path, &whole).expect("put back");
            });
        }
    });
    assert!(changed.into_inner() > 200);
}

/// In every source a secret, and each used in every way that the language has: it is nowhere in what leaves.
#[test]
fn a_canary_is_nowhere_in_what_leaves() {
    let canaries = ["canary-file-7c1e55", "canary-env-\"b2\"/é", "canary-command-91ac", "canary captured+d04f"];
    let server = Server::new(move |head, body, stream| {
        let sent = head.lines().map(|line| format!("{line} ")).collect::<String>();
        let token = head.starts_with("POST /login").then_some("canary captured+d04f");
        let echoed = serde_json::json!({ "token": token, "head": sent, "body": body });
        answer(stream, if head.contains("/fail") { 500 } else { 200 }, &echoed.to_string());
    });
    let text = r##"runbook "Canary" { on-stop = rollback }
param base: url
secret from_file = file("secret.txt")
secret from_env = env("CANARY")
secret from_command = sh("cat command.txt")
let made = "Bearer #{from_file}:#{from_env}"
step work {
  let login = run http.post("#{base}/login", bearer: from_file, body: from_env)
  secret token = login.json["token"]
  run "echo $A $B $C $D | tee out; printf %s \"$A\" | base64; echo \"$B\" >&2; printf '%s' \"$A\" | head -c 9; sleep 0.02; printf '%s\n' \"$A\" | tail -c +10" accept-pipe-failures env { A: from_file, B: from_env, C: from_command, D: token }
  run ["cat"] stdin made
  let answered = run http.put("#{base}/put?x=1", json: { a: from_env, b: [token] }, accept: [200])
  show file("out").text, http.get("#{base}/echo", headers: { "X-Key": from_command }).text
  expect http.get("#{base}/echo?key=#{from_file}", bearer: token) {
    .status == 200
    .json["head"] contains from_file
  }
  expect from_env == "another" else warn "it is another"
  expect lower(from_command) == "x" else warn "it is not x"
  expect file("out").text == "nothing of it" else warn "it holds something"
  if from_file != "x" {
    run "exit $((1 - 1))" env { A: upper(from_file) }
  }
  rollback {
    run "cat out; cat secret.txt command.txt"
  }
}
step fails {
  run http.post("#{base}/fail", bearer: work.token, json: { key: from_command })
  on-failure {
    show failures
    run "cat out >&2; exit 4"
  }
}
"##;
    let story = Story::new(text);
    story.write("secret.txt", "canary-file-7c1e55\n").write("command.txt", "canary-command-91ac\n");
    let mut all = Vec::new();
    let set = format!("base={}", server.base);
    for args in [
        &["dry-run", "-v", "plan.runbook"][..],
        &["exec", "-v", "plan.runbook"],
        &["exec", "--format", "json", "plan.runbook"],
        &["exec", "--format", "markdown", "plan.runbook"],
        &["report", "-v", "last"],
        &["runs"],
    ] {
        let mut command = story.command(args);
        if args.contains(&"plan.runbook") {
            command.args(["--set", &set]);
        }
        let output = command.env("RUST_LOG", "trace").env("CANARY", canaries[1]).output().expect("it runs");
        assert!(!output.stdout.is_empty(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        all.push((args.join(" "), output.stdout));
        all.push((format!("{} (stderr)", args.join(" ")), output.stderr));
    }
    for path in below(&story.path(".runbook")).into_iter().filter(|path| path.is_file()) {
        all.push((path.display().to_string(), std::fs::read(&path).expect("read")));
    }
    let mut known = 0;
    for (what, bytes) in &all {
        let text = String::from_utf8_lossy(bytes);
        known += text.matches("‹secret").count();
        for canary in canaries {
            use base64::Engine as _;
            let json = serde_json::to_string(canary).expect("JSON");
            let forms = [
                canary.to_owned(),
                canary.to_uppercase(),
                json[1..json.len() - 1].to_owned(),
                base64::engine::general_purpose::STANDARD_NO_PAD.encode(canary),
                percent_encoding::utf8_percent_encode(canary, percent_encoding::NON_ALPHANUMERIC).to_string(),
                canary.replace(' ', "+"),
            ];
            for form in forms {
                let at = text.find(&form);
                assert!(
                    at.is_none(),
                    "{form:?} is in {what}: …{}…",
                    &text[at.unwrap_or(0).saturating_sub(0)..].chars().take(200).collect::<String>()
                );
            }
        }
    }
    assert!(known > 100, "the secrets were used: {known}");
}

#[test]
fn who_uses_the_library_can_tell_one_failure_from_another() {
    let story = Story::new(PLAN);
    story.exec();
    let store = Folder::at(story.path(".runbook"));
    let run = store.find("last").expect("a run");
    assert!(matches!(store.find("nothing"), Err(StoreError::NotFound { .. })));
    {
        let _begun = store.take_up(&run).expect("it is free");
        assert!(matches!(store.take_up(&run), Err(StoreError::Locked(locked)) if locked == run));
    }
    let path = journal(&story);
    let text = std::fs::read_to_string(&path).expect("a journal");
    std::fs::write(&path, text.replacen("\"Recorded\"", "\"Rewritten\"", 1)).expect("written");
    let Err(StoreError::Chain { chain, .. }) = store.take_up(&run) else { panic!("it was taken up") };
    assert_eq!(chain, ChainError { line: 1, fault: ChainFault::Changed });
    let empty = Folder::at(story.path("nowhere"));
    assert!(matches!(empty.find("last"), Err(StoreError::Empty(_))));
    assert!(matches!(empty.read("none"), Err(StoreError::Journal { what: "read", .. })));
}
