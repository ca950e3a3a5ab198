//! How many requests there were, and how many of them were right only because much may be wrong in the chaos.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::ensure;

use super::judge::{Reply, Verdict};

/// The most answers that may be lost for each kill of a data plane beside which another Pod was ready: those that were
/// on their way through it, and new connections until all nodes know better. Runs of ten minutes and of an hour have lost
/// nine to twelve. Some three times as many, since the machine is busy, and two Pods may be killed at once.
const LOST_FOR_A_KILL: u64 = 40;
/// Of all requests, the share that may be lost in any way: a run that lost more has seen too little.
const LOST: f64 = 0.5;

/// What became of all requests.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// By status.
    answers: BTreeMap<String, u64>,
    verdicts: BTreeMap<Verdict, u64>,
}

impl Tally {
    /// One more. No verdict: it was wrong.
    pub fn count(&mut self, outcome: &Result<Reply, String>, verdict: Option<Verdict>) {
        let kind = outcome.as_ref().map_or_else(|_| "none".to_owned(), |reply| reply.status.to_string());
        *self.answers.entry(kind).or_default() += 1;
        if let Some(verdict) = verdict {
            *self.verdicts.entry(verdict).or_default() += 1;
        }
    }

    /// All requests.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.answers.values().sum()
    }

    fn of(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(&verdict).copied().unwrap_or_default()
    }

    #[allow(clippy::cast_precision_loss, reason = "a share, of fewer than 2^52")]
    fn share(&self, part: u64) -> f64 {
        part as f64 / self.sent().max(1) as f64
    }

    /// Whether what was excused is no more than what a data plane that is killed takes with it.
    ///
    /// # Errors
    /// It is more.
    pub fn check(&self, kills_beside_others: u64) -> anyhow::Result<()> {
        let (beside, alone) = (self.of(Verdict::Lost), self.of(Verdict::LostAlone));
        ensure!(
            beside <= kills_beside_others * LOST_FOR_A_KILL,
            "{beside} answers were lost beside a ready Pod for {kills_beside_others} kills: {self}"
        );
        ensure!(self.share(beside + alone) <= LOST, "too many answers were lost: {self}");
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests: {:?}", self.sent(), self.answers)?;
        for verdict in Verdict::ALL {
            let part = self.of(verdict);
            write!(f, "; {}: {part} ({:.2} %)", verdict.name(), self.share(part) * 100.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(verdicts: &[(Verdict, u64)]) -> Tally {
        let mut tally = Tally::default();
        for (verdict, times) in verdicts {
            let lost = matches!(verdict, Verdict::Lost | Verdict::LostAlone);
            let outcome = if lost { Err(String::new()) } else { Ok(Reply { status: 200, ..Reply::default() }) };
            (0..*times).for_each(|_| tally.count(&outcome, Some(*verdict)));
        }
        tally
    }

    #[test]
    fn all_that_is_excused_is_told() {
        let tally = tally(&[(Verdict::Prompt, 90), (Verdict::Bounded, 5), (Verdict::Late, 2), (Verdict::Lost, 3)]);
        assert_eq!(tally.sent(), 100);
        let text = tally.to_string();
        for part in
            [r#"{"200": 97, "none": 3}"#, "90 (90.00 %)", "5 (5.00 %)", "2 (2.00 %)", "3 (3.00 %)", "0 (0.00 %)"]
        {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }

    #[test]
    fn a_kill_may_lose_so_much_and_no_more() {
        let some = tally(&[(Verdict::Prompt, 9000), (Verdict::Lost, LOST_FOR_A_KILL * 2)]);
        some.check(2).unwrap();
        some.check(1).unwrap_err();
        tally(&[(Verdict::Prompt, 9000), (Verdict::Lost, 1)]).check(0).unwrap_err();
        tally(&[(Verdict::Prompt, 500), (Verdict::LostAlone, 500)]).check(0).unwrap();
        tally(&[(Verdict::Prompt, 499), (Verdict::LostAlone, 501)]).check(9).unwrap_err();
    }
}
