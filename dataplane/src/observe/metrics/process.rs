//! What the process uses, read when somebody scrapes (`proc_pid_stat(5)` and its neighbours).

use std::fs;

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::family::{counter, family, float, gauge};

/// The families whose sources can be read: a hardened kernel may hide some.
pub(super) fn collect(common: &[LabelPair]) -> Vec<MetricFamily> {
    let read = |file: &str| fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
    let (stat, status, io) = (read("stat"), read("status"), read("io"));
    let family_of = |name: &str, help, kind, value: Option<f64>, metric: fn(Vec<LabelPair>, f64) -> Metric| {
        let name = format!("nginx_ingress_controller_nginx_process_{name}");
        Some(family(&name, help, kind, vec![metric(common.to_vec(), value?)]))
    };
    [
        family_of("cpu_seconds_total", "Cpu usage in seconds", MetricType::COUNTER, cpu_seconds(&stat), counter),
        family_of(
            "resident_memory_bytes",
            "number of bytes of memory in use",
            MetricType::GAUGE,
            resident(&status),
            gauge,
        ),
        family_of("read_bytes_total", "number of bytes read", MetricType::COUNTER, field(&io, "read_bytes:"), counter),
        family_of(
            "write_bytes_total",
            "number of bytes written",
            MetricType::COUNTER,
            field(&io, "write_bytes:"),
            counter,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// User and system time. The fields are counted after the name, which may hold spaces and parentheses.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11).map_while(|field| field.parse::<u64>().ok());
    let ticks = fields.next()? + fields.next()?;
    Some(float(ticks) / float(rustix::param::clock_ticks_per_second().max(1)))
}

fn resident(status: &str) -> Option<f64> {
    Some(field(status, "VmRSS:")? * 1024.0)
}

fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse::<u64>().ok().map(float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_formats() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 3 0 100 1000 200 18446744073709551615";
        let ticks = float(rustix::param::clock_ticks_per_second());
        assert_eq!(cpu_seconds(stat), Some(200.0 / ticks));
        assert_eq!(resident("VmPeak:\t 9 kB\nVmRSS:\t  2 kB\n"), Some(2048.0));
        assert_eq!(field("rchar: 1\nread_bytes: 7\nwrite_bytes: 8\n", "write_bytes:"), Some(8.0));
    }

    #[test]
    fn leaves_out_what_cannot_be_read() {
        assert_eq!(cpu_seconds(""), None);
        assert_eq!(cpu_seconds("1 (a) S 1"), None);
        assert_eq!(resident("Name: x"), None);
    }

    #[test]
    fn this_process_uses_memory() {
        let families = collect(&[]);
        let resident = families.iter().find(|family| family.name().ends_with("resident_memory_bytes")).unwrap();
        assert!(resident.get_metric()[0].get_gauge().get_value() > 100_000.0);
    }
}
