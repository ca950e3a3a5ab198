//! The command line: the flags that ingress-nginx users have in their charts, under the same names.

#[cfg(test)]
mod chart;
mod flags;
mod ignored;
mod planes;
mod reference;
mod webhook;

use std::ffi::OsString;

use clap::Parser;

use crate::log::LogFormat;
pub use flags::{ControllerCommand, ControllerFlags, DataplaneCommand, DataplaneFlags, ProcessFlags, RunFlags};
pub use reference::chart as flags_for_chart;

/// Tidegate: a Kubernetes ingress controller and data plane.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,

    /// How our own log looks (to standard error; choose what is logged with RUST_LOG).
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Run controller and data plane in one process: in a cluster, by kubeconfig, or on a folder of manifests.
    Run(Box<RunFlags>),
    /// Run the controller alone: it serves a data plane in another process, over a Unix socket.
    Controller(Box<ControllerCommand>),
    /// Run the data plane alone: it serves what a controller in another process says.
    Dataplane(Box<DataplaneCommand>),
    /// Print what each annotation of ingress-nginx does here, as Markdown.
    Annotations,
    /// Print the keys of the global ConfigMap (--configmap), as Markdown.
    Settings {
        /// As JSON, for the chart's notes.
        #[arg(long, hide = true)]
        chart: bool,
    },
    /// Print the flags of the commands that serve, as JSON for the chart.
    #[command(hide = true)]
    Flags,
    /// Print our CustomResourceDefinitions, as YAML for `kubectl apply -f -`.
    Crds,
}

/// The command line as it is meant.
#[derive(Debug)]
pub struct Arguments {
    /// What to do.
    pub command: Command,
    /// How our own log looks.
    pub log_format: LogFormat,
    /// What of the command line has no effect, for the log.
    pub warnings: Vec<String>,
}

/// Reads the command line of this process; prints help or an error and exits where there is nothing to run.
pub fn parse() -> Arguments {
    parse_from(std::env::args_os()).unwrap_or_else(|error| error.exit())
}

