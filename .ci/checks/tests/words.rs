//! Words that must not stand in the repository are found in every text file.

mod support;

use checks::words;
use support::Trial;

fn findings(path: &str, text: &str) -> Vec<String> {
    let trial = Trial::good();
    trial.write(path, text);
    trial.findings(words::check)
}

#[test]
fn the_good_workspace_passes() {
    assert_eq!(findings("README.md", "Nothing to do here, all done.\n"), Vec::<String>::new());
}

#[test]
fn what_must_not_stand_there() {
    let lines = [
        concat!("see https://crates", ".io/a"),
        concat!("cd /work", "/main"),
        concat!("cp a /root", "/b"),
        concat!("// TO", "DO: later"),
        concat!("fn f() { unimplemented", "!() }"),
    ];
    for line in lines {
        let found = findings(".github/notes.md", &format!("first\n{line}\n"));
        assert!(matches!(found.as_slice(), [one] if one.starts_with(".github/notes.md:2: ")), "{line}: {found:?}");
    }
}

#[test]
fn files_of_tools_may_name_addresses() {
    assert_eq!(findings("Cargo.lock", concat!("# registry crates", ".io\n")), Vec::<String>::new());
}
