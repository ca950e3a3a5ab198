//! How long files and functions are, and how many parameters functions take.
//!
//! Counted is production code under `src`, tests apart, with comments and blank lines: what a reader scrolls through.

mod figures;
mod functions;

use std::{fmt, path::PathBuf};

use crate::{Error, Finding, Workspace, source};
use figures::Figures;

/// No file has more lines.
const FILE_CAP: usize = 600;
/// No function has more lines, from its signature to its closing brace.
const FUNCTION_CAP: usize = 80;
/// No function takes more parameters; `self` does not count.
const PARAMETER_CAP: usize = 5;
/// Half of all files are not longer.
const FILE_MEDIAN_BUDGET: usize = 120;
/// Nine of ten files are not longer.
const FILE_P90_BUDGET: usize = 350;
/// Nine of ten functions are not longer.
const FUNCTION_P90_BUDGET: usize = 26;

/// The sizes of a workspace.
pub struct Sizes {
    crates: Vec<CrateSizes>,
}

/// The sizes of one crate.
struct CrateSizes {
    name: String,
    files: Vec<FileSize>,
    functions: Vec<FunctionSize>,
}

struct FileSize {
    path: PathBuf,
    lines: usize,
}

struct FunctionSize {
    path: PathBuf,
    line: usize,
    name: String,
    lines: usize,
    parameters: usize,
}

/// Measures every crate of the workspace.
///
/// # Errors
/// Where a source file cannot be read or parsed.
pub fn measure(workspace: &Workspace) -> Result<Sizes, Error> {
    let mut crates = Vec::new();
    for package in &workspace.packages {
        let mut sizes = CrateSizes { name: package.name.clone(), files: Vec::new(), functions: Vec::new() };
        for file in source::read_package(workspace, package)? {
            sizes.functions.extend(functions::of(&file));
            sizes.files.push(FileSize { path: file.path, lines: file.lines });
        }
        crates.push(sizes);
    }
    Ok(Sizes { crates })
}

impl Sizes {
    /// What is over a cap, and which budget of the whole workspace is spent.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.files().filter_map(file_finding).collect();
        findings.extend(self.functions().flat_map(function_findings));
        findings.sort();
        findings.extend(self.budget_findings());
        findings
    }

    fn budget_findings(&self) -> Vec<Finding> {
        let (files, functions) = (self.file_figures(), self.function_figures());
        let budgets = [
            ("the median of files", files.median, FILE_MEDIAN_BUDGET),
            ("the 90th percentile of files", files.p90, FILE_P90_BUDGET),
            ("the 90th percentile of functions", functions.p90, FUNCTION_P90_BUDGET),
        ];
        let spent = budgets.into_iter().filter(|(_, lines, budget)| lines > budget);
        let finding = |(what, lines, budget)| Finding {
            file: "Cargo.toml".into(),
            line: 1,
            message: format!("{what} of the workspace is {lines} lines, more than the budget of {budget}"),
        };
        spent.map(finding).collect()
    }

    fn files(&self) -> impl Iterator<Item = &FileSize> {
        self.crates.iter().flat_map(|sizes| &sizes.files)
    }

    fn functions(&self) -> impl Iterator<Item = &FunctionSize> {
        self.crates.iter().flat_map(|sizes| &sizes.functions)
    }

    fn file_figures(&self) -> Figures {
        Figures::of(self.files().map(|file| file.lines))
    }

    fn function_figures(&self) -> Figures {
        Figures::of(self.functions().map(|function| function.lines))
    }
}

/// The table that `make sizes` prints.
impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "lines as median / 90th percentile / maximum")?;
        writeln!(f, "{:<12}{:>7}{:>7}  {:<18}of a function", "crate", "lines", "files", "of a file")?;
        for sizes in &self.crates {
            let lines: Vec<usize> = sizes.files.iter().map(|file| file.lines).collect();
            let functions = Figures::of(sizes.functions.iter().map(|function| function.lines));
            write_row(f, &sizes.name, &lines, &functions)?;
        }
        let lines: Vec<usize> = self.files().map(|file| file.lines).collect();
        write_row(f, "total", &lines, &self.function_figures())?;
        writeln!(
            f,
            "budgets: file median {FILE_MEDIAN_BUDGET}, p90 {FILE_P90_BUDGET}, cap {FILE_CAP}; \
             function p90 {FUNCTION_P90_BUDGET}, cap {FUNCTION_CAP}; {PARAMETER_CAP} parameters"
        )
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, name: &str, lines: &[usize], functions: &Figures) -> fmt::Result {
    let (sum, count): (usize, usize) = (lines.iter().sum(), lines.len());
    let files = Figures::of(lines.iter().copied()).to_string();
    writeln!(f, "{name:<12}{sum:>7}{count:>7}  {files:<18}{functions}")
}

fn file_finding(file: &FileSize) -> Option<Finding> {
    let message = format!("the file has {} lines, more than the cap of {FILE_CAP}", file.lines);
    (file.lines > FILE_CAP).then(|| Finding { file: file.path.clone(), line: 1, message })
}

fn function_findings(function: &FunctionSize) -> Vec<Finding> {
    let FunctionSize { path, line, name, lines, parameters } = function;
    let finding = |message| Finding { file: path.clone(), line: *line, message };
    let mut findings = Vec::new();
    if *lines > FUNCTION_CAP {
        findings.push(finding(format!("`{name}` has {lines} lines, more than the cap of {FUNCTION_CAP}")));
    }
    if *parameters > PARAMETER_CAP {
        findings.push(finding(format!("`{name}` takes {parameters} parameters, more than the cap of {PARAMETER_CAP}")));
    }
    findings
}
