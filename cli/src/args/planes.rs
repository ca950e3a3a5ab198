//! Flags that are given to the wrong one of the commands that serve.

use std::ffi::OsString;

use clap::{
    CommandFactory,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{CommandLine, ignored};

/// The commands that serve.
const SERVING: [&str; 3] = ["run", "controller", "dataplane"];

/// Which of the commands that serve is called.
pub fn named(arguments: &[OsString]) -> Option<&'static str> {
    arguments.iter().find_map(|argument| SERVING.into_iter().find(|name| argument == name))
}

/// Where a flag is unknown because it is one of another command, or one of ingress-nginx that has another name here: says so.
pub fn explain(error: clap::Error, command: Option<&str>) -> clap::Error {
    let (ErrorKind::UnknownArgument, Some(command), Some(ContextValue::String(flag))) =
        (error.kind(), command, error.get(ContextKind::InvalidArg))
    else {
        return error;
    };
    if let Some((_, instead)) = ignored::replaced().find(|(name, _)| flag.strip_prefix("--") == Some(name)) {
        return CommandLine::command().error(ErrorKind::UnknownArgument, format!("{flag} is not served: {instead}\n"));
    }
    let owners: Vec<String> = SERVING[1..].iter().filter(|name| has(name, flag)).map(|name| called(name)).collect();
    if owners.is_empty() {
        return error;
    }
    let message = format!("{flag} is a flag of {}, not of {}\n", owners.join(" and "), called(command));
    CommandLine::command().error(ErrorKind::UnknownArgument, message)
}

fn has(command: &str, flag: &str) -> bool {
    let line = CommandLine::command();
    let long = |argument: &clap::Arg| argument.get_long().is_some_and(|long| flag.strip_prefix("--") == Some(long));
    line.find_subcommand(command).is_some_and(|command| command.get_arguments().any(long))
}

fn called(command: &str) -> String {
    format!("`tidegate {command}`")
}
