//! Who of several replicas writes to the cluster.

use std::{
    hash::{BuildHasher, RandomState},
    ops::RangeInclusive,
    time::Duration,
};

use clap::{ArgAction, Args, builder::NonEmptyStringValueParser};
use controller::Election;

use super::ProcessFlags;

/// Who of several replicas writes to the cluster.
#[derive(Debug, Args)]
pub struct ElectionFlags {
    /// The Lease, in our own namespace, whose holder writes statuses and Events.
    #[arg(long, default_value = "tidegate-leader", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    election_id: String,
    /// How long the leader may be silent before another replica takes over, such as 10s (from 1s to 1h).
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = election_ttl)]
    election_ttl: Duration,
    /// Let each replica write statuses and Events: for one that is alone.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    disable_leader_election: bool,
}

impl ElectionFlags {
    /// The election of a leader, if there is one.
    pub fn election(&self, process: &ProcessFlags) -> Option<Election> {
        let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        // Outside of a Pod there is no name that nobody else has.
        let identity = || format!("tidegate-{:016x}", RandomState::new().hash_one(std::process::id()));
        (!self.disable_leader_election).then(|| Election {
            name: self.election_id.clone(),
            namespace: text(&process.pod_namespace),
            identity: text(&process.pod_name).unwrap_or_else(identity),
            ttl: self.election_ttl,
        })
    }
}

/// How long the leader may be silent: too short is no use, too long is none either.
const ELECTION_TTL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// Go's durations, as ingress-nginx takes them: `10s`, `1m30s`.
fn election_ttl(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<jiff::SignedDuration>().map_err(|error| error.to_string())?;
    let duration = Duration::try_from(duration).map_err(|_| "must not be negative".to_owned())?;
    ELECTION_TTL.contains(&duration).then_some(duration).ok_or_else(|| "must be from 1s to 1h".to_owned())
}
