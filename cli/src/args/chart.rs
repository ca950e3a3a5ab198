//! The chart beside the program: what it puts on command lines, and what it knows of flags and settings.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use super::{flags_for_chart, parse_from, reference::flags};

/// Flags that only one of two processes has.
const OF_TWO: [&str; 4] = ["socket", "socket-peer-uid", "state-dir", "supervised"];

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

#[test]
fn one_process_takes_what_both_planes_take() {
    let mut both: BTreeSet<String> = ["controller", "dataplane"].into_iter().flat_map(flags).collect();
    both.retain(|flag| !OF_TWO.contains(&flag.as_str()));
    assert_eq!(flags("run"), both);
}

#[test]
fn the_chart_knows_all_settings_and_flags() {
    let kept = |name: &str| fs::read_to_string(chart().join("files").join(name)).unwrap();
    assert_eq!(kept("settings.json"), compile::settings::chart().unwrap(), "make generated writes it anew");
    assert_eq!(kept("flags.json"), flags_for_chart().unwrap(), "make generated writes it anew");
}
