//! A value in a shell command stays data, wherever it is let in: under the shells that every host has. `e2e_shells.rs`
//! has the others.

mod support;

use proptest::prelude::*;
use runbook::value::{Number, Type, Value};
use support::shells::{HOSTILE, POSITIONS, REFUSED, SHELLS, broken, composed, composed_of, refused};

#[test]
fn what_a_shell_would_read_again_is_refused() {
    let accepted: Vec<&&str> = REFUSED.iter().filter(|text| refused(text).is_none()).collect();
    assert!(accepted.is_empty(), "accepted: {accepted:#?}");
    let wrong: Vec<&&str> = REFUSED.iter().filter(|text| !refused(text).unwrap().starts_with("RB0401")).collect();
    assert!(wrong.is_empty(), "refused, but not for its place: {wrong:#?}");
}

#[test]
fn what_is_data_to_every_shell_is_accepted() {
    let wrong: Vec<_> = POSITIONS.iter().filter_map(|(text, _)| Some((text, refused(text)?))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Numbers alone fit where a shell may compute.
#[test]
fn a_number_fits_where_a_text_does_not() {
    for text in [
        "[ § -gt 3 ]",
        "test 3 -eq \"§\"",
        "exit §",
        "ulimit -n §",
        "printf '%s %d' x §",
        "printf '%05.1f' §",
        "[ -t § ]",
    ] {
        let number = composed_of(text, &Value::Number(Number::Int(7)), &Type::Number);
        assert!(number.is_ok(), "{text}: {number:?}");
        let refused = composed_of(text, &Value::text("x[$(touch owned)]"), &Type::String);
        assert!(refused.is_err(), "{text}: {refused:?}");
    }
}

/// A list is several words, where several words are data.
#[test]
fn a_list_fits_only_where_each_of_its_items_is_data() {
    let list = Value::list(["eval", "touch owned"].map(Value::text));
    let ty = Type::list(Type::String);
    for text in
        ["printf '%s' §", "for x in §; do :; done", "set -- §", "rm -f -- §", "sh -c 'echo \"$@\"' sh §", "ls --x=§"]
    {
        let composed = composed_of(text, &list, &ty);
        assert!(composed.is_ok(), "{text}: {composed:?}");
    }
    for text in [
        "§",
        "x=§",
        "> §",
        "case § in x) ;; esac",
        "[ -n § ]",
        "./§",
        "export x=§",
        "ssh -p § host",
        "sh ./§ x",
        "echo \"§\"",
    ] {
        let composed = composed_of(text, &list, &ty);
        assert!(composed.is_err(), "{text}: {composed:?}");
    }
}

/// All values in all shells: `e2e_shells.rs`.
#[test]
fn some_values_become_no_source_in_the_shells_of_this_host() {
    let some: Vec<&str> = HOSTILE.iter().copied().step_by(4).collect();
    for shell in SHELLS.iter().filter(|shell| matches!(shell.name, "dash" | "bash as sh") && shell.is_there()) {
        let broken = broken(shell, &some);
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Whatever stands around it: no panic, and what is accepted can be composed.
    #[test]
    fn no_text_makes_it_panic(text in "[§ a-e'\"`$(){}<>|&;#\\\\=\\[\\]!\n-]{0,40}") {
        if refused(&text).is_none() {
            let _ = composed(&text, "x");
        }
    }
}

#[test]
fn deep_and_long_texts_are_read_in_time() {
    for (open, close) in [
        ("$(", ")"),
        ("(", ")"),
        ("${x:-", "}"),
        ("\"$(", ")\""),
        ("`", "`"),
        ("case x in x) ", ";; esac"),
        ("$((", "))"),
        ("{ ", "; }"),
    ] {
        let text = format!("echo {}§{}", open.repeat(20_000), close.repeat(20_000));
        let _ = refused(&text);
    }
    let text = format!("echo {}", "`x` $(y) ${z} 'q' \"§\" ".repeat(20_000));
    assert_eq!(refused(&text), None);
}
