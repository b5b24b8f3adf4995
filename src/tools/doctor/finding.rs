//! What is found: good, noteworthy, or amiss with what to do about it.

/// What a finding means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// As it should be.
    Good,
    /// Worth knowing.
    Note,
    /// To be changed.
    Amiss,
}

#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub mark: Mark,
    pub what: String,
    /// What to do; empty where there is nothing to be done.
    pub remedy: String,
}

#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub fn good(&mut self, what: impl Into<String>) {
        self.add(Mark::Good, what.into(), String::new());
    }

    pub fn note(&mut self, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(Mark::Note, what.into(), remedy.into());
    }

    pub fn amiss(&self) -> usize {
        self.0.iter().filter(|finding| finding.mark == Mark::Amiss).count()
    }

    pub fn fault(&mut self, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(Mark::Amiss, what.into(), remedy.into());
    }

    pub fn all(&self) -> &[Finding] {
        &self.0
    }

    /// What a server says must not move the cursor of who reads it.
    fn add(&mut self, mark: Mark, what: String, remedy: String) {
        let plain = |text: String| text.replace(|letter: char| letter.is_control(), " ");
        self.0.push(Finding {
            mark,
            what: plain(what),
            remedy: plain(remedy),
        });
    }

    /// What was said about something, for tests.
    #[cfg(test)]
    pub fn mark_of(&self, part: &str) -> Option<Mark> {
        self.0
            .iter()
            .find(|finding| finding.what.contains(part))
            .map(|finding| finding.mark)
    }
}

/// Bytes for people.
pub(super) fn bytes(count: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.into_iter().find(|(_, shift)| count >> shift > 0);
    unit.map_or_else(
        || format!("{count} bytes"),
        |(unit, shift)| format!("{:.1} {unit}", count as f64 / (1_u64 << shift) as f64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_people() {
        for (count, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1536, "1.5 KiB"),
            (3 << 30, "3.0 GiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn what_is_amiss_counts_and_nothing_moves_the_cursor() {
        let mut findings = Findings::default();
        findings.good("a");
        findings.note("b", "");
        findings.fault("c\x1b[2J", "d\r\ne");
        assert_eq!(findings.amiss(), 1);
        let last = findings.all().last().unwrap();
        assert_eq!((last.what.as_str(), last.remedy.as_str()), ("c [2J", "d  e"));
    }
}
