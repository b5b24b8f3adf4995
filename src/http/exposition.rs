//! Figures as text, for Prometheus: the older form (0.0.4) and OpenMetrics, by what the client would like.
//!
//! **Invariants**
//! - Samples of a family stand together, behind its type and what it is.
//! - Only counters end in `_total`, in both forms; OpenMetrics leaves that out of their family's name.

use std::fmt::Write as _;

/// A form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Form {
    /// The form that `Accept` asks for.
    pub fn wanted(accept: &str) -> Self {
        let media = |item: &str| {
            let mut parts = item.split(';').map(str::trim);
            let is_open = parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case("application/openmetrics-text"));
            let quality = parts
                .find_map(|part| part.strip_prefix("q=")?.parse().ok())
                .unwrap_or(1.0);
            let is_refused: bool = quality == 0.0;
            is_open && !is_refused
        };
        if accept.split(',').any(media) {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The text as far as it is written.
pub(super) struct Exposition {
    text: String,
    form: Form,
}

/// Label names and their values.
pub(super) type Labels<'l> = [(&'l str, &'l str)];

/// Names of families, what they are, and which of some figures they show.
pub(super) type Rows<F> = [(&'static str, &'static str, fn(&F) -> u64)];

impl Exposition {
    pub fn new(form: Form) -> Self {
        Self {
            text: String::with_capacity(64 << 10),
            form,
        }
    }

    /// The whole of it.
    pub fn into_text(mut self) -> String {
        if self.form == Form::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Begins a family of figures that go up and down.
    pub fn gauges<'e>(&'e mut self, name: &'e str, help: &str) -> Family<'e> {
        self.family(name, "gauge", help);
        Family {
            text: &mut self.text,
            name,
        }
    }

    /// Begins a family of figures that go up; `name` ends in `_total`.
    pub fn counters<'e>(&'e mut self, name: &'e str, help: &str) -> Family<'e> {
        let shown = match self.form {
            Form::Prometheus => name,
            Form::OpenMetrics => name.strip_suffix("_total").unwrap_or(name),
        };
        self.family(shown, "counter", help);
        Family {
            text: &mut self.text,
            name,
        }
    }

    /// A family of one sample for each row.
    pub fn gauge_each<F>(&mut self, rows: &Rows<F>, figures: &F) {
        rows.iter()
            .for_each(|(name, help, pick)| self.gauge(name, help, pick(figures)));
    }

    /// The same of what goes up.
    pub fn count_each<F>(&mut self, rows: &Rows<F>, figures: &F) {
        rows.iter()
            .for_each(|(name, help, pick)| self.counter(name, help, pick(figures)));
    }

    /// A family of one figure.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Figure) {
        self.gauges(name, help).put(&[], value);
    }

    /// The same of one that goes up.
    pub fn counter(&mut self, name: &str, help: &str, value: impl Figure) {
        self.counters(name, help).put(&[], value);
    }

    /// Facts as labels of a figure that is always 1; `name` ends in `_info`.
    pub fn info(&mut self, name: &str, help: &str, facts: &Labels<'_>) {
        match self.form {
            Form::Prometheus => self.family(name, "gauge", help),
            Form::OpenMetrics => self.family(name.strip_suffix("_info").unwrap_or(name), "info", help),
        }
        let text = &mut self.text;
        Family { text, name }.put(facts, 1);
    }

    /// Begins a family of histograms.
    pub fn histograms<'e>(&'e mut self, name: &'e str, help: &str) -> Histograms<'e> {
        self.family(name, "histogram", help);
        Histograms {
            text: &mut self.text,
            name,
        }
    }
}

/// The samples of a family.
pub(super) struct Family<'e> {
    text: &'e mut String,
    name: &'e str,
}

impl Family<'_> {
    /// Adds a sample.
    pub fn put(&mut self, labels: &Labels<'_>, value: impl Figure) -> &mut Self {
        sample(self.text, (self.name, ""), labels, None, value);
        self
    }
}

/// The samples of a family of histograms.
pub(super) struct Histograms<'e> {
    text: &'e mut String,
    name: &'e str,
}

