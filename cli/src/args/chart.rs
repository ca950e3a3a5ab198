//! The chart beside the program: what it puts on command lines, which of them it gives a flag to, and what its notes say
//! of settings.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use clap::CommandFactory;

use super::{CommandLine, parse_from};

/// Flags that the chart sets for each container by itself, whatever its table says.
const SET_FOR_EACH: [&str; 4] = ["healthz-port", "socket", "socket-peer-uid", "state-dir"];

/// Flags of the controller's container, and what its first process tells the other one.
const SUPERVISION: [&str; 4] = ["supervised", "supervision-period", "restarts", "supervisor-pid"];

/// Flags whose values come by the environment.
const FROM_ENVIRONMENT: [&str; 2] = ["pod-name", "pod-namespace"];

const PLANES: [&str; 2] = ["controller", "dataplane"];

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/tidegate")
}

/// A command line of a rendered workload, as the kubelet would start it.
fn command_lines(render: &str) -> Vec<Vec<String>> {
    let mut lines: Vec<Vec<String>> = Vec::new();
    let mut open = false;
    for item in render.lines().map(|line| line.trim().strip_prefix("- ")) {
        match item {
            Some(command @ ("run" | "controller" | "dataplane")) => {
                lines.push(vec!["tidegate".to_owned(), command.to_owned()]);
                open = true;
            }
            Some(item) if open && item.starts_with("\"--") => {
                let flag: String = serde_json::from_str(item).unwrap();
                lines.last_mut().unwrap().push(flag.replace("$(POD_NAMESPACE)", "ingress"));
            }
            Some(_) | None => open = false,
        }
    }
    lines
}

#[test]
fn every_rendered_command_line_is_understood() {
    let mut commands = BTreeMap::<String, usize>::new();
    for entry in fs::read_dir(chart().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.to_str().and_then(|path| path.strip_suffix(".out.yaml")) else { continue };
        // Only users write flags that have no effect.
        let of_users = fs::read_to_string(format!("{name}.values.yaml")).unwrap().contains("extraArgs:");
        for line in command_lines(&fs::read_to_string(&path).unwrap()) {
            *commands.entry(line[1].clone()).or_default() += 1;
            let read = parse_from(line.iter().map(OsString::from)).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(of_users || read.warnings.is_empty(), "{name}: {:?}", read.warnings);
        }
    }
    assert!(commands.len() == 3 && commands["dataplane"] > 9, "{commands:?}");
}

/// `tidegate.planes`: who takes a flag, where that is not the controller alone.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(chart().join("templates/_flags.tpl")).unwrap();
    let (_, table) = text.split_once("{{- define \"tidegate.planes\" -}}").unwrap();
    let (table, _) = table.split_once("{{- end -}}").unwrap();
    let rows = table.trim().lines().map(|row| {
        let (flag, planes) = row.split_once(": ").unwrap();
        let planes = planes.strip_prefix('[').and_then(|planes| planes.strip_suffix(']')).unwrap();
        (flag.to_owned(), planes.split(", ").map(str::to_owned).collect())
    });
    rows.collect()
}

/// The flags of a command that serves, those of all commands among them.
fn flags(command: &str) -> BTreeSet<String> {
    let mut line = CommandLine::command();
    line.build(); // puts those of all commands into each
    let found = line.find_subcommand(command).unwrap();
    let longs = found.get_arguments().filter_map(|argument| argument.get_long());
    longs.filter(|long| !["help", "version"].contains(long)).map(str::to_owned).collect()
}

fn is_special(flag: &str) -> bool {
    [SET_FOR_EACH.as_slice(), &SUPERVISION, &FROM_ENVIRONMENT].iter().any(|special| special.contains(&flag))
}

#[test]
fn each_flag_goes_to_who_takes_it() {
    let mut takers = BTreeMap::<String, BTreeSet<String>>::new();
    for plane in PLANES {
        for flag in flags(plane) {
            takers.entry(flag).or_default().insert(plane.to_owned());
        }
    }
    for flag in SET_FOR_EACH.iter().chain(&FROM_ENVIRONMENT).chain(&SUPERVISION) {
        assert!(takers.contains_key(*flag), "--{flag} is no flag any more");
    }
    let controller = BTreeSet::from(["controller".to_owned()]);
    takers.retain(|flag, planes| !is_special(flag) && *planes != controller);
    assert_eq!(table(), takers, "left: the table `tidegate.planes` of the chart; right: the program");
}

#[test]
fn one_process_takes_what_both_planes_take() {
    let ordinary = |flags: BTreeSet<String>| flags.into_iter().filter(|flag| !is_special(flag)).collect();
    let both: BTreeSet<String> = ordinary(PLANES.iter().flat_map(|plane| flags(plane)).collect());
    let run: BTreeSet<String> = ordinary(flags("run"));
    assert_eq!(run, both);
}

#[test]
fn the_notes_know_all_settings() {
    let kept = fs::read_to_string(chart().join("files/settings.json")).unwrap();
    assert_eq!(kept, compile::settings::chart().unwrap(), "make generated writes it anew");
}
