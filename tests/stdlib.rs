//! The standard library is sound: it has no mistakes, and what it declares is what the program can do.

use std::collections::BTreeSet;

use runbook::check::library::{FILES, field_kind, library, stdlib};
use runbook::check::program::{Effect, FieldKind, Role};

#[test]
fn it_has_no_mistakes() {
    assert!(stdlib().diagnostics.is_empty(), "{:?}", stdlib().diagnostics);
}

#[test]
fn every_file_of_the_folder_is_in_it() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib");
    let there: BTreeSet<String> = std::fs::read_dir(folder)
        .expect("the folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().trim_end_matches(".runbook").to_owned())
        .collect();
    let known: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(there, known);
}

#[test]
fn what_is_declared_is_registered_and_what_is_registered_is_declared() {
    let library = library();
    let declared = library.natives.values().chain(library.acting.values());
    let mut declared: Vec<String> = declared.map(|native| format!("{:?} {}", native.effect, native.name)).collect();
    let functions = runbook::engine::evaluation::functions::NATIVES.iter().map(|(name, _)| (*name, Effect::Function));
    let registered = functions.chain(runbook::world::natives());
    let mut registered: Vec<String> = registered.map(|(name, effect)| format!("{effect:?} {name}")).collect();
    declared.sort();
    registered.sort();
    // Lists and not sets: what is declared or registered twice is a mistake, too.
    assert_eq!(declared, registered);
}

#[test]
fn what_the_language_means_by_a_native_is_declared_of_one() {
    let library = library();
    let first = |role| {
        let natives: Vec<_> = library.of_role(role).collect();
        natives.iter().map(|native| native.params[0].ty.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(first(Role::ShellCommand), ["shell"]);
    assert_eq!(first(Role::Program), ["list(string)"]);
    assert_eq!(first(Role::Variable), ["string"]);
    assert_eq!(first(Role::SecretText), ["shell.result", "string"]);
    assert_eq!(field_kind("shell.result", "stdout"), Some(FieldKind::Content));
    assert_eq!(field_kind("file", "text"), Some(FieldKind::Content));
    assert_eq!(field_kind("http.response", "status"), Some(FieldKind::Open));
    assert_eq!(field_kind("failure", "status"), None);
    assert_eq!(field_kind("there.is.none", "status"), None);
}

#[test]
fn no_code_depends_on_what_a_native_is_called() {
    let library = library();
    let natives: Vec<&str> = library.natives.keys().map(|name| &**name).filter(|name| name.contains('.')).collect();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open = ["check", "engine", "report", "cli"].map(|module| root.join(module)).to_vec();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).expect("the folder").flatten().map(|entry| entry.path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("read");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        // The functions are registered in the engine.
        if path.ends_with("evaluation/functions.rs") {
            continue;
        }
        for native in &natives {
            assert!(!text.contains(&format!("\"{native}\"")), "{} names `{native}`", path.display());
        }
    }
}

#[test]
fn everything_has_a_doc_comment() {
    let library = library();
    for native in library.natives.values() {
        assert!(native.doc.is_some(), "{} has no doc comment", native.name);
    }
    for record in library.records.values() {
        assert!(record.doc.is_some(), "{} has no doc comment", record.name);
        for (name, field) in &record.fields {
            assert!(field.doc.is_some(), "{}.{name} has no doc comment", record.name);
        }
    }
    for module in library.modules.values() {
        assert!(module.doc.is_some(), "{} does not say what it is for", module.name);
    }
}

#[test]
fn no_engine_file_can_act_but_those_of_exec() {
    // The rule is in the types; this holds the types: nothing but `exec` and what carries an action out names the trait.
    let engine = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine");
    let mut open = vec![engine.clone()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).expect("the folder").flatten().map(|entry| entry.path()));
            continue;
        }
        let name = path.strip_prefix(&engine).expect("below").to_string_lossy().into_owned();
        let acts = std::fs::read_to_string(&path).expect("read").contains("dyn Act");
        assert_eq!(
            acts,
            ["interpreter/run_state.rs", "interpreter/action.rs", "world.rs"].contains(&name.as_str()),
            "{name}"
        );
    }
}
