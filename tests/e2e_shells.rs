//! A value in a shell command stays data in every shell that may be `/bin/sh`, and in bash.

mod support;

use runbook::value::{Type, Value};
use support::shells::{HOSTILE, SHELLS, broken, composed_of, refused};

#[test]
fn no_value_becomes_source_in_any_shell() {
    let missing: Vec<&str> = SHELLS.iter().filter(|shell| !shell.is_there()).map(|shell| shell.program).collect();
    assert!(missing.is_empty(), "not installed: {missing:?}");
    let broken: Vec<String> = SHELLS.iter().flat_map(|shell| broken(shell, HOSTILE)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What a shell says of itself.
fn said(shell: &str, script: &str) -> String {
    let output = std::process::Command::new(shell).args(["-c", script]).output().expect("it runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A builtin that nobody has judged must not be taken for a program, which gets its words as they are.
#[test]
fn each_builtin_of_each_shell_has_been_judged() {
    let data = [
        ":", "cat", "cd", "chdir", "echo", "false", "kill", "login", "mknod", "newgrp", "pwd", "realpath", "rename",
        "sleep", "sync", "time", "times", "true", "type", "umask", "wait", "which",
    ];
    let from_manual = ". : [ alias bg bind break builtin cat cd command continue echo eval exec exit export false fc fg getopts global jobs \
        kill let mknod print pwd read readonly realpath rename return set shift sleep suspend sync test times trap true typeset ulimit \
        umask unalias unset wait whence autoload functions hash history integer local login nameref r stop type";
    let lists = [
        said("bash", "compgen -b"),
        said("ksh93", "builtin"),
        said("ksh93", "alias | cut -d= -f1"),
        said("mksh", "alias | cut -d= -f1"),
        said("zsh", "print -l ${(k)builtins}"),
        from_manual.to_owned(),
    ];
    let mut judged = 0;
    for name in lists.iter().flat_map(|list| list.split_whitespace()) {
        let name = name.rsplit('/').next().unwrap_or_default();
        let program = ["basename", "cp", "cut", "dirname", "getconf", "ln", "mktemp", "mv", "nohup", "uname", "2d"]
            .contains(&name);
        let refused = composed_of(&format!("{name} § §"), &Value::text("x"), &Type::String).is_err();
        assert_eq!(refused, !(program || data.contains(&name)), "{name}");
        judged += 1;
    }
    assert!(judged > 200, "{judged}");
}

/// A variable that a shell computes when it is set must not get a value.
#[test]
fn each_number_that_a_shell_keeps_itself_is_refused() {
    let lists = [
        said("bash", "declare -pi | sed 's/^declare -[a-z]* //'"),
        said("ksh93", "typeset -p -i; typeset -p -F; typeset -p -E").replace("typeset ", ""),
        said("mksh", "typeset -i"),
        said("zsh", "emulate sh; typeset -i; typeset -F; typeset -E"),
    ];
    let mut judged = 0;
    for word in lists.iter().flat_map(|list| list.split_whitespace()) {
        let name = word.split('=').next().unwrap_or_default();
        if name.starts_with(|char: char| char == '_' || char.is_ascii_uppercase()) {
            assert!(refused(&format!("{name}=§")).is_some(), "{name}");
            judged += 1;
        }
    }
    assert!(judged > 40, "{judged}");
}

/// Commands put together at random: what is let in becomes source in no shell, whatever stands around it.
#[test]
fn no_value_becomes_source_in_commands_put_together_at_random() {
    // No token reads a variable or a file that a value was written to: what a command does with those is its own.
    let tokens = [
        "§",
        "§",
        "§",
        "§",
        "\"§\"",
        "'§'",
        "x§",
        "\"a §",
        "'a §",
        "\"",
        "'",
        "`",
        "$(",
        ")",
        "(",
        "{ ",
        "}",
        ";",
        ";",
        "\n",
        "\n",
        " && ",
        " | ",
        " ! ",
        "if ",
        "then ",
        "fi",
        "for vvv in ",
        "do ",
        "done",
        "case ",
        " in ",
        "x) ",
        "esac",
        ";;",
        "echo ",
        "printf '%s' ",
        "printf '%d' ",
        "eval ",
        "let ",
        "read ",
        "xxx=",
        "xxx[",
        "]=",
        "[ ",
        " ]",
        "[[ ",
        " ]]",
        " -eq ",
        " = ",
        "test ",
        "-v ",
        "set ",
        "-- ",
        "sh -c ",
        "sh -c 'echo $1' _ ",
        "#",
        " #",
        "<<E\n",
        "\nE\n",
        "\\",
        "\\\n",
        "$((1",
        "))",
        "${y:-",
        "}",
        "~",
        "export ",
        "command ",
        "trap ",
        " EXIT",
        "local ",
        "declare ",
        "-i ",
        "unset ",
        "cat ",
        "<in ",
        ">/dev/null ",
        "2>&1 ",
        "time ",
        "f() ",
        "1 ",
        " ",
        " ",
        " ",
        "$'",
        "$\"",
        "$[",
        "((",
        "{a,",
        "*",
        "<<<",
        "& ",
        ": ",
    ];
    let values = [
        "$(touch owned)",
        "`touch owned`",
        "touch owned",
        ";touch owned;",
        "x[$(touch owned)]",
        "'; touch owned; '",
        "\"; touch owned; \"",
        "\ntouch owned\n",
        "E\ntouch owned\n",
        "-v",
        "eval",
        "}; touch owned; {",
        ")\ntouch owned\n(",
    ];
    let mut seed = 0x5eed_u64;
    let mut next = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap_or(0)
    };
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("in"), "in\n").expect("written");
    // `.ci/run --all` has it try more.
    let commands = std::env::var("RUNBOOK_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400);
    let (mut run, mut wrong) = (0, Vec::new());
    while run < commands {
        let text: String = (0..2 + next(14)).map(|_| tokens[next(tokens.len())]).collect();
        let value = values[next(values.len())];
        let Ok((source, env)) = composed_of(&text, &Value::text(value), &Type::String) else { continue };
        if env.is_empty() {
            continue;
        }
        run += 1;
        for shell in SHELLS {
            let (_, errors) = shell.run(&source, &env, folder.path());
            if std::fs::remove_file(folder.path().join("owned")).is_ok() {
                wrong.push(format!("{}: {text:?} with {value:?}\n{errors}", shell.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