fn parse_from(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let (arguments, mut warnings) = ignored::remove(arguments);
    let plane = planes::named(&arguments);
    let CommandLine { command, log_format } =
        CommandLine::try_parse_from(arguments).map_err(|error| planes::explain(error, plane))?;
    match &command {
        Command::Run(flags) => warnings.extend(flags.controller.without_effect()),
        Command::Controller(flags) => warnings.extend(flags.controller.without_effect()),
        Command::Dataplane(_) | Command::Annotations | Command::Settings { .. } | Command::Flags | Command::Crds => {}
    }
    Ok(Arguments { command, log_format, warnings })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Result<(RunFlags, Vec<String>), String> {
        let line = ["tidegate", "run"].iter().chain(arguments).map(OsString::from);
        let arguments = parse_from(line).map_err(|error| error.to_string())?;
        match arguments.command {
            Command::Run(flags) => Ok((*flags, arguments.warnings)),
            Command::Controller(_)
            | Command::Dataplane(_)
            | Command::Annotations
            | Command::Settings { .. }
            | Command::Flags
            | Command::Crds => Err("not run".to_owned()),
        }
    }

    #[test]
    fn definitions_are_consistent() {
        use clap::CommandFactory;
        CommandLine::command().debug_assert();
    }

    #[test]
    fn booleans_take_an_optional_value() {
        assert!(!run(&["--update-status=false"]).unwrap().0.controller.update_status);
        assert!(run(&["--update-status"]).unwrap().0.controller.update_status);
        assert!(run(&[]).unwrap().0.controller.update_status);
        assert!(run(&["--watch-ingress-without-class"]).unwrap().0.controller.watch_ingress_without_class);
    }

    #[test]
    fn flags_of_ingress_nginx_without_meaning_here_are_accepted() {
        let (flags, warnings) = run(&["--v=2", "--sync-period", "1h", "--enable-metrics", "--http-port=8080"]).unwrap();
        assert_eq!(flags.controller.http_port, 8080);
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        let (flags, warnings) = run(&["-v", "3", "--publish-service", "a/b"]).unwrap();
        assert_eq!((flags.controller.publish_service.unwrap().to_string(), warnings.len()), ("a/b".to_owned(), 1));
    }

    #[test]
    fn an_api_server_of_ingress_nginx_is_not_left_out() {
        let (_, warnings) = run(&["--certificate-authority=/ca", "--deep-inspect=false"]).unwrap();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        for arguments in [["--apiserver-host=https://x"].as_slice(), &["--apiserver-host", "https://x"]] {
            let error = run(arguments).unwrap_err();
            assert!(error.contains("--apiserver-host is not served: use --kubeconfig"), "{error}");
        }
    }

    #[test]
    fn the_leader_is_elected_under_the_name_of_our_pod() {
        let config = |flags: &RunFlags| crate::planes::controller(&flags.controller, &flags.process, 10254);
        let (flags, warnings) =
            run(&["--pod-namespace=ns", "--pod-name=a", "--election-id=id", "--election-ttl=1m30s"]).unwrap();
        let with_pod = config(&flags);
        let election = with_pod.election.unwrap();
        assert_eq!((election.name.as_str(), election.namespace.as_deref()), ("id", Some("ns")));
        assert_eq!((election.identity.as_str(), election.ttl), ("a", std::time::Duration::from_secs(90)));
        assert_eq!(with_pod.publish, controller::PublishAddress::Nodes { internal: false });
        assert!(with_pod.update_status_on_shutdown && warnings.is_empty(), "{warnings:?}");

        let without_pod = config(&run(&["--update-status-on-shutdown=false"]).unwrap().0);
        let (one, other) = (without_pod.election.unwrap(), config(&run(&[]).unwrap().0).election.unwrap());
        assert!(one.identity != other.identity && one.ttl.as_secs() == 10);
        assert_eq!(without_pod.publish, controller::PublishAddress::None);
        assert!(!without_pod.update_status_on_shutdown && without_pod.pod.is_none());
        assert!(config(&run(&["--disable-leader-election"]).unwrap().0).election.is_none());
    }

    #[test]
    fn what_is_not_served_yet_is_said() {
        let (_, warnings) = run(&["--enable-topology-aware-routing"]).unwrap();
        assert!(warnings[0].contains("--enable-topology-aware-routing") && warnings[0].contains("not"), "{warnings:?}");
    }

    #[test]
    fn the_webhook_takes_ports_alone_and_needs_a_certificate() {
        let files = ["--validating-webhook-certificate=/c", "--validating-webhook-key=/k"];
        let (flags, warnings) = run(&[&["--validating-webhook=:8443"], files.as_slice()].concat()).unwrap();
        let config = flags.controller.webhook.config().unwrap();
        assert_eq!((config.listen.to_string(), warnings.len()), ("[::]:8443".to_owned(), 0));
        assert!(run(&files).unwrap().0.controller.webhook.config().is_none());
        let error = run(&["--validating-webhook=:8443"]).unwrap_err();
        assert!(error.contains("--validating-webhook-certificate"), "{error}");
        let error = run(&[&["--validating-webhook=name:8443"], files.as_slice()].concat()).unwrap_err();
        assert!(error.contains("such as :8443"), "{error}");
    }

    #[test]
    fn services_and_passthrough_are_taken_as_ingress_nginx_takes_them() {
        let (flags, warnings) =
            run(&["--tcp-services-configmap=ns/tcp", "--udp-services-configmap", "ns/udp", "--enable-ssl-passthrough"])
                .unwrap();
        let options = flags.controller.compile_options(&flags.process, 10254);
        assert_eq!(options.tcp_services.unwrap().to_string(), "ns/tcp");
        assert_eq!(options.udp_services.unwrap().to_string(), "ns/udp");
        assert!(options.enable_ssl_passthrough && warnings.is_empty(), "{warnings:?}");
    }

    #[test]
    fn unknown_flags_name_the_nearest() {
        let error = run(&["--htpp-port=80"]).unwrap_err();
        assert!(error.contains("--http-port"), "{error}");
    }

    #[test]
    fn bad_values_name_flag_and_reason() {
        for (argument, needle) in [
            ("--configmap=x", "namespace/name"),
            ("--http-port=99999", "65535"),
            ("--bind-address=foo", "IP"),
            ("--election-ttl=500ms", "from 1s"),
            ("--election-ttl=9999999h", "to 1h"),
        ] {
            let error = run(&[argument]).unwrap_err();
            assert!(error.contains(needle) && error.contains(argument.split('=').next().unwrap()), "{error}");
        }
    }

    fn parse_line(line: &str) -> Result<Arguments, String> {
        let arguments = line.split_whitespace().map(OsString::from);
        parse_from(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn each_plane_has_its_flags() {
        let line = "tidegate controller --socket /x/s --socket-peer-uid 65533 --socket-peer-uid=7 --http-port 8080 \
                    --healthz-port 1 --shutdown-grace-period=9 --manifests /m --sync-period=1h";
        let Arguments { command: Command::Controller(flags), warnings, .. } = parse_line(line).unwrap() else {
            panic!("another command")
        };
        assert_eq!((flags.socket_peer_uid.as_slice(), warnings.len()), (&[65533, 7][..], 1));
        assert_eq!(flags.process.shutdown_grace().as_secs(), 9);
        let line = "tidegate dataplane --state-dir /s --workers 2 --metrics-per-host=false --healthz-port 1 --v=3";
        let Arguments { command: Command::Dataplane(flags), warnings, .. } = parse_line(line).unwrap() else {
            panic!("another command")
        };
        assert!(!flags.dataplane.metrics_per_host && warnings.len() == 1);
        assert_eq!(flags.link.socket.to_str(), Some("/run/tidegate/link/tidegate.sock"));
    }

    #[test]
    fn a_flag_of_the_other_plane_is_an_error_that_says_so() {
        let error = parse_line("tidegate dataplane --http-port=80").unwrap_err();
        assert!(error.contains("--http-port is a flag of `tidegate controller`"), "{error}");
        let error = parse_line("tidegate --log-format json controller --workers 2").unwrap_err();
        assert!(error.contains("--workers is a flag of `tidegate dataplane`"), "{error}");
        let error = parse_line("tidegate run --socket /x").unwrap_err();
        assert!(error.contains("--socket is a flag of `tidegate controller` and `tidegate dataplane`"), "{error}");
        let error = parse_line("tidegate dataplane --wrokers 2").unwrap_err();
        assert!(error.contains("--workers"), "{error}");
    }

    #[test]
    fn flags_of_ingress_nginx_that_only_the_data_plane_has_do_not_stop_a_controller() {
        let line = "tidegate controller --metrics-per-host=false --post-shutdown-grace-period 5 --http-port=8080";
        let Arguments { warnings, .. } = parse_line(line).unwrap();
        assert!(warnings.len() == 2 && warnings.iter().all(|w| w.contains("`tidegate dataplane`")), "{warnings:?}");
    }
}
