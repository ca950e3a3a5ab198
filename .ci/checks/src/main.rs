//! `checks layers|sizes|words [FOLDER]`: the project's own checks over the workspace that FOLDER lies in.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use checks::{Finding, Workspace, layers, sizes, words};

const USAGE: &str = "usage: checks layers|sizes|words [FOLDER]";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let check = arguments.next().ok_or(USAGE)?;
    let folder = arguments.next().unwrap_or_else(|| ".".to_owned());
    let workspace = Workspace::open(Path::new(&folder))?;
    let findings = match check.as_str() {
        "layers" => layers::check(&workspace)?,
        "sizes" => {
            let sizes = sizes::measure(&workspace)?;
            write!(io::stdout(), "{sizes}")?;
            sizes.findings()
        }
        "words" => words::check(&workspace)?,
        _ => return Err(USAGE.into()),
    };
    Ok(report(&check, &findings)?)
}

fn report(check: &str, findings: &[Finding]) -> io::Result<ExitCode> {
    for finding in findings {
        writeln!(io::stderr(), "{finding}")?;
    }
    if findings.is_empty() {
        writeln!(io::stdout(), "{check}: every rule holds")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(io::stderr(), "{check}: {} finding(s)", findings.len())?;
    Ok(ExitCode::FAILURE)
}
