//! Flags of ingress-nginx that charts carry and that have no effect here: accepted, with a warning.

use std::ffi::OsString;

/// A flag that has no effect here.
struct Ignored {
    name: &'static str,
    /// Whether it takes a value: then `--name value` is two arguments.
    takes_value: bool,
    /// What follows from it having no effect, where that is not obvious.
    consequence: &'static str,
}

const fn switch(name: &'static str) -> Ignored {
    Ignored { name, takes_value: false, consequence: "" }
}

const fn value(name: &'static str) -> Ignored {
    Ignored { name, takes_value: true, consequence: "" }
}

const fn not_served(name: &'static str, takes_value: bool, consequence: &'static str) -> Ignored {
    Ignored { name, takes_value, consequence }
}

const IGNORED: &[Ignored] = &[
    // Its log.
    value("v"),
    value("vmodule"),
    switch("alsologtostderr"),
    switch("logtostderr"),
    value("stderrthreshold"),
    value("log_dir"),
    value("log_file"),
    value("log_file_max_size"),
    value("log_backtrace_at"),
    switch("one_output"),
    switch("add_dir_header"),
    switch("skip_headers"),
    switch("skip_log_headers"),
    // How it writes nginx.conf, reloads nginx and talks to it.
    value("sync-period"),
    value("sync-rate-limit"),
    switch("disable-full-test"),
    switch("disable-sync-events"),
    value("dynamic-configuration-retries"),
    switch("enable-ssl-chain-completion"),
    switch("enable-annotation-validation"),
    value("default-server-port"),
    value("status-port"),
    value("stream-port"),
    value("ssl-passthrough-proxy-port"),
    value("internal-logger-address"),
    value("health-check-timeout"),
    value("status-update-interval"),
    switch("profiling"),
    value("profiler-host"),
    value("profiler-port"),
    not_served("deep-inspect", false, "annotations are always checked"),
    // Which CA signed the certificate of --apiserver-host, and nothing without it.
    value("certificate-authority"),
    // Its metrics: ours are always on, with the buckets that its dashboards use.
    switch("enable-metrics"),
    value("monitor-max-batch-size"),
    switch("report-status-classes"),
    value("exclude-socket-metrics"),
    value("time-buckets"),
    value("length-buckets"),
    value("size-buckets"),
    value("bucket-factor"),
    value("max-buckets"),
    switch("metrics-per-undefined-host"),
    // What has a meaning and is not served by this version.
    not_served("enable-topology-aware-routing", false, "endpoints of all zones are used"),
    not_served("maxmind-license-key", true, "no GeoIP data is used"),
    not_served("maxmind-edition-ids", true, "no GeoIP data is used"),
    not_served("maxmind-mirror", true, "no GeoIP data is used"),
    not_served("maxmind-retries-count", true, "no GeoIP data is used"),
    not_served("maxmind-retries-timeout", true, "no GeoIP data is used"),
];

/// Flags that must not be left out silently, and what to do instead.
const REPLACED: &[(&str, &str)] =
    &[("apiserver-host", "use --kubeconfig: it names the API server, its certificate authority and who we are")];

/// What only the data plane needs, and users of ingress-nginx have among the flags of their controller.
const OF_THE_DATA_PLANE: &[Ignored] = &[switch("metrics-per-host"), value("post-shutdown-grace-period")];

/// The arguments without those flags, and a warning for each that was there.
pub fn remove(arguments: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Vec<String>) {
    let (mut kept, mut warnings) = (Vec::new(), Vec::new());
    let mut arguments = arguments.into_iter().peekable();
    while let Some(argument) = arguments.next() {
        let is_controller = super::planes::named(&kept) == Some("controller");
        let elsewhere = OF_THE_DATA_PLANE.iter().filter(|_| is_controller);
        let (flag, warning) = match (find(&argument, IGNORED.iter()), find(&argument, elsewhere)) {
            (Some(flag), _) => (flag, flag.warning()),
            (None, Some(flag)) => (flag, format!("--{} has its effect with `tidegate dataplane`, not here", flag.name)),
            (None, None) => {
                kept.push(argument);
                continue;
            }
        };
        warnings.push(warning);
        let has_value = argument.to_string_lossy().contains('=');
        if flag.takes_value && !has_value {
            arguments.next_if(|value| !value.to_string_lossy().starts_with("--"));
        }
    }
    (kept, warnings)
}

/// Every flag that has no effect, and what follows.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    IGNORED.iter().map(|Ignored { name, consequence, .. }| (*name, *consequence))
}

/// Every flag that is refused, and what to do instead.
pub fn replaced() -> impl Iterator<Item = (&'static str, &'static str)> {
    REPLACED.iter().copied()
}

fn find(argument: &OsString, mut among: impl Iterator<Item = &'static Ignored>) -> Option<&'static Ignored> {
    let argument = argument.to_str()?;
    let name = match argument.strip_prefix("--") {
        Some(long) => long.split_once('=').map_or(long, |(name, _)| name),
        None if argument == "-v" || argument.starts_with("-v=") => "v",
        None => return None,
    };
    among.find(|ignored| ignored.name == name)
}

impl Ignored {
    fn warning(&self) -> String {
        let Self { name, consequence, .. } = self;
        if consequence.is_empty() {
            format!("--{name} of ingress-nginx has no effect here")
        } else {
            format!("--{name} is not served by this version: {consequence}")
        }
    }
}