impl Histograms<'_> {
    /// Adds a histogram: how many were at most so much, for each bound, not cumulative; what is beyond all of them; the
    /// sum.
    pub fn put(&mut self, labels: &Labels<'_>, counts: impl Iterator<Item = (f64, u64)>, beyond: u64, sum: f64) {
        let mut below = 0;
        for (bound, count) in counts {
            below += count;
            sample(self.text, (self.name, "_bucket"), labels, Some(bound), below);
        }
        let all = below + beyond;
        sample(self.text, (self.name, "_bucket"), labels, Some(f64::INFINITY), all);
        sample(self.text, (self.name, "_sum"), labels, None, sum);
        sample(self.text, (self.name, "_count"), labels, None, all);
    }
}

fn sample(text: &mut String, name: (&str, &str), labels: &Labels<'_>, bound: Option<f64>, value: impl Figure) {
    text.push_str(name.0);
    text.push_str(name.1);
    let mut separator = '{';
    for (label, value) in labels {
        text.push(separator);
        text.push_str(label);
        text.push_str("=\"");
        escape(text, value);
        text.push('"');
        separator = ',';
    }
    if let Some(bound) = bound {
        text.push(separator);
        text.push_str("le=\"");
        // Both forms agree on these: a point is in each but the last.
        let _ = match bound.is_finite() {
            true if bound.fract() == 0.0 => write!(text, "{bound:.1}"),
            true => write!(text, "{bound}"),
            false => write!(text, "+Inf"),
        };
        text.push('"');
    }
    if bound.is_some() || !labels.is_empty() {
        text.push('}');
    }
    text.push(' ');
    value.write(text);
    text.push('\n');
}

/// A label's value: three signs would end it.
fn escape(text: &mut String, value: &str) {
    for sign in value.chars() {
        match sign {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

/// What may be a sample's value.
pub(super) trait Figure {
    /// Writes it.
    fn write(self, text: &mut String);
}

macro_rules! whole_numbers {
    ($($number:ty),+) => {$(
        impl Figure for $number {
            fn write(self, text: &mut String) {
                text.push_str(itoa::Buffer::new().format(self));
            }
        }
    )+};
}

whole_numbers!(i32, i64, u64, usize);

impl Figure for bool {
    fn write(self, text: &mut String) {
        text.push(if self { '1' } else { '0' });
    }
}

impl Figure for f64 {
    fn write(self, text: &mut String) {
        let _ = write!(text, "{self}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form) -> String {
        let mut exposition = Exposition::new(form);
        exposition.gauge("a_bytes", "Bytes of a", 7_u64);
        exposition
            .counters("b_total", "B")
            .put(&[("x", "1\"\\\n2"), ("y", "")], 1.5);
        exposition.info("c_info", "C", &[("v", "1")]);
        let counts = [(0.001, 1), (1.0, 2)].into_iter();
        exposition
            .histograms("d_seconds", "D")
            .put(&[("z", "z")], counts, 4, 0.25);
        exposition.into_text()
    }

    #[test]
    fn both_forms() {
        let both = "d_seconds_bucket{z=\"z\",le=\"0.001\"} 1\nd_seconds_bucket{z=\"z\",le=\"1.0\"} 3\n\
                    d_seconds_bucket{z=\"z\",le=\"+Inf\"} 7\nd_seconds_sum{z=\"z\"} 0.25\nd_seconds_count{z=\"z\"} 7\n";
        let old = "# HELP a_bytes Bytes of a\n# TYPE a_bytes gauge\na_bytes 7\n# HELP b_total B\n# TYPE b_total counter\n\
                   b_total{x=\"1\\\"\\\\\\n2\",y=\"\"} 1.5\n# HELP c_info C\n# TYPE c_info gauge\nc_info{v=\"1\"} 1\n\
                   # HELP d_seconds D\n# TYPE d_seconds histogram\n";
        assert_eq!(written(Form::Prometheus), format!("{old}{both}"));
        let new = old
            .replace("HELP b_total", "HELP b")
            .replace("TYPE b_total", "TYPE b")
            .replace("HELP c_info", "HELP c")
            .replace("TYPE c_info gauge", "TYPE c info");
        assert_eq!(written(Form::OpenMetrics), format!("{new}{both}# EOF\n"));
    }

    #[test]
    fn the_form_is_what_the_client_accepts() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        assert_eq!(Form::wanted(prometheus), Form::OpenMetrics);
        for other in [
            "",
            "*/*",
            "text/plain",
            "text/html,application/xml",
            "application/openmetrics-text;q=0",
        ] {
            assert_eq!(Form::wanted(other), Form::Prometheus, "{other}");
        }
    }
}
