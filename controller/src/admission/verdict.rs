//! From problems to yes or no.

use std::collections::{BTreeMap, BTreeSet};

use compile::{Problem, Reason, Severity};
use snapshot::Origin;

/// The longest warning that Kubernetes recommends is 120 characters; above 256 the API server may cut it.
const WARNING: usize = 256;

/// The API server passes on some 4 KiB of warnings.
const WARNINGS: usize = 16;

/// Errors that are told of one candidate.
const ERRORS: usize = 32;

/// What is said of a candidate: refused where there are errors.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) errors: Vec<String>,
    pub(super) warnings: Vec<String>,
}

impl Verdict {
    /// Why it is refused, as one text; none where it is not.
    pub(super) fn denial(&self, candidate: &Origin) -> Option<String> {
        if self.errors.is_empty() {
            return None;
        }
        let mut text = format!("{candidate} could not be served as it is written:");
        for error in self.errors.iter().take(ERRORS) {
            text.push_str("\n- ");
            text.push_str(error);
        }
        text.push_str(&more(self.errors.len(), ERRORS).map(|more| format!("\n- {more}")).unwrap_or_default());
        Some(text)
    }

    /// The warnings in the form that the API server takes.
    pub(super) fn short_warnings(&self) -> Vec<String> {
        let mut short: Vec<String> = self.warnings.iter().take(WARNINGS).map(|text| cut(text)).collect();
        short.extend(more(self.warnings.len(), WARNINGS));
        short
    }
}

/// Judges a candidate by the problems with it.
///
/// Refused is what it says wrong itself, and what it takes away from others. What only waits for another object is a
/// warning: a Service or a certificate may come after its Ingress (cert-manager makes certificates *for* Ingresses). So is
/// what was wrong with the stored object already: otherwise nobody could repair one of two mistakes, and no controller
/// could take its finalizer off.
///
/// `own_before` are problems of the stored object that the candidate replaces, `before` all those without the candidate.
pub(super) fn judge(candidate: &Origin, own_before: &[&Problem], before: &[Problem], after: &[Problem]) -> Verdict {
    let stood: BTreeSet<(String, Reason, &str)> = own_before.iter().map(|problem| itself(problem)).collect();
    let others_stood = by_place(before);
    let more = more_than(&others_stood, &by_place(after));
    let mut verdict = Verdict::default();
    for problem in after {
        let own = *problem.object == *candidate;
        if !own && !more.contains(&(place(problem), &*problem.message)) {
            continue;
        }
        let text = if own { format!("{}: {}", problem.field, problem.message) } else { problem.to_string() };
        let stood = own && stood.contains(&itself(problem));
        let reason = problem.reason;
        let refused = if own { !stood && !reason.awaits_other_object() } else { reason.is_taken_away() };
        match problem.severity {
            Severity::Error if refused => verdict.errors.push(text),
            Severity::Error | Severity::Warning => verdict.warnings.push(text),
        }
    }
    verdict
}

/// A problem of one's own as it is found again. Numbers are left out of its field: whoever takes out one rule of two moves
/// what is wrong with the other.
fn itself(problem: &Problem) -> (String, Reason, &str) {
    let digit = |letter: char| letter.is_ascii_digit();
    let parts = problem.field.split('[').map(|part| match part.split_once(']') {
        Some((number, rest)) if number.chars().all(digit) => rest,
        _ => part,
    });
    (parts.collect::<Vec<_>>().join("["), problem.reason, &problem.message)
}

/// Where somebody has a problem, and which.
type Place<'a> = (&'a Origin, &'a str, Reason, Severity);

/// Of somebody else's problem the message may change without anything getting worse, such as who has a path instead.
fn place(problem: &Problem) -> Place<'_> {
    (&problem.object, &problem.field, problem.reason, problem.severity)
}

/// The messages at each place.
type Places<'a> = BTreeMap<Place<'a>, BTreeSet<&'a str>>;

fn by_place(problems: &[Problem]) -> Places<'_> {
    let mut places = Places::new();
    for problem in problems {
        places.entry(place(problem)).or_default().insert(&problem.message);
    }
    places
}

/// What is said anew at the places that have more problems than before: of a field that is for several hosts each is one.
fn more_than<'a>(before: &Places<'a>, after: &Places<'a>) -> BTreeSet<(Place<'a>, &'a str)> {
    let none = BTreeSet::new();
    let of_place = |(place, messages): (&Place<'a>, &BTreeSet<&'a str>)| {
        let stood = before.get(place).unwrap_or(&none);
        let new = if messages.len() > stood.len() { messages.difference(stood).copied().collect() } else { Vec::new() };
        let place = *place;
        new.into_iter().map(move |message| (place, message))
    };
    after.iter().flat_map(of_place).collect()
}

fn more(all: usize, told: usize) -> Option<String> {
    (all > told).then(|| format!("and {} more", all.saturating_sub(told)))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= WARNING {
        return text.to_owned();
    }
    text.chars().take(WARNING.saturating_sub(1)).chain(['…']).collect()
}
